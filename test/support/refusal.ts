import { chmodSync, chownSync, lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { compiledBinary } from "./binary.ts";
import { type OwnMachine, ownMachine, type Run, type RunOptions } from "./own-machine.ts";
import { tempFolder } from "./temp.ts";
import { fingerprint } from "./tree.ts";

export const PASSWORD = "hunter2-Geheim";

/** Lines of progress that may stand before a message. */
const PROGRESS = /^(Local|Remote|Files) {2}/;
/** What nobody wants to read: stacks, raw system errors, secrets, things that were printed by mistake. */
const NEVER = [
  /^ {4}at /m,
  /\$bunfs|node:internal/,
  /\bE(ACCES|NOENT|ISDIR|NOSPC|PERM|XIST|ROFS): /,
  /\[object |undefined|NaN/,
  /Bearer|Authorization/i,
  new RegExp(PASSWORD),
  new RegExp(Buffer.from(`me:${PASSWORD}`).toString("base64").replace(/=+$/, "")),
];

export interface Expected {
  readonly code: number;
  /** Pieces that the message or the hint must hold: what, which file, what to do. */
  readonly says: readonly (string | RegExp)[];
  readonly options?: RunOptions;
  /** Runs as an account that modes bind. */
  readonly as?: "nobody";
}

/**
 * Runs a command that must fail, in words and with `--json`: the exit code, one sentence and at most one of advice on
 * stderr, nothing on stdout, and neither the project nor `remote` touched. Answers what was said.
 */
export async function expectRefusal(
  machine: OwnMachine,
  remote: string | undefined,
  words: readonly string[],
  expected: Expected,
): Promise<string> {
  const places = [machine.project, ...(remote === undefined ? [] : [remote])];
  const before = places.map(fingerprint);
  const run = (more: readonly string[]) =>
    expected.as === "nobody"
      ? runAsNobody(machine, [...words.slice(0, 1), ...more, ...words.slice(1)], expected.options)
      : machine.run([...words.slice(0, 1), ...more, ...words.slice(1)], expected.options);
  const told = await run([]);
  const inJson = await run(["--json"]);
  expectClean(words, told.stderr);
  if (JSON.stringify(places.map(fingerprint)) !== JSON.stringify(before))
    throw new Error(`${words.join(" ")} changed something`);
  const said = sentences(told.stderr);
  if (told.code !== expected.code || inJson.code !== expected.code)
    throw new Error(`${words.join(" ")} exits ${told.code}, with --json ${inJson.code}: ${told.stderr}${told.stdout}`);
  if (told.stdout !== "" || inJson.stdout !== "") throw new Error(`on stdout: ${told.stdout}${inJson.stdout}`);
  if (said.length < 1 || said.length > 2) throw new Error(`${said.length} lines instead of one or two: ${told.stderr}`);
  for (const part of expected.says) {
    if (!(typeof part === "string" ? told.stderr.includes(part) : part.test(told.stderr)))
      throw new Error(`${words.join(" ")} does not say ${part}: ${told.stderr}`);
  }
  const { error } = JSON.parse(inJson.stderr.slice(inJson.stderr.search(/^\{/m))) as {
    error: { message: string; hint?: string };
  };
  const same = [error.message, ...(error.hint === undefined ? [] : [error.hint])];
  if (same.join("\n") !== said.join("\n")) throw new Error(`--json says otherwise: ${inJson.stderr}`);
  return said.join("\n");
}

/** Throws when `text` holds a stack, a raw error or a secret. */
export function expectClean(words: readonly string[], text: string): void {
  const found = NEVER.find((pattern) => pattern.test(text));
  if (found) throw new Error(`${words.join(" ")} says ${found}: ${text}`);
}

/** Stderr without the progress of what went well. */
export function sentences(stderr: string): readonly string[] {
  return stderr.split("\n").filter((line) => line !== "" && !PROGRESS.test(line));
}

type Ended = Pick<Run, "code" | "stdout" | "stderr">;

const NOBODY = 65_534;

/** Like `machine.run`, as an account that file modes bind; the tests' own where that is not root. */
export async function runAsNobody(
  machine: OwnMachine,
  words: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const binary = await compiledBinary();
  const root = process.getuid?.() === 0;
  if (root) chmodSync(dirname(binary), 0o755);
  const become = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  return spawned([...(root ? become : []), binary, ...words], machine, options);
}

/** Runs a command line of its own in the machine's project and environment. */
export async function spawned(
  command: readonly string[],
  machine: Pick<OwnMachine, "home" | "project">,
  options: RunOptions = {},
): Promise<Ended> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? machine.project,
    env: { PATH: process.env["PATH"] ?? "", HOME: machine.home, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

/** Gives a folder with all that is in it to that account. */
export function giveToNobody(folder: string): void {
  if (process.getuid?.() !== 0) return;
  chownSync(folder, NOBODY, NOBODY);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (lstatSync(path).isDirectory()) giveToNobody(path);
    else chownSync(path, NOBODY, NOBODY);
  }
}

/** A project of two files with a local folder as its remote, in sync. */
export async function inSync(): Promise<{ readonly machine: OwnMachine; readonly remote: string }> {
  const remote = tempFolder("mirror");
  const settings = { backend: "local", local_folder: remote };
  const machine = await ownMachine("anna", { settings, token: undefined });
  machine.write("CLAUDE.md", "# hi\n");
  machine.write("memory/notes.md", "note\n");
  await done(machine, "push");
  return { machine, remote };
}

/** A project with a WebDAV address, signed in with `password` where one is given. */
export async function onWebdav(url: string, password?: string, settings: Readonly<Record<string, unknown>> = {}) {
  const token = password === undefined ? undefined : { username: "me", password };
  const address = { backend: "webdav", webdav_url: url, webdav_username: "me", webdav_insecure_http: true };
  const machine = await ownMachine("anna", { settings: { ...address, ...settings }, token });
  machine.write("CLAUDE.md", "# hi\n");
  return machine;
}

/** Runs a command that must succeed. */
export async function done(machine: OwnMachine, ...words: string[]) {
  const run = await machine.run(words);
  if (run.code !== 0) throw new Error(`${words.join(" ")} exits ${run.code}: ${run.stderr}${run.stdout}`);
  return run;
}
