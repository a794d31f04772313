import { lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CliOptions, type CliRun, cli } from "./cli.ts";
import { tempFolder } from "./temp.ts";

/** A home folder with one project `notes` in it, and the command line there. */
export interface SetupLab {
  readonly home: string;
  readonly project: string;
  readonly configDir: string;
  /** Where `init` puts the project's settings. */
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
  run(words: readonly string[], options?: CliOptions): Promise<CliRun>;
  /** The result in the `--json` envelope of a command that must succeed. */
  json(words: readonly string[], options?: CliOptions): Promise<Record<string, unknown>>;
}

export function setupLab(): SetupLab {
  const home = tempFolder("setup");
  const project = join(home, "work", "notes");
  mkdirSync(project, { recursive: true });
  const configDir = join(home, ".config/claude_mirror");
  const env = { HOME: home, USER: "alice" };
  const run = (words: readonly string[], options: CliOptions = {}) =>
    cli(words, { cwd: project, home, ...options, env: { ...env, ...options.env } });
  return {
    home,
    project,
    configDir,
    configFile: join(configDir, "notes.yaml"),
    env,
    run,
    async json(words, options) {
      const { code, stdout, stderr } = await run([...words, "--json"], options);
      if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${stderr}`);
      return (JSON.parse(stdout) as { result: Record<string, unknown> }).result;
    },
  };
}

/** Every file below `folder`, with its permission bits and bytes. */
export function filesBelow(folder: string): { path: string; mode: number; text: string }[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  return names
    .filter((path) => lstatSync(path).isFile())
    .map((path) => ({ path, mode: lstatSync(path).mode & 0o777, text: readFileSync(path, "latin1") }));
}
