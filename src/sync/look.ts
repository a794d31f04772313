import type { RemoteFile } from "../backends/types.ts";
import { releaseMemory } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import type { Base } from "./base.ts";
import { movedOn } from "./contents.ts";
import type { GuardFacts } from "./guard.ts";
import { joinViews, type Place, problemFinder } from "./join.ts";
import type { BaseEntry, ContentHash, FileStat, Held, LocalState, RemoteState, Row } from "./model.ts";
import type { LocalView } from "./scan.ts";
import type { Scope } from "./scope.ts";
import type { Selection } from "./select.ts";
import type { LocalRecord, StateIndex } from "./state-index.ts";

/** Both sides and the merge base at one moment, path by path. */
export interface Look {
  /** Every path that is not plainly in sync, sorted. */
  readonly rows: Row[];
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
  /** Every path that a side or the base has and `inSync` counts or `rows` holds, sorted; rows in sync are made while they are asked for. */
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
  readonly remote: readonly RemoteFile[];
  readonly remoteExists: boolean;
  readonly blobsMissing: boolean;
  readonly snapshotsMissing: boolean;
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
}

const ABSENT = { kind: "absent" } as const;

/** Lays the views side by side and reads what stats and revs alone do not settle. */
export async function lookAtViews(views: Views, tools: LookTools): Promise<Omit<Look, "selection" | "notices">> {
  const { base, index, view, remote, scope, unusable } = views;
  const problemOf = problemFinder(view.problems);
  const unsettled: Row[] = [];
  const facts = { localFiles: view.length, remoteFiles: 0, baseEntries: 0 };
  let inSync = 0;
  const build = (place: Place): Row | undefined => {
    const entry = place.row < 0 ? undefined : index.baseAt(place.row);
    const inScope = place.local >= 0 || scope.includes(place.path);
    if (!inScope && entry === undefined) return undefined;
    const local = localState(place, entry);
    const row: Row = {
      path: place.path,
      inScope,
      local,
      remote: remoteState(place, entry),
      ...(entry && { base: entry }),
    };
    return row.base === undefined && local.kind === "absent" && row.remote.kind === "absent" ? undefined : row;
  };
  const localState = (place: Place, entry: BaseEntry | undefined): LocalState => {
    if (place.local < 0) {
      const problem = problemOf(place.path);
      return problem === undefined ? ABSENT : { kind: "unreadable", reason: problem.reason };
    }
    const stat = view.statAt(place.local);
    const clean = place.row >= 0 && view.clean[place.local] === 1;
    const known = clean ? index.hashAt(place.row) : undefined;
    const hash = known?.sha256 === undefined ? undefined : { md5: known.md5, sha256: known.sha256 };
    const changed = !(clean && entry !== undefined && entry.md5 !== "" && index.localIsBase(place.row));
    return { kind: "file", changed, stat, ...(hash && { hash }) };
  };
  const remoteState = ({ path, row, file }: Place, entry: BaseEntry | undefined): RemoteState => {
    if (file === undefined) {
      const reason = unusable.get(path);
      return reason === undefined ? ABSENT : { kind: "unusable", reason };
    }
    const agreed = entry !== undefined && entry.md5 !== "" && !entry.racy;
    return { kind: "file", changed: !(agreed && index.remoteMatches(row, file.rev, file.nativeHash)), file };
  };
  const isPlainlyInSync = ({ local, row, file }: Place): boolean =>
    local >= 0 &&
    row >= 0 &&
    file !== undefined &&
    view.clean[local] === 1 &&
    index.localIsBase(row) &&
    index.remoteMatches(row, file.rev, file.nativeHash) &&
    !index.baseIsRacy(row);
  joinViews({ view, index, remote }, (place) => {
    if (place.row >= 0 && index.hasBase(place.row)) facts.baseEntries++;
    if (isPlainlyInSync(place)) {
      inSync++;
      facts.remoteFiles++;
      return;
    }
    const row = build(place);
    if (row === undefined) return;
    if (place.file && row.inScope) facts.remoteFiles++;
    unsettled.push(row);
  });
  releaseMemory(unsettled.length);
  const learned: Learned = { local: new Map(), base: new Map() };
  const rows = await settleRows(unsettled, learned, tools);
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
    everything: () => everything({ views, rows, build, isPlainlyInSync }),
  };
}

interface EverythingOptions {
  readonly views: Views;
  readonly rows: readonly Row[];
  readonly build: (place: Place) => Row | undefined;
  readonly isPlainlyInSync: (place: Place) => boolean;
}

function everything({ views, rows, build, isPlainlyInSync }: EverythingOptions): Iterable<Row> {
  const all: Row[] = [];
  const settled = new Map(rows.map((row) => [row.path, row]));
  joinViews(views, (place) => {
    const row = isPlainlyInSync(place) ? build(place) : settled.get(place.path);
    if (row) all.push(row);
  });
  return all;
}

/** Reads files whose stat moved, and remote files whose rev cannot be trusted yet. */
async function settleRows(rows: readonly Row[], learned: Learned, tools: LookTools): Promise<Row[]> {
  const settled: Row[] = [];
  for (const row of rows) settled.push(await settleRow(row, learned, tools));
  return settled;
}

async function settleRow(row: Row, learned: Learned, tools: LookTools): Promise<Row> {
  const { base, path } = row;
  if (base === undefined || base.md5 === "" || !row.inScope) return row;
  let { local, remote } = row;
  if (local.kind === "file" && local.changed) local = await readLocal(path, local, base, { learned, tools });
  if (remote.kind === "file" && remote.changed && mayBeTheBase(base, remote.file)) {
    remote = await readRacy(remote.file, base, { learned, tools }).catch(movedOn);
  }
  return { ...row, local, remote };
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

/** The rev does not tell, so the content decides. */
async function readRacy(file: RemoteFile, base: BaseEntry, { learned, tools }: SettleDeps): Promise<RemoteState> {
  if (base.size !== undefined && base.size !== file.size) return { kind: "file", changed: true, file };
  const hash = await tools.hashRemote(file);
  if (hash.md5 !== base.md5) return { kind: "file", changed: true, file, sha256: hash.sha256 };
  learned.base.set(base.path, { ...base, rev: file.rev, nativeHash: file.nativeHash, racy: file.racy });
  return { kind: "file", changed: false, file, sha256: hash.sha256 };
}

function foreignNames({ unusable, view }: Views, rows: readonly Row[]): Held[] {
  const known = new Set<string>(rows.map((row) => row.path));
  const names = [...unusable].map(([path, reason]) => ({ path, reason }));
  const problems = view.problems
    .filter((problem) => !problem.quiet)
    .map(({ path, reason }) => ({ path: path || ".", reason }));
  return [...names, ...problems].filter(({ path }) => !known.has(path));
}
