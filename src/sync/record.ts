import * as fs from "node:fs";
import { LocalFileError } from "../backends/errors.ts";
import type { BackendKind } from "../backends/types.ts";
import { ITEMS_PER_COLLECTION, releaseDuring, releaseMemory } from "../lib/memory.ts";
import { comparePaths, type RelPath } from "../lib/path.ts";
import { isSystemError } from "../lib/system-error.ts";
import { type Base, journalMark } from "./base.ts";
import { manifestStat, sameManifest } from "./file-stat.ts";
import type { SyncFiles } from "./files.ts";
import { type HashCacheRow, writeHashCache } from "./hash-cache.ts";
import type { Learned } from "./look.ts";
import { rewriteManifest, setCorruptAside } from "./manifest-file.ts";
import type { BaseEntry, FileStat } from "./model.ts";
import type { IndexRow, LocalRecord, StateIndex } from "./state-index.ts";
import { writeIndex } from "./write-index.ts";

export interface RecordOptions {
  readonly files: SyncFiles;
  readonly base: Base;
  readonly backend: BackendKind | "memory";
  /** Confirmed steps; undefined drops the entry. */
  readonly confirmed: ReadonlyMap<RelPath, BaseEntry | undefined>;
  readonly local: ReadonlyMap<RelPath, LocalRecord>;
  readonly learned: Learned;
  /** See IndexHeader. */
  readonly hashedSinceMs: number;
}

/**
 * Writes down what really happened: first the shared manifest, durably, then our index (which knows it by its stat),
 * then the shared hash cache. A crash in between leaves an index that no longer fits and is made anew.
 */
export function recordRun(options: RecordOptions): void {
  const { files, base } = options;
  const learnt = changedBases(options);
  const seen = base.index.manifest;
  const disturbed = base.manifest === "ok" && !sameManifest(manifestStat(files.manifest), seen);
  if (base.manifest === "corrupt") setCorruptAside(files.manifest);
  if (learnt.size > 0) writeManifest(files.manifest, learnt, options.backend);
  // Somebody else wrote the manifest during the run: our rows do not know what, so the index is made anew next time.
  saveIndex(options, disturbed ? undefined : manifestStat(files.manifest));
  if (disturbed) fs.rmSync(files.index, { force: true });
  if (learnt.size > 0) writeHashCache(files.hashCache, cacheRows(mergedRows(options)));
}

/** Throws LocalFileError when the manifest has become one that must not be written over; the journal then keeps it all. */
function writeManifest(
  file: string,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  backend: RecordOptions["backend"],
): void {
  const result = rewriteManifest(file, changes, { backend });
  if (result.kind !== "corrupt" && result.kind !== "future") return;
  throw new LocalFileError(`could not write "${file}": it was replaced by one that cannot be read (${result.reason})`);
}

/**
 * Keeps what a look found out. The rows speak of the manifest as the look saw it, and of no later one. A manifest that
 * cannot be read must be found so again next time, so nothing is kept then. A state folder that cannot be written costs
 * time only.
 */
export function rememberLook(options: RecordOptions): void {
  const { manifest, index } = options.base;
  if (manifest === "corrupt" || manifest === "future") return;
  try {
    saveIndex(options, index.manifest);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

function saveIndex(options: RecordOptions, signature: FileStat | undefined): void {
  const { files } = options;
  writeIndex(files.index, mergedRows(options), {
    hashedSinceMs: options.hashedSinceMs,
    meta: journalMark(files.journal),
    ...(signature && { manifest: signature }),
  });
  releaseMemory(options.base.index.length + options.confirmed.size);
}

/** A racy entry that was verified moves to its settled rev too, as far as the manifest can tell. */
function changedBases({ confirmed, learned, base }: RecordOptions): ReadonlyMap<RelPath, BaseEntry | undefined> {
  const moved: (readonly [RelPath, BaseEntry])[] = [];
  for (const [path, entry] of learned.base) {
    if (confirmed.has(path)) continue;
    const row = base.index.find(path);
    if (row >= 0 && base.index.baseAt(row)?.nativeHash !== entry.nativeHash) moved.push([path, entry]);
  }
  return moved.length === 0 ? confirmed : new Map([...confirmed, ...moved]);
}

/** The rows of the new index in their order, each made when its turn comes: what is old and what is new, side by side. */
function* mergedRows({ base, confirmed, local, learned }: RecordOptions): Iterable<IndexRow> {
  const { index } = base;
  const fresh = [...new Set([...confirmed.keys(), ...local.keys(), ...learned.local.keys(), ...learned.base.keys()])];
  fresh.sort(comparePaths);
  const rowOf = (path: RelPath, old: IndexRow | undefined): IndexRow | undefined => {
    const entry = confirmed.has(path) ? confirmed.get(path) : (learned.base.get(path) ?? old?.base);
    const record = local.get(path) ?? learned.local.get(path) ?? old?.local;
    if (entry === undefined && (record === undefined || confirmed.has(path))) return undefined;
    return { path, ...(entry && { base: entry }), ...(record && { local: record }) };
  };
  let made = 0;
  for (let at = 0, next = 0; at < index.length || next < fresh.length; ) {
    const known = at < index.length ? index.pathAt(at) : undefined;
    const path = fresh[next];
    const isFresh = path !== undefined && (known === undefined || path <= known);
    const old = known !== undefined && (!isFresh || path === known) ? settledRow(index, at++) : undefined;
    if (isFresh) next++;
    const row = isFresh ? rowOf(path, old) : old;
    if (++made % ITEMS_PER_COLLECTION === 0) releaseDuring(index.length + fresh.length);
    if (row?.base || row?.local) yield row;
  }
}

/** Digests taken in the same tick as the file was written must not be carried into an index with a later time. */
function settledRow(index: StateIndex, at: number): IndexRow {
  const row = index.rowAt(at);
  if (row.local === undefined || index.isSettled(at)) return row;
  return row.base === undefined ? { path: row.path } : { path: row.path, base: row.base };
}

function* cacheRows(rows: Iterable<IndexRow>): Iterable<HashCacheRow> {
  for (const { path, local } of rows) {
    if (local) yield { path, size: local.stat.size, mtimeNs: local.stat.mtimeNs, ...local.hash };
  }
}
