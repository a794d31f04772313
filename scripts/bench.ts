// Measures what the program costs against what it cannot cost less than: `bun scripts/bench.ts [--quick | --large] [--only=PART]`.
// Every ratio is of two things timed in turns in this one run; the best of each counts.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requestsDuring } from "../test/support/access-log.ts";
import { APACHE_USER, startApache } from "../test/support/apache.ts";
import { corpusPath, makeCorpus } from "../test/support/corpus.ts";
import {
  localYaml,
  type MeasuredMachine,
  measure,
  measuredMachine,
  webdavYaml,
} from "../test/support/measured-machine.ts";
import { startNginx } from "../test/support/nginx.ts";
import { putAndCopyLoop } from "../test/support/put-copy-loop.ts";
import type { TestServer } from "../test/support/server-process.ts";
import { removeTempFolders, tempFolder } from "../test/support/temp.ts";
import { giveToServer } from "../test/support/webdav-setup.ts";
import { benchManySnapshots, benchRestores, benchUnchanged } from "./bench-snapshots.ts";
import { buildBinary } from "./build.ts";

const quick = process.argv.includes("--quick");
const large = process.argv.includes("--large");
const only = process.argv.find((word) => word.startsWith("--only="))?.slice("--only=".length);
const rounds = quick ? 1 : only === undefined ? 3 : 10;

interface Line {
  readonly what: string;
  readonly value: number;
  readonly unit: "x" | "requests" | "MB" | "ms" | "per file";
  readonly most: number;
  readonly detail: string;
}

const lines: Line[] = [];

function report(what: string, value: number, unit: Line["unit"], most: number, detail: string): void {
  const line = { what, value, unit, most, detail };
  lines.push(line);
  const mark = value <= most ? "ok  " : "MISS";
  console.log(`${mark} ${what.padEnd(52)} ${shown(value).padStart(8)} ${unit.padEnd(8)} (${shown(most)})  ${detail}`);
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

const binary = join(tempFolder("bench"), "claude-mirror");
await buildBinary({ outfile: binary });
console.log(`${quick ? "quick " : ""}bench, best of ${rounds}; (target) behind each value\n`);
const snapshots = { binary, rounds, report, alternate };
const parts: Readonly<Record<string, () => Promise<void>>> = {
  start: startUp,
  push: pushes,
  "one-file": oneFile,
  status: () => statusWork(10_000),
  unchanged: () => benchUnchanged(snapshots, 10_000),
  restore: () => benchRestores(snapshots, 1000),
  history: () => benchManySnapshots(snapshots, 1000),
  ...(large && { "large-status": () => statusWork(100_000), memory }),
};
if (only !== undefined && parts[only] === undefined) {
  throw new Error(`cannot measure "${only}": there are ${Object.keys(parts).join(", ")}`);
}
try {
  for (const [name, measurePart] of Object.entries(parts)) if (only === undefined || only === name) await measurePart();
} finally {
  removeTempFolders();
}
const missed = lines.filter(({ value, most }) => value > most);
console.log(
  `\n${lines.length - missed.length} of ${lines.length} within target. To repeat: bun scripts/bench.ts${process.argv
    .slice(2)
    .map((word) => ` ${word}`)
    .join("")}`,
);
if (missed.length > 0) process.exitCode = 1;

/** The best of `rounds` turns of each, one after the other in every round. */
async function alternate(rounds: number, ...works: (() => Promise<number>)[]): Promise<number[]> {
  const best = works.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [i, work] of works.entries()) best[i] = Math.min(best[i] as number, await work());
  }
  return best;
}

/** `--version`, find-config with a warm index and the hook with nothing pending against a compiled program that does nothing. */
async function startUp(): Promise<void> {
  const folder = tempFolder("empty");
  const empty = join(folder, "empty");
  writeFileSync(join(folder, "empty.ts"), "");
  const built = await Bun.build({
    entrypoints: [join(folder, "empty.ts")],
    compile: { outfile: empty },
    minify: true,
    bytecode: true,
  });
  if (!built.success) throw new AggregateError(built.logs, "cannot build the empty program");
  const machine = measuredMachine({ binary, remote: localYaml(tempFolder("remote")) });
  const place = { cwd: machine.project, home: machine.home };
  await machine.run("find-config");
  const timed =
    (...command: string[]) =>
    async () =>
      spawnMs(command, place);
  const [none = 1, version = 0, find = 0, hook = 0] = await alternate(
    quick ? 20 : 60,
    timed(empty),
    timed(binary, "--version"),
    timed(binary, "find-config"),
    timed(binary, "inbox", "--hook"),
  );
  report("--version against an empty program", version / none, "x", 1.5, `${ms(version)} / ${ms(none)}`);
  report("find-config against an empty program", find / none, "x", 1.5, `${ms(find)} / ${ms(none)}`);
  report("inbox --hook, nothing pending, likewise", hook / none, "x", 1.5, `${ms(hook)} / ${ms(none)}`);
}

function spawnMs(command: readonly string[], { cwd, home }: { readonly cwd: string; readonly home: string }): number {
  const start = performance.now();
  const done = Bun.spawnSync([...command], { cwd, env: { HOME: home }, stdout: "ignore", stderr: "ignore" });
  if (done.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${done.exitCode}`);
  return performance.now() - start;
}

/** A first push of 1,000 files with its snapshot against a loop that does no more than send the same bodies. */
async function pushes(): Promise<void> {
  const count = 1000;
  const server = await startApache({ auth: "basic", deepListings: true });
  try {
    let round = 0;
    let last: MeasuredMachine | undefined;
    const requests: number[] = [];
    const push = async () => {
      const machine = await projectOn(server, `push-${round}`);
      makeCorpus(machine.project, count, { seed: 10 + round });
      last = machine;
      const { result, requests: sent } = await requestsDuring(server, () => succeed(machine, "push"));
      requests.push(sent.length);
      return result.ms;
    };
    const loop = async () => {
      const folder = tempFolder("bodies");
      const paths = makeCorpus(folder, count, { seed: 10 + round });
      return putAndCopyLoop(server, { name: `loop-${round++}`, folder, paths, user: APACHE_USER, connections: 16 });
    };
    const [pushed = 0, looped = 1] = await alternate(rounds, push, loop);
    report("push of 1,000 new files against a PUT+COPY loop", pushed / looped, "x", 3, `${ms(pushed)} / ${ms(looped)}`);
    report(
      "requests of a first push",
      Math.max(...requests) / count,
      "per file",
      2.4,
      `${Math.max(...requests)} in all`,
    );
    const machine = last as MeasuredMachine;
    const unchanged = await requestsDuring(server, () => succeed(machine, "status"));
    report(
      "requests of a status, nothing changed, deep listings",
      unchanged.requests.length,
      "requests",
      2 + count / 200,
      `${count / 200} top-level folders`,
    );
    makeCorpus(machine.project, count, { from: count, seed: 99 });
    const later = await requestsDuring(server, () => succeed(machine, "push"));
    report(
      "requests of a later push of 1,000 more",
      later.requests.length / count,
      "per file",
      2.1,
      `${later.requests.length} in all`,
    );
  } finally {
    await server.stop();
  }
}

/** One changed file, pushed by its name, among 1,000 on Apache and among 100 on nginx. */
async function oneFile(): Promise<void> {
  const apache = await startApache({ auth: "basic" });
  try {
    report(
      "requests to push one named file of 1,000, Apache",
      await namedPush(apache, 1000),
      "requests",
      8,
      "If: (etag) guards",
    );
  } finally {
    await apache.stop();
  }
  const nginx = await startNginx();
  try {
    report("requests to push one named file of 100, nginx", await namedPush(nginx, 100), "requests", 12, "LOCK guards");
  } finally {
    await nginx.stop();
  }
}

async function namedPush(server: TestServer, count: number): Promise<number> {
  const machine = await projectOn(server, "named");
  makeCorpus(machine.project, count);
  await succeed(machine, "push");
  writeFileSync(join(machine.project, corpusPath(7)), "changed\n");
  const { requests } = await requestsDuring(server, () => succeed(machine, "push", corpusPath(7)));
  return requests.length;
}

/**
 * The local part of a status: a compiled program of the same modules that loads the index, walks the project and
 * compares, against a listing that it holds in memory, start-up included and the listing's making left out.
 */
async function statusWork(count: number): Promise<void> {
  const remote = tempFolder("remote");
  const machine = measuredMachine({ binary, remote: localYaml(remote) });
  makeCorpus(machine.project, count);
  const pushed = await succeed(machine, "push");
  const probe = join(tempFolder("probe"), "local-part");
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "../test/support/local-part.ts")],
    compile: { outfile: probe },
    minify: true,
    bytecode: true,
    format: "esm",
    target: "bun",
  });
  if (!built.success) throw new AggregateError(built.logs, "cannot build the local part");
  const place = { cwd: machine.project, home: machine.home };
  for (const words of [
    ["init", "-q"],
    ["add", "."],
    ["commit", "-qm", "all"],
  ]) {
    await git(machine, ...words);
  }
  const ours = async () => {
    const { stdout, stderr, code } = await measure([probe, machine.project, machine.home], place);
    if (code !== 0) throw new Error(stderr);
    return Number(stdout) + spawnMs([binary, "--version"], place);
  };
  const theirs = async () => spawnMs(["git", "status", "--porcelain"], place);
  const [local = 0, gitMs = 1] = await alternate(Math.max(3, rounds * 3), ours, theirs);
  report(
    `status of ${count} unchanged files against git`,
    local / gitMs,
    "x",
    3,
    `${ms(local)} / ${ms(gitMs)}, local part`,
  );
  await promptWork(machine, count);
  const status = await succeed(machine, "status");
  const size = count === 100_000 ? { status: 150, push: 300 } : { status: 150, push: 300 };
  report(`memory of a status of ${count} files`, status.peakMb, "MB", size.status, `local folder, ${ms(status.ms)}`);
  report(`memory of a push of ${count} files`, pushed.peakMb, "MB", size.push, `local folder, ${ms(pushed.ms)}`);
}

/** The shell prompt of a project at rest: its folders were last changed some seconds ago. */
async function promptWork(machine: MeasuredMachine, count: number): Promise<void> {
  const place = { cwd: machine.project, home: machine.home };
  await Bun.sleep(3000);
  const shown = await succeed(machine, "prompt");
  if (shown.stdout !== "✓\n") throw new Error(`claude-mirror prompt says ${shown.stdout}`);
  const ours = async () => spawnMs([binary, "prompt"], place);
  const theirs = async () => spawnMs(["git", "status", "--porcelain"], place);
  const [prompt = 0, gitMs = 1] = await alternate(quick ? 10 : 30, ours, theirs);
  report(`prompt of ${count} unchanged files against git`, prompt / gitMs, "x", 2, `${ms(prompt)} / ${ms(gitMs)}`);
}

async function git(machine: MeasuredMachine, ...words: string[]): Promise<void> {
  const command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", ...words];
  const { code, stderr } = await measure(command, { cwd: machine.project, home: machine.home });
  if (code !== 0) throw new Error(`git ${words[0]}: ${stderr}`);
}

/** One file of 2 GiB there and back through Apache. */
async function memory(): Promise<void> {
  const server = await startApache({ auth: "basic" });
  try {
    const machine = await projectOn(server, "big", ["**/*.bin"]);
    const big = join(machine.project, "big.bin");
    await Bun.write(big, "");
    const { truncateSync } = await import("node:fs");
    truncateSync(big, 2 * 2 ** 30);
    const pushed = await succeed(machine, "push");
    report("memory of a push of one 2 GiB file", pushed.peakMb, "MB", 200, `Apache, ${ms(pushed.ms)}`);
    const { stdout } = await succeed(machine, "snapshots", "--json");
    const timestamp = /\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ/.exec(stdout)?.[0] ?? "";
    const restored = await succeed(machine, "restore", timestamp, "big.bin", "--output", join(machine.home, "out"));
    report("memory of a restore of one 2 GiB file", restored.peakMb, "MB", 200, `Apache, ${ms(restored.ms)}`);
  } finally {
    await server.stop();
  }
}

async function projectOn(server: TestServer, name: string, patterns?: readonly string[]): Promise<MeasuredMachine> {
  const folder = join(server.root, name);
  mkdirSync(folder);
  giveToServer(folder);
  const remote = webdavYaml(`${server.origin}/dav/${name}`, APACHE_USER.username);
  const machine = measuredMachine({ binary, remote, secret: APACHE_USER, ...(patterns ? { patterns } : {}) });
  await succeed(machine, "status");
  return machine;
}

async function succeed(machine: MeasuredMachine, ...words: string[]) {
  const run = await machine.run(...words);
  if (run.code !== 0) throw new Error(`claude-mirror ${words.join(" ")} ended with ${run.code}: ${run.stderr}`);
  return run;
}

function ms(value: number): string {
  return `${value < 100 ? value.toFixed(1) : value.toFixed(0)} ms`;
}
