import * as fs from "node:fs";
import { dirname } from "node:path";
import type { Rev } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { fsyncFile, fsyncFolder, writeAll } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";
import { MANY_ITEMS, releaseDuring } from "../lib/memory.ts";
import { parseRelPath, type RelPath } from "../lib/path.ts";
import { asLocalError, errorCode } from "./local-file.ts";
import type { BaseEntry, ContentHash, FileStat } from "./model.ts";

/** The local file that a base entry speaks of, so that it need not be hashed again. */
export interface LocalFact {
  readonly stat: FileStat;
  readonly hash: ContentHash;
}

/** An upload that the server has acknowledged without naming the new version. */
export interface SentFile extends ContentHash {
  readonly path: RelPath;
  /** Bytes. */
  readonly size: number;
  /** The server's clock in its answer, milliseconds since 1970. */
  readonly serverTimeMs?: number;
  /** Milliseconds by which that may be too early. */
  readonly tookMs?: number;
  readonly local?: FileStat;
}

/** One confirmed step. */
export type JournalRecord =
  | { readonly kind: "set"; readonly base: BaseEntry; readonly local?: LocalFact }
  | { readonly kind: "gone"; readonly path: RelPath }
  | { readonly kind: "sent"; readonly sent: SentFile };

/** What really happened, path by path; the last word on each. */
export interface Confirmed {
  /** Undefined: the base entry is to be dropped. */
  readonly base: ReadonlyMap<RelPath, BaseEntry | undefined>;
  readonly local: ReadonlyMap<RelPath, LocalFact>;
}

export interface Replayed extends Confirmed {
  /** Uploads that no later record settles. */
  readonly sent: ReadonlyMap<RelPath, SentFile>;
  /** Lines that were torn or damaged. Losing one costs a comparison on the next run. */
  readonly damaged: number;
}

/** An append-only record of confirmed steps in the state folder. */
export interface Journal {
  /** One write; durable after at most 100 more lines or 200 ms of further appends, or `flush`. */
  append(record: JournalRecord): void;
  /** Resolves when every line is durable. Throws LocalFileError. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const SYNC_LINES = 100;
const SYNC_MS = 200;

/** Opens `file` for appending, its folder created. Throws LocalFileError. */
export function openJournal(file: string, options: { readonly clock: Clock }): Journal {
  const { clock } = options;
  const fd = openForAppend(file);
  let unsynced = 0;
  let lastSync = clock.now();
  let syncing: Promise<void> | undefined;
  let failure: unknown;
  const sync = () => {
    unsynced = 0;
    lastSync = clock.now();
    const before = syncing ?? Promise.resolve();
    syncing = before
      .then(() => fsyncFile(fd))
      .catch((error: unknown) => {
        failure ??= error;
      });
  };
  const flush = async () => {
    if (unsynced > 0) sync();
    await syncing;
    if (failure !== undefined) throw asLocalError(failure, `could not write "${file}"`);
  };
  return {
    append(record) {
      faultPoint(`journal-${record.kind}`);
      try {
        writeAll(fd, Buffer.from(encodeLine(record)));
      } catch (error) {
        throw asLocalError(error, `could not write "${file}"`);
      }
      unsynced++;
      if (unsynced >= SYNC_LINES || clock.now() - lastSync >= SYNC_MS) sync();
    },
    flush,
    async close() {
      try {
        await flush();
      } finally {
        fs.closeSync(fd);
      }
    },
  };
}

/**
 * Reads a journal back; a missing one is empty. A torn last line (the power went while it was written) and damaged
 * lines are skipped and counted. Throws LocalFileError when the file cannot be read.
 */
export function replayJournal(file: string): Replayed {
  const base = new Map<RelPath, BaseEntry | undefined>();
  const local = new Map<RelPath, LocalFact>();
  const sent = new Map<RelPath, SentFile>();
  let damaged = 0;
  let lines = 0;
  for (const { line } of placedLines(file)) {
    if (++lines % MANY_ITEMS === 0) releaseDuring(lines);
    const record = decodeLine(line);
    if (record === undefined) damaged++;
    else if (record.kind === "sent") sent.set(record.sent.path, record.sent);
    else {
      const path = record.kind === "set" ? record.base.path : record.path;
      sent.delete(path);
      local.delete(path);
      base.set(path, record.kind === "set" ? record.base : undefined);
      if (record.kind === "set" && record.local !== undefined) local.set(path, record.local);
    }
  }
  return { base, local, sent, damaged };
}

/** Removes the journal once all it says is in the manifest and the index. */
export function clearJournal(file: string): void {
  faultPoint("journal-clear");
  fs.rmSync(file, { force: true });
}

function openForAppend(file: string): number {
  try {
    fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const fresh = !fs.existsSync(file);
    faultPoint("journal-open");
    const fd = fs.openSync(file, "a+", 0o600);
    if (fresh) fsyncFolder(dirname(file));
    const size = fs.fstatSync(fd).size;
    const last = Buffer.alloc(1);
    if (size > 0 && fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a) writeAll(fd, Buffer.from("\n"));
    return fd;
  } catch (error) {
    throw asLocalError(error, `could not open "${file}"`);
  }
}

interface PlacedLine {
  readonly line: string;
  /** Bytes before it. */
  readonly at: number;
}

/** Reads piece by piece: a journal of many files is larger than what it says. Throws LocalFileError. */
export function* placedLines(file: string): Generator<PlacedLine> {
  const fd = openToRead(file);
  if (fd === undefined) return;
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    let rest = Buffer.alloc(0);
    let restAt = 0;
    for (let count = readPiece(fd, piece, file); count > 0; count = readPiece(fd, piece, file)) {
      const bytes = Buffer.concat([rest, piece.subarray(0, count)]);
      let at = 0;
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, at)) {
        if (end > at) yield { line: bytes.toString("utf8", at, end), at: restAt + at };
        at = end + 1;
      }
      rest = bytes.subarray(at);
      restAt += at;
    }
    if (rest.length > 0) yield { line: rest.toString("utf8"), at: restAt };
  } finally {
    fs.closeSync(fd);
  }
}

const PIECE_BYTES = 1 << 18;

function openToRead(file: string): number | undefined {
  try {
    return fs.openSync(file, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw asLocalError(error, `could not read "${file}"`);
  }
}

function readPiece(fd: number, piece: Buffer, file: string): number {
  try {
    return fs.readSync(fd, piece, 0, piece.length, null);
  } catch (error) {
    throw asLocalError(error, `could not read "${file}"`);
  }
}

/** `["<8 hex of the payload's SHA-256>",<payload>]`: valid JSON, and a tear anywhere shows. */
function encodeLine(record: JournalRecord): string {
  const payload = JSON.stringify(record, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
  return `["${checksum(payload)}",${payload}]\n`;
}

/** Undefined for a line that is torn or damaged. */
export function decodeLine(line: string): JournalRecord | undefined {
  if (line.length < 13 || !line.startsWith('["') || !line.startsWith('",', 10) || !line.endsWith("]")) return undefined;
  const payload = line.slice(12, -1);
  if (line.slice(2, 10) !== checksum(payload)) return undefined;
  const raw = JSON.parse(payload) as RawRecord;
  if (raw.kind === "gone") return pathOf(raw.path) && raw;
  if (raw.kind === "sent") {
    const { local, ...rest } = raw.sent;
    return pathOf(rest.path) && { kind: "sent", sent: local === undefined ? rest : { ...rest, local: statOf(local) } };
  }
  if (raw.kind !== "set" || !pathOf(raw.base.path)) return undefined;
  const base: BaseEntry = raw.base.rev === undefined ? raw.base : { ...raw.base, rev: raw.base.rev as Rev };
  if (raw.local === undefined) return { kind: "set", base };
  return { kind: "set", base, local: { stat: statOf(raw.local.stat), hash: raw.local.hash } };
}

type RawStat = { readonly [Key in keyof FileStat]: Key extends "size" ? number : string };

type RawRecord =
  | { readonly kind: "set"; readonly base: BaseEntry; readonly local?: { stat: RawStat; hash: ContentHash } }
  | { readonly kind: "gone"; readonly path: RelPath }
  | { readonly kind: "sent"; readonly sent: Omit<SentFile, "local"> & { readonly local?: RawStat } };

function statOf(raw: RawStat): FileStat {
  const wide = (text: string) => BigInt(text.slice(0, -1));
  return { size: raw.size, mtimeNs: wide(raw.mtimeNs), ctimeNs: wide(raw.ctimeNs), ino: wide(raw.ino) };
}

function pathOf(path: string): RelPath | undefined {
  return parseRelPath(path);
}

function checksum(payload: string): string {
  return hashBytes("sha256", payload).slice(0, 8);
}
