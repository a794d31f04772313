import * as fs from "node:fs";
import { join } from "node:path";
import type { Backend } from "../../src/backends/types.ts";
import { wrapBackend } from "../../src/backends/wrap/stack.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { RunResult } from "../../src/project/model.ts";
import { openProject } from "../../src/project/open.ts";
import { memoryBackend } from "../support/memory-backend.ts";
import type { Random } from "../support/random.ts";
import { fingerprint } from "../support/tree.ts";
import { type Command, drawCommand } from "./engine-commands.ts";
import { recordedBackend, type Trouble, troubledBackend } from "./engine-faults.ts";
import { type Client, type Ended, note, Violation, type World } from "./engine-model.ts";
import { ABORTED, judgeRun, lookBefore } from "./engine-oracle.ts";
import { userStep } from "./engine-user.ts";

export interface RunOptions {
  readonly command: Command;
  readonly trouble: readonly Trouble[];
  readonly random: Random;
}

/** One command from its start to its end, judged. */
export async function runCommand(world: World, client: Client, options: RunOptions): Promise<Ended> {
  const { command } = options;
  if (world.depth === 0) {
    world.written.clear();
    world.destroyed.clear();
  }
  note(world, `${client.name}: ${command.label}`);
  const before = lookBefore(world, client);
  const still = command.dryRun && world.depth === 0 ? allPrints(world, client, command) : undefined;
  world.depth++;
  world.runs++;
  const session = openSession(world, client, options);
  const ended = await session.end(command);
  world.depth--;
  world.bug.afterRun?.(client);
  note(world, `  ${tellEnd(ended)}`);
  judgeRun(world, client, command, before, ended);
  if (still !== undefined && before.disturbances === world.disturbances) {
    const changed = allPrints(world, client, command).find((line, at) => line !== still[at]);
    if (changed !== undefined) throw new Violation(`I41: ${client.name}: ${command.label} changed ${changed}`);
  }
  return ended;
}

/** Everything that a dry run must leave alone. */
function allPrints({ store }: World, { root, stateFolder, trashFolder }: Client, command: Command): string[] {
  const remote = `remote ${store.log.length}`;
  return [
    remote,
    ...fingerprint(root),
    ...fingerprint(trashFolder),
    ...(command.name === "status" ? [] : fingerprint(stateFolder)),
  ];
}

export function tellEnd(ended: Ended): string {
  if (ended.kind === "failed") return `failed: ${ended.error instanceof Error ? ended.error.message : ended.error}`;
  if (ended.kind !== "result") return ended.kind;
  const { result } = ended;
  const lists = ["uploaded", "downloaded", "deletedRemote", "deletedLocal", "adopted", "copies"] as const;
  const parts = lists.filter((it) => result[it].length > 0).map((it) => `${it} ${result[it].join(" ")}`);
  for (const it of ["conflicts", "held", "failed"] as const) {
    if (result[it].length > 0) parts.push(`${it} ${result[it].map(({ path }) => path).join(" ")}`);
  }
  for (const { path, error } of result.failed) parts.push(`(${path}: ${error.message})`);
  return [...parts, ...result.notices, result.interrupted ? "interrupted" : "ended"].join("; ");
}

export interface Session {
  end(command: Command): Promise<Ended>;
}

export function openSession(world: World, client: Client, { trouble, random }: RunOptions): Session {
  const abort = new AbortController();
  const clock = clockOf(world, client);
  const memory = openRemote(world);
  const inner = world.bug.backend?.(memory, world) ?? memory;
  const { backend, killed } = troubledBackend(recordedBackend(inner, world, client), {
    world,
    client,
    trouble,
    random,
    abort: () => abort.abort(ABORTED),
    otherRun: () => otherRun(world, client, random),
  });
  const opened = openProject({
    config: client.config,
    openBackend: async () => wrapped(backend, client, clock, random),
    stateFolder: client.stateFolder,
    trashFolder: client.trashFolder,
    clock,
    signal: abort.signal,
    cwd: client.root,
    onEvent: () => {},
  });
  const project = world.bug.project?.(opened, world, client) ?? opened;
  return {
    async end(command) {
      const run = command.run(project).then(
        (result: RunResult | undefined): Ended =>
          result === undefined ? { kind: "other" } : { kind: "result", result },
        (error: unknown): Ended => ({ kind: "failed", error }),
      );
      const ended = await Promise.race([run, killed.then((): Ended => ({ kind: "killed" }))]);
      if (ended.kind !== "killed") await project.close();
      else await powerOff(client);
      if (ended.kind === "failed" && ended.error instanceof Violation) throw ended.error;
      return ended;
    },
  };
}

/** A server of coarse revs says how coarse they are. */
function openRemote({ remote, store }: World): Backend {
  const memory = memoryBackend({ ...remote, store });
  return { ...memory, can: { ...memory.can, revTickMs: store.tickMs } };
}

function wrapped(backend: Backend, { config }: Client, clock: Clock, random: Random): Backend {
  return wrapBackend(backend, {
    clock,
    random: () => random.next(),
    attempts: config.maxRetryAttempts,
    parallel: config.parallelWorkers,
    maxThrottleWaitMs: config.maxThrottleWaitSeconds * 1000,
  });
}

/** A machine's own idea of the time; waiting for something makes it later for all. */
function clockOf(world: World, client: Client): Clock {
  const started = Date.now();
  let ticks = 0;
  return {
    now: () => started + client.skewMs + world.skippedMs + ticks++,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      world.skippedMs += Math.ceil(ms);
    },
  };
}

/** The calls of a machine without power never end; its lock is what a dead process leaves. */
async function powerOff(client: Client): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
  fs.rmSync(join(client.stateFolder, "lock"), { force: true });
}

async function otherRun(world: World, client: Client, random: Random): Promise<void> {
  const others = world.clients.filter((it) => it !== client);
  const other = random.pick(others);
  if (random.below(2) === 0) userStep(world, other, random);
  await runCommand(world, other, { command: drawCommand(world, other, random), trouble: [], random });
}
