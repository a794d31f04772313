import { join } from "node:path";
import { blobPath } from "../../src/backends/layout.ts";
import type { Backend } from "../../src/backends/types.ts";
import { aroundVerbs } from "../../src/backends/wrap/verbs.ts";
import { RefusedError } from "../../src/lib/errors.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import type { NewSnapshot } from "../../src/snapshots/model.ts";
import { planForget } from "../../src/snapshots/retention.ts";
import { openSnapshots, type SnapshotService } from "../../src/snapshots/service.ts";
import { memoryBackend } from "../support/memory-backend.ts";
import { MemoryStore } from "../support/memory-store.ts";
import type { Random } from "../support/random.ts";
import { blobSource, LAB_START } from "../support/snapshot-lab.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CONTENTS = ["alpha", "beta", "gamma", "delta"];
/** While a push is this old the clock stands: half of the grace period is what a push may take, less what it reuses. */
const LONGEST_PUSH = 8 * HOUR;

/** How the machines behave; a planted bug replaces a part. */
export interface Habits {
  readonly graceMs: number;
  /** Stands between a machine and its remote; `isCollecting` tells whether the machine carries a plan of gc out. */
  readonly wrap: (backend: Backend, isCollecting: () => boolean) => Backend;
  readonly storeAgain: (service: SnapshotService, content: string) => Promise<void>;
}

export const SOUND: Habits = {
  graceMs: 24 * HOUR,
  wrap: (backend) => backend,
  storeAgain: async (service, content) => void (await service.store(blobSource(content))),
};

class Killed extends Error {}

interface RaceOptions {
  readonly habits: Habits;
  readonly random: Random;
  readonly folder: string;
  /** Deeds of each machine. */
  readonly deeds: number;
}

/** What the race came to. */
export interface RaceResult {
  /** Snapshots on the remote that lack a body, when every push was done or taken up again. */
  readonly broken: readonly string[];
  /** Snapshots that were whole while nobody collected, and then lost a body, if only for a moment. */
  readonly robbed: readonly string[];
  readonly pushes: number;
  readonly kills: number;
  readonly collected: number;
  readonly forgotten: number;
}

/**
 * Two machines push, forget and collect over one remote, their requests interleaved at random and each killed now and
 * then; a killed push is taken up again by the machine's next deed, as the program does.
 */
export async function snapshotRace(options: RaceOptions): Promise<RaceResult> {
  const clock = { ms: LAB_START, now: () => clock.ms, sleep: async () => {} };
  const store = new MemoryStore({ now: clock.now });
  const counts = { pushes: 0, kills: 0, collected: 0, forgotten: 0 };
  const world: World = { ...options, clock, store, counts, gates: [] };
  const machines = ["desk", "sofa"].map((name) => machine(world, name));
  const watch = watchSnapshots(world);
  await turns(world, watch.look);
  await Promise.all(machines);
  return { ...counts, broken: brokenSnapshots(store), robbed: watch.robbed() };
}

/** A snapshot that is whole at a moment at which nobody carries out a plan of gc stays whole until it is forgotten. */
function watchSnapshots({ store, gates }: World) {
  const whole = new Map<string, string>();
  const robbed = new Set<string>();
  return {
    look(): void {
      const tree = store.tree();
      const broken = new Set(brokenSnapshots(store));
      const isCalm = gates.every((gate) => !gate.collecting);
      for (const [path, text] of whole) {
        if (tree[path] !== text) whole.delete(path);
        else if (broken.has(path)) robbed.add(path);
      }
      if (!isCalm) return;
      for (const [path, text] of Object.entries(tree)) {
        if (path.endsWith(".json") && !broken.has(path)) whole.set(path, text);
      }
    },
    robbed: () => [...robbed],
  };
}

interface World extends RaceOptions {
  readonly clock: { ms: number; readonly now: () => number; readonly sleep: () => Promise<void> };
  readonly store: MemoryStore;
  readonly counts: { pushes: number; kills: number; collected: number; forgotten: number };
  readonly gates: Gate[];
}

/** Where the requests of one machine wait for their turn. */
interface Gate {
  /** The request that waits. */
  waiting: PromiseWithResolvers<void> | undefined;
  /** Resolves when the machine waits or has ended. */
  idle: PromiseWithResolvers<void>;
  dead: boolean;
  /** When its push began. */
  pushing: number | undefined;
  /** False while it must get to its end. */
  mortal: boolean;
  /** While it carries a plan of gc out. */
  collecting: boolean;
}

/** One request at a time, of a machine chosen at random; time passes in between. */
async function turns({ gates, random, clock, counts }: World, look: () => void): Promise<void> {
  let last: Gate | undefined;
  for (;;) {
    await Promise.all(gates.map((gate) => gate.idle.promise));
    look();
    const ready = gates.filter((gate) => gate.waiting);
    if (ready.length === 0) return;
    const late = gates.filter(({ pushing }) => pushing !== undefined && clock.ms - pushing > LONGEST_PUSH);
    const pushing = gates.some((gate) => gate.pushing !== undefined);
    if (late.length === 0) clock.ms += pushing ? random.below(40) * MINUTE : random.pick([0, 26, 50]) * HOUR;
    // In spurts, so that one machine's whole deed often falls between two requests of the other.
    if (last === undefined || !ready.includes(last) || random.next() < 0.25) last = random.pick(ready);
    const gate = last;
    const { waiting } = gate;
    gate.waiting = undefined;
    gate.idle = Promise.withResolvers();
    gate.dead = gate.mortal && random.next() < 0.03;
    if (!gate.dead) waiting?.resolve();
    else {
      counts.kills++;
      waiting?.reject(new Killed());
    }
  }
}

async function machine(world: World, name: string): Promise<void> {
  const { habits, random, store, clock } = world;
  const gate: Gate = {
    waiting: undefined,
    idle: Promise.withResolvers(),
    dead: false,
    pushing: undefined,
    mortal: true,
    collecting: false,
  };
  world.gates.push(gate);
  const turn = (): Promise<void> => {
    if (gate.dead) return Promise.reject(new Killed());
    gate.waiting = Promise.withResolvers();
    gate.idle.resolve();
    return gate.waiting.promise;
  };
  const isCollecting = () => gate.collecting;
  const backend = habits.wrap(
    aroundVerbs(memoryBackend({ store }), (_, act) => turn().then(act)),
    isCollecting,
  );
  const open = () => openSnapshots({ backend, clock, stateFolder: join(world.folder, name), workers: 1 });
  let service = open();
  let due: NewSnapshot | undefined;
  let left = world.deeds;
  while (left > 0 || due) {
    gate.mortal = left > 0;
    gate.pushing = undefined;
    try {
      if (due) {
        gate.pushing = clock.ms;
        await push(world, service, due);
        due = undefined;
        continue;
      }
      left--;
      const deed = random.pick(["push", "push", "forget", "forget", "gc", "gc"]);
      if (deed === "push") due = newSnapshot(world, name);
      else if (deed === "forget") await forget(world, service);
      else await collect(world, service, { gate, turn });
    } catch (error) {
      if (error instanceof RefusedError) continue;
      if (!(error instanceof Killed)) throw error;
      gate.dead = false;
      service = open();
    }
  }
  gate.pushing = undefined;
  gate.idle.resolve();
}

function newSnapshot({ random, clock }: World, machineName: string): NewSnapshot {
  const files = new Map<RelPath, string>();
  for (const path of ["a.md", "b.md"]) files.set(relPath(path), hashBytes("sha256", random.pick(CONTENTS)));
  return { action: "push", user: "alice", machine: machineName, files, filesChanged: [], atMs: clock.ms };
}

async function push({ counts, habits }: World, service: SnapshotService, snapshot: NewSnapshot): Promise<void> {
  const contentOf = (sha256: string) => CONTENTS.find((one) => hashBytes("sha256", one) === sha256) as string;
  for (const sha256 of await service.unstored(snapshot.files.values())) {
    await service.store(blobSource(contentOf(sha256)));
  }
  await service.create(snapshot, { storeAgain: (sha256) => habits.storeAgain(service, contentOf(sha256)) });
  counts.pushes++;
}

async function forget({ random, counts }: World, service: SnapshotService): Promise<void> {
  const plan = await service.planForget((all) => {
    const timestamps = all.map(({ timestamp }) => timestamp).filter(() => random.next() < 0.6);
    return planForget(all, { kind: "timestamps", timestamps }, 0);
  });
  counts.forgotten += (await service.forget(plan)).length;
}

interface Collector {
  readonly gate: Gate;
  readonly turn: () => Promise<void>;
}

async function collect({ habits, counts }: World, service: SnapshotService, { gate, turn }: Collector): Promise<void> {
  const plan = await service.planGc({ graceMs: habits.graceMs });
  // The person reads the plan and types YES.
  await turn();
  gate.collecting = true;
  try {
    counts.collected += (await service.gc(plan)).deleted.length;
  } finally {
    gate.collecting = false;
  }
}

function brokenSnapshots(store: MemoryStore): readonly string[] {
  return Object.entries(store.tree()).flatMap(([path, text]) => {
    if (!path.endsWith(".json")) return [];
    const digests = Object.values((JSON.parse(text) as { files: Record<string, string> }).files);
    return digests.every((sha256) => store.get(blobPath(sha256))) ? [] : [path];
  });
}
