import * as fs from "node:fs";
import { BLOBS_FOLDER, MOVED_PATH, SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import type { Backend, Listing, RemoteFile } from "../backends/types.ts";
import { ITEMS_PER_COLLECTION, releaseDuring, releaseMemory } from "../lib/memory.ts";
import { comparePaths, foldersOf, joinUnder, type RelPath } from "../lib/path.ts";
import type { Base } from "./base.ts";
import { type ChangedFolders, changedFolders } from "./changed-folders.ts";
import { sortedFiles } from "./join.ts";
import { listRemote } from "./listing-cache.ts";
import { lookAt } from "./local-file.ts";
import type { Views } from "./look.ts";
import type { FileStat, SyncEvent } from "./model.ts";
import { type LocalView, type ScanProblem, scan } from "./scan.ts";
import type { Scope } from "./scope.ts";
import { openSieve, type Sieve } from "./sieve.ts";
import type { StateIndex } from "./state-index.ts";

export interface WholeViewsOptions {
  readonly root: string;
  readonly scope: Scope;
  readonly backend: () => Promise<Backend>;
  readonly loadBase: () => Promise<Base>;
  /** See listRemote. */
  readonly listingFile: string;
  readonly cache: boolean;
  /** See LookOptions. */
  readonly sends?: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: (event: SyncEvent) => void;
}

/** Looks at everything: the listing is on its way while the project folder is walked, where it does not wait for what that finds. */
export async function wholeViews(options: WholeViewsOptions): Promise<Views> {
  const { root, scope, signal, onEvent } = options;
  let base: Base | undefined;
  const sieve = openSieve(() => base?.index);
  const waits = options.sends === true && isWalkedByFolder(await options.backend());
  const early = waits ? undefined : listWithEvents(options, sieve);
  early?.catch(() => undefined);
  base = await options.loadBase();
  const onCount = (files: number) => onEvent({ kind: "scan", files, done: false });
  const view = scan({ root, scope, index: base.index, onCount, signal });
  releaseMemory(view.length);
  onEvent({ kind: "scan", files: view.length, done: true });
  const changed = waits && !base.isFirst && base.index.length > 0 ? changedFolders(view, base.index) : undefined;
  const { files, folders, exists, unusable } = await (early ?? listWithEvents(options, sieve, changed));
  if (changed !== undefined) for (const row of changed.restOf(folders)) sieve.assume(row);
  onEvent({ kind: "list", files: files.length + sieve.count(), done: true });
  const remote = sortedFiles(files);
  return {
    base,
    index: base.index,
    view,
    remote,
    sieve,
    remoteExists: exists,
    blobsMissing: !folders.includes(BLOBS_FOLDER),
    snapshotsMissing: !folders.includes(SNAPSHOTS_FOLDER),
    hasMoved: remote.some(({ path }) => path === MOVED_PATH),
    scope,
    assumes: changed !== undefined,
    unusable: new Map(unusable.map(({ name, reason }) => [name, reason])),
  };
}

/**
 * Whether each folder costs a request. Where names that differ by case are one, a new name is held against all that are there.
 */
function isWalkedByFolder({ can, changes }: Backend): boolean {
  return can.listsDeep !== true && changes === undefined && can.names.caseSensitive;
}

async function listWithEvents(options: WholeViewsOptions, sieve: Sieve, changed?: ChangedFolders): Promise<Listing> {
  const { onEvent, signal, cache } = options;
  let released = 0;
  const onCount = (files: number) => {
    // Each file leaves some kilobytes behind.
    if (files - released >= ITEMS_PER_COLLECTION) {
      released = files;
      releaseDuring(files);
    }
    onEvent({ kind: "list", files, done: false });
  };
  const sift = sieve.begin;
  return listRemote(await options.backend(), {
    file: options.listingFile,
    cache,
    onCount,
    sift,
    signal,
    ...(changed && { descend: changed.has }),
  });
}

export interface SelectedViewsOptions {
  readonly root: string;
  readonly scope: Scope;
  readonly base: Base;
  readonly backend: Backend;
  /** False for a run that leaves even caches alone. */
  readonly cache: boolean;
  readonly signal: AbortSignal;
  /** Files that have changed here are looked up to be written. */
  readonly forWrite?: boolean;
  /** Looks a file up by reading it: for one whose rev cannot be believed, so that its content is needed anyway. */
  readonly read: (path: RelPath) => Promise<RemoteFile | undefined>;
}

/** Looks at a few named files alone: one lookup each, no listing of the rest. */
export async function selectedViews(paths: readonly RelPath[], options: SelectedViewsOptions): Promise<Views> {
  const { base, backend, scope, signal } = options;
  const sorted = [...new Set(paths)].sort(comparePaths);
  const view = viewOf(sorted, options);
  const changed = new Set(options.forWrite ? changedIn(view, base) : []);
  const call = options.cache ? { signal } : { signal, remember: false };
  const lookUp = (path: RelPath) =>
    isRacy(base, path) ? options.read(path) : backend.stat(path, { ...call, forWrite: changed.has(path) });
  const remote = (await Promise.all(sorted.map(lookUp))).filter((file) => file !== undefined);
  const gone = sorted.some((path) => base.index.find(path) >= 0) && remote.length < sorted.length;
  // A folder without anything in it, not even our own folders, is a disk that is not mounted rather than a remote.
  const top = gone ? await backend.list("", { ...call, shallow: true }) : undefined;
  const remoteExists = top === undefined || (top.exists && top.files.length + top.folders.length > 0);
  const isMissing = (folder: RelPath): boolean => top !== undefined && !top.folders.includes(folder);
  const missing = { blobsMissing: isMissing(BLOBS_FOLDER), snapshotsMissing: isMissing(SNAPSHOTS_FOLDER) };
  const index = onlyRows(base.index, sorted);
  return {
    base,
    index,
    view,
    remote,
    remoteExists,
    ...missing,
    hasMoved: false,
    assumes: false,
    scope,
    unusable: new Map(),
  };
}

/** Files that both sides agreed on and that are other ones here by now, as far as stats tell. */
function changedIn(view: LocalView, { index }: Base): RelPath[] {
  const files = Array.from({ length: view.length }, (_, at) => at);
  return files
    .filter((at) => view.clean[at] !== 1 && (view.indexRow[at] ?? -1) >= 0 && index.hasBase(view.indexRow[at] ?? -1))
    .map(view.pathAt);
}

function isRacy({ index }: Base, path: RelPath): boolean {
  const row = index.find(path);
  return row >= 0 && index.baseIsRacy(row);
}

function viewOf(paths: readonly RelPath[], { root, scope, base }: SelectedViewsOptions): LocalView {
  const found: { readonly path: RelPath; readonly stat: FileStat; readonly row: number }[] = [];
  const problems: ScanProblem[] = [];
  for (const path of paths) {
    const problem = scope.includes(path) ? linkProblem(path, root, scope) : undefined;
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    const stat = lookAt(joinUnder(root, path));
    if (stat === "absent" || !scope.includes(path)) continue;
    if (typeof stat === "string")
      problems.push({ path, covers: "file", quiet: true, reason: "it is not a regular file here" });
    else found.push({ path, stat, row: base.index.find(path) });
  }
  const { index } = base;
  return {
    length: found.length,
    pathAt: (file) => (found[file] as (typeof found)[number]).path,
    statAt: (file) => (found[file] as (typeof found)[number]).stat,
    indexRow: Int32Array.from(found, ({ row }) => row),
    clean: Uint8Array.from(found, ({ row, stat }) =>
      row >= 0 && index.localEquals(row, stat) && index.isSettled(row) ? 1 : 0,
    ),
    problems,
    missingRoot: !fs.existsSync(root),
  };
}

/**
 * Why a named file is not looked at, by the rules of the scan: a link that leads out of the project, or a folder link that
 * no pattern names.
 */
function linkProblem(path: RelPath, root: string, scope: Scope): ScanProblem | undefined {
  const links = foldersOf(path).flatMap((folder, depth) => (isSymbolicLink(joinUnder(root, folder)) ? [depth] : []));
  if (links.length === 0 && !isSymbolicLink(joinUnder(root, path))) return undefined;
  const problem = (reason: string) => ({ path, covers: "file", quiet: false, reason }) as const;
  if (!scope.includes(path, links)) return problem("links to folders are followed only where a pattern names them");
  try {
    const real = fs.realpathSync(joinUnder(root, path));
    return real.startsWith(`${fs.realpathSync(root)}/`) ? undefined : problem("the link leaves the project");
  } catch {
    return problem("the link leads to nothing");
  }
}

function isSymbolicLink(absolute: string): boolean {
  try {
    return fs.lstatSync(absolute).isSymbolicLink();
  } catch {
    return false; // What is wrong with it shows when it is looked at.
  }
}

/** The same index, of which only some rows are to be seen. */
function onlyRows(index: StateIndex, paths: readonly RelPath[]): StateIndex {
  const rows = paths.map((path) => index.find(path)).filter((row) => row >= 0);
  const real = (at: number) => rows[at] as number;
  return {
    ...index,
    length: rows.length,
    pathAt: (at) => index.pathAt(real(at)),
    isAt: (at, path) => index.isAt(real(at), path),
    find: (path) => rows.indexOf(index.find(path)),
    rowAt: (at) => index.rowAt(real(at)),
    baseAt: (at) => index.baseAt(real(at)),
    baseHashAt: (at) => index.baseHashAt(real(at)),
    baseSha256At: (at) => index.baseSha256At(real(at)),
    hasBaseSha256: (at) => index.hasBaseSha256(real(at)),
    hasBase: (at) => index.hasBase(real(at)),
    hasLocal: (at) => index.hasLocal(real(at)),
    statAt: (at) => index.statAt(real(at)),
    hashAt: (at) => index.hashAt(real(at)),
    countUnchanged: () => 0,
    localEquals: (at, stat) => index.localEquals(real(at), stat),
    isSettled: (at) => index.isSettled(real(at)),
    localIsBase: (at) => index.localIsBase(real(at)),
    remoteMatches: (at, rev, nativeHash) => index.remoteMatches(real(at), rev, nativeHash),
    baseIsRacy: (at) => index.baseIsRacy(real(at)),
    tellsRemote: (at) => index.tellsRemote(real(at)),
    isWholly: (at, file) => index.isWholly(real(at), file),
  };
}
