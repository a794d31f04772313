import type { Clock } from "../../src/lib/clock.ts";

/** Time that passes only when the test says so. */
export interface VirtualClock extends Clock {
  /** Lets time pass, waking sleepers one by one, and after each lets everything run that can. */
  advance(ms: number): Promise<void>;
  /** The machine sleeps: the time of day leaps, and running timers stand still meanwhile. */
  suspend(ms: number): void;
  /** How many sleep right now. */
  readonly sleepers: number;
}

interface Sleeper {
  atMs: number;
  wake(): void;
}

/** `settled`: resolves when everything has run that needs no time. */
export function virtualClock(startMs = Date.UTC(2026, 2, 5), settled = turns): VirtualClock {
  let nowMs = startMs;
  let sleepers: Sleeper[] = [];
  return {
    now: () => nowMs,
    get sleepers() {
      return sleepers.length;
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { atMs: nowMs + ms, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers = sleepers.filter((one) => one !== sleeper);
          reject(signal.reason);
        });
      });
    },
    async advance(ms) {
      const until = nowMs + ms;
      for (;;) {
        await settled();
        const next = sleepers.reduce<Sleeper | undefined>((a, b) => (a && a.atMs <= b.atMs ? a : b), undefined);
        if (next === undefined || next.atMs > until) break;
        nowMs = Math.max(nowMs, next.atMs);
        sleepers = sleepers.filter((one) => one !== next);
        next.wake();
      }
      nowMs = until;
      await settled();
    },
    suspend(ms) {
      nowMs += ms;
      for (const sleeper of sleepers) sleeper.atMs += ms;
    },
  };
}

/** So many that what needs no time has run, as long as nobody else is asked. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
