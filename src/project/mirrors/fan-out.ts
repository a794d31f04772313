import { pythonIso } from "../../lib/clock.ts";
import { NeedsActionError } from "../../lib/errors.ts";
import type { RelPath } from "../../lib/path.ts";
import { shortError } from "../../lib/redact.ts";
import { syncFiles } from "../../sync/files.ts";
import { describeItemError } from "../../sync/item-error.ts";
import type { ItemError } from "../../sync/model.ts";
import { recordRemotes } from "../../sync/record-remotes.ts";
import type { RemoteRecord } from "../../sync/remote-record.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import type { BackendOutcome } from "../model.ts";
import type { Parts } from "../parts.ts";
import type { AheadRun } from "./ahead.ts";
import type { OpenMirror } from "./model.ts";
import { keptError, mirrorOutcome } from "./outcome.ts";
import { type Choice, chooseWork, mirrorGap, sameContent } from "./plan.ts";
import { hooksFor, tell } from "./prepare.ts";
import { lostFiles } from "./presence.ts";
import { afterFailure } from "./reaction.ts";
import { type SendReport, sendTo } from "./send.ts";
import { copyFullTo, copySnapshotTo } from "./snapshots.ts";
import type { MirrorState } from "./state.ts";

/** What mirrors are brought to. */
export interface FanOut extends Choice {
  readonly likelyThere: ReadonlySet<RelPath>;
  readonly overwrite: boolean;
  readonly isCurrent: (path: RelPath) => boolean;
  /** What mirrors were given while the primary was still being written. */
  readonly ahead?: AheadRun;
  /** Resolves to the name of the run's own snapshot when it is made and queued; undefined: it makes none. */
  readonly snapshotMade: Promise<string | undefined>;
}

interface Touched {
  readonly name: string;
  readonly state: MirrorState;
  readonly paths: ReadonlySet<RelPath>;
}

/**
 * Brings mirrors to what is agreed, all of them side by side, and writes down what became of it. A mirror's trouble is in
 * its outcome; only the signal's reason and a LocalFileError are thrown.
 */
export async function fanOut(
  parts: Parts,
  open: readonly OpenMirror[],
  work: FanOut,
): Promise<readonly BackendOutcome[]> {
  const agreed = await parts.sync.agreedIndex();
  const touched: Touched[] = [];
  const outcomes = await Promise.all(
    open.map(async (one) => {
      const { outcome, paths } = await bring(parts, one, work, agreed);
      touched.push({ name: one.mirror.name, state: one.state, paths });
      return outcome;
    }),
  );
  recordTouched(parts, agreed, touched);
  for (const { state } of touched) state.save();
  return outcomes;
}

interface Brought {
  readonly outcome: BackendOutcome;
  readonly paths: ReadonlySet<RelPath>;
}

async function bring(parts: Parts, one: OpenMirror, work: FanOut, agreed: StateIndex): Promise<Brought> {
  const { mirror, state } = one;
  const early = await work.ahead?.of(one);
  const gap = mirrorGap(agreed, state);
  for (const path of gap.settled) state.settle(path);
  const chosen = chooseWork(gap, work);
  const tried = new Set([
    ...chosen.uploads.map((wanted) => wanted.agreed.path),
    ...chosen.deletes.map(({ path }) => path),
  ]);
  let trouble: ItemError | null = null;
  let report: SendReport = NOTHING;
  let lost = early?.lost ?? [];
  try {
    await tell(parts, one);
    if (tried.size > 0 && !work.seed && early?.lost === undefined)
      lost = await lostFiles(mirror, state, tried, parts.deps);
    if (tried.size > 0)
      report = await sendTo(mirror, state, chosen, parts, {
        ...work,
        agreed,
        hooks: await hooksFor(parts, mirror, tried.size),
      });
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    trouble = openError(error);
    report = { ...NOTHING, errors: new Map([...tried].map((path) => [path, trouble as ItemError])) };
  }
  settle(parts, state, { agreed, tried, report });
  const own = await work.snapshotMade.catch(() => undefined);
  const copied =
    trouble === null && !report.interrupted
      ? await copySnapshots(parts, one, { agreed, own, few: !work.seed })
      : { made: [], trouble };
  const failed = [...report.errors.keys()].flatMap((path) => state.pending.get(path) ?? []);
  const unsent = [...gap.unsent.map(({ agreed: { path } }) => path), ...lost].filter((path) => !tried.has(path)).length;
  const { deleted } = report;
  const ahead = early?.uploaded ?? [];
  const uploaded = [...new Set([...ahead, ...report.uploaded])].sort();
  const facts = { uploaded, deleted, failed, trouble: copied.trouble, unsent, snapshots: copied.made };
  return { outcome: mirrorOutcome(mirror, state, facts), paths: new Set([...tried, ...gap.settled, ...ahead]) };
}

const NOTHING: SendReport = { uploaded: [], deleted: [], errors: new Map(), interrupted: false };

/** What the attempts make of the queue. */
function settle(
  parts: Parts,
  state: MirrorState,
  {
    agreed,
    tried,
    report,
  }: { readonly agreed: StateIndex; readonly tried: ReadonlySet<RelPath>; readonly report: SendReport },
): void {
  const now = pythonIso(parts.deps.clock.now());
  for (const path of tried) {
    const row = agreed.find(path);
    const base = row < 0 ? undefined : agreed.baseAt(row);
    const record = state.recordOf(path);
    const before = state.pending.get(path);
    const error = report.errors.get(path);
    const item = { path, wants: base?.md5 ?? "", since: before?.since ?? now, ...(before?.was && { was: before.was }) };
    if (error !== undefined) state.queue(afterFailure(item, before, keptError(error, parts.deps.home), now));
    else if (base === undefined ? record === undefined : record !== undefined && sameContent(base, record))
      state.settle(path);
    else if (before === undefined || before.wants !== item.wants) {
      state.queue({ ...item, state: "pending_retry", attempts: 0, error: null, at: "" });
    }
  }
}

async function copySnapshots(
  parts: Parts,
  one: OpenMirror,
  { agreed, own, few }: { readonly agreed: StateIndex; readonly own: string | undefined; readonly few: boolean },
): Promise<{ readonly made: readonly string[]; readonly trouble: ItemError | null }> {
  const { mirror, state } = one;
  const isFull = parts.deps.config.snapshotFormat === "full";
  const made: string[] = [];
  const due = state.snapshots.slice(-MOST_SNAPSHOTS);
  if (due.length === 0) return { made, trouble: null };
  try {
    const target = await mirror.snapshots();
    for (const timestamp of due) {
      if (isFull) await copyFullTo(parts, one, timestamp, { agreed, few, isOwn: timestamp === own });
      else await copySnapshotTo(parts, target, timestamp, { few });
      made.push(timestamp);
    }
    return { made, trouble: null };
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    const trouble = openError(error);
    // What can never be made there is told once.
    if (trouble.class === "FILE_REJECTED") state.setSnapshots(state.snapshots.filter((name) => !due.includes(name)));
    return { made, trouble };
  } finally {
    state.setSnapshots(state.snapshots.filter((timestamp) => !made.includes(timestamp)));
  }
}

/** A mirror that was away for long gets the newest snapshots first. */
const MOST_SNAPSHOTS = 20;

function openError(error: unknown): ItemError {
  if (error instanceof NeedsActionError) return { class: "AUTH", message: error.message };
  return describeItemError(error);
}

/** Every backend that the shared manifest may keep records of. */
export function backendNames({ deps }: Parts): ReadonlySet<string> {
  return new Set([deps.config.backend, ...(deps.mirrors ?? []).map(({ name }) => name)]);
}

function recordTouched(parts: Parts, agreed: StateIndex, touched: readonly Touched[]): void {
  const records = new Map<RelPath, Map<string, RemoteRecord>>();
  for (const { name, state, paths } of touched) {
    for (const path of paths) {
      const record = remoteRecord(path, { agreed, state, home: parts.deps.home });
      if (record === undefined) continue;
      const of = records.get(path) ?? new Map<string, RemoteRecord>();
      records.set(path, of.set(name, record));
    }
  }
  const files = syncFiles(parts.root, parts.deps.stateFolder);
  recordRemotes(files, { names: backendNames(parts), records }, parts.deps.config.backend);
}

function remoteRecord(
  path: RelPath,
  {
    agreed,
    state,
    home,
  }: { readonly agreed: StateIndex; readonly state: MirrorState; readonly home: string | undefined },
): RemoteRecord | undefined {
  if (agreed.find(path) < 0) return undefined;
  const record = state.recordOf(path);
  const pending = state.pending.get(path);
  const version = { remoteFileId: record?.remoteId ?? "", syncedRemoteHash: record?.nativeHash ?? "" };
  if (pending !== undefined) {
    const { state: word, error, at, wants, attempts } = pending;
    const lastError = error === null ? "" : shortError(error.message, home === undefined ? {} : { home });
    return { ...version, state: word, lastError, lastAttempt: at, intendedHash: wants, attempts };
  }
  if (record === undefined) return undefined;
  return {
    ...version,
    state: "ok",
    lastError: "",
    lastAttempt: record.syncedAt,
    intendedHash: record.md5,
    attempts: 0,
  };
}
