import type { Backend, BackendKind, RemoteFile, Rev } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { UsageError } from "../lib/errors.ts";
import { ITEMS_PER_COLLECTION, releaseMemory } from "../lib/memory.ts";
import { parentOf, type RelPath } from "../lib/path.ts";
import { createResumedFiles } from "../lib/resumed-file.ts";
import { type Base, loadBase } from "./base.ts";
import { compareContents } from "./compare.ts";
import { isVouched, readThrough, remoteHash } from "./contents.ts";
import { cleanTemps } from "./download.ts";
import { type ExecuteHooks, execute } from "./execute.ts";
import { type SyncFiles, syncFiles } from "./files.ts";
import { guard } from "./guard.ts";
import { hashFile } from "./hash-files.ts";
import { readIgnoreFile } from "./ignore-file.ts";
import { clearJournal, openJournal, replayJournal } from "./journal.ts";
import { viewJournal } from "./journal-view.ts";
import { type Learned, type Look, type LookTools, lookAtViews, type Views } from "./look.ts";
import { setCorruptAside } from "./manifest-file.ts";
import { beginClosing, clearMarker, type Due, dueOf, readMarker, writeMarker } from "./marker.ts";
import type {
  AgreedContent,
  BaseEntry,
  ContentHash,
  GuardName,
  Outcome,
  Plan,
  PlanRequest,
  Refusal,
  SyncEvent,
} from "./model.ts";
import { plan } from "./plan.ts";
import { type RecordOptions, recordRun, rememberLook } from "./record.ts";
import { compileScope, type Scope } from "./scope.ts";
import { selectFiles } from "./select.ts";
import type { StateIndex } from "./state-index.ts";
import type { Trash } from "./trash.ts";
import { selectedViews, wholeViews } from "./views.ts";

export interface SyncDeps {
  /** Absolute, real path of the project. */
  readonly root: string;
  /** Where FILES are relative to. */
  readonly cwd: string;
  readonly stateFolder: string;
  readonly backendKind: BackendKind | "memory";
  /** Opened once, by whoever asks first. */
  readonly backend: () => Promise<Backend>;
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly workers: number;
  readonly trash: Trash;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onEvent: (event: SyncEvent) => void;
}

export interface LookOptions {
  /** As typed; empty means everything. */
  readonly files: readonly string[];
  /** False for a dry run, which leaves even the caches alone. */
  readonly cache: boolean;
  /** A run that sends what has changed follows. */
  readonly forWrite?: boolean;
  /**
   * Only what has changed here matters: where each remote folder costs a request, those in which nothing has are taken to
   * hold what was agreed on, once the folder that holds them shows them.
   */
  readonly sends?: boolean;
}

/** The sync room's door: observe, plan, guard, execute, record, each on its own. */
export interface SyncService {
  readonly files: SyncFiles;
  readonly scope: Scope;
  readonly tools: LookTools;
  /** Throws UsageError for FILES that match nothing. */
  look(options: LookOptions): Promise<Look>;
  plan(look: Look, request: PlanRequest): Promise<Plan>;
  guard(plan: Plan, look: Look, allow: ReadonlySet<GuardName>): Refusal[];
  /** Takes up what an interrupted run left. Needs the project's lock. */
  recover(): Promise<Due | undefined>;
  /** Notes durably what is about to be done. */
  begin(command: string, plan: Plan): void;
  /** With `takesActions` the plan is without its actions afterwards. */
  execute(plan: Plan, hooks: ExecuteHooks): Promise<Outcome>;
  /** Writes what was confirmed into manifest, index and hash cache. */
  record(look: Look): void;
  /** What has changed and has no snapshot and log entry yet. */
  due(): Due | undefined;
  /** True when a run was interrupted while it made its snapshot and its log entry. */
  isClosing(): boolean;
  /** Before they are made: notes it durably and answers the time that both carry, milliseconds since 1970. */
  close(): number;
  /** Snapshot and log entry are made. */
  end(): void;
  /** Every file that both sides agree on, from the records as they are now, sorted by path. */
  agreed(): Promise<Iterable<BaseEntry>>;
  /** How many these are. */
  agreedCount(): Promise<number>;
  /** The contents alone of the same files. */
  agreedContents(): Promise<Iterable<AgreedContent>>;
  /** The same with what is known of the local files. */
  agreedIndex(options?: Pick<LookOptions, "cache">): Promise<StateIndex>;
  /** Adds the SHA-256 of agreed contents that were known by their MD5 alone. */
  learnDigests(digests: ReadonlyMap<RelPath, string>): Promise<void>;
  /** The agreed contents of these remote files are under other versions now. Needs the project's lock. */
  recordVersions(files: Iterable<RemoteFile>): Promise<void>;
  /** Keeps what looking found out, where that saves work next time. */
  remember(look: Look): void;
}

/** Throws PatternError for file patterns that cannot be used. */
export function openSync(deps: SyncDeps): SyncService {
  const files = syncFiles(deps.root, deps.stateFolder);
  const scope = compileScope({ ...deps, ...readIgnoreFile(deps.root) });
  const startedMs = deps.clock.now();
  const resumed = createResumedFiles({ notes: files.parts, scope: deps.stateFolder, clock: deps.clock });
  /** Digests of remote files that were read while they were looked up. */
  const read = new Map<RelPath, (rev: Rev) => ContentHash | undefined>();
  const lookByReading = async (path: RelPath) => {
    const found = await readThrough(await deps.backend(), path, deps);
    if (found) read.set(path, (rev) => (rev === found.file.rev ? found.hash : undefined));
    return found?.file;
  };
  const tools: LookTools = {
    hashLocal: (path) => hashFile(deps.root, path),
    hashRemote: async (file) => read.get(file.path)?.(file.rev) ?? remoteHash(await deps.backend(), file, deps),
    isVouched: async (file, path, stat) => isVouched(await deps.backend(), file, { ...deps, path, stat }),
  };
  /** What is due, once manifest and index hold all that the journal says. */
  let recorded: { readonly due: Due | undefined } | undefined;
  /** The manifest was found to tell of another remote. */
  let foreign = false;
  const disown = () => {
    foreign = true;
  };
  const load = (cache: boolean) => {
    const journalIsRecorded = recorded !== undefined;
    const options = { files, cache, journalIsRecorded, foreign, now: startedMs };
    return loadBase({ ...options, canonicalHash: () => canonicalHash(deps) });
  };
  const recording = (base: Base, learned: Learned): Omit<RecordOptions, "confirmed" | "local"> => {
    return { files, base, learned, backend: deps.backendKind, hashedSinceMs: startedMs };
  };
  return {
    files,
    scope,
    tools,
    look: (options) => look(deps, options, { files, scope, tools, load, read: lookByReading, disown }),
    plan: (seen, request) => planLook(deps, seen, request, tools),
    guard: (planned, seen, allow) => guard(planned, guardFacts(seen), allow),
    async recover() {
      const left = replayJournal(files.journal);
      const marker = readMarker(files.marker);
      // Before anybody looks: to take a second name of a placed file away changes that file's stat.
      if (marker !== undefined) cleanTemps(deps.root, new Set([...marker.planned.keys()].map(parentOf)));
      if (left.base.size > 0)
        recordRun({ ...recording(await load(true), nothingLearned()), confirmed: left.base, local: left.local });
      if (marker !== undefined) return dueOf(marker, (path) => left.base.has(path));
      if (left.base.size > 0) clearJournal(files.journal);
      return undefined;
    },
    begin: (command, planned) => writeMarker(files.marker, command, planned),
    async execute(planned, hooks) {
      const journal = openJournal(files.journal, deps);
      recorded = undefined;
      if (foreign) setCorruptAside(files.manifest, "other-remote");
      foreign = false;
      const notices: string[] = [];
      const onEvent = (event: SyncEvent) => {
        if (event.kind === "notice") notices.push(event.message);
        else deps.onEvent(event);
      };
      try {
        const done = await execute(planned, {
          ...deps,
          ...hooks,
          onEvent,
          backend: await deps.backend(),
          journal,
          resumed,
          confirmedIn: "journal",
        });
        return { items: done.items, interrupted: done.interrupted, notices };
      } finally {
        await journal.close();
      }
    },
    record(seen) {
      const { base: confirmed, local } = viewJournal(files.journal);
      releaseMemory(confirmed.size);
      recordRun({ ...recording(seen.base, seen.learned), confirmed, local });
      const marker = readMarker(files.marker);
      recorded = { due: marker && dueOf(marker, (path) => confirmed.has(path)) };
      if (marker === undefined) clearJournal(files.journal);
      releaseMemory(confirmed.size);
    },
    due() {
      if (recorded !== undefined) return recorded.due;
      const marker = readMarker(files.marker);
      if (marker === undefined) return undefined;
      const confirmed = replayJournal(files.journal).base;
      return dueOf(marker, (path) => confirmed.has(path));
    },
    isClosing: () => readMarker(files.marker)?.closingMs !== undefined,
    close: () => beginClosing(files.marker, deps.clock.now()),
    end() {
      clearMarker(files.marker);
      clearJournal(files.journal);
      if (recorded !== undefined) recorded = { due: undefined };
    },
    async agreed() {
      return agreedFiles((await load(true)).index);
    },
    async agreedCount() {
      const { index } = await load(true);
      let count = 0;
      for (let row = 0; row < index.length; row++) if (index.hasBase(row)) count++;
      return count;
    },
    async agreedContents() {
      return contentsOf((await load(true)).index);
    },
    agreedIndex: async (options) => (await load(options?.cache ?? true)).index,
    async learnDigests(digests) {
      const base = await load(true);
      const learned = nothingLearned();
      for (const [path, sha256] of digests) {
        const row = base.index.find(path);
        const entry = row < 0 ? undefined : base.index.baseAt(row);
        if (entry) learned.base.set(path, { ...entry, sha256 });
      }
      rememberLook({ ...recording(base, learned), confirmed: new Map(), local: new Map() });
    },
    async recordVersions(moved) {
      const base = await load(true);
      const confirmed = new Map<RelPath, BaseEntry>();
      for (const { path, id, nativeHash, rev, racy } of moved) {
        const row = base.index.find(path);
        const entry = row < 0 ? undefined : base.index.baseAt(row);
        if (entry) confirmed.set(path, { ...entry, remoteId: id, nativeHash, rev, racy });
      }
      if (confirmed.size > 0) recordRun({ ...recording(base, nothingLearned()), confirmed, local: new Map() });
    },
    remember(seen) {
      if (seen.learned.local.size + seen.learned.base.size === 0 || seen.base.manifest === "foreign") return;
      rememberLook({ ...recording(seen.base, seen.learned), confirmed: new Map(), local: new Map() });
    },
  };
}

async function canonicalHash({ backend }: SyncDeps): Promise<(stored: string) => string> {
  const opened = await backend();
  return (stored) => opened.canonicalHash(stored);
}

function nothingLearned(): Learned {
  return { local: new Map(), base: new Map() };
}

interface LookParts {
  readonly files: SyncFiles;
  readonly scope: Scope;
  readonly tools: LookTools;
  readonly load: (cache: boolean) => Promise<Base>;
  /** See SelectedViewsOptions. */
  readonly read: (path: RelPath) => Promise<RemoteFile | undefined>;
  /** From now on the manifest counts for nothing. */
  readonly disown: () => void;
}

async function look(deps: SyncDeps, options: LookOptions, parts: LookParts): Promise<Look> {
  const { scope, tools, load, read } = parts;
  const selection = selectFiles(options.files, deps);
  if (selection?.exact !== undefined) {
    const base = await load(options.cache);
    // What only the manifest tells is first held against the whole remote.
    if (!base.isFirst) {
      const { forWrite = false, cache } = options;
      const how = { ...deps, scope, base, read, forWrite, cache, backend: await deps.backend() };
      const views = await selectedViews(selection.exact, how);
      const seen: Look = { ...(await lookAtViews(views, tools)), selection, notices: [...base.notices] };
      if (selection.unmatched(seenPaths(seen)).length === 0) return seen;
    }
  }
  // A name that is no file may be a folder that only the remote or the base knows.
  const views = await everythingInView(deps, options, parts);
  const found = await lookAtViews(views, tools);
  const wide = selection && { ...selection, exact: undefined };
  const seen: Look = { ...found, selection: wide, notices: [...views.base.notices] };
  const unmatched = wide?.unmatched(seenPaths(seen)) ?? [];
  if (unmatched.length === 0) return seen;
  const names = unmatched.map((typed) => `"${typed}"`).join(", ");
  throw new UsageError(`nothing to work on: no file in the project or on the remote matches ${names}`);
}

async function everythingInView(deps: SyncDeps, options: LookOptions, parts: LookParts): Promise<Views> {
  const { scope, files, load, disown } = parts;
  const { cache, sends = false } = options;
  const how = { ...deps, scope, cache, sends, listingFile: files.listing };
  const whole = () => wholeViews({ ...how, loadBase: () => load(cache) });
  const views = await whole();
  if (!views.base.isFirst || !views.remoteExists || speaksOf(views)) return views;
  disown();
  return whole();
}

/** Whether the base knows at least one file of the remote in its very version. */
function speaksOf({ index, remote }: Views): boolean {
  return remote.some(({ path, rev, nativeHash }) => {
    const row = index.find(path);
    return row >= 0 && index.remoteMatches(row, rev, nativeHash);
  });
}

function* seenPaths(seen: Look): Iterable<RelPath> {
  for (let at = 0; at < seen.rows.length; at++) yield seen.rows.pathAt(at);
  for (const { path } of seen.foreign) yield path as RelPath;
  yield* seen.inSyncPaths();
}

/** Plans, reads what the plan says must be compared, and plans again. */
async function planLook(deps: SyncDeps, seen: Look, request: PlanRequest, tools: LookTools): Promise<Plan> {
  const { can } = await deps.backend();
  const { selection } = seen;
  const full: PlanRequest = {
    names: can.names,
    ...(can.maxFileSize === undefined ? {} : { maxFileSize: can.maxFileSize }),
    ...(selection === undefined ? {} : { only: (path: RelPath) => selection.matches(path) }),
    inScope: (path) => seen.scope.includes(path),
    inSync: { count: seen.inSync, paths: () => seen.inSyncPaths() },
    localPlatform: process.platform === "win32" ? "windows" : "posix",
    ...request,
  };
  for (let round = 0; ; round++) {
    const planned = plan(seen.rows, full);
    releaseMemory(planned.actions.length);
    if (planned.compare.length === 0 || round === MOST_ROUNDS)
      return { ...planned, held: [...planned.held, ...seen.foreign] };
    await compareContents(seen, planned.compare, tools, deps);
  }
}

/** One to learn whether contents are equal, one to learn both digests for a conflict copy. */
const MOST_ROUNDS = 3;

/** Files that were named one by one are not a side's whole. */
function guardFacts({ facts, selection }: Look): Look["facts"] {
  if (selection?.exact === undefined) return facts;
  return { ...facts, localFiles: Number.POSITIVE_INFINITY, remoteFiles: Number.POSITIVE_INFINITY };
}

function* contentsOf(index: Base["index"]): Iterable<AgreedContent> {
  for (let row = 0; row < index.length; row++) {
    if (index.hasBase(row)) yield { path: index.pathAt(row), ...index.baseHashAt(row) };
    if (row % ITEMS_PER_COLLECTION === 0) releaseMemory(index.length);
  }
}

function* agreedFiles(index: Base["index"]): Iterable<BaseEntry> {
  for (let row = 0; row < index.length; row++) {
    const entry = index.baseAt(row);
    if (entry) yield entry;
    if (row % ITEMS_PER_COLLECTION === 0) releaseMemory(index.length);
  }
}
