import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FakeDropbox } from "../fakes/dropbox.ts";
import type { CliOptions, CliRun } from "./cli.ts";
import { type SetupLab, setupLab } from "./setup-lab.ts";

let labs = 0;

/** A machine with a project on the fake, run inside this process. */
export interface DropboxLab extends SetupLab {
  /** The remote folder. */
  readonly root: string;
  readonly token: string;
  /** Runs a command that must exit 0 and counts the requests that it took. */
  requests(words: readonly string[]): Promise<number>;
  write(path: string, content: string): void;
}

export interface DropboxLabOptions {
  /** The remote folder of another lab. */
  readonly root?: string;
  /** False leaves signing in to the test. */
  readonly signedIn?: boolean;
}

export async function dropboxLab(fake: FakeDropbox, options: DropboxLabOptions = {}): Promise<DropboxLab> {
  const plain = setupLab();
  const root = options.root ?? `/labs/${++labs}`;
  const token = join(plain.configDir, "dropbox-notes-token.json");
  const run = (words: readonly string[], more: CliOptions = {}): Promise<CliRun> =>
    plain.run(words, { ...more, env: { ...fake.env(), ...more.env } });
  const made = await run(["init", "--dropbox-app-key", fake.appKey, "--dropbox-folder", root, "--patterns", "**/*"]);
  if (made.code !== 0) throw new Error(made.stderr);
  if (options.signedIn !== false) {
    writeFileSync(token, fake.tokenFile(), { mode: 0o600 });
    if (fake.tree.get(root) === undefined) fake.tree.createFolder(root);
  }
  return {
    ...plain,
    root,
    token,
    run,
    async json(words, more) {
      const { code, stdout, stderr } = await run([...words, "--json"], more);
      if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${stderr}${stdout}`);
      return (JSON.parse(stdout) as { result: Record<string, unknown> }).result;
    },
    async requests(words) {
      fake.reset();
      const { code, stderr, stdout } = await run(words);
      if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${stderr}${stdout}`);
      return fake.total();
    },
    write(path, content) {
      const file = join(plain.project, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
  };
}
