import { callsAtOnce } from "../backends/in-flight.ts";
import type { BatchedVerb, Capabilities } from "../backends/types.ts";
import { weightLimiter } from "../lib/limits.ts";
import type { ActionKind } from "./model.ts";

/** Bodies of one lane that may be in memory at once, all together. Bytes. */
const MOST_IN_MEMORY = 32 * 1024 * 1024;

/** So many downloads, besides those that are fetched, wait for the disk at once: it makes many durable in the time of one. */
const SETTLING = 32;

/** Actions that are begun in order, so many at once. */
export interface Lane {
  /** Where they stand in the list that the lanes were made of. */
  readonly places: readonly number[];
  readonly workers: number;
  /** Runs one of them when its size has room beside those under way. */
  readonly whenRoom: <T>(size: number, act: () => Promise<T>) => Promise<T>;
}

/**
 * One lane for downloads, of which only `workers` fetch at a time, and one for all other actions; or one for each verb that
 * the backend likes in greater numbers: then the bytes under way are bounded, and never so that fewer than `workers`
 * actions run.
 */
export function lanesOf(
  { places, kindAt }: { readonly places: readonly number[]; readonly kindAt: (place: number) => ActionKind },
  can: Capabilities,
  workers: number,
): readonly Lane[] {
  if (can.inFlight === undefined) {
    const isDownload = (place: number): boolean => kindAt(place) === "download";
    const whenRoom: Lane["whenRoom"] = (_size, act) => act();
    return [
      { places: places.filter(isDownload), workers: workers + SETTLING, whenRoom },
      { places: places.filter((place) => !isDownload(place)), workers, whenRoom },
    ].filter((lane) => lane.places.length > 0);
  }
  const lanes = new Map<number, number[]>();
  for (const place of places) {
    const verb = verbOf(kindAt(place));
    const atOnce = verb === undefined ? workers : callsAtOnce(can, verb, workers);
    const lane = lanes.get(atOnce);
    if (lane) lane.push(place);
    else lanes.set(atOnce, [place]);
  }
  return [...lanes].map(([atOnce, own]) => {
    const room = weightLimiter(MOST_IN_MEMORY);
    const share = Math.floor(MOST_IN_MEMORY / workers);
    return { places: own, workers: atOnce, whenRoom: (size, act) => room(Math.min(size, share), act) };
  });
}

function verbOf(kind: ActionKind): BatchedVerb | undefined {
  switch (kind) {
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
