import type { RemoteFile } from "../backends/types.ts";
import { intColumn } from "../lib/columns.ts";
import { MANY_ITEMS, releaseDuring } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import type { Base } from "./base.ts";
import { movedOn } from "./contents.ts";
import type { GuardFacts } from "./guard.ts";
import { joinViews, type Place, pathOf, problemFinder } from "./join.ts";
import type { BaseEntry, ContentHash, FileStat, Held, LocalState, RemoteState, Row } from "./model.ts";
import { openRows, type Rows } from "./rows.ts";
import { compareRemote } from "./run-context.ts";
import type { LocalView } from "./scan.ts";
import type { Scope } from "./scope.ts";
import type { Selection } from "./select.ts";
import { type Sieve, siftedFile } from "./sieve.ts";
import type { LocalRecord, StateIndex } from "./state-index.ts";

/** Both sides and the merge base at one moment, path by path. */
export interface Look {
  /** Every path that is not plainly in sync. */
  readonly rows: Rows;
  /** Paths in sync that are not among `rows`. */
  readonly inSync: number;
  readonly facts: GuardFacts;
  readonly base: Base;
  readonly scope: Scope;
  readonly selection: Selection | undefined;
  /** Names on the remote that cannot be paths here, and places here that could not be looked at. */
  readonly foreign: readonly Held[];
  readonly notices: string[];
  readonly learned: Learned;
  /** True when the remote surely holds no stored contents: what we know of them is out of date. */
  readonly blobsMissing: boolean;
  /** The same of snapshots. */
  readonly snapshotsMissing: boolean;
  /** The remote says of itself that another one is the primary now; false where nobody has looked. */
  readonly hasMoved: boolean;
  /** Folders in which nothing has changed here were not looked at: their files count as what was agreed on. */
  readonly assumes: boolean;
  /** The paths that `inSync` counts, sorted. */
  inSyncPaths(): Iterable<RelPath>;
  /** Every path that `inSync` counts or `rows` holds, sorted; rows in sync are made while they are asked for. */
  everything(): Iterable<Row>;
}

/** What looking found out and the next run need not find out again. */
export interface Learned {
  readonly local: Map<RelPath, LocalRecord>;
  readonly base: Map<RelPath, BaseEntry>;
}

export interface Views {
  readonly base: Base;
  /** The rows of `base.index` that are looked at. */
  readonly index: StateIndex;
  readonly view: LocalView;
  /** Sorted; without what the sieve has noted. */
  readonly remote: readonly RemoteFile[];
  /** What the listing has of `index` in the very version that it names. */
  readonly sieve?: Sieve;
  readonly remoteExists: boolean;
  readonly blobsMissing: boolean;
  readonly snapshotsMissing: boolean;
  readonly hasMoved: boolean;
  readonly assumes: boolean;
  readonly unusable: ReadonlyMap<string, string>;
  readonly scope: Scope;
}

/** Reads one local file through. Throws LocalFileError. */
export type HashLocal = (path: RelPath) => Promise<{ readonly stat: FileStat; readonly hash: ContentHash }>;
/** Digests a remote file. */
export type HashRemote = (file: RemoteFile) => Promise<ContentHash>;

export interface LookTools {
  readonly hashLocal: HashLocal;
  readonly hashRemote: HashRemote;
  /** Whether the local file, which has this stat, holds what the remote vouches for; undefined where nobody can tell. */
  readonly isVouched?: (file: RemoteFile, path: RelPath, stat: FileStat) => Promise<boolean | undefined>;
}

const ABSENT = { kind: "absent" } as const;

/** Lays the views side by side and reads what stats and revs alone do not settle. */
export async function lookAtViews(views: Views, tools: LookTools): Promise<Omit<Look, "selection" | "notices">> {
  const { base, index, view, scope } = views;
  const { isPlainlyInSync, isRow, build } = rowMaker(views);
  const places = placeColumns();
  const facts = { localFiles: view.length, remoteFiles: 0, baseEntries: 0 };
  let inSync = 0;
  joinViews(views, (place) => {
    if (place.row >= 0 && index.hasBase(place.row)) facts.baseEntries++;
    if (isPlainlyInSync(place)) {
      inSync++;
      facts.remoteFiles++;
    } else if (isRow(place)) {
      if (isThere(views, place) && (place.local >= 0 || scope.includes(pathOf(views, place)))) facts.remoteFiles++;
      places.push(place);
    }
  });
  const rows = openRows(
    places.length,
    (position) => pathOf(views, places.at(position)),
    (position) => build(places.at(position)),
  );
  const learned: Learned = { local: new Map(), base: new Map() };
  await settleRows(rows, learned, tools);
  const all = (isInSync: (place: Place) => boolean) => placesOf(views, isInSync);
  return {
    rows,
    inSync,
    facts: {
      ...facts,
      localRootExists: !view.missingRoot,
      remoteRootExists: views.remoteExists,
      manifestFromFuture: base.manifest === "future",
    },
    base,
    scope,
    foreign: foreignNames(views, rows),
    learned,
    blobsMissing: views.blobsMissing,
    snapshotsMissing: views.snapshotsMissing,
    hasMoved: views.hasMoved,
    assumes: views.assumes,
    *inSyncPaths() {
      const synced = all(isPlainlyInSync);
      for (let at = 0; at < synced.length; at++) yield pathOf(views, synced.at(at));
    },
    *everything() {
      const every = all((place) => isPlainlyInSync(place) || isRow(place));
      let next = 0;
      for (let at = 0; at < every.length; at++) {
        const place = every.at(at);
        yield isPlainlyInSync(place) ? build(place) : rows.at(next++);
      }
    },
  };
}

/** Whether the remote has a file at this place. */
function isThere({ sieve }: Views, place: Place): boolean {
  return place.remote >= 0 || (place.row >= 0 && sieve?.has(place.row) === true);
}

interface Places {
  readonly length: number;
  at(position: number): Place;
  push(place: Place): void;
}

function placeColumns(): Places {
  const [local, row, remote] = [intColumn(), intColumn(), intColumn()];
  return {
    get length() {
      return local.length;
    },
    at: (position) => ({ local: local.at(position), row: row.at(position), remote: remote.at(position) }),
    push(place) {
      local.push(place.local);
      row.push(place.row);
      remote.push(place.remote);
    },
  };
}

function placesOf(views: Views, wanted: (place: Place) => boolean): Places {
  const places = placeColumns();
  joinViews(views, (place) => {
    if (wanted(place)) places.push(place);
  });
  return places;
}

interface RowMaker {
  isPlainlyInSync(place: Place): boolean;
  /** Whether there is anything to decide about, or to forget. */
  isRow(place: Place): boolean;
  build(place: Place): Row;
}

function rowMaker(views: Views): RowMaker {
  const { index, view, remote, scope, unusable, sieve } = views;
  const problemOf = problemFinder(view.problems);
  const fileAt = (place: Place): RemoteFile | undefined =>
    place.remote >= 0 ? remote[place.remote] : isThere(views, place) ? siftedFile(index, place.row) : undefined;
  const localState = (place: Place, path: RelPath, entry: BaseEntry | undefined): LocalState => {
    if (place.local < 0) {
      const problem = problemOf(path);
      return problem === undefined ? ABSENT : { kind: "unreadable", reason: problem.reason };
    }
    const stat = view.statAt(place.local);
    const clean = place.row >= 0 && view.clean[place.local] === 1;
    const known = clean ? index.hashAt(place.row) : undefined;
    const hash = known?.sha256 === undefined ? undefined : { md5: known.md5, sha256: known.sha256 };
    const changed = !(clean && entry !== undefined && entry.md5 !== "" && index.localIsBase(place.row));
    return { kind: "file", changed, stat, ...(hash && { hash }) };
  };
  const remoteState = (place: Place, path: RelPath, entry: BaseEntry | undefined): RemoteState => {
    const file = fileAt(place);
    if (file === undefined) {
      const reason = unusable.get(path);
      return reason === undefined ? ABSENT : { kind: "unusable", reason };
    }
    const agreed = entry !== undefined && entry.md5 !== "" && !entry.racy;
    return { kind: "file", changed: !(agreed && index.remoteMatches(place.row, file.rev, file.nativeHash)), file };
  };
  return {
    isPlainlyInSync({ local, row, remote: at }) {
      if (local < 0 || row < 0 || view.clean[local] !== 1 || !index.localIsBase(row)) return false;
      if (at < 0) return sieve?.has(row) === true;
      const { rev, nativeHash } = remote[at] as RemoteFile;
      return index.remoteMatches(row, rev, nativeHash) && !index.baseIsRacy(row);
    },
    isRow(place) {
      if (place.row >= 0 && index.hasBase(place.row)) return true;
      if (place.local >= 0) return true;
      const path = pathOf(views, place);
      return scope.includes(path) && (isThere(views, place) || unusable.has(path) || problemOf(path) !== undefined);
    },
    build(place) {
      const entry = place.row < 0 ? undefined : index.baseAt(place.row);
      const path = pathOf(views, place);
      return {
        path,
        inScope: place.local >= 0 || scope.includes(path),
        local: localState(place, path, entry),
        remote: remoteState(place, path, entry),
        ...(entry && { base: entry }),
      };
    },
  };
}

/** Reads files whose stat moved, and remote files whose rev cannot be trusted yet. */
async function settleRows(rows: Rows, learned: Learned, tools: LookTools): Promise<void> {
  for (let at = 0; at < rows.length; at++) {
    const row = rows.at(at);
    if (row.base !== undefined && row.base.md5 !== "" && row.inScope) {
      const settled = await settleRow(row, row.base, { learned, tools });
      if (settled !== row) rows.set(at, settled);
    }
    if (at % MANY_ITEMS === MANY_ITEMS - 1) releaseDuring(at);
  }
}

/** The row itself where nothing had to be read. */
async function settleRow(row: Row, base: BaseEntry, deps: SettleDeps): Promise<Row> {
  let { local, remote } = row;
  if (local.kind === "file" && local.changed) local = await readLocal(row.path, local, base, deps);
  if (remote.kind === "file" && remote.changed && mayBeTheBase(base, remote.file)) {
    remote = await readRacy(remote.file, base, deps).catch(movedOn);
  }
  return local === row.local && remote === row.remote ? row : { ...row, local, remote };
}

interface SettleDeps {
  readonly learned: Learned;
  readonly tools: LookTools;
}

async function readLocal(
  path: RelPath,
  local: Extract<LocalState, { kind: "file" }>,
  base: BaseEntry,
  { learned, tools }: SettleDeps,
): Promise<LocalState> {
  if (base.size !== undefined && base.size !== local.stat.size) return local;
  if (local.hash !== undefined) return { ...local, changed: local.hash.md5 !== base.md5 };
  try {
    const { stat, hash } = await tools.hashLocal(path);
    learned.local.set(path, { stat, hash });
    return { kind: "file", changed: hash.md5 !== base.md5, stat, hash };
  } catch (error) {
    if (error instanceof Error && error.name === "LocalFileError") return { kind: "unreadable", reason: error.message };
    throw error;
  }
}

/** A racy rev may cover another content; a new rev where the shared version is the old one need not (links to it, a copied disk). */
function mayBeTheBase(base: BaseEntry, file: RemoteFile): boolean {
  if (base.racy && base.rev !== undefined) return base.rev === file.rev;
  return base.nativeHash === file.nativeHash;
}

/** The rev does not tell, so the content decides: by the server's checksum where there is one of a kind that we know. */
async function readRacy(file: RemoteFile, base: BaseEntry, { learned, tools }: SettleDeps): Promise<RemoteState> {
  if (base.size !== undefined && base.size !== file.size) return { kind: "file", changed: true, file };
  const known = base.sha256 === undefined ? undefined : { md5: base.md5, sha256: base.sha256 };
  const said = known === undefined ? "unknown" : compareRemote(file, { ...known, size: file.size });
  if (said === "different") return { kind: "file", changed: true, file };
  const hash = said === "equal" && known !== undefined ? known : await tools.hashRemote(file);
  if (hash.md5 !== base.md5) return { kind: "file", changed: true, file, sha256: hash.sha256 };
  learned.base.set(base.path, { ...base, rev: file.rev, nativeHash: file.nativeHash, racy: file.racy });
  return { kind: "file", changed: false, file, sha256: hash.sha256 };
}

function foreignNames({ unusable, view }: Views, rows: Rows): Held[] {
  const names = [...unusable].map(([path, reason]) => ({ path, reason }));
  const problems = view.problems
    .filter((problem) => !problem.quiet)
    .map(({ path, reason }) => ({ path: path || ".", reason }));
  return [...names, ...problems].filter(({ path }) => rows.find(path as RelPath) < 0);
}
