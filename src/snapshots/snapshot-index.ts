import * as fs from "node:fs";
import { dirname } from "node:path";
import { faultPoint } from "../lib/fault.ts";
import { writeAll, writeAtomic } from "../lib/fs.ts";
import {
  type DeltaLog,
  deltaBody,
  digestsOfRecords,
  type Entries,
  type EntryList,
  entriesAt,
  formatRecord,
  isState,
  type LogRecord,
  parseDeltaLog,
  type RecordHead,
  rewritten,
  wholeBody,
  wholeIsDue,
} from "./delta-log.ts";
import type { SnapshotFormat, SnapshotInfo } from "./model.ts";

/** From so many records that nobody needs any more on the file is written anew, if they are the larger half. */
const MANY_DEAD = 64;

/** A state of more files is read again when the next difference is taken, which is seldom in the same run. */
const MOST_KEPT = 25_000;

/** A snapshot that is known, and the record that holds its entries. */
export interface KnownSnapshot {
  readonly at: number;
  readonly head: RecordHead;
}

export interface PutState {
  readonly name: string;
  readonly rev: string | null;
  readonly size: number;
  readonly info: SnapshotInfo;
  readonly content: string;
}

/** The snapshots that this machine has seen, in the form of `delta-log.ts`. Where it cannot be written, less is known. */
export interface SnapshotIndex {
  heads(format: SnapshotFormat): ReadonlyMap<string, KnownSnapshot>;
  entries(at: number): Entries;
  log(): DeltaLog;
  digestsOf(names: Iterable<string>): Set<string>;
  putState(state: PutState, entries: EntryList): void;
  putFull(info: SnapshotInfo): void;
  drop(names: Iterable<string>, format: SnapshotFormat): void;
}

interface Loaded {
  readonly log: DeltaLog;
  readonly records: LogRecord[];
  readonly blobs: Map<string, KnownSnapshot>;
  readonly full: Map<string, KnownSnapshot>;
  digest: string;
  length: number;
  /** The state that the next difference is taken from, with what a reader has to apply to get there. */
  tip: { readonly entries: Entries; readonly changes: number } | undefined;
  /** True when the file has records that `log` lacks. */
  grown: boolean;
}

/** Opens the index at `file`; it is read when first asked. */
export function openSnapshotIndex(file: string): SnapshotIndex {
  let loaded: Loaded | undefined;
  let writable = true;
  const load = (): Loaded => {
    loaded ??= read(file);
    return loaded;
  };
  /** With the bytes of all records. */
  const whole = (): Loaded => {
    if (loaded?.grown) loaded = undefined;
    return load();
  };
  const append = (head: Omit<RecordHead, "length">, body: string | Buffer): void => {
    if (!writable) return;
    const known = load();
    const record = formatRecord(known.digest, head, body);
    faultPoint("manifest-cache");
    try {
      appendTo(file, record.bytes, known.length);
    } catch {
      writable = false;
      return;
    }
    const start = known.length + record.length - body.length;
    note(known, { head: { ...head, length: body.length }, start });
    known.digest = record.digest;
    known.length += record.length;
    known.grown = true;
  };
  return {
    heads: (format) => load()[format],
    entries: (at) => entriesAt(whole().log, at),
    log: () => whole().log,
    digestsOf(names) {
      const { log, blobs } = whole();
      const wanted = new Set([...names].flatMap((name) => blobs.get(name)?.at ?? []));
      const [first] = wanted;
      if (wanted.size === 1 && first !== undefined) return new Set(entriesAt(log, first).values());
      return digestsOfRecords(log, wanted);
    },
    putState(state, entries) {
      if (isStaleView(file, load())) loaded = undefined;
      const head = { ...state, format: "blobs" as const, entries: entries.size };
      const old = load().blobs.get(state.name)?.head;
      if (old?.content === state.content) {
        if (!isSame(old, head)) append({ ...head, op: "seen" }, "");
        return;
      }
      const tip = load().tip ?? tipOf(whole());
      const { body, changes } = tip ? deltaBody(tip.entries, entries) : { body: "", changes: 0 };
      const asWhole = tip === undefined || wholeIsDue(tip.changes + changes, entries.size);
      append({ ...head, op: asWhole ? "whole" : "delta" }, asWhole ? wholeBody(entries) : body);
      const kept = tip?.entries ?? (entries.size < MOST_KEPT ? mapOf(entries) : undefined);
      load().tip = kept && { entries: kept, changes: asWhole ? 0 : tip.changes + changes };
    },
    putFull(info) {
      if (isStaleView(file, load())) loaded = undefined;
      if (JSON.stringify(load().full.get(info.timestamp)?.head.info) === JSON.stringify(info)) return;
      append({ op: "full", name: info.timestamp, format: "full", rev: null, size: 0, info }, "");
    },
    drop(names, format) {
      const gone = [...names].filter((name) => load()[format].has(name));
      if (gone.length === 0) return;
      if (isStaleView(file, load())) loaded = undefined;
      for (const name of gone) append({ op: "drop", name, format, rev: null, size: 0 }, "");
      const { records, blobs, full } = load();
      const dead = records.length - blobs.size - full.size;
      if (!writable || dead < MANY_DEAD || dead * 2 < records.length) return;
      rewrite(file, whole());
      loaded = undefined;
    },
  };
}

function mapOf(list: EntryList): Entries {
  const entries: Entries = new Map();
  list.forEach((sha256, path) => {
    entries.set(path, sha256);
  });
  return entries;
}

function read(file: string): Loaded {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch {
    bytes = Buffer.alloc(0);
  }
  const log = parseDeltaLog(bytes);
  const { digest, length } = log;
  const loaded: Loaded = {
    log,
    records: [],
    blobs: new Map(),
    full: new Map(),
    digest,
    length,
    tip: undefined,
    grown: false,
  };
  for (const record of log.records) note(loaded, record);
  return loaded;
}

function note(loaded: Loaded, record: LogRecord): void {
  const { head } = record;
  const at = loaded.records.push(record) - 1;
  const known = loaded[head.format];
  switch (head.op) {
    case "drop":
      known.delete(head.name);
      return;
    case "seen": {
      const old = known.get(head.name);
      if (old) known.set(head.name, { at: old.at, head });
      return;
    }
    case "whole":
    case "delta":
    case "full":
      known.set(head.name, { at, head });
  }
}

/** The state of the last blobs record; undefined when there is none. */
function tipOf({ log }: Loaded): Loaded["tip"] {
  const at = log.records.findLastIndex(isState);
  if (at < 0) return undefined;
  const entries = entriesAt(log, at);
  let changes = 0;
  for (let i = at; i >= 0 && log.records[i]?.head.op !== "whole"; i--) {
    changes += Math.round((log.records[i]?.head.length ?? 0) / LINE_BYTES);
  }
  return { entries, changes };
}

/** A line of usual length. */
const LINE_BYTES = 100;

/** True when another process has written meanwhile. */
function isStaleView(file: string, { length }: Loaded): boolean {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return size !== length;
}

function isSame(old: RecordHead, head: Omit<RecordHead, "length" | "op">): boolean {
  return old.rev === head.rev && old.size === head.size && JSON.stringify(old.info) === JSON.stringify(head.info);
}

/**
 * Adds a record behind `length` bytes that are good; what was torn or damaged behind them goes first. Two processes that
 * write at once may spoil each other's records: those are found damaged, and read from the remote again.
 */
function appendTo(file: string, parts: readonly Buffer[], length: number): void {
  fs.mkdirSync(dirname(file), { recursive: true });
  const fd = fs.openSync(file, "a", 0o600);
  try {
    if (fs.fstatSync(fd).size !== length) fs.ftruncateSync(fd, length);
    for (const part of parts) writeAll(fd, part);
  } finally {
    fs.closeSync(fd);
  }
}

function rewrite(file: string, { log, blobs, full }: Loaded): void {
  const keep = new Map<number, RecordHead>();
  for (const known of [blobs, full]) for (const { at, head } of known.values()) keep.set(at, head);
  try {
    writeAtomic(file, rewritten(log, keep), { mode: 0o600, durable: false });
  } catch {
    // As it was it is as good, and larger.
  }
}
