import type { Clock } from "../../lib/clock.ts";
import { BackendError } from "../errors.ts";
import type { Backend } from "../types.ts";
import { aroundVerbs } from "./verbs.ts";

/** Without a word from the server about how long (reference 2.13). */
const FIRST_PAUSE_MS = 30_000;
const GROWTH = 1.5;
/** A server that says "wait 0 seconds" again and again must not be asked without end. */
const SHORTEST_PAUSE_MS = 1000;
/** Answers to calls that went out together ask for the same pause some moments apart. */
const WORTH_TELLING_MS = 1000;

/** The server slows us down for longer than the run may wait. What was queued is to be tried in a later run. */
export class ThrottledError extends BackendError {
  constructor(message: string, pauseMs: number) {
    super(message, { class: "TRANSIENT", pauseMs, hint: "Run the command again later; nothing is lost." });
    this.name = "ThrottledError";
  }
}

/** True for the server's wish that the whole account slows down. */
export function isThrottling(error: unknown): error is BackendError {
  return error instanceof BackendError && (error.pauseMs !== undefined || error.status === 429);
}

export interface ThrottleOptions {
  readonly clock: Clock;
  /** How long pauses may hold a run up, all together. */
  readonly maxWaitMs: number;
  /** Told when a pause begins or grows; `untilMs` since 1970. */
  readonly onPause?: ((untilMs: number) => void) | undefined;
}

/** One account's pauses, shared by every backend that signs in with it. */
export interface Throttle {
  /** Resolves when calls may go out. Throws ThrottledError when that is further off than the run may wait. */
  ready(signal?: AbortSignal): Promise<void>;
  /** Takes note of an answer that {@link isThrottling}. */
  slowDown(error: BackendError): void;
  /** Takes note of a good answer. */
  succeeded(): void;
}

export function createThrottle(options: ThrottleOptions): Throttle {
  const { clock, maxWaitMs, onPause } = options;
  let until = 0;
  /** Milliseconds that the run was or will be held up until `until`. */
  let held = 0;
  let guess = FIRST_PAUSE_MS;

  return {
    async ready(signal) {
      for (let left = until - clock.now(); left > 0; left = until - clock.now()) {
        if (held > maxWaitMs) {
          const seconds = Math.ceil(left / 1000);
          throw new ThrottledError(
            `cannot go on: the server asks for a pause of ${seconds} s, longer than max_throttle_wait_seconds allows`,
            left,
          );
        }
        await clock.sleep(left, signal);
      }
    },
    slowDown(error) {
      const now = clock.now();
      const pause = Math.max(error.pauseMs ?? guess, SHORTEST_PAUSE_MS);
      // Answers to calls that were under way when the pause began say nothing new.
      const repeated = now < until;
      if (error.pauseMs === undefined && !repeated) guess *= GROWTH;
      const end = error.pauseMs === undefined && repeated ? until : Math.max(until, now + pause);
      if (end <= until) return;
      const grown = end - Math.max(until, now);
      held += grown;
      until = end;
      if (!repeated || grown >= WORTH_TELLING_MS) onPause?.(until);
    },
    succeeded() {
      if (clock.now() >= until) guess = FIRST_PAUSE_MS;
    },
  };
}

/** Every call waits while the account is paused, and a throttled answer pauses it. */
export function pauseCalls(backend: Backend, throttle: Throttle): Backend {
  return aroundVerbs(backend, async (call, act) => {
    await throttle.ready(call.signal);
    try {
      const result = await act();
      throttle.succeeded();
      return result;
    } catch (error) {
      if (isThrottling(error)) throttle.slowDown(error);
      throw error;
    }
  });
}
