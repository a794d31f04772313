import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { APACHE_USER, startApache } from "../test/support/apache.ts";
import { corpusPath, makeCorpus } from "../test/support/corpus.ts";
import { getLoop } from "../test/support/get-loop.ts";
import {
  localYaml,
  type MeasuredMachine,
  type MeasuredRun,
  measure,
  measuredMachine,
  webdavYaml,
} from "../test/support/measured-machine.ts";
import type { TestServer } from "../test/support/server-process.ts";
import { knowPile, putPile } from "../test/support/snapshot-pile.ts";
import { tempFolder } from "../test/support/temp.ts";
import { giveToServer } from "../test/support/webdav-setup.ts";

export interface BenchTools {
  /** The program to measure. */
  readonly binary: string;
  readonly rounds: number;
  readonly report: (what: string, value: number, unit: "x" | "ms" | "MB", most: number, detail: string) => void;
  readonly alternate: (rounds: number, ...works: (() => Promise<number>)[]) => Promise<number[]>;
}

/** A snapshot over 10,000 files that are as they were, against the status that it has to begin with. */
export async function benchUnchanged(tools: BenchTools, count: number): Promise<void> {
  const { binary, rounds, report, alternate } = tools;
  const machine = measuredMachine({ binary, remote: localYaml(tempFolder("remote")) });
  makeCorpus(machine.project, count);
  await succeed(machine, "push");
  await succeed(machine, "snapshot");
  const restic = await openRestic(machine.project);
  await restic?.("backup", ".");
  const [status = 0, snapshot = 0, backup = 0] = await alternate(
    Math.max(3, rounds),
    async () => (await succeed(machine, "status")).ms,
    async () => (await succeed(machine, "snapshot")).ms,
    async () => (await restic?.("backup", "."))?.ms ?? 0,
  );
  const beside = restic ? `; restic backup ${ms(backup)}` : "";
  const detail = `${ms(snapshot)} - ${ms(status)}${beside}`;
  report(`snapshot of ${count} unchanged files over a status`, snapshot - status, "ms", 100, detail);
}

/** 1,000 files from Apache against a loop that does no more than fetch the same bodies. */
export async function benchRestores({ binary, rounds, report, alternate }: BenchTools, count: number): Promise<void> {
  const server = await startApache({ auth: "basic", deepListings: true });
  try {
    const folder = join(server.root, "restore");
    mkdirSync(folder);
    giveToServer(folder);
    const remote = webdavYaml(`${server.origin}/dav/restore`, APACHE_USER.username);
    const machine = measuredMachine({ binary, remote, secret: APACHE_USER });
    makeCorpus(machine.project, count);
    await succeed(machine, "push");
    const [name = ""] = readdirSync(join(folder, "_claude_mirror_snapshots"));
    const blobs = readdirSync(join(folder, "_claude_mirror_blobs"), { recursive: true, encoding: "utf8" });
    const paths = blobs.filter((path) => path.length > 3).map((path) => `restore/_claude_mirror_blobs/${path}`);
    const restic = await openRestic(machine.project);
    await restic?.("backup", ".");
    const out = join(machine.home, "out");
    const fresh = async (work: () => Promise<MeasuredRun | undefined>): Promise<MeasuredRun | undefined> => {
      rmSync(out, { recursive: true, force: true });
      return work();
    };
    const cpu = { restore: Number.POSITIVE_INFINITY, pull: Number.POSITIVE_INFINITY };
    const restore = async (): Promise<number> => {
      const words = ["restore", name.replace(".json", ""), "--output", out];
      const run = (await fresh(() => succeed(machine, ...words))) as MeasuredRun;
      cpu.restore = Math.min(cpu.restore, run.cpuMs);
      return run.ms;
    };
    const pull = async (): Promise<number> => {
      const other = measuredMachine({ binary, remote, secret: APACHE_USER });
      await succeed(other, "status");
      const run = await succeed(other, "pull");
      rmSync(other.home, { recursive: true });
      cpu.pull = Math.min(cpu.pull, run.cpuMs);
      return run.ms;
    };
    const coldLoop = await compiledLoop(server, paths);
    const [restored = 0, pulled = 0, looped = 1, cold = 1, theirs = 0] = await alternate(
      rounds,
      restore,
      pull,
      () => getLoop(server, { paths, user: APACHE_USER, connections: 16 }),
      coldLoop,
      async () => (await fresh(async () => restic?.("restore", "latest", "--target", out)))?.ms ?? 0,
    );
    const beside = restic ? `; restic restore from a local repository ${ms(theirs)}` : "";
    const loops = `${ms(looped)} in a warm process, ${ms(cold)} in one of its own`;
    const detail = (took: number, cpuMs: number): string => `${ms(took)} (CPU ${ms(cpuMs)}) / ${loops}`;
    const of = `of ${count} files against a warm GET loop`;
    report(`restore ${of}`, restored / looped, "x", 3, `${detail(restored, cpu.restore)}${beside}`);
    report(`pull ${of}`, pulled / looped, "x", 4, detail(pulled, cpu.pull));
  } finally {
    await server.stop();
  }
}

/** The loop as a program that is started for it, as every command is. */
async function compiledLoop(server: TestServer, paths: readonly string[]): Promise<() => Promise<number>> {
  const home = tempFolder("loop");
  const outfile = join(home, "get-loop");
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "../test/support/get-loop.ts")],
    compile: { outfile },
    minify: true,
    bytecode: true,
    format: "esm",
    target: "bun",
  });
  if (!built.success) throw new AggregateError(built.logs, "cannot build the loop");
  const command = [outfile, server.origin, APACHE_USER.username, APACHE_USER.password, "16"];
  return async () => {
    const done = await measure(command, { cwd: home, home, stdin: paths.join("\n") });
    if (done.code !== 0) throw new Error(`the loop ended with ${done.code}: ${done.stderr}`);
    return done.ms;
  };
}

/** What a machine that has seen all snapshots pays for looking through them. */
export async function benchManySnapshots(
  { binary, rounds, report, alternate }: BenchTools,
  snapshots: number,
): Promise<void> {
  const remote = tempFolder("remote");
  const machine = measuredMachine({ binary, remote: localYaml(remote) });
  await succeed(machine, "push");
  knowPile(machine, remote, { snapshots, files: 10_000, changes: 20 });
  let peakMb = 0;
  const [history = 0] = await alternate(Math.max(5, rounds), async () => {
    const run = await succeed(machine, "history", corpusPath(7));
    peakMb = Math.max(peakMb, run.peakMb);
    return run.ms;
  });
  report(`history over ${snapshots} snapshots of 10,000 files`, history, "ms", 100, "whole process, local folder");
  report("memory of that history", peakMb, "MB", 150, "");
  const pile = tempFolder("pile");
  const collector = measuredMachine({ binary, remote: localYaml(pile) });
  await succeed(collector, "push");
  putPile(pile, { snapshots, files: 1000, changes: 5 });
  const first = await succeed(collector, "gc");
  makeCorpus(collector.project, 1000);
  const restic = await openRestic(collector.project);
  for (let made = 0; made < RESTIC_SNAPSHOTS; made++) await restic?.("backup", "--force", ".");
  const [gc = 0, prune = 0] = await alternate(
    rounds,
    async () => (await succeed(collector, "gc")).ms,
    async () => (await restic?.("prune", "--dry-run"))?.ms ?? 0,
  );
  const beside = restic ? `; restic prune of ${RESTIC_SNAPSHOTS} snapshots ${ms(prune)}` : "";
  const detail = `dry run, first time ${ms(first.ms)}${beside}`;
  report(`gc over ${snapshots} snapshots of 1,000 files`, gc, "ms", 1000, detail);
}

/** To make as many with restic would take a quarter of an hour. */
const RESTIC_SNAPSHOTS = 20;

type Restic = (...words: string[]) => Promise<MeasuredRun>;

/** A new local repository; undefined where restic is missing and cannot be installed. */
async function openRestic(project: string): Promise<Restic | undefined> {
  if (Bun.which("restic") === null && process.getuid?.() === 0) {
    Bun.spawnSync(["apt-get", "install", "-y", "-q", "restic"], { stdout: "ignore", stderr: "ignore" });
  }
  if (Bun.which("restic") === null) return undefined;
  const home = tempFolder("restic");
  const password = join(home, "password");
  await Bun.write(password, "bench\n");
  const run: Restic = async (...words) => {
    const options = ["--repo", join(home, "repository"), "--password-file", password, "--quiet"];
    const done = await measure(["restic", ...options, ...words], { cwd: project, home });
    if (done.code !== 0) throw new Error(`restic ${words.join(" ")} ended with ${done.code}: ${done.stderr}`);
    return done;
  };
  await run("init");
  return run;
}

async function succeed(machine: MeasuredMachine, ...words: string[]): Promise<MeasuredRun> {
  const run = await machine.run(...words);
  if (run.code !== 0) throw new Error(`claude-mirror ${words.join(" ")} ended with ${run.code}: ${run.stderr}`);
  return run;
}

function ms(value: number): string {
  return `${value < 100 ? value.toFixed(1) : value.toFixed(0)} ms`;
}
