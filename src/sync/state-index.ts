import * as fs from "node:fs";
import type { RemoteFile, Rev } from "../backends/types.ts";
import { pythonIso } from "../lib/clock.ts";
import { crc32 } from "../lib/crc32.ts";
import { findSorted } from "../lib/find-sorted.ts";
import type { RelPath } from "../lib/path.ts";
import { isSystemError } from "../lib/system-error.ts";
import {
  DIGEST_BYTES,
  Flag,
  HEADER_BYTES,
  type IndexTrailer,
  type Layout,
  layoutOf,
  NO_TEMPLATE,
  readTrailer,
  sizesIn,
  textOffset,
} from "./index-layout.ts";
import type { BaseEntry, ContentHash, FileStat } from "./model.ts";

/** One path of the index: what both sides agreed on, what the local file was when last hashed, or both. */
export interface IndexRow {
  readonly path: RelPath;
  readonly base?: BaseEntry;
  readonly local?: LocalRecord;
}

export interface LocalRecord {
  readonly stat: FileStat;
  readonly hash: LocalHash;
}

/** The digests of a content; the SHA-256 is unknown where only a file shared with the Python tool had it. */
export type LocalHash = Pick<ContentHash, "md5"> & Partial<Pick<ContentHash, "sha256">>;

export interface IndexHeader {
  /**
   * Milliseconds since 1970: a moment before the first of the files hashed in this run was read. A row whose stamps are
   * not older may cover other content that was written in the same tick, so it does not count as clean.
   */
  readonly hashedSinceMs: number;
  /** The shared manifest as this index knows it; the base entries hold while it is still this file. */
  readonly manifest?: FileStat;
  /** Small text of the caller's (JSON). */
  readonly meta: string;
}

/** A loaded index: packed columns, objects made on demand. Rows are sorted by path (`<`). */
export interface StateIndex extends IndexHeader {
  readonly length: number;
  pathAt(row: number): RelPath;
  /** Whether the row is that of `path`; makes no string. */
  isAt(row: number, path: string): boolean;
  /** The row of `path`, or -1. */
  find(path: string): number;
  rowAt(row: number): IndexRow;
  baseAt(row: number): BaseEntry | undefined;
  /** The agreed digests of a row that has a base entry. */
  baseHashAt(row: number): LocalHash;
  /** The SHA-256 of the same, where it is known. */
  baseSha256At(row: number): string | undefined;
  hasBaseSha256(row: number): boolean;
  hasBase(row: number): boolean;
  hasLocal(row: number): boolean;
  /** The recorded stat of a row that has a local part. */
  statAt(row: number): FileStat;
  /** The digests of a row that has a local part. */
  hashAt(row: number): LocalHash;
  /**
   * How many of `paths` from `from` on surely are, one after the other, the recorded files of the rows from `row` on: a
   * fresh lstat shows them, and their stamps are settled. Times in milliseconds as `fs.Stats` gives them are compared to
   * within half a microsecond, which is all that they hold; no system call pair is that fast. Ends at a system error. A
   * number in the place of `paths` stands for so many of the index's own, from the row on.
   */
  countUnchanged(row: number, paths: readonly string[] | number, from: number, look: QuickLook): number;
  /** Whether a fresh look shows the recorded file, exactly. */
  localEquals(row: number, stat: FileStat): boolean;
  /** False when the stamps are too fresh to prove that the hashes hold (racy clean, IndexHeader.hashedSinceMs). */
  isSettled(row: number): boolean;
  /** Whether the local file as recorded has the content of the base entry. */
  localIsBase(row: number): boolean;
  /** Whether a listed file is the version of the base entry: by rev where one is recorded, else by native hash. */
  remoteMatches(row: number, rev: string, nativeHash: string): boolean;
  baseIsRacy(row: number): boolean;
  /** Whether the base entry could say so of any file: it has a rev that is not racy, and a size. */
  tellsRemote(row: number): boolean;
  /** Whether the base entry says of a listed file all that the listing does, but for its time and its checksums. */
  isWholly(row: number, file: Pick<RemoteFile, "rev" | "size" | "id" | "nativeHash">): boolean;
}

/** The part of `fs.Stats` that tells versions apart. */
type QuickStat = Pick<fs.Stats, "size" | "mtimeMs" | "ctimeMs" | "ino">;

export interface QuickLook {
  /** What stands before the paths. */
  readonly prefix: string;
  readonly lstatSync: (path: string) => QuickStat;
}

/**
 * Reads an index written by `writeIndex`. Undefined when there is none, or when it is damaged or of another version:
 * losing it costs time only. Throws what the file system throws for other reasons.
 */
export function loadIndex(file: string): StateIndex | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, "r");
  } catch (error) {
    // Missing or out of reach: doing without it costs time only.
    if (isSystemError(error)) return undefined;
    throw error;
  }
  try {
    return readIndex((from, length) => readAt(fd, from, length), fs.fstatSync(fd).size);
  } finally {
    fs.closeSync(fd);
  }
}

/** The index that these bytes are, as {@link loadIndex} reads it from a file. */
export function indexFromBytes(bytes: Uint8Array): StateIndex | undefined {
  return readIndex((from, length) => new Uint8Array(bytes.subarray(from, from + length)), bytes.length);
}

type ReadPart = (from: number, length: number) => Uint8Array<ArrayBuffer>;

/** The text is read apart from the columns, so that its bytes need not stay in memory next to the string. */
function readIndex(read: ReadPart, length: number): StateIndex | undefined {
  const sizes = sizesIn(read(0, Math.min(HEADER_BYTES, length)), length);
  if (!sizes) return undefined;
  const table = read(0, textOffset(sizes));
  const rest = read(table.length, length - table.length);
  const end = rest.length - 4;
  const checksum = new DataView(rest.buffer).getUint32(end, true);
  if (crc32(rest.subarray(0, end), crc32(table)) !== checksum) return undefined;
  return openIndex(layoutOf(sizes, table, rest), readTrailer(sizes, rest));
}

/** Bytes past the end of a file that has become shorter stay zero; the checksum tells. */
function readAt(fd: number, from: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const read = fs.readSync(fd, bytes, at, length - at, from + at);
    if (read === 0) break;
    at += read;
  }
  return bytes;
}

function openIndex(layout: Layout, trailer: IndexTrailer): StateIndex {
  const { count, flags } = layout;
  const text = textColumns(layout, trailer);
  const stats = statColumns(layout, trailer.hashedSinceMs);
  const hashes = hashColumns(layout);
  const hasBase = (row: number) => (at(flags, row) & Flag.base) !== 0;
  const hasLocal = (row: number) => (at(flags, row) & Flag.local) !== 0;
  const tellsRev = (row: number) => (at(flags, row) & (Flag.base | Flag.rev | Flag.racy)) === (Flag.base | Flag.rev);
  const baseAt = (row: number) => (hasBase(row) ? readBase(row) : undefined);
  const readBase = (row: number): BaseEntry => {
    const rev = text.revAt(row);
    const size = at(layout.baseSize, row);
    const { md5, sha256 } = hashes.base(row);
    return {
      path: text.pathAt(row),
      md5,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(size < 0 ? {} : { size }),
      remoteId: text.idAt(row),
      nativeHash: text.nativeAt(row),
      ...(rev === undefined ? {} : { rev }),
      racy: (at(flags, row) & Flag.racy) !== 0,
      syncedAt: trailer.oddTimes[row] ?? pythonIso(at(layout.syncedAt, row) / 1000),
    };
  };
  return {
    length: count,
    hashedSinceMs: trailer.hashedSinceMs,
    ...(trailer.manifest === undefined ? {} : { manifest: trailer.manifest }),
    meta: trailer.meta,
    pathAt: text.pathAt,
    isAt: text.isAt,
    find: (path) => findSorted(count, text.pathAt, path),
    hasBase,
    hasLocal,
    baseAt,
    baseHashAt: hashes.base,
    baseSha256At: hashes.baseSha256,
    hasBaseSha256: hashes.hasBaseSha256,
    rowAt: (row) => {
      const base = baseAt(row);
      const local = hasLocal(row) ? { stat: stats.statAt(row), hash: hashes.local(row) } : undefined;
      return { path: text.pathAt(row), ...(base && { base }), ...(local && { local }) };
    },
    ...stats,
    countUnchanged: unchangedCounter(layout, trailer.hashedSinceMs),
    hashAt: hashes.local,
    localIsBase: hashes.same,
    remoteMatches: text.remoteMatches,
    baseIsRacy: (row) => (at(flags, row) & Flag.racy) !== 0,
    tellsRemote: (row) => tellsRev(row) && at(layout.baseSize, row) >= 0,
    isWholly: (row, file) => tellsRev(row) && layout.baseSize[row] === file.size && text.saysOfRemote(row, file),
  };
}

/**
 * Number of a column that surely has the row. What runs for every file of a scan reads its column directly: a function
 * that meets many kinds of arrays compiles badly.
 */
function at(column: ArrayLike<number>, row: number): number {
  return column[row] as number;
}

function big(column: ArrayLike<bigint>, row: number): bigint {
  return column[row] as bigint;
}

type TextColumns = Pick<StateIndex, "pathAt" | "isAt" | "remoteMatches"> & {
  saysOfRemote(row: number, file: Pick<RemoteFile, "rev" | "id" | "nativeHash">): boolean;
  idAt(row: number): string;
  nativeAt(row: number): string;
  revAt(row: number): Rev | undefined;
};

/** One long string holds path, id, native hash and rev of each row in turn; id and rev only where no template makes them. */
function textColumns(layout: Layout, trailer: IndexTrailer): TextColumns {
  const { textStart, pathLength, idLength, nativeLength, revLength, idTemplate, revTemplate, text, flags } = layout;
  const pathAt = (row: number) => {
    const start = textStart[row] as number;
    return text.slice(start, start + (pathLength[row] as number)) as RelPath;
  };
  const nativeStart = (row: number) => at(textStart, row) + at(pathLength, row) + at(idLength, row);
  const nativeAt = (row: number) => text.slice(nativeStart(row), nativeStart(row) + at(nativeLength, row));
  const derive = (templates: readonly (readonly [string, string])[], number: number, from: string) => {
    const [before, after] = templates[number] as readonly [string, string];
    return before + from + after;
  };
  const revAt = (row: number) => {
    if ((at(flags, row) & Flag.rev) === 0) return undefined;
    const template = at(revTemplate, row);
    if (template !== NO_TEMPLATE) return derive(trailer.revTemplates, template, nativeAt(row)) as Rev;
    const start = nativeStart(row) + at(nativeLength, row);
    return text.slice(start, start + at(revLength, row)) as Rev;
  };
  const idAt = (row: number) => {
    const template = at(idTemplate, row);
    if (template !== NO_TEMPLATE) return derive(trailer.idTemplates, template, pathAt(row));
    const start = at(textStart, row) + at(pathLength, row);
    return text.slice(start, start + at(idLength, row));
  };
  return {
    pathAt,
    isAt: (row, path) => pathLength[row] === path.length && text.startsWith(path, textStart[row]),
    nativeAt,
    revAt,
    idAt,
    saysOfRemote: (row, { rev, id, nativeHash }) =>
      nativeLength[row] === nativeHash.length &&
      text.startsWith(nativeHash, nativeStart(row)) &&
      revAt(row) === rev &&
      idAt(row) === id,
    remoteMatches: (row, rev, nativeHash) => {
      if ((at(flags, row) & Flag.base) === 0) return false;
      if ((at(flags, row) & Flag.rev) !== 0) return revAt(row) === rev;
      return nativeHash !== "" && nativeAt(row) === nativeHash;
    },
  };
}

type StatColumns = Pick<StateIndex, "statAt" | "localEquals" | "isSettled">;

/** Half a microsecond: a double of milliseconds holds 0.24 µs, and it is rounded twice. */
const NEAR_NS = 512;
/** A kernel stamps files with the time of its last tick, at most 10 ms ago. */
const TICK_NS = 20_000_000;
/** FAT stamps in steps of two seconds, other old file systems in steps of one. */
const COARSE_NS = 2_000_000_000;

function statColumns(layout: Layout, hashedSinceMs: number): StatColumns {
  const { size, mtime, ctime, ino, flags } = layout;
  const mtimeHalves = halvesOf(mtime);
  const ctimeHalves = halvesOf(ctime);
  const since = hashedSinceMs * 1e6;
  const isLocal = (row: number) => (at(flags, row) & Flag.local) !== 0;
  return {
    statAt: (row) => ({ size: at(size, row), mtimeNs: big(mtime, row), ctimeNs: big(ctime, row), ino: big(ino, row) }),
    localEquals: (row, stat) =>
      isLocal(row) &&
      size[row] === stat.size &&
      mtime[row] === stat.mtimeNs &&
      ctime[row] === stat.ctimeNs &&
      ino[row] === stat.ino,
    isSettled: (row) => settled(signedAt(mtimeHalves, row), since) && settled(signedAt(ctimeHalves, row), since),
  };
}

/**
 * One loop with all in it, and no function of ours called for a file that is old enough: of ten thousand files each such
 * function would cost its compiling, on every run.
 */
function unchangedCounter(layout: Layout, hashedSinceMs: number): StateIndex["countUnchanged"] {
  const { count, flags, size, textStart, pathLength, text } = layout;
  const [mtime, ctime, ino] = [halvesOf(layout.mtime), halvesOf(layout.ctime), halvesOf(layout.ino)];
  const since = hashedSinceMs * 1e6;
  const longAgo = since - COARSE_NS;
  return (firstRow, paths, from, { prefix, lstatSync }) => {
    const rows = Math.min(typeof paths === "number" ? paths : paths.length - from, count - firstRow);
    for (let done = 0; done < rows; done++) {
      const row = firstRow + done;
      let path: string;
      if (typeof paths === "number") {
        const start = textStart[row] as number;
        path = text.slice(start, start + (pathLength[row] as number));
      } else {
        path = paths[from + done] as string;
        if (pathLength[row] !== path.length || !text.startsWith(path, textStart[row])) return done;
      }
      let stat: QuickStat;
      try {
        stat = lstatSync(prefix + path);
      } catch (error) {
        if (!isSystemError(error)) throw error;
        return done;
      }
      if (((flags[row] as number) & Flag.local) === 0 || size[row] !== stat.size) return done;
      const low = row * 2;
      const high = low + 1;
      if ((ino[high] as number) * 2 ** 32 + (ino[low] as number) !== stat.ino) return done;
      const mtimeNs = ((mtime[high] as number) | 0) * 2 ** 32 + (mtime[low] as number);
      const mtimeOff = mtimeNs - stat.mtimeMs * 1e6;
      if (!(mtimeOff <= NEAR_NS && mtimeOff >= -NEAR_NS)) return done;
      const ctimeNs = ((ctime[high] as number) | 0) * 2 ** 32 + (ctime[low] as number);
      const ctimeOff = ctimeNs - stat.ctimeMs * 1e6;
      if (!(ctimeOff <= NEAR_NS && ctimeOff >= -NEAR_NS)) return done;
      if ((mtimeNs >= longAgo || ctimeNs >= longAgo) && !(settled(mtimeNs, since) && settled(ctimeNs, since)))
        return done;
    }
    return rows;
  };
}

/** Whether a stamp (nanoseconds) is too old for a later change to have got the same. */
function settled(stamp: number, since: number): boolean {
  if (stamp < since - COARSE_NS) return true;
  const isCoarse = Math.abs(stamp - Math.round(stamp / 1e9) * 1e9) < NEAR_NS;
  return !isCoarse && stamp < since - TICK_NS;
}

/** 64-bit integers as their low and high halves, to compare without making a bigint. All our platforms are little-endian. */
function halvesOf(column: BigInt64Array | BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
}

/** The double nearest to the signed integer. */
function signedAt(halves: Uint32Array, row: number): number {
  return ((halves[row * 2 + 1] as number) | 0) * 2 ** 32 + (halves[row * 2] as number);
}

interface HashColumns {
  baseSha256(row: number): string | undefined;
  hasBaseSha256(row: number): boolean;
  local(row: number): LocalHash;
  base(row: number): LocalHash;
  same(row: number): boolean;
}

/** Each row owns up to two digests of 48 bytes; equal ones are stored once. */
function hashColumns({ hashes, hashStart, flags }: Layout): HashColumns {
  const bytes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
  const sha256In = (slot: number) => bytes.toString("hex", slot * DIGEST_BYTES + 16, (slot + 1) * DIGEST_BYTES);
  // One string for both would stay in memory as long as either.
  const read = (slot: number, sha: boolean, md5: boolean): LocalHash => ({
    md5: md5 ? bytes.toString("hex", slot * DIGEST_BYTES, slot * DIGEST_BYTES + 16) : "",
    ...(sha ? { sha256: sha256In(slot) } : {}),
  });
  const hasBaseSha256 = (row: number) => (at(flags, row) & (Flag.base | Flag.baseSha)) === (Flag.base | Flag.baseSha);
  const baseSlot = (row: number) => at(hashStart, row) + ((at(flags, row) & Flag.ownBaseHash) !== 0 ? 1 : 0);
  return {
    local: (row) => read(at(hashStart, row), (at(flags, row) & Flag.localSha) !== 0, true),
    base: (row) => {
      const bits = at(flags, row);
      return read(baseSlot(row), (bits & Flag.baseSha) !== 0, (bits & Flag.baseNoMd5) === 0);
    },
    baseSha256: (row) => (hasBaseSha256(row) ? sha256In(baseSlot(row)) : undefined),
    hasBaseSha256,
    same: (row) => {
      const bits = at(flags, row);
      return (bits & (Flag.base | Flag.local | Flag.sameContent)) === (Flag.base | Flag.local | Flag.sameContent);
    },
  };
}
