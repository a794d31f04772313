import { BackendError } from "../../src/backends/errors.ts";
import type { Backend, Listing } from "../../src/backends/types.ts";
import { aroundVerbs, type Call, changesRemote } from "../../src/backends/wrap/verbs.ts";
import { claimPath, metaPath } from "../../src/snapshots/full-folder.ts";
import { faultQueue } from "../support/fault-queue.ts";
import type { Random } from "../support/random.ts";
import { isUserPath } from "./engine-look.ts";
import { type Client, note, type World } from "./engine-model.ts";
import { flawOf, type SnapshotPart, snapshotNamed, snapshotPart } from "./engine-snapshots.ts";
import { handStep, pruneRemote, userStep } from "./engine-user.ts";

/** What can go wrong in a run at one of its calls. */
const FAULTS = [
  "transient",
  "transient",
  "lost-reply",
  "lost-reply",
  "lost-request",
  "truncated",
  "throttled",
  "quota",
  "sign-in",
  "rejected",
  "stale-list",
  "second-writer",
  "second-writer",
  "hand",
  "user",
  "user",
  "other-client",
  "other-client",
  "abort",
  "kill",
  "kill-after",
] as const;

type FaultKind = (typeof FAULTS)[number];

export interface Trouble {
  /** Which of the run's calls, from 0. */
  readonly at: number;
  readonly kind: FaultKind;
}

export function drawTrouble(random: Random): Trouble[] {
  const count = random.pick([0, 0, 1, 1, 2, 4]);
  return Array.from({ length: count }, () => ({
    at: random.below(random.pick([4, 12, 30])),
    kind: random.pick(FAULTS),
  }));
}

export interface Troubled {
  readonly backend: Backend;
  /** Resolves when the machine's power went. */
  readonly killed: Promise<void>;
}

export interface TroubleOptions {
  readonly world: World;
  readonly client: Client;
  readonly trouble: readonly Trouble[];
  readonly random: Random;
  readonly abort: () => void;
  /** Another machine's whole run. */
  readonly otherRun: () => Promise<void>;
}

/** The remote as one run meets it. */
export function troubledBackend(inner: Backend, options: TroubleOptions): Troubled {
  const { world, client, trouble, random } = options;
  const queue = faultQueue(inner);
  const power = Promise.withResolvers<void>();
  let dead = false;
  let calls = 0;
  const die = (): Promise<never> => {
    dead = true;
    power.resolve();
    return new Promise(() => {});
  };
  const strike = async (kind: FaultKind, call: Call): Promise<"die" | "die-after" | undefined> => {
    note(world, `! ${kind} at call ${calls} of ${client.name} (${call.verb} ${call.path})`);
    switch (kind) {
      case "hand":
      case "second-writer":
        world.disturbances++;
        handStep(world, random, kind === "hand" || !isUserPath(call.path) ? undefined : call.path || undefined);
        return;
      case "user":
        world.disturbances++;
        userStep(
          world,
          client,
          random,
          call.path !== "" && isUserPath(call.path) && random.below(2) === 0 ? call.path : undefined,
        );
        return;
      case "other-client":
        if (world.depth > 1) return;
        world.disturbances++;
        return options.otherRun().then(() => undefined);
    }
    world.faults++;
    if (kind === "abort") options.abort();
    if (kind === "kill") return "die";
    if (kind === "kill-after") return "die-after";
    armFault(queue, kind, call, random);
    return;
  };
  const backend = aroundVerbs(
    lagging(queue.backend, trouble, () => calls),
    async (call, act) => {
      if (dead) return die();
      let fate: Awaited<ReturnType<typeof strike>>;
      for (const { at, kind } of trouble) if (at === calls) fate ??= await strike(kind, call);
      calls++;
      if (fate === "die" || dead) return die();
      const answer = await act();
      return fate === "die-after" || dead ? die() : answer;
    },
  );
  return { backend, killed: power.promise };

  /** A listing that does not know of the last changes yet. */
  function lagging(under: Backend, plan: readonly Trouble[], at: () => number): Backend {
    return {
      ...under,
      async list(path, list) {
        const fresh = await under.list(path, list);
        if (path !== "" || list?.shallow) return fresh;
        const old = lastListings.get(world);
        lastListings.set(world, fresh);
        // The call has been counted already.
        if (!plan.some(({ at: when, kind }) => kind === "stale-list" && when === at() - 1)) return fresh;
        return old ?? fresh;
      },
    };
  }
}

const lastListings = new WeakMap<World, Listing>();

function armFault(queue: ReturnType<typeof faultQueue>, kind: FaultKind, call: Call, random: Random): void {
  const { verb } = call;
  const times = random.pick([1, 1, 2, 60]);
  const fail = (kind: BackendError["class"], what: string, more: object = {}): BackendError =>
    new BackendError(`cannot ${verb} "${call.path}": ${what}`, { class: kind, ...more });
  switch (kind) {
    case "transient":
      queue.fail(verb, fail("TRANSIENT", "the connection was reset"), { times });
      break;
    case "lost-reply":
      queue.fail(verb, fail("TRANSIENT", "no answer came", { outcomeUnknown: changesRemote(verb) }), {
        times: random.pick([1, 1, 2, 60]),
        at: "reply",
      });
      break;
    case "lost-request":
      queue.fail(verb, fail("TRANSIENT", "no answer came", { outcomeUnknown: changesRemote(verb) }), { times });
      break;
    case "truncated":
      queue.truncate(random.below(30), { times: random.pick([1, 1, 2, 9]) });
      break;
    case "throttled":
      queue.fail(verb, fail("TRANSIENT", "too many requests", { status: 429, pauseMs: 1500 }), { times });
      break;
    case "quota":
      queue.fail("write", fail("QUOTA", "the remote is full"), { times });
      break;
    case "sign-in":
      queue.fail(verb, fail("AUTH", "the sign-in has expired"), { times: 60 });
      break;
    case "rejected":
      queue.fail(verb, fail("FILE_REJECTED", "the server does not want it"), { times: 1 });
      break;
  }
}

/** Notes what really changes on the remote, and holds every snapshot to I30 in the instant in which it appears. */
export function recordedBackend(inner: Backend, world: World, client: Client): Backend {
  return aroundVerbs(inner, async (call, act) => {
    const goes = call.verb === "remove" || call.verb === "move" ? call.path : undefined;
    const comes = call.verb === "write" ? call.path : call.to;
    const harm = goes === undefined ? undefined : harmOf(world, client, goes);
    const late = comes !== undefined && isFinished(world, snapshotPart(comes));
    const answer = await act();
    if (comes) world.effects.push({ client: client.name, verb: "write", path: comes });
    if (goes) world.effects.push({ client: client.name, verb: "remove", path: goes });
    if (goes !== undefined) pruneRemote(world);
    if (harm !== undefined) world.violations.push(`I30: ${client.name} removed "${goes}": ${harm}`);
    if (late) world.violations.push(`I30: ${client.name} wrote "${comes}" into a finished snapshot`);
    if (comes) checkSnapshot(world, comes);
    return named(call, answer, world);
  });
}

/** Why nobody may remove it: of what we keep only the owner of an unfinished full snapshot takes its parts away. */
function harmOf({ store }: World, client: Client, path: string): string | undefined {
  if (isUserPath(path)) return;
  const part = snapshotPart(path);
  if (part?.kind !== "claim" && part?.kind !== "copy") return "it is kept for good";
  if (part.kind === "copy" && isMarked(store, part.timestamp)) return "its snapshot is finished";
  const claim = store.get(claimPath(part.timestamp));
  if (claim === undefined) return part.kind === "claim" ? undefined : "its folder has no owner";
  return new TextDecoder().decode(claim.bytes).includes(`"${client.name}@`) ? undefined : "its owner is somebody else";
}

function isFinished({ store }: World, part: SnapshotPart | undefined): boolean {
  return (part?.kind === "copy" || part?.kind === "marker") && isMarked(store, part.timestamp);
}

function isMarked(store: World["store"], timestamp: string): boolean {
  return store.get(metaPath(timestamp)) !== undefined;
}

/** A server that does not name the new version tells at least its time. */
function named<T>({ verb }: Call, answer: T, world: World): T {
  const written = verb === "write" || verb === "copy" || verb === "move";
  if (!written || world.remote.writeReturnsRev) return answer;
  return { ...answer, serverTimeMs: world.store.now() };
}

/** I30: what a snapshot names is there, whole, before it appears. */
function checkSnapshot(world: World, path: string): void {
  const part = snapshotPart(path);
  if (part?.kind !== "manifest" && part?.kind !== "marker") return;
  const snapshot = snapshotNamed(world, part.timestamp);
  const flaw = snapshot && flawOf(world, snapshot);
  if (flaw !== undefined) world.violations.push(`I30: ${path} has appeared, and ${flaw}`);
}
