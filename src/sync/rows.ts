import { findSorted } from "../lib/find-sorted.ts";
import type { RelPath } from "../lib/path.ts";
import type { Row } from "./model.ts";

/** Rows sorted by path. Each is made when it is asked for; only what was found out about one is kept. */
export interface Rows extends Iterable<Row> {
  readonly length: number;
  at(position: number): Row;
  pathAt(position: number): RelPath;
  /** The position of `path`, or -1. */
  find(path: RelPath): number;
  /** Puts a row of the same path in the place of one. */
  set(position: number, row: Row): void;
}

/** `make` answers the same row each time; `pathAt` its path. */
export function openRows(length: number, pathAt: (position: number) => RelPath, make: (position: number) => Row): Rows {
  const known = new Map<number, Row>();
  const at = (position: number): Row => known.get(position) ?? make(position);
  return {
    length,
    at,
    pathAt,
    find: (path) => findSorted(length, pathAt, path),
    set: (position, row) => void known.set(position, row),
    *[Symbol.iterator]() {
      for (let position = 0; position < length; position++) yield at(position);
    },
  };
}
