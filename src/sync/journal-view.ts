import * as fs from "node:fs";
import { lazyMap } from "../lib/lazy-map.ts";
import { ITEMS_PER_COLLECTION, releaseDuring } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import { type Confirmed, decodeLine, type LocalFact, placedLines } from "./journal.ts";
import { asLocalError } from "./local-file.ts";
import type { BaseEntry } from "./model.ts";

/**
 * What a journal confirms, as `replayJournal` tells it, with no more in memory than the paths: each answer reads its
 * line again, so the journal must stay as it is meanwhile. Throws LocalFileError, as its answers do, when the file
 * cannot be read.
 */
export function viewJournal(file: string): Confirmed {
  /** Twice the byte where its line starts, plus one where it tells of a local file. */
  const places = new Map<RelPath, number>();
  let lines = 0;
  for (const { line, at } of placedLines(file)) {
    if (++lines % ITEMS_PER_COLLECTION === 0) releaseDuring(lines);
    const record = decodeLine(line);
    if (record === undefined || record.kind === "sent") continue;
    const path = record.kind === "set" ? record.base.path : record.path;
    places.set(path, at * 2 + (record.kind === "set" && record.local !== undefined ? 1 : 0));
  }
  const recordAt = recordReader(file);
  const baseOf = (at: number): BaseEntry | undefined => {
    const record = recordAt(at);
    return record?.kind === "set" ? record.base : undefined;
  };
  const localOf = (at: number): LocalFact => {
    const record = recordAt(at);
    if (record?.kind === "set" && record.local !== undefined) return record.local;
    throw asLocalError(new Error("it has changed"), `could not read "${file}"`);
  };
  return {
    base: lazyMap(places, { valueAt: (place) => baseOf(Math.floor(place / 2)), count: () => places.size }),
    local: lazyMap(places, { isIn: (place) => place % 2 === 1, valueAt: (place) => localOf(Math.floor(place / 2)) }),
  };
}

const PIECE_BYTES = 1 << 18;
/** Lines are asked for nearly in their order; parallel steps mix them within about this many bytes. */
const BACK_BYTES = 1 << 16;
const NEWLINE = 0x0a;

/** Reads the line that starts at a byte, and keeps the piece around it for the next; both maps ask for the same line in turn. */
function recordReader(file: string): (at: number) => ReturnType<typeof decodeLine> {
  let memory = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let piece = memory.subarray(0, 0);
  let start = 0;
  let lastAt = -1;
  let last: ReturnType<typeof decodeLine>;
  const read = (from: number, length: number): void => {
    try {
      const fd = fs.openSync(file, "r");
      try {
        if (memory.length < length) memory = Buffer.allocUnsafeSlow(length);
        piece = memory.subarray(0, fs.readSync(fd, memory, 0, length, from));
        start = from;
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      throw asLocalError(error, `could not read "${file}"`);
    }
  };
  const endOf = (at: number): number => (at < start ? -1 : piece.indexOf(NEWLINE, at - start));
  return (at) => {
    if (at === lastAt) return last;
    if (endOf(at) < 0) read(Math.max(0, at - BACK_BYTES), PIECE_BYTES);
    for (let length = PIECE_BYTES * 4; endOf(at) < 0 && start + piece.length < fs.statSync(file).size; length *= 4) {
      read(at, length);
    }
    const end = endOf(at);
    const line = Buffer.from(piece.buffer, piece.byteOffset, end < 0 ? piece.length : end).toString("utf8", at - start);
    lastAt = at;
    last = decodeLine(line);
    return last;
  };
}
