import * as fs from "node:fs";
import { dirname } from "node:path";
import { faultPoint } from "../lib/fault.ts";
import { writeAll, writeAtomic } from "../lib/fs.ts";
import { type HashSet, hashSet } from "./hash-set.ts";

/** First bytes of the file; a file that begins otherwise counts as empty. */
const HEADER = Buffer.from("claude-mirror hashes, version 1\n");
const RECORD = 32;

/** A set of SHA-256 digests (hex) that survives in a local file. Losing the file empties the set, no more. */
export interface HashLog {
  has(sha256: string): boolean;
  /** Number of digests. */
  size(): number;
  /** Appends those that are new, in one write. */
  add(sha256s: Iterable<string>): void;
  /** Keeps only the digests that `keep` accepts. */
  retain(keep: (sha256: string) => boolean): void;
}

/**
 * Opens the log at `file`, 32 bytes a digest behind a header, read when first asked. It is a cache: nothing is synced to disk,
 * and where it cannot be written it lives in memory only.
 */
export function openHashLog(file: string): HashLog {
  let loaded: HashSet | undefined;
  let writable = true;
  const hashes = (): HashSet => {
    loaded ??= load(file);
    return loaded;
  };
  const attempt = (write: () => void): void => {
    if (!writable) return;
    try {
      write();
    } catch {
      // A torn tail would misalign what is appended later: without the file the next run just knows less.
      writable = false;
      removeQuietly(file);
    }
  };
  return {
    has: (sha256) => hashes().has(sha256),
    size: () => hashes().size,
    add(sha256s) {
      const known = hashes();
      const before = known.size;
      for (const sha256 of sha256s) known.add(sha256);
      if (known.size > before) attempt(() => append(file, known.packed(before)));
    },
    retain(keep) {
      const before = hashes();
      const kept = hashSet();
      for (const sha256 of before.values()) if (keep(sha256)) kept.add(sha256);
      if (kept.size === before.size) return;
      loaded = kept;
      attempt(() => writeAtomic(file, Buffer.concat([HEADER, kept.packed(0)]), { mode: 0o600, durable: false }));
    },
  };
}

function load(file: string): HashSet {
  const hashes = hashSet();
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch {
    return hashes;
  }
  if (!bytes.subarray(0, HEADER.length).equals(HEADER)) {
    removeQuietly(file);
    return hashes;
  }
  const torn = (bytes.length - HEADER.length) % RECORD;
  if (torn > 0) truncateQuietly(file, bytes.length - torn);
  hashes.addPacked(bytes.subarray(HEADER.length));
  return hashes;
}

function append(file: string, added: Buffer): void {
  faultPoint("hash-log-append");
  fs.mkdirSync(dirname(file), { recursive: true });
  const fd = fs.openSync(file, "a", 0o600);
  try {
    const isNew = fs.fstatSync(fd).size === 0;
    writeAll(fd, isNew ? Buffer.concat([HEADER, added]) : added);
  } finally {
    fs.closeSync(fd);
  }
}

/** When the tail cannot be cut the whole log goes, so that no record is ever appended off the grid. */
function truncateQuietly(file: string, length: number): void {
  try {
    fs.truncateSync(file, length);
  } catch {
    removeQuietly(file);
  }
}

function removeQuietly(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch {
    // Not even that: the file is read again next time and judged again.
  }
}
