import type { Clock } from "../../lib/clock.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Backend } from "../types.ts";
import { isThrottling, ThrottledError } from "./pause.ts";
import { type Found, resolveCopy, resolveMove, resolveRemove, resolveWrite } from "./resolve.ts";
import { aroundVerbs } from "./verbs.ts";

const FIRST_CEILING_MS = 800;

export interface RetryOptions {
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Calls in all, the first one included; throttled answers do not count. */
  readonly attempts: number;
}

/**
 * Tries again what failed for a passing reason, after a random part of 0.8, 1.6, 3.2 s ... (decision 24). A call that
 * changes something and whose answer was lost is looked into before anything is sent again (I29). Goes over
 * `pauseCalls`, which bounds the throttled answers.
 */
export function retryCalls(backend: Backend, options: RetryOptions): Backend {
  const { copy, move } = backend;
  const reading = aroundVerbs(backend, (call, act) => repeat(options, call.signal, act));
  return {
    ...reading,
    write: (path, source, write) =>
      repeat(
        options,
        write.signal,
        () => backend.write(path, source, write),
        () => resolveWrite(reading, path, source, write.expect, write),
      ),
    remove: (path, remove) =>
      repeat(
        options,
        remove.signal,
        () => backend.remove(path, remove),
        () => resolveRemove(reading, path, remove.expect, remove),
      ),
    ...(copy && {
      copy: (from, to, call = {}) =>
        repeat(
          options,
          call.signal,
          () => copy.call(backend, from, to, call),
          () => resolveCopy(reading, from, to, call),
        ),
    }),
    ...(move && {
      move: (from, to, call = {}) =>
        repeat(
          options,
          call.signal,
          () => move.call(backend, from, to, call),
          () => resolveMove(reading, from, to, call),
        ),
    }),
  };
}

async function repeat<T>(
  options: RetryOptions,
  signal: AbortSignal | undefined,
  act: () => Promise<T>,
  look?: () => Promise<Found<T>>,
): Promise<T> {
  let inDoubt = false;
  for (let failures = 0; ; ) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      inDoubt ||= error.outcomeUnknown;
      // A refusal after a lost answer may be the refusal of our own earlier success.
      const refused = isRefusal(error);
      if (!isPassing(error) && !(refused && inDoubt)) throw error;
      if (look && inDoubt) {
        const found = await orElse(look(), error);
        if (found.kind === "landed") return found.result;
      }
      if (refused) throw error;
      if (isThrottling(error)) continue;
      failures++;
      if (failures >= options.attempts) throw error;
      await options.clock.sleep(backOff(failures, options.random), signal);
    }
  }
}

/** Milliseconds to wait after so many failures: full jitter under a ceiling that doubles. */
export function backOff(failures: number, random: () => number): number {
  return random() * FIRST_CEILING_MS * 2 ** (failures - 1);
}

function isPassing(error: BackendError): boolean {
  const mayPass = error.class === "TRANSIENT" || error.class === "UNKNOWN" || isThrottling(error);
  return mayPass && !(error instanceof ThrottledError) && !isRefusal(error);
}

function isRefusal(error: BackendError): boolean {
  return error instanceof StaleError || error instanceof NotFoundError;
}

/** The look's answer. When the look itself fails for a passing reason, the first failure is what is reported. */
async function orElse<T>(looking: Promise<T>, first: BackendError): Promise<T> {
  try {
    return await looking;
  } catch (error) {
    throw error instanceof BackendError && !(error instanceof StaleError) ? first : error;
  }
}
