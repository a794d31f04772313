import type { BatchedVerb, Capabilities } from "./types.ts";

/** How many calls of a verb to have under way at once: as many as the backend likes, and never fewer than `workers`. */
export function callsAtOnce(can: Capabilities, verb: BatchedVerb, workers: number): number {
  return Math.max(workers, can.inFlight?.[verb] ?? 0);
}
