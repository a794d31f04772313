import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compiledBinary } from "./binary.ts";
import { cli } from "./cli.ts";
import { leapingClock } from "./leaping-clock.ts";
import { type Pty, startInPty } from "./pty.ts";
import type { RemotePlace } from "./remote-place.ts";
import { quickFolder, tempFolder } from "./temp.ts";
import { userFiles } from "./tree.ts";

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Below the project folder, or absolute. */
  readonly cwd?: string;
}

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The `result` of the envelope on stdout; throws when there is none. */
  readonly json: Answer;
  /** The same where the result is a list. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

interface VerifyItem {
  readonly backend: string;
  readonly path: string;
  readonly files?: readonly string[];
}

/** What the commands answer with `--json`; each has some of these. */
interface Answer {
  readonly summary: Readonly<Record<string, number>>;
  readonly files: readonly Readonly<Record<string, string | null>>[];
  readonly planned: readonly { readonly path: string; readonly action: string }[];
  readonly uploaded: readonly string[];
  readonly downloaded: readonly string[];
  readonly adopted: readonly string[];
  readonly deleted_remote: readonly string[];
  readonly deleted_local: readonly string[];
  readonly copies: readonly string[];
  readonly conflicts: readonly { readonly path: string; readonly kind: string }[];
  readonly failed: readonly { readonly path: string; readonly class: string; readonly message: string }[];
  readonly held: readonly { readonly path: string; readonly reason: string }[];
  readonly notices: readonly string[];
  readonly in_sync: number;
  readonly snapshot: { readonly timestamp: string } | null;
  readonly versions: readonly { readonly timestamp: string; readonly version: string; readonly hash: string }[];
  readonly items: readonly { readonly id: string; readonly path: string }[];
  readonly phases: readonly Readonly<Record<"backend" | "name" | "checked" | "verified", unknown>>[];
  readonly converted: readonly string[];
  readonly cleaned: readonly string[];
  readonly config_updated: boolean;
  readonly corrupted: readonly VerifyItem[];
  readonly missing: readonly VerifyItem[];
  readonly repair: Readonly<Record<"planned" | "repaired" | "failed" | "no_source", readonly VerifyItem[]>>;
}

/** Somebody's computer: a HOME of its own with one project in it, and the compiled program with an empty environment. */
export interface OwnMachine {
  readonly home: string;
  readonly project: string;
  /** The project's YAML. */
  readonly config: string;
  run(words: readonly string[], options?: RunOptions): Promise<Run>;
  /** The program at a terminal of 80 columns. */
  terminal(words: readonly string[], options?: Pick<RunOptions, "env">): Pty;
  /** Writes the YAML anew with these keys changed. */
  configure(settings: Readonly<Record<string, unknown>>): void;
  write(path: string, content: string | Uint8Array): void;
  read(path: string): string;
  remove(path: string): void;
  rename(from: string, to: string): void;
  /** The user's files: path to content, a byte per character. */
  files(): Record<string, string>;
}

export interface MachineOptions {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly home?: string;
}

/** Sets a project up for `place`, with every file in scope unless `settings` say otherwise. */
export async function ownMachine(
  name: string,
  place: Pick<RemotePlace, "settings" | "token" | "env" | "inProcess">,
  options: MachineOptions = {},
): Promise<OwnMachine> {
  const binary = await compiledBinary();
  const home = options.home ?? (place.inProcess ? quickFolder(name) : tempFolder(name));
  const project = join(home, "project");
  const configDir = join(home, ".config/claude_mirror");
  const config = join(configDir, "project.yaml");
  const token = join(configDir, "webdav-project-token.json");
  for (const folder of [project, configDir]) mkdirSync(folder, { recursive: true });
  if (place.token) writeFileSync(token, JSON.stringify(place.token), { mode: 0o600 });
  let settings: Readonly<Record<string, unknown>> = {
    project_path: project,
    file_patterns: ["**/*"],
    exclude_patterns: [],
    snapshot_format: "blobs",
    machine_name: name,
    user: name,
    token_file: token,
    ...place.settings,
    ...options.settings,
  };
  const at = (path: string) => join(project, path);
  const clock = leapingClock();
  const machine: OwnMachine = {
    home,
    project,
    config,
    async run(words, { stdin, env: more, cwd: folder } = {}) {
      const env = { HOME: home, ...place.env, ...more };
      const cwd = folder?.startsWith("/") ? folder : join(project, folder ?? ".");
      if (place.inProcess) return runOf(await cli(words, { env, cwd, home, clock, ...(stdin && { stdin }) }));
      const child = Bun.spawn([binary, ...words], {
        env,
        cwd,
        stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return runOf({ code: await child.exited, stdout, stderr });
    },
    terminal: (words, { env } = {}) =>
      startInPty([binary, ...words], { env: { HOME: home, TERM: "xterm", ...place.env, ...env }, cwd: project }),
    configure(changed) {
      settings = { ...settings, ...changed };
      const lines = Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
      writeFileSync(config, lines.join(""));
    },
    write(path, content) {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), content);
    },
    read: (path) => readFileSync(at(path), "latin1"),
    remove: (path) => rmSync(at(path), { recursive: true }),
    rename(from, to) {
      mkdirSync(dirname(at(to)), { recursive: true });
      renameSync(at(from), at(to));
    },
    files: () => userFiles(project),
  };
  machine.configure({});
  return machine;
}

function runOf(ended: Pick<Run, "code" | "stdout" | "stderr">): Run {
  const result = <T>(): T => {
    try {
      return JSON.parse(ended.stdout).result;
    } catch {
      throw new Error(`no JSON on stdout (exit ${ended.code}): ${ended.stdout}${ended.stderr}`);
    }
  };
  return {
    ...ended,
    get json() {
      return result<Answer>();
    },
    get rows() {
      return result<Run["rows"]>();
    },
  };
}
