import { lstatSync, statSync } from "node:fs";
import type { Clock } from "../lib/clock.ts";
import type { RelPath } from "../lib/path.ts";
import { manifestStat, sameManifest } from "./file-stat.ts";
import type { SyncFiles } from "./files.ts";
import type { LocalView } from "./scan.ts";
import type { Scope, ScopeRules } from "./scope.ts";
import { loadIndex, type StateIndex } from "./state-index.ts";
import { noteFolders, readWalked, type Walked, walkedKey, writeWalked } from "./walked.ts";

// Run before every line that somebody types: what is not needed for the answer is not loaded.

/** How the project folder stands to what was agreed on last. The remote is not asked. */
export interface LocalStanding {
  /** Files that are as agreed. */
  readonly inSync: number;
  /** Files that are new, changed or deleted here, sorted. */
  readonly ahead: readonly RelPath[];
  /** False where nothing was ever agreed on. */
  readonly isKnown: boolean;
  /** Why `inSync` and `ahead` are not all that there is. */
  readonly problem?: string;
}

export interface StandingOptions {
  readonly files: SyncFiles;
  readonly rules: ScopeRules;
  readonly clock: Clock;
}

/** Of files whose stamps moved and whose size did not, so many, and so many bytes, are read to tell a touch from an edit. */
const MOST_READ = 200;
const MOST_READ_BYTES = 16 * 1024 * 1024;

/**
 * Compares the project folder with the index. A file that was touched is read, up to a limit: beyond it counts as changed.
 * Writes nothing but what saves the next call the walk.
 */
export async function localStanding(options: StandingOptions): Promise<LocalStanding> {
  const { files, rules, clock } = options;
  const fresh = freshIndex(files);
  if (fresh === undefined) return wholeWalk(await rebuiltIndex(files, clock.now()), undefined, options);
  const key = walkedKey(files, rules);
  const last = readWalked(files, key, clock.now());
  if (last === undefined) return wholeWalk(fresh, key, options);
  if (last.changed.length === 0) return knownFiles(fresh, last.walked, files);
  const { readAgain } = await import("./walked-again.ts");
  const walked = readAgain(last, { root: files.root, index: fresh, rules });
  return walked === undefined ? wholeWalk(fresh, key, options) : knownFiles(fresh, walked, files);
}

/** The index, where nothing has changed the records behind it since. */
function freshIndex(files: SyncFiles): StateIndex | undefined {
  if ((statSync(files.journal, { throwIfNoEntry: false })?.size ?? 0) > 0) return undefined;
  const index = loadIndex(files.index);
  return index !== undefined && sameManifest(index.manifest, manifestStat(files.manifest)) ? index : undefined;
}

/** Hashes of the remote play no part here: in which form they are makes no difference. */
async function rebuiltIndex(files: SyncFiles, now: number): Promise<StateIndex> {
  const { loadBase } = await import("./base.ts");
  const asStored = async () => (hash: string) => hash;
  return (await loadBase({ files, canonicalHash: asStored, cache: false, now })).index;
}

/** A file that is not surely the one recorded in its row. */
interface Touched {
  readonly row: number;
  readonly path: RelPath;
  readonly size: number;
}

/** Looks at the files of the index alone: which others there are is known. */
async function knownFiles(index: StateIndex, walked: Walked, files: SyncFiles): Promise<LocalStanding> {
  const look = { prefix: `${files.root}/`, lstatSync };
  const touched: Touched[] = [];
  const ahead: RelPath[] = [...walked.added, ...walked.gone];
  let inSync = 0;
  let row = 0;
  for (const end of [...walked.unseen, index.length]) {
    while (row < end) {
      const count = index.countUnchanged(row, end - row, 0, look);
      inSync += walked.agreed ? count : settleClean(index, [row, row + count], ahead);
      row += count;
      if (row < end) touched.push(touchedAt(index, row++, files.root));
    }
    row = end + 1;
  }
  inSync += await settleTouched({ files, index }, touched, ahead);
  return { inSync, ahead: ahead.sort(), isKnown: true };
}

/** How many of the rows, whose files are the recorded ones, are as agreed; the others are added to `ahead`. */
function settleClean(index: StateIndex, [from, to]: readonly [number, number], ahead: RelPath[]): number {
  let same = 0;
  for (let row = from; row < to; row++) {
    if (!index.hasBase(row)) continue;
    if (index.localIsBase(row)) same++;
    else ahead.push(index.pathAt(row));
  }
  return same;
}

function touchedAt(index: StateIndex, row: number, root: string): Touched {
  const path = index.pathAt(row);
  return { row, path, size: statSync(`${root}/${path}`, { throwIfNoEntry: false })?.size ?? -1 };
}

/** Walks the folder, and where there is a key keeps what it found for the next call if that will hold. */
async function wholeWalk(
  index: StateIndex,
  key: string | undefined,
  { files, rules, clock }: StandingOptions,
): Promise<LocalStanding> {
  const [{ scan }, { compileScope }, fs] = await Promise.all([
    import("./scan.ts"),
    import("./scope.ts"),
    import("node:fs"),
  ]);
  const atMs = clock.now();
  const scope = compileScope(rules);
  const notes = noteFolders(files.root);
  const view = scan({ root: files.root, scope, index, fs: { ...fs, readdirSync: notes.readdirSync } });
  if (view.missingRoot) return { inSync: 0, ahead: [], isKnown: false, problem: `${files.root} is missing` };
  const sorted = sortOut(index, view, scope);
  const { added, gone, changed, touched } = sorted;
  const ahead = [...added, ...gone, ...changed];
  const inSync = sorted.inSync + (await settleTouched({ files, index }, touched, ahead));
  const isKnown = inSync + ahead.length > added.length;
  const problem = view.problems.find(({ quiet }) => !quiet);
  if (problem !== undefined) {
    return { inSync, ahead: ahead.sort(), isKnown, problem: `${problem.path || files.root}: ${problem.reason}` };
  }
  const folders = view.problems.length === 0 && isKnown ? notes.stamps(atMs) : undefined;
  if (folders !== undefined && key !== undefined) {
    const { unseen } = sorted;
    await writeWalked(files, { version: 1, key, atMs, folders, added, gone, unseen, agreed: sorted.agreed });
  }
  return { inSync, ahead: ahead.sort(), isKnown };
}

interface Sorted {
  readonly inSync: number;
  readonly added: readonly RelPath[];
  readonly gone: readonly RelPath[];
  /** Files that were read since they were changed. */
  readonly changed: readonly RelPath[];
  readonly touched: readonly Touched[];
  /** Rows of the index that are no file in the view. */
  readonly unseen: readonly number[];
  /** Every row with a base has the agreed content on record, and no row is without one. */
  readonly agreed: boolean;
}

function sortOut(index: StateIndex, view: LocalView, scope: Scope): Sorted {
  const seen = new Uint8Array(index.length);
  const [added, gone, changed]: [RelPath[], RelPath[], RelPath[]] = [[], [], []];
  const touched: Touched[] = [];
  const unseen: number[] = [];
  let inSync = 0;
  let agreed = true;
  for (let file = 0; file < view.length; file++) {
    const row = view.indexRow[file] as number;
    if (row >= 0) seen[row] = 1;
    const hasBase = row >= 0 && index.hasBase(row);
    const isBase = hasBase && index.localIsBase(row);
    if (row >= 0 && !isBase) agreed = false;
    if (!hasBase) added.push(view.pathAt(file));
    else if (view.clean[file] !== 1) touched.push({ row, path: view.pathAt(file), size: view.statAt(file).size });
    else if (isBase) inSync++;
    else changed.push(view.pathAt(file));
  }
  for (let row = 0; row < index.length; row++) {
    if (seen[row] === 1) continue;
    unseen.push(row);
    if (index.hasBase(row) && isGone(index.pathAt(row), view, scope)) gone.push(index.pathAt(row));
  }
  return { inSync, added, gone, changed, touched, unseen, agreed };
}

/** A path below something that could not be looked at is unknown, not gone. */
function isGone(path: RelPath, { problems }: LocalView, scope: Scope): boolean {
  const covers = (place: string) => place === "" || place === path || path.startsWith(`${place}/`);
  return scope.includes(path) && !problems.some((problem) => covers(problem.path));
}

/** How many of the touched files hold what was agreed on; the others are added to `ahead`. */
async function settleTouched(
  { files, index }: { readonly files: SyncFiles; readonly index: StateIndex },
  touched: readonly Touched[],
  ahead: RelPath[],
): Promise<number> {
  if (touched.length === 0) return 0;
  const { hashFile } = await import("./hash-files.ts");
  let same = 0;
  let bytes = 0;
  for (const [count, { row, path, size }] of touched.entries()) {
    const base = index.baseAt(row);
    // Without one it is among the added files already.
    if (base === undefined) continue;
    const mayBeSame = base.md5 !== "" && size >= 0 && (base.size === undefined || base.size === size);
    bytes += mayBeSame ? size : 0;
    const isRead = mayBeSame && count < MOST_READ && bytes <= MOST_READ_BYTES;
    const read = isRead ? await hashFile(files.root, path).catch(() => undefined) : undefined;
    if (read?.hash.md5 === base.md5) same++;
    else ahead.push(path);
  }
  return same;
}
