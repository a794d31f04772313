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
  /** Takes one line about what begins, ends and fails. */
  note(line: string): void;
}

const ROUND_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;

interface Running {
  readonly stamp: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  failures: number;
  /** When to begin again after an end, milliseconds since 1970; undefined while it runs. */
  againMs: number | undefined;
}

/**
 * Watches every project that there is, each on its own: new configs join, removed ones leave, changed ones begin anew, and
 * a watcher that ends comes back. Returns when the signal has fired and all have ended.
 */
export async function watchMany(deps: WatchManyDeps): Promise<void> {
  const running = new Map<string, Running>();
  while (!deps.signal.aborted) {
    try {
      settle(running, deps);
    } catch (error) {
      deps.note(`cannot look for projects: ${messageOf(error)}`);
    }
    await deps.clock.sleep(ROUND_MS, deps.signal).catch(() => undefined);
  }
  await Promise.all([...running.values()].map(({ ended }) => ended));
}

function settle(running: Map<string, Running>, deps: WatchManyDeps): void {
  const asked = deps.asked();
  const wanted = new Map(deps.discover().map((one) => [one.key, one.stamp]));
  for (const [key, one] of running) {
    const stamp = wanted.get(key);
    if (stamp === one.stamp) continue;
    one.stop.abort(new Error("its config has changed"));
    running.delete(key);
    if (stamp === undefined) deps.note(`No longer watching ${key}.`);
  }
  for (const [key, stamp] of wanted) {
    const one = running.get(key);
    const due = one?.againMs !== undefined && (asked || deps.clock.now() >= one.againMs);
    if (one === undefined || due) running.set(key, begin(key, { stamp, failures: one?.failures ?? 0 }, deps));
  }
}

function begin(
  key: string,
  { stamp, failures }: { readonly stamp: string; readonly failures: number },
  deps: WatchManyDeps,
): Running {
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  const again = (state: string) => {
    if (signal.aborted) return;
    one.failures++;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, ROUND_MS * 2 ** Math.min(one.failures, 16));
    one.againMs = deps.clock.now() + pauseMs;
    deps.note(`${key}: ${state}; trying again in ${Math.round(pauseMs / 1000)} s.`);
  };
  const ended = deps.watch(key, signal).then(
    () => again("the watcher has ended"),
    (error: unknown) => again(messageOf(error)),
  );
  const one: Running = { stamp, stop, ended, failures, againMs: undefined };
  return one;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
