import * as fs from "node:fs";
import { LocalFileError } from "../backends/errors.ts";
import type { BackendKind } from "../backends/types.ts";
import { releaseMemory } from "../lib/memory.ts";
import { comparePaths, type RelPath } from "../lib/path.ts";
import { isSystemError } from "../lib/system-error.ts";
import { type Base, journalMark, manifestStat, sameManifest } from "./base.ts";
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
  const { files, base, confirmed } = options;
  const learnt = changedBases(options);
  const seen = base.index.manifest;
  const disturbed = base.manifest === "ok" && !sameManifest(manifestStat(files.manifest), seen);
  if (base.manifest === "corrupt") setCorruptAside(files.manifest);
  if (learnt.size > 0) writeManifest(files.manifest, learnt, options.backend);
  // Somebody else wrote the manifest during the run: our rows do not know what, so the index is made anew next time.
  const rows = saveIndex({ ...options, confirmed }, disturbed ? undefined : manifestStat(files.manifest));
  if (disturbed) fs.rmSync(files.index, { force: true });
  if (learnt.size > 0) writeHashCache(files.hashCache, cacheRows(rows));
}

/** Throws LocalFileError when the manifest has become one that must not be written over; the journal then keeps it all. */
function writeManifest(
  file: string,
  changes: Map<RelPath, BaseEntry | undefined>,
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

function saveIndex(options: RecordOptions, signature: FileStat | undefined): readonly IndexRow[] {
  const { files } = options;
  const rows = mergedRows(options);
  releaseMemory(rows.length);
  writeIndex(files.index, rows, {
    hashedSinceMs: options.hashedSinceMs,
    meta: journalMark(files.journal),
    ...(signature && { manifest: signature }),
  });
  releaseMemory(rows.length);
  return rows;
}

/** A racy entry that was verified moves to its settled rev too, as far as the manifest can tell. */
function changedBases({ confirmed, learned, base }: RecordOptions): Map<RelPath, BaseEntry | undefined> {
  const changes = new Map(confirmed);
  for (const [path, entry] of learned.base) {
    if (changes.has(path)) continue;
    const row = base.index.find(path);
    if (row >= 0 && base.index.baseAt(row)?.nativeHash !== entry.nativeHash) changes.set(path, entry);
  }
  return changes;
}

function mergedRows({ base, confirmed, local, learned }: RecordOptions): IndexRow[] {
  const { index } = base;
  const rows: IndexRow[] = [];
  const fresh = new Set([...confirmed.keys(), ...local.keys(), ...learned.local.keys(), ...learned.base.keys()]);
  const rowOf = (path: RelPath, old: IndexRow | undefined): IndexRow | undefined => {
    const entry = confirmed.has(path) ? confirmed.get(path) : (learned.base.get(path) ?? old?.base);
    const record = local.get(path) ?? learned.local.get(path) ?? old?.local;
    if (entry === undefined && (record === undefined || confirmed.has(path))) return undefined;
    return { path, ...(entry && { base: entry }), ...(record && { local: record }) };
  };
  for (let at = 0; at < index.length; at++) {
    const old = settledRow(index, at);
    const row = fresh.delete(old.path) ? rowOf(old.path, old) : old;
    if (row?.base || row?.local) rows.push(row);
  }
  for (const path of fresh) {
    const row = rowOf(path, undefined);
    if (row) rows.push(row);
  }
  return rows.sort((a, b) => comparePaths(a.path, b.path));
}

/** Digests taken in the same tick as the file was written must not be carried into an index with a later time. */
function settledRow(index: StateIndex, at: number): IndexRow {
  const row = index.rowAt(at);
  if (row.local === undefined || index.isSettled(at)) return row;
  return row.base === undefined ? { path: row.path } : { path: row.path, base: row.base };
}

function* cacheRows(rows: readonly IndexRow[]): Iterable<HashCacheRow> {
  for (const { path, local } of rows) {
    if (local) yield { path, size: local.stat.size, mtimeNs: local.stat.mtimeNs, ...local.hash };
  }
}
