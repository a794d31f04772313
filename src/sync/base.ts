import * as fs from "node:fs";
import { hasher } from "../lib/hash.ts";
import { comparePaths, type RelPath } from "../lib/path.ts";
import { isSystemError } from "../lib/system-error.ts";
import { manifestStat, sameManifest } from "./file-stat.ts";
import type { SyncFiles } from "./files.ts";
import { MANIFEST_NAME } from "./files.ts";
import { readHashCache } from "./hash-cache.ts";
import { type Replayed, replayJournal } from "./journal.ts";
import { baseFromManifest } from "./manifest.ts";
import { type ManifestResult, readManifest } from "./manifest-file.ts";
import type { BaseEntry, FileStat } from "./model.ts";
import { type IndexHeader, type IndexRow, indexFromBytes, loadIndex, type StateIndex } from "./state-index.ts";
import { indexBytes, writeIndex } from "./write-index.ts";

/** What this machine remembers of a project: the merge base and the digests of local files. */
export interface Base {
  readonly index: StateIndex;
  /** `foreign`: it tells of another remote, and counts for nothing. */
  readonly manifest: ManifestResult["kind"] | "foreign";
  /** True while only the manifest tells what was agreed on: nobody here has seen yet that it speaks of this remote. */
  readonly isFirst: boolean;
  /** What an interrupted run left in its journal; already part of `index`. */
  readonly journal: Replayed;
  readonly notices: readonly string[];
}

export interface LoadBaseOptions {
  readonly files: SyncFiles;
  /** The backend's canonical form of a `synced_remote_hash`; only asked for when the shared manifest has to be read. */
  readonly canonicalHash: () => Promise<(stored: string) => string>;
  /** False for a dry run, which leaves even the caches alone. */
  readonly cache: boolean;
  /** Now, milliseconds since 1970. */
  readonly now: number;
  /** True when all that the journal says has been written to manifest and index. */
  readonly journalIsRecorded?: boolean;
  /** The manifest was found to tell of another remote. */
  readonly foreign?: boolean;
}

/**
 * Loads the merge base. Our own index is believed while the shared manifest still is the file it was made from and all
 * of the journal is in it; otherwise the manifest is read, enriched by what the index knows, and the journal laid over it.
 */
export async function loadBase(options: LoadBaseOptions): Promise<Base> {
  const { files } = options;
  const index = loadIndex(files.index);
  const signature = manifestStat(files.manifest);
  const journal = options.journalIsRecorded === true ? EMPTY_JOURNAL : replayJournal(files.journal);
  const known = index !== undefined && sameManifest(index.manifest, signature);
  if (known && (journal.base.size === 0 || index.meta === journalMark(files.journal))) {
    return { index, manifest: signature === undefined ? "missing" : "ok", isFirst: false, journal, notices: [] };
  }
  return rebuild(options, { index, signature, journal });
}

const EMPTY_JOURNAL: Replayed = { base: new Map(), local: new Map(), sent: new Map(), damaged: 0 };

/** Tells one content of the journal from every other; an index that holds it carries the mark. `""` without a journal. */
export function journalMark(file: string): string {
  if (!fs.existsSync(file)) return "";
  const digest = hasher("sha256");
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const fd = fs.openSync(file, "r");
  try {
    for (let count = fs.readSync(fd, piece); count > 0; count = fs.readSync(fd, piece)) {
      digest.update(piece.subarray(0, count));
    }
  } finally {
    fs.closeSync(fd);
  }
  return digest.hex();
}

const PIECE_BYTES = 1 << 18;

interface Sources {
  readonly index: StateIndex | undefined;
  readonly signature: FileStat | undefined;
  readonly journal: Replayed;
}

async function rebuild(options: LoadBaseOptions, { index, signature, journal }: Sources): Promise<Base> {
  const { files } = options;
  const canonical = await options.canonicalHash();
  const entries = new Map<RelPath, BaseEntry>();
  const result = readManifest(files.manifest, (path, entry) => {
    entries.set(path, baseFromManifest(path, entry, canonical));
  });
  const foreign = options.foreign === true && result.kind === "ok";
  const isFirst = index === undefined && result.kind === "ok" && entries.size > 0 && !foreign;
  const told = noticesOf(result, foreign ? entries.size : 0);
  if (result.kind === "corrupt" || result.kind === "future" || foreign) entries.clear();
  addKnownDigests(entries, files.hashCache);
  for (const [path, entry] of entries) entries.set(path, enriched(entry, index));
  for (const [path, base] of journal.base) {
    if (base === undefined) entries.delete(path);
    else entries.set(path, base);
  }
  const rows = mergeRows(entries, index, journal);
  const header = {
    hashedSinceMs: index?.hashedSinceMs ?? options.now,
    meta: "",
    ...(signature && !foreign && { manifest: signature }),
  };
  // A manifest that cannot be read must be found so again next time.
  const readable = result.kind === "ok" || result.kind === "missing";
  const cached = options.cache && readable && !isFirst && !foreign && journal.base.size === 0;
  return {
    index: (cached && stored(files.index, rows, header)) || unstored(rows, header),
    manifest: foreign ? "foreign" : result.kind,
    isFirst,
    journal,
    notices: told,
  };
}

/** What our index knows beyond the manifest holds while both speak of the same agreement. */
function enriched(entry: BaseEntry, index: StateIndex | undefined): BaseEntry {
  const row = index?.find(entry.path) ?? -1;
  const known = row < 0 ? undefined : index?.baseAt(row);
  if (known === undefined || known.md5 !== entry.md5 || known.nativeHash !== entry.nativeHash) return entry;
  return { ...known, remoteId: entry.remoteId, syncedAt: entry.syncedAt };
}

/** Their hash cache knows the SHA-256 that goes with an MD5. */
function addKnownDigests(entries: Map<RelPath, BaseEntry>, hashCache: string): void {
  if (entries.size === 0) return;
  readHashCache(hashCache, ({ path, md5, sha256 }) => {
    const entry = entries.get(path);
    if (entry && sha256 !== undefined && md5 !== undefined && md5 === entry.md5)
      entries.set(path, { ...entry, sha256 });
  });
}

function mergeRows(
  entries: ReadonlyMap<RelPath, BaseEntry>,
  index: StateIndex | undefined,
  journal: Replayed,
): IndexRow[] {
  const rows: IndexRow[] = [];
  const seen = new Set<RelPath>();
  for (let row = 0; row < (index?.length ?? 0); row++) {
    const old = index?.rowAt(row);
    if (old === undefined) continue;
    const base = entries.get(old.path);
    const local = journal.local.get(old.path) ?? (index?.isSettled(row) ? old.local : undefined);
    seen.add(old.path);
    if (base || local) rows.push({ path: old.path, ...(base && { base }), ...(local && { local }) });
  }
  for (const [path, base] of entries) {
    if (seen.has(path)) continue;
    const local = journal.local.get(path);
    rows.push({ path, base, ...(local && { local }) });
  }
  return rows.sort((a, b) => comparePaths(a.path, b.path));
}

/** Undefined where the state folder cannot be written: that costs time only. */
function stored(file: string, rows: readonly IndexRow[], header: IndexHeader): StateIndex | undefined {
  try {
    writeIndex(file, rows, header);
    return loadIndex(file);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

function unstored(rows: readonly IndexRow[], header: IndexHeader): StateIndex {
  const index = indexFromBytes(indexBytes(rows, header));
  if (index === undefined) throw new Error("could not read back the index just made");
  return index;
}

function noticesOf(result: ManifestResult, foreign: number): string[] {
  if (foreign > 0) {
    return [
      `The manifest tells of another remote (none of its ${foreign} files is on this one as recorded): it is set aside, and nothing is deleted because of it.`,
    ];
  }
  if (result.kind === "corrupt") {
    return [
      `The manifest cannot be read (${MANIFEST_NAME}: ${result.reason}): what is equal on both sides will be recorded anew, what differs is a conflict.`,
    ];
  }
  if (result.kind === "ok" && result.unsafe.length > 0) {
    return [
      `Ignored ${result.unsafe.length} manifest entries that point outside the project: ${result.unsafe.slice(0, 3).join(", ")}`,
    ];
  }
  return [];
}
