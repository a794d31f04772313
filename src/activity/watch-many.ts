import type { Clock } from "../lib/clock.ts";

/** One project to be watched. */
export interface Watched {
  /** Its config file. */
  readonly key: string;
  /** Differs after every change of the config. */
  readonly stamp: string;
}

export interface WatchManyDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What is to be watched right now. A config that cannot be read is left as it was. */
  discover(): readonly Watched[];
  /** Watches one project until the signal fires. */
  watch(key: string, signal: AbortSignal): Promise<void>;
  /** Whether somebody has asked to look again since the last call; then what has failed is tried at once. */
  asked(): boolean;
  /** Called every few minutes: time to tidy up. */
  tidy?(): void;
  /** Takes one line about what begins, ends and fails. */
  note(line: string): void;
}

const ROUND_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
const ROUNDS_TO_TIDY = 60;

interface Running {
  readonly stamp: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  failures: number;
  /** Since when it waits to begin again, and how long, milliseconds; undefined while it runs. */
  resting: { readonly sinceMs: number; readonly forMs: number } | undefined;
}

interface State {
  readonly running: Map<string, Running>;
  /** Those that were told to end and may not have yet. */
  readonly leaving: Map<string, Promise<void>>;
}

/**
 * Watches every project that there is, each on its own: new configs join, removed ones leave, changed ones begin anew once
 * the old watcher has ended, and a watcher that ends comes back. Returns when the signal has fired and all have ended.
 */
export async function watchMany(deps: WatchManyDeps): Promise<void> {
  const state: State = { running: new Map(), leaving: new Map() };
  for (let round = 1; !deps.signal.aborted; round++) {
    if (round % ROUNDS_TO_TIDY === 0) deps.tidy?.();
    try {
      settle(state, deps);
    } catch (error) {
      deps.note(`cannot look for projects: ${messageOf(error)}`);
    }
    await deps.clock.sleep(ROUND_MS, deps.signal).catch(() => undefined);
  }
  await Promise.all([...state.leaving.values(), ...[...state.running.values()].map(({ ended }) => ended)]);
}

function settle(state: State, deps: WatchManyDeps): void {
  const { running, leaving } = state;
  const asked = deps.asked();
  const wanted = new Map(deps.discover().map((one) => [one.key, one.stamp]));
  for (const [key, one] of running) {
    const stamp = wanted.get(key);
    if (stamp === one.stamp) continue;
    leave(key, one, state);
    if (stamp === undefined) deps.note(`No longer watching ${key}.`);
  }
  for (const [key, stamp] of wanted) {
    const one = running.get(key);
    if (one !== undefined && !isDue(one, asked, deps.clock.now())) continue;
    running.set(key, begin(key, { stamp, failures: one?.failures ?? 0, after: leaving.get(key) }, deps));
  }
}

function leave(key: string, { stop, ended }: Running, { running, leaving }: State): void {
  running.delete(key);
  const left = ended.then(() => {
    if (leaving.get(key) === left) leaving.delete(key);
  });
  leaving.set(key, left);
  stop.abort(new Error("its config has changed"));
}

/** A clock that was set back says nothing about how long it was: then it is time. */
function isDue({ resting }: Running, asked: boolean, nowMs: number): boolean {
  if (resting === undefined) return false;
  return asked || nowMs < resting.sinceMs || nowMs >= resting.sinceMs + resting.forMs;
}

function begin(
  key: string,
  { stamp, failures, after }: Pick<Running, "stamp" | "failures"> & { readonly after: Promise<void> | undefined },
  deps: WatchManyDeps,
): Running {
  const { clock } = deps;
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  const begunMs = clock.now();
  const again = (state: string) => {
    if (signal.aborted) return;
    const sinceMs = clock.now();
    // One that was well for long begins to count anew.
    one.failures = sinceMs - begunMs > LONGEST_PAUSE_MS ? 1 : one.failures + 1;
    const forMs = Math.min(LONGEST_PAUSE_MS, ROUND_MS * 2 ** Math.min(one.failures, 16));
    one.resting = { sinceMs, forMs };
    deps.note(`${key}: ${state}; trying again in ${Math.round(forMs / 1000)} s.`);
  };
  const watched = async () => {
    await after;
    if (!signal.aborted) await deps.watch(key, signal);
  };
  const ended = watched().then(
    () => again("the watcher has ended"),
    (error: unknown) => again(messageOf(error)),
  );
  const one: Running = { stamp, stop, ended, failures, resting: undefined };
  return one;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
