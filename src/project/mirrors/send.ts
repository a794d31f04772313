import * as fs from "node:fs";
import type { Backend, RemoteFile } from "../../backends/types.ts";
import { pythonIso } from "../../lib/clock.ts";
import { forEachLimit } from "../../lib/limits.ts";
import { foldersOf, isUnder, joinUnder, type RelPath } from "../../lib/path.ts";
import { type ExecuteHooks, execute } from "../../sync/execute.ts";
import { describeItemError } from "../../sync/item-error.ts";
import type { Action, BaseEntry, ItemError } from "../../sync/model.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import type { Parts } from "../parts.ts";
import { driftError, type Expected, examine, type Found } from "./examine.ts";
import type { Mirror } from "./model.ts";
import type { Chosen, Wanted } from "./plan.ts";
import { agreedSource, type LocalSource } from "./source.ts";
import { type MirrorState, mirrorFiles, type Pending } from "./state.ts";

export interface SendOptions {
  readonly agreed: StateIndex;
  /** Files that came from the primary: whoever put them there has most likely put them on the mirror, too. */
  readonly likelyThere: ReadonlySet<RelPath>;
  /** Whether somebody else's content is replaced; it goes to the trash here. */
  readonly overwrite: boolean;
  /** Whether the agreement on this file was seen to be the present one in this run. */
  readonly isCurrent: (path: RelPath) => boolean;
  readonly hooks: ExecuteHooks;
}

export interface SendReport {
  readonly uploaded: readonly RelPath[];
  readonly deleted: readonly RelPath[];
  readonly errors: ReadonlyMap<RelPath, ItemError>;
  readonly interrupted: boolean;
}

/** One file's way to the mirror. */
interface Job {
  readonly path: RelPath;
  readonly wanted?: Wanted;
  readonly doomed?: Pending;
  readonly record: BaseEntry | undefined;
}

interface Sending extends SendOptions {
  readonly parts: Parts;
  readonly mirror: Mirror;
  readonly backend: Backend;
  readonly state: MirrorState;
  readonly errors: Map<RelPath, ItemError>;
  readonly uploaded: Set<RelPath>;
  readonly deleted: Set<RelPath>;
  interrupted: boolean;
}

type RemoteAction = Extract<Action, { readonly kind: "upload" | "delete-remote" }>;

/**
 * Brings files of one mirror to what is agreed, with the executor of the primary: guarded by the version that this
 * machine has put there. What turns out to be another version is looked at, and only then dealt with once more. What is
 * confirmed is noted in the state; what failed is in the report. Throws what opening the mirror throws.
 */
export async function sendTo(
  mirror: Mirror,
  state: MirrorState,
  chosen: Chosen,
  parts: Parts,
  options: SendOptions,
): Promise<SendReport> {
  const sending: Sending = {
    ...options,
    parts,
    mirror,
    backend: await mirror.backend(),
    state,
    errors: new Map(),
    uploaded: new Set(),
    deleted: new Set(),
    interrupted: false,
  };
  const jobs: Job[] = [
    ...chosen.uploads.map((wanted) => ({ path: wanted.agreed.path, wanted, record: wanted.record })),
    ...chosen.deletes.map((doomed) => ({ path: doomed.path, doomed, record: state.recordOf(doomed.path) })),
  ];
  const { first, later } = makingRoom(jobs);
  await bringAll(sending, first);
  await bringAll(sending, withoutBlocked(sending, first, later));
  const { uploaded, deleted, errors, interrupted } = sending;
  return { uploaded: [...uploaded].sort(), deleted: [...deleted].sort(), errors, interrupted };
}

/** The deletions of files where an upload needs a folder, and of files in a folder where it puts a file, come first. */
function makingRoom(jobs: readonly Job[]): { readonly first: readonly Job[]; readonly later: readonly Job[] } {
  const files = new Set<string>();
  const folders = new Set<string>();
  for (const { path, wanted } of jobs) {
    if (wanted === undefined) continue;
    files.add(path);
    for (const folder of foldersOf(path)) folders.add(folder);
  }
  const makesRoom = ({ path, wanted }: Job): boolean =>
    wanted === undefined && (folders.has(path) || foldersOf(path).some((folder) => files.has(folder)));
  return { first: jobs.filter(makesRoom), later: jobs.filter((job) => !makesRoom(job)) };
}

/** An upload whose place was not freed waits for the same reason; that the place is taken says nothing about the file. */
function withoutBlocked(sending: Sending, first: readonly Job[], later: readonly Job[]): readonly Job[] {
  const stuck = first.filter(({ path }) => sending.errors.has(path));
  if (stuck.length === 0) return later;
  return later.filter(({ path }) => {
    const by = stuck.find((other) => isUnder(path, other.path) || isUnder(other.path, path));
    const error = by && sending.errors.get(by.path);
    if (error !== undefined) sending.errors.set(path, error);
    return error === undefined;
  });
}

async function bringAll(sending: Sending, jobs: readonly Job[]): Promise<void> {
  if (jobs.length === 0 || sending.interrupted) return;
  const isBlind = ({ path, record, doomed }: Job): boolean => {
    if (sending.likelyThere.has(path)) return false;
    return record === undefined ? doomed === undefined : record.rev !== undefined && !record.racy;
  };
  const blind = jobs.filter(isBlind);
  await perform(
    sending,
    blind.map((job) => ({ job, file: fileOf(job) })),
  );
  const stale = blind.filter(({ path }) => sending.errors.get(path)?.class === "STALE");
  if (!sending.interrupted) await lookAndPerform(sending, [...jobs.filter((job) => !isBlind(job)), ...stale]);
}

interface Step {
  readonly job: Job;
  /** What is there; undefined: nothing. */
  readonly file: RemoteFile | undefined;
  /** Digest of somebody else's content that is replaced. */
  readonly foreign?: string;
}

/** What the record says is there. */
function fileOf({ record }: Job): RemoteFile | undefined {
  if (record?.rev === undefined) return undefined;
  const { path, rev, racy, remoteId: id, nativeHash } = record;
  return { path, rev, racy, id, nativeHash, size: record.size ?? 0 };
}

async function lookAndPerform(sending: Sending, jobs: readonly Job[]): Promise<void> {
  const steps: Step[] = [];
  const { parts } = sending;
  const look = async (job: Job): Promise<void> => {
    if (sending.interrupted) return;
    sending.errors.delete(job.path);
    try {
      const found = await examine(sending.backend, job.path, expectedOf(job), parts.deps);
      const step = await decide(sending, job, found);
      if (step !== undefined) steps.push(step);
    } catch (error) {
      noteError(sending, job.path, error);
    }
  };
  await forEachLimit(jobs, parts.deps.config.parallelWorkers, look);
  await perform(sending, steps);
}

function expectedOf({ wanted, doomed, record }: Job): Expected {
  return {
    ...(wanted && { wanted: wanted.agreed }),
    ...(record && { record }),
    ...(doomed?.was && { was: doomed.was }),
  };
}

/** What follows from a look; undefined when nothing is left to do. */
async function decide(sending: Sending, job: Job, found: Found): Promise<Step | undefined> {
  const { state, mirror, parts } = sending;
  switch (found.kind) {
    case "absent":
      if (job.wanted !== undefined) return { job, file: undefined };
      state.note(job.path, undefined);
      sending.deleted.add(job.path);
      return undefined;
    case "wanted":
      state.note(job.path, recordOf(found.file, found.hash, parts.deps.clock.now()));
      sending.uploaded.add(job.path);
      return undefined;
    case "ours":
      return { job, file: found.file };
    case "foreign": {
      const kept = (await sending.hooks.heldBySnapshot?.(found.hash.sha256)) ?? false;
      if (sending.overwrite || (kept && sending.isCurrent(job.path))) {
        return { job, file: found.file, foreign: found.hash.sha256 };
      }
      sending.errors.set(job.path, driftError(job.path, mirror.name));
      return undefined;
    }
  }
}

function recordOf(file: RemoteFile, hash: { readonly md5: string; readonly sha256: string }, nowMs: number): BaseEntry {
  const { path, size, rev, racy, id: remoteId, nativeHash } = file;
  return { path, ...hash, size, rev, racy, remoteId, nativeHash, syncedAt: pythonIso(nowMs) };
}

async function perform(sending: Sending, steps: readonly Step[]): Promise<void> {
  const here: RemoteAction[] = [];
  const staged: RemoteAction[] = [];
  const resolve = async (step: Step): Promise<void> => {
    const { path, wanted } = step.job;
    if (wanted === undefined) {
      if (step.file) here.push(deletion(step.file, step));
      return;
    }
    try {
      const staging = mirrorFiles(sending.mirror.stateFolder).staging;
      const places = { index: sending.agreed, staging };
      const own = wanted.local && ({ root: "project", stat: wanted.local } as const);
      const source = own ?? (await agreedSource(sending.parts, wanted.agreed, places));
      (source.root === "project" ? here : staged).push(upload(step, wanted, source));
    } catch (error) {
      noteError(sending, path, error);
    }
  };
  await forEachLimit(steps, sending.parts.deps.config.parallelWorkers, resolve);
  await run(sending, here, sending.parts.root);
  await run(sending, staged, mirrorFiles(sending.mirror.stateFolder).staging);
}

function deletion(remote: RemoteFile, { job, foreign }: Step): RemoteAction {
  const sha256 = foreign ?? job.record?.sha256;
  return { kind: "delete-remote", path: job.path, remote, ...(sha256 && { sha256 }), localStays: true };
}

function upload({ job, file, foreign }: Step, { agreed }: Wanted, { stat }: LocalSource): RemoteAction {
  const { md5, sha256 } = agreed;
  return {
    kind: "upload",
    path: job.path,
    local: stat,
    expect: file?.rev ?? "absent",
    ...(sha256 !== undefined && { hash: { md5, sha256 } }),
    ...(file && foreign !== undefined && { replaced: { remote: file, sha256: foreign } }),
  };
}

async function run(sending: Sending, actions: readonly RemoteAction[], root: string): Promise<void> {
  if (actions.length === 0 || sending.interrupted) return;
  const { parts, state, backend, hooks } = sending;
  const { clock, signal, config } = parts.deps;
  const journal = state.journal(clock);
  try {
    const done = await execute(
      { actions: actions.toSorted((a, b) => (a.path < b.path ? -1 : 1)) },
      { root, backend, journal, trash: parts.trash, clock, signal, workers: config.parallelWorkers, ...hooks },
    );
    for (const [path, record] of done.confirmed.base) state.note(path, record);
    for (const item of done.items) {
      if (item.error !== undefined) sending.errors.set(item.path, item.error);
      else (item.action === "upload" ? sending.uploaded : sending.deleted).add(item.path);
    }
    sending.interrupted ||= done.interrupted;
  } finally {
    await journal.close();
  }
  for (const { path } of actions) if (root !== parts.root) fs.rmSync(joinUnder(root, path), { force: true });
}

function noteError(sending: Sending, path: RelPath, error: unknown): void {
  if (sending.parts.deps.signal.aborted) sending.interrupted = true;
  else sending.errors.set(path, describeItemError(error));
}
