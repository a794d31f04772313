import { hashBytes } from "../lib/hash.ts";
import { quoteAscii } from "../lib/json.ts";
import type { SnapshotInfo } from "./model.ts";

/**
 * What this machine has seen of all snapshots, in one text that is only appended to: a line that describes a record, then
 * its body. `whole` and `delta` stand for blobs snapshots, a delta as the difference from the record of these two kinds
 * before it, whatever its date; so that 1,000 snapshots cost what changed between them. A body's lines are
 * `<SHA-256> "path"` and `- "path"` for one that is gone, the path quoted as in a manifest.
 */
export interface RecordHead {
  /** `full`: a snapshot of that format, without a body. `seen`: another version of the same manifest. `drop`: it is gone. */
  readonly op: "whole" | "delta" | "full" | "seen" | "drop";
  readonly name: string;
  readonly format: "blobs" | "full";
  /**
   * Version on the remote. Null: we wrote it and were not told, so the size decides. Empty: it was racy, so it matches
   * no listing and is only kept to notice when the snapshot vanishes.
   */
  readonly rev: string | null;
  /** Bytes on the remote. */
  readonly size: number;
  readonly info?: SnapshotInfo;
  /** SHA-256 of the manifest as `formatManifest` spells it. */
  readonly content?: string;
  /** Files in the snapshot. */
  readonly entries?: number;
  /** Bytes of the body. */
  readonly length: number;
}

export interface LogRecord {
  readonly head: RecordHead;
  /** First byte of its body. */
  readonly start: number;
}

export interface DeltaLog {
  readonly bytes: Buffer;
  readonly records: readonly LogRecord[];
  /** Digest of the last record, which the next one builds on. */
  readonly digest: string;
  /** Bytes up to the end of the last record that can be believed. */
  readonly length: number;
}

/** Quoted path to SHA-256. */
export type Entries = Map<string, string>;

/** The same in no map, or in one. */
export interface EntryList {
  readonly size: number;
  forEach(visit: (sha256: string, path: string) => void): void;
}

const FIRST_DIGEST = "claude-mirror snapshots, version 1";
const DIGEST_CHARS = 64;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const MARK = 0x40;
const MINUS = 0x2d;

/** Reads the text up to the first record that is torn or damaged. */
export function parseDeltaLog(bytes: Buffer): DeltaLog {
  const records: LogRecord[] = [];
  let digest = FIRST_DIGEST;
  let length = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, length);
    if (end < 0 || bytes[length] !== MARK) break;
    const line = bytes.toString("utf8", length + 1, end);
    const head = parseHead(line.slice(DIGEST_CHARS + 1));
    if (head === undefined || end + 1 + head.length > bytes.length) break;
    const body = bytes.subarray(end + 1, end + 1 + head.length);
    const wanted = digestOf(digest, line.slice(DIGEST_CHARS + 1), body);
    if (line.slice(0, DIGEST_CHARS) !== wanted) break;
    records.push({ head, start: end + 1 });
    digest = wanted;
    length = end + 1 + head.length;
  }
  return { bytes, records, digest, length };
}

/** The text of a record that follows the one with the digest `previous`. */
export function formatRecord(
  previous: string,
  head: Omit<RecordHead, "length">,
  body: string | Buffer,
): { readonly bytes: readonly Buffer[]; readonly length: number; readonly digest: string } {
  const content = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  const json = JSON.stringify({ ...head, length: content.length });
  const digest = digestOf(previous, json, content);
  const first = Buffer.from(`@${digest} ${json}\n`);
  return { bytes: [first, content], length: first.length + content.length, digest };
}

function digestOf(previous: string, json: string, body: Uint8Array): string {
  return hashBytes("sha256", previous + json + hashBytes("sha256", body));
}

function parseHead(json: string): RecordHead | undefined {
  try {
    const head = JSON.parse(json) as RecordHead;
    return typeof head.name === "string" && Number.isSafeInteger(head.length) && head.length >= 0 ? head : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the record stands for a blobs snapshot. */
export function isState({ head: { op } }: LogRecord): boolean {
  return op === "whole" || op === "delta";
}

/** The body of a `whole` record, made in its own memory and no other: of many files it is large. */
export function wholeBody(entries: EntryList): Buffer {
  let size = 0;
  entries.forEach((sha256, path) => {
    size += sha256.length + path.length + 2;
  });
  const body = Buffer.allocUnsafeSlow(size);
  let at = 0;
  entries.forEach((sha256, path) => {
    at += body.write(sha256, at, "latin1");
    body[at++] = SPACE;
    at += body.write(path, at, "latin1");
    body[at++] = NEWLINE;
  });
  return body;
}

/** The body of a `delta` record, and how many lines it has; `state` is what was before and becomes what is after. */
export function deltaBody(state: Entries, after: EntryList): { readonly body: string; readonly changes: number } {
  const lines: string[] = [];
  const stood = state.size;
  let stay = 0;
  after.forEach((sha256, path) => {
    const before = state.get(path);
    if (before !== undefined) stay++;
    if (before === sha256) return;
    state.set(path, sha256);
    lines.push(`${sha256} ${path}\n`);
  });
  if (stay < stood) for (const path of goneFrom(state, after)) lines.push(`- ${path}\n`);
  return { body: lines.join(""), changes: lines.length };
}

/** Takes out what is not in `after`. */
function goneFrom(state: Entries, after: EntryList): Iterable<string> {
  const gone = new Set(state.keys());
  after.forEach((_sha256, path) => {
    gone.delete(path);
  });
  for (const path of gone) state.delete(path);
  return gone;
}

/** Calls `change` for each line of a record's body; a removed path comes without a digest. */
export function eachChange(
  { bytes }: DeltaLog,
  { head, start }: LogRecord,
  change: (path: string, sha256: string | undefined) => void,
): void {
  const end = start + head.length;
  for (let from = start; from < end; ) {
    const to = from + PIECE_BYTES < end ? bytes.indexOf(NEWLINE, from + PIECE_BYTES) + 1 : end;
    eachLine(bytes.toString("latin1", from, to), change);
    from = to;
  }
}

const PIECE_BYTES = 1 << 20;

function eachLine(text: string, change: (path: string, sha256: string | undefined) => void): void {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const isGone = text.charCodeAt(at) === MINUS;
    const path = text.slice(at + (isGone ? 2 : DIGEST_CHARS + 1), end);
    change(path, isGone ? undefined : text.slice(at, at + DIGEST_CHARS));
    at = end + 1;
  }
}

/** Every digest that the snapshot of record `at` names, some more than once. */
export function eachDigestAt(log: DeltaLog, at: number, visit: (sha256: string) => void): void {
  /** What later records say: the first to be read is the last that was written. */
  const settled = new Set<string>();
  for (let i = at; i >= 0; i--) {
    const record = log.records[i] as LogRecord;
    if (!isState(record)) continue;
    const isWhole = record.head.op === "whole";
    eachChange(log, record, (path, sha256) => {
      if (settled.has(path)) return;
      if (!isWhole) settled.add(path);
      if (sha256 !== undefined) visit(sha256);
    });
    if (isWhole) return;
  }
}

/** What the snapshot of record `at` holds. */
export function entriesAt(log: DeltaLog, at: number): Entries {
  let first = at;
  while (first > 0 && log.records[first]?.head.op !== "whole") first--;
  const entries: Entries = new Map();
  for (let i = first; i <= at; i++) {
    const record = log.records[i] as LogRecord;
    if (!isState(record)) continue;
    eachChange(log, record, (path, sha256) => {
      if (sha256 === undefined) entries.delete(path);
      else entries.set(path, sha256);
    });
  }
  return entries;
}

/** The digest of one path in each record, undefined where the snapshot lacks it; found without reading the other lines. */
export function digestsOfPath({ bytes, records, length }: DeltaLog, path: string): readonly (string | undefined)[] {
  const needle = Buffer.from(` ${quoteAscii(path)}\n`, "latin1");
  const find = (from: number): number => {
    const found = bytes.indexOf(needle, from);
    return found < 0 || found >= length ? Number.POSITIVE_INFINITY : found;
  };
  let at = find(0);
  let current: string | undefined;
  return records.map((record) => {
    if (!isState(record)) return undefined;
    if (record.head.op === "whole") current = undefined;
    while (at < record.start) at = find(at + 1);
    if (at < record.start + record.head.length) {
      const isGone = bytes[at - 1] === MINUS;
      current = isGone ? undefined : bytes.toString("latin1", at - DIGEST_CHARS, at);
      at = find(at + 1);
    }
    return current;
  });
}

export interface Walk {
  /** Told of every path whose digest differs from the state before; undefined stands for absent. */
  readonly changed: (path: string, before: string | undefined, after: string | undefined) => void;
  /** Told when the state of the record `at` is complete. */
  readonly reached: (at: number, entries: Entries) => void;
}

/** Goes through the states of all blobs snapshots in the text's order. */
export function walkStates(log: DeltaLog, { changed, reached }: Walk): void {
  let entries: Entries = new Map();
  log.records.forEach((record, at) => {
    if (!isState(record)) return;
    const old = entries;
    if (record.head.op === "whole") entries = new Map();
    eachChange(log, record, (path, sha256) => {
      const before = old.get(path);
      if (before !== sha256) changed(path, before, sha256);
      if (sha256 === undefined) entries.delete(path);
      else entries.set(path, sha256);
    });
    if (entries !== old) for (const [path, sha256] of old) if (!entries.has(path)) changed(path, sha256, undefined);
    reached(at, entries);
  });
}

/** Every digest that one of the records `wanted` names. */
export function digestsOfRecords(log: DeltaLog, wanted: ReadonlySet<number>): Set<string> {
  const named = new Set<string>();
  /** For each path how many wanted records came before the one that brought its digest. */
  const since = new Map<string, number>();
  let passed = 0;
  let last: Entries = new Map();
  walkStates(log, {
    changed(path, before) {
      if (before !== undefined && passed > (since.get(path) ?? 0)) named.add(before);
      since.set(path, passed);
    },
    reached(at, entries) {
      if (wanted.has(at)) passed++;
      last = entries;
    },
  });
  for (const [path, sha256] of last) if (passed > (since.get(path) ?? 0)) named.add(sha256);
  return named;
}

/** True when a whole record is no more to write than the differences that a reader would have to apply without it. */
export function wholeIsDue(changes: number, entries: number): boolean {
  return changes > entries;
}

/** The same text for these records alone, in their order: number of the record to what is to be said of it. */
export function rewritten(log: DeltaLog, keep: ReadonlyMap<number, RecordHead>): Buffer {
  const parts: Buffer[] = [];
  let digest = FIRST_DIGEST;
  const add = (head: Omit<RecordHead, "length">, body: string | Buffer): void => {
    const record = formatRecord(digest, head, body);
    parts.push(...record.bytes);
    digest = record.digest;
  };
  for (const head of keep.values()) if (head.format === "full") add({ ...head, op: "full" }, "");
  /** What the last kept record says of each path that has changed since. */
  const kept = new Map<string, string | undefined>();
  let changes = Number.POSITIVE_INFINITY;
  walkStates(log, {
    changed(path, before) {
      if (!kept.has(path)) kept.set(path, before);
    },
    reached(at, entries) {
      const head = keep.get(at);
      if (head === undefined) return;
      changes += kept.size;
      const isWhole = wholeIsDue(changes, entries.size);
      add({ ...head, op: isWhole ? "whole" : "delta" }, isWhole ? wholeBody(entries) : changeLines(kept, entries));
      if (isWhole) changes = 0;
      kept.clear();
    },
  });
  return Buffer.concat(parts);
}

function changeLines(before: ReadonlyMap<string, string | undefined>, entries: Entries): string {
  const lines: string[] = [];
  for (const [path, old] of before) {
    const sha256 = entries.get(path);
    if (sha256 !== old) lines.push(sha256 === undefined ? `- ${path}\n` : `${sha256} ${path}\n`);
  }
  return lines.join("");
}
