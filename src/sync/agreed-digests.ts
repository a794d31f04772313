import { lazyMap, type Places } from "../lib/lazy-map.ts";
import { MANY_ITEMS, releaseMemory } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import type { StateIndex } from "./state-index.ts";

export interface AgreedDigestsOptions {
  /** Files that are not to be in it. */
  readonly leftOut?: ReadonlySet<RelPath>;
  /** What is known of files of which the index does not tell it. */
  readonly learned?: ReadonlyMap<RelPath, string>;
}

/** The SHA-256 of every agreed content of which it is known, paths sorted; each is made when it is asked for. */
export function agreedDigests(
  index: StateIndex,
  { leftOut, learned = new Map() }: AgreedDigestsOptions = {},
): ReadonlyMap<RelPath, string> {
  const rows = new Int32Array(index.length);
  let count = 0;
  for (let row = 0; row < index.length; row++) {
    if (!index.hasBase(row)) continue;
    if (!index.hasBaseSha256(row) && !learned.has(index.pathAt(row))) continue;
    if (leftOut === undefined || !leftOut.has(index.pathAt(row))) rows[count++] = row;
  }
  const places = placesOf(rows.subarray(0, count), index);
  const valueAt = (row: number) => index.baseSha256At(row) ?? (learned.get(index.pathAt(row)) as string);
  return lazyMap(places, { count: () => count, valueAt });
}

/** Going through them collects what was left behind: callers make texts of each. */
function placesOf(rows: Int32Array, index: StateIndex): Places<RelPath> {
  function* values(): Generator<number> {
    for (let at = 0; at < rows.length; at++) {
      if (at % MANY_ITEMS === MANY_ITEMS - 1) releaseMemory(rows.length);
      yield rows[at] as number;
    }
  }
  return {
    get(path) {
      const row = index.find(path);
      return rows.includes(row) ? row : undefined;
    },
    values,
    forEach(visit) {
      for (let at = 0; at < rows.length; at++) {
        if (at % MANY_ITEMS === MANY_ITEMS - 1) releaseMemory(rows.length);
        visit(rows[at] as number, index.pathAt(rows[at] as number));
      }
    },
    *[Symbol.iterator]() {
      for (const row of values()) yield [index.pathAt(row), row];
    },
  };
}
