import { callsAtOnce } from "../backends/in-flight.ts";
import type { BatchedVerb, Capabilities } from "../backends/types.ts";
import { weightLimiter } from "../lib/limits.ts";
import type { Action } from "./model.ts";

/** Bodies of one lane that may be in memory at once, all together. Bytes. */
const MOST_IN_MEMORY = 64 * 1024 * 1024;

/** Actions that are begun in order, so many at once. */
export interface Lane {
  readonly actions: readonly Action[];
  readonly workers: number;
  /** Runs one of them when its size has room beside those under way. */
  readonly whenRoom: <T>(size: number, act: () => Promise<T>) => Promise<T>;
}

/**
 * One lane for all actions, or one for each verb that the backend likes in greater numbers: then the bytes under way are
 * bounded, and never so that fewer than `workers` actions run.
 */
export function lanesOf(actions: readonly Action[], can: Capabilities, workers: number): readonly Lane[] {
  if (can.inFlight === undefined) return [{ actions, workers, whenRoom: (_size, act) => act() }];
  const lanes = new Map<number, Action[]>();
  for (const action of actions) {
    const verb = verbOf(action);
    const atOnce = verb === undefined ? workers : callsAtOnce(can, verb, workers);
    const lane = lanes.get(atOnce);
    if (lane) lane.push(action);
    else lanes.set(atOnce, [action]);
  }
  return [...lanes].map(([atOnce, own]) => {
    const room = weightLimiter(MOST_IN_MEMORY);
    const share = Math.floor(MOST_IN_MEMORY / workers);
    return { actions: own, workers: atOnce, whenRoom: (size, act) => room(Math.min(size, share), act) };
  });
}

function verbOf(action: Action): BatchedVerb | undefined {
  switch (action.kind) {
    case "upload":
      return "write";
    case "delete-remote":
      return "remove";
    case "download":
    case "keep-both":
      return "read";
    case "delete-local":
    case "adopt":
    case "forget":
      return undefined;
  }
}
