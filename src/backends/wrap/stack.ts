import type { Clock } from "../../lib/clock.ts";
import type { Backend } from "../types.ts";
import { type Bandwidth, paceUploads } from "./bandwidth.ts";
import { checkCalls } from "./check.ts";
import { limitCalls } from "./limit.ts";
import { type CallCounts, logCalls } from "./log.ts";
import { createThrottle, pauseCalls, type Throttle } from "./pause.ts";
import { readOnly } from "./readonly.ts";
import { retryCalls } from "./retry.ts";

export interface WrapOptions {
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** `max_retry_attempts`: at least 1. */
  readonly attempts: number;
  /** `parallel_workers`: calls at once, at least 1. */
  readonly parallel: number;
  /** `max_throttle_wait_seconds`, in milliseconds. */
  readonly maxThrottleWaitMs: number;
  /** Given when several backends share an account; its own limits then hold instead of `maxThrottleWaitMs`. */
  readonly throttle?: Throttle | undefined;
  readonly onPause?: ((untilMs: number) => void) | undefined;
  readonly log?: ((line: string) => void) | undefined;
  readonly counts?: CallCounts | undefined;
  /** Given when uploads are limited; shared by all backends of a run. */
  readonly bandwidth?: Bandwidth | undefined;
  /** `read` for runs that may not change anything. */
  readonly access?: "read" | "write";
  /** `strict` holds every answer to the contract. */
  readonly checks?: "strict" | "none";
}

/**
 * A backend as the rest of the program uses it: retry over limit over pause over log, so that a waiting retry holds no
 * slot, a call that got its slot still honours a pause, and the log shows what really went out.
 */
export function wrapBackend(backend: Backend, options: WrapOptions): Backend {
  const { clock, random, attempts, parallel, log, counts, onPause } = options;
  const throttle = options.throttle ?? createThrottle({ clock, maxWaitMs: options.maxThrottleWaitMs, onPause });
  let stack = options.bandwidth ? paceUploads(backend, options.bandwidth) : backend;
  if (options.checks === "strict") stack = checkCalls(stack);
  if (log || counts) stack = logCalls(stack, { clock, log, counts });
  stack = pauseCalls(stack, throttle);
  stack = limitCalls(stack, parallel);
  stack = retryCalls(stack, { clock, random, attempts });
  return options.access === "read" ? readOnly(stack) : stack;
}
