/** The only source of the time of day and of delays, so that a test can give its own. */
export interface Clock {
  /** Milliseconds since 1970, with a fraction where the runtime has one. */
  now(): number;
  /** Resolves after `ms` (24 days at most), or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longest delay that the runtime's timers keep: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** How far the fine clock may be off before the coarse one is believed: sleep of the machine, a clock that was set. */
const MAX_DRIFT_MS = 50;
let correction = 0;

export const systemClock: Clock = {
  now() {
    const fine = performance.timeOrigin + performance.now() + correction;
    const drift = Date.now() - fine;
    if (Math.abs(drift) <= MAX_DRIFT_MS) return fine;
    correction += drift;
    return fine + drift;
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener("abort", stop);
          resolve();
        },
        Math.min(ms, MAX_TIMER_MS),
      );
      signal?.addEventListener("abort", stop, { once: true });
    });
  },
};

/** Python's `datetime.isoformat()` of a UTC time: `2026-11-20T17:08:28.677552+00:00`, the fraction left out when it is 0. */
export function pythonIso(ms: number): string {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1_000_000);
  const fraction = micros - whole * 1_000_000;
  const seconds = new Date(whole * 1000).toISOString().slice(0, 19);
  return fraction === 0 ? `${seconds}+00:00` : `${seconds}.${String(fraction).padStart(6, "0")}+00:00`;
}

/** A snapshot's name on the one-second grid: `2026-11-20T17-40-26Z` (reference 1.15). */
export function snapshotName(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(":", "-")}Z`;
}

/** The time that a snapshot name stands for, milliseconds since 1970, or undefined for other text. */
export function snapshotTime(name: string): number | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})Z$/.exec(name);
  if (!match) return undefined;
  const time = Date.parse(`${match[1]}T${match[2]}:${match[3]}:${match[4]}Z`);
  // Some runtimes read February 30 as March 2.
  return Number.isNaN(time) || snapshotName(time) !== name ? undefined : time;
}
