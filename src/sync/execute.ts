import { BackendError, LocalFileError } from "../backends/errors.ts";
import { callsAtOnce } from "../backends/in-flight.ts";
import type { Backend } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { limiter } from "../lib/limits.ts";
import { ITEMS_PER_COLLECTION, releaseDuring } from "../lib/memory.ts";
import { parentOf, type RelPath } from "../lib/path.ts";
import type { ResumedFiles } from "../lib/resumed-file.ts";
import { learnRevs } from "./closing.ts";
import { cleanTemps, download } from "./download.ts";
import { describeItemError } from "./item-error.ts";
import type { Confirmed, Journal, JournalRecord, LocalFact, SentFile } from "./journal.ts";
import { keepBoth } from "./keep-both.ts";
import { type Lane, lanesOf } from "./lanes.ts";
import { digestFile } from "./local-content.ts";
import { asLocalError, type LocalRoot, openLocalRoot, requireUnchanged } from "./local-file.ts";
import type { Action, ActionKind, BaseEntry, ItemError, ItemOutcome, Outcome, Plan, SyncEvent } from "./model.ts";
import { takeActions } from "./plan.ts";
import { removeLocal, removeRemote } from "./remove.ts";
import { agreedBase, type BeforeUpload, callOptions, folderSyncer, type RunContext } from "./run-context.ts";
import { type SentFiles, sentFiles } from "./sent-files.ts";
import type { Trash } from "./trash.ts";
import { damaged, type Sent, upload } from "./upload.ts";

/** What the executor asks of the snapshots, and how it treats the plan. */
export interface ExecuteHooks {
  /** Takes the actions and the statuses out of the plan and releases each action once it is begun: a large plan need not stay in memory. */
  readonly takesActions?: boolean;
  readonly beforeUpload?: BeforeUpload;
  /** Told each upload that the remote has acknowledged; its closing look may still find it damaged. */
  readonly onSent?: (file: SentFile) => void;
  /** Whether a snapshot surely keeps this content. Without it nothing is, and all that goes is put in the trash. */
  readonly heldBySnapshot?: (sha256: string) => boolean | Promise<boolean>;
}

export interface ExecuteOptions extends ExecuteHooks {
  /** Absolute path of the project folder. */
  readonly root: string;
  readonly backend: Backend;
  readonly journal: Journal;
  readonly trash: Trash;
  readonly resumed?: ResumedFiles;
  readonly clock: Clock;
  /** "journal": what is confirmed is in the journal alone, `confirmed` stays empty. */
  readonly confirmedIn?: "journal";
  /** How many items are under way at once. */
  readonly workers: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SyncEvent) => void;
}

export interface Executed extends Outcome {
  readonly confirmed: Confirmed;
  /** Acknowledged uploads whose version is not known yet: the next run compares them. */
  readonly sent: ReadonlyMap<RelPath, SentFile>;
}

/**
 * Carries a plan out. Deletes that make room go first, then transfers in parallel, then the other deletes; each step
 * re-checks what the plan assumed and is in the journal once it is confirmed. An item that fails does not stop the
 * others, but a lost sign-in, a full remote and a full local disk do: what was not begun then fails for the same
 * reason. When the signal fires nothing new is begun, and what was under way is in no list.
 * Throws LocalFileError when the project folder is gone or the journal cannot be written; nothing else.
 */
export async function execute(plan: Pick<Plan, "actions">, options: ExecuteOptions): Promise<Executed> {
  const run = beginRun(options);
  const { actions } = plan;
  options.onEvent?.({ kind: "begin", items: actions.length, bytes: plannedBytes(actions) });
  cleanTemps(options.root, foldersWrittenTo(actions));
  options.resumed?.tidy();
  const phases = phasesOf(actions);
  const queue: Queue = options.takesActions ? takeActions(plan) : [...actions];
  for (const phase of phases) await runPhase(phase, queue, run);
  await closeRun(run);
  await options.journal.flush();
  const items = run.outcomes.filter((outcome) => outcome !== undefined);
  const { base, local, sent } = run;
  return { items, interrupted: run.interrupted, confirmed: { base, local }, sent: sent.all };
}

interface Run extends RunContext {
  readonly options: ExecuteOptions;
  readonly base: Map<RelPath, BaseEntry | undefined>;
  readonly local: Map<RelPath, LocalFact>;
  readonly sent: SentFiles;
  /** By the action's place in the plan. */
  readonly outcomes: (ItemOutcome | undefined)[];
  /** Items done or failed so far. */
  settled: number;
  /** Who sent what is not named yet, where it is not the action of that path. */
  readonly senders: Map<RelPath, number>;
  stopped: ItemError | undefined;
  interrupted: boolean;
}

function beginRun(options: ExecuteOptions): Run {
  const base = new Map<RelPath, BaseEntry | undefined>();
  const local = new Map<RelPath, LocalFact>();
  const sent = sentFiles();
  const { heldBySnapshot, beforeUpload, onSent, resumed } = options;
  const slots = limiter(callsAtOnce(options.backend.can, "read", options.workers));
  const run: Run = {
    options,
    ...callOptions(options),
    ...(beforeUpload === undefined ? {} : { beforeUpload }),
    ...(onSent === undefined ? {} : { onSent }),
    root: openRoot(options.root),
    backend: options.backend,
    fetching: (task) => slots(() => unlessStopped(run, task)),
    trash: options.trash,
    ...(resumed === undefined ? {} : { resumed }),
    clock: options.clock,
    heldBySnapshot: async (sha256) => sha256 !== undefined && ((await heldBySnapshot?.(sha256)) ?? false),
    syncFolder: folderSyncer(),
    record(record) {
      options.journal.append(record);
      if (options.confirmedIn !== "journal") note(record, { base, local, sent });
      else if (record.kind === "sent") sent.add(record.sent);
      else sent.delete(record.kind === "set" ? record.base.path : record.path);
    },
    base,
    local,
    sent,
    outcomes: [],
    settled: 0,
    senders: new Map(),
    stopped: undefined,
    interrupted: false,
  };
  return run;
}

/** What ends the run for all items was found out before this one was begun. */
class NotBegunError extends Error {}

/** The next in line begins only after this one's end is known. */
async function unlessStopped<T>(run: Run, task: () => Promise<T>): Promise<T> {
  if (run.stopped !== undefined) throw new NotBegunError();
  try {
    return await task();
  } catch (error) {
    if (stopsAll(error) && !run.signal?.aborted) run.stopped ??= describeItemError(error);
    throw error;
  }
}

function openRoot(root: string): LocalRoot {
  try {
    return openLocalRoot(root);
  } catch (error) {
    throw asLocalError(error, `could not open the project folder "${root}"`);
  }
}

function note(record: JournalRecord, run: Pick<Run, "base" | "local" | "sent">): void {
  switch (record.kind) {
    case "sent":
      run.sent.add(record.sent);
      return;
    case "gone":
      run.sent.delete(record.path);
      run.local.delete(record.path);
      run.base.set(record.path, undefined);
      return;
    case "set":
      run.sent.delete(record.base.path);
      run.local.delete(record.base.path);
      run.base.set(record.base.path, record.base);
      if (record.local !== undefined) run.local.set(record.base.path, record.local);
  }
}

function isDelete(kind: ActionKind): boolean {
  return kind === "delete-local" || kind === "delete-remote";
}

/** The actions in the plan's order; one that was begun is released. */
type Queue = (Action | undefined)[];

/** The places of the actions: the plan puts deletes that make room first and others last. */
function phasesOf(actions: readonly Action[]): readonly (readonly number[])[] {
  const first = actions.findIndex((action) => !isDelete(action.kind));
  const phases: [front: number[], middle: number[], last: number[]] = [[], [], []];
  for (const [place, { kind }] of actions.entries()) {
    phases[first < 0 || place < first ? 0 : isDelete(kind) ? 2 : 1].push(place);
  }
  return phases;
}

/** Settles every item that it begins. */
async function runPhase(places: readonly number[], queue: Queue, run: Run): Promise<void> {
  const kindAt = (place: number): ActionKind => (queue[place] as Action).kind;
  const lanes = lanesOf({ places, kindAt }, run.backend.can, run.options.workers);
  await Promise.all(lanes.map((lane) => runLane(lane, queue, run)));
}

async function runLane({ places, workers, whenRoom }: Lane, queue: Queue, run: Run): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let place = places[next++]; place !== undefined; place = places[next++]) {
      if (run.signal?.aborted) {
        run.interrupted = true;
        return;
      }
      const [action, at] = [queue[place] as Action, place];
      queue[place] = undefined;
      if (run.stopped === undefined) await whenRoom(sizeOf(action), () => runItem(action, at, run));
      else fail(action, place, run.stopped, run);
      if (++run.settled % ITEMS_PER_COLLECTION === 0) releaseDuring(queue.length);
    }
  };
  const count = Math.max(1, Math.min(workers, places.length));
  await Promise.all(Array.from({ length: count }, worker));
}

async function runItem(action: Action, place: number, run: Run): Promise<void> {
  const progress = progressOf(run);
  try {
    const sent = await perform(action, run, progress.at);
    if (sent?.kind === "unnamed" && sent.sent.path !== action.path) run.senders.set(sent.sent.path, place);
    const bytes = sizeOf(action);
    progress.at(bytes);
    succeed(action, place, bytes, run);
  } catch (error) {
    if (run.signal?.aborted && !(error instanceof BackendError) && !(error instanceof LocalFileError)) {
      run.interrupted = true;
      return;
    }
    if (error instanceof NotBegunError && run.stopped !== undefined) {
      fail(action, place, run.stopped, run);
      return;
    }
    const told = describeItemError(error);
    if (stopsAll(error)) run.stopped ??= told;
    const outcome = fail(action, place, told, run);
    run.options.onEvent?.({ kind: "item", outcome });
  }
}

function perform(action: Action, run: Run, onProgress: (bytes: number) => void): Promise<Sent | undefined> {
  switch (action.kind) {
    case "upload":
      return upload(action, run, onProgress);
    case "download":
      return download(action, run, onProgress).then(() => undefined);
    case "keep-both":
      return keepBoth(action, run, onProgress);
    case "delete-local":
      return removeLocal(action, run).then(() => undefined);
    case "delete-remote":
      return removeRemote(action, run).then(() => undefined);
    case "adopt":
      return adopt(action, run).then(() => undefined);
    case "forget":
      run.record({ kind: "gone", path: action.path });
      return Promise.resolve(undefined);
  }
}

async function adopt(action: Extract<Action, { readonly kind: "adopt" }>, run: Run): Promise<void> {
  const { path, local, remote } = action;
  try {
    const absolute = run.root.file(path);
    const hash = action.hash ?? (await digestFile(absolute, path, { planned: local, ...callOptions(run) }));
    requireUnchanged(absolute, path, local);
    run.record({ kind: "set", base: agreedBase(run, remote, hash), local: { stat: local, hash } });
  } catch (error) {
    throw asLocalError(error, `could not read "${path}"`);
  }
}

function stopsAll(error: unknown): boolean {
  if (error instanceof LocalFileError) return error.code === "ENOSPC" || error.code === "EDQUOT";
  return error instanceof BackendError && (error.class === "AUTH" || error.class === "QUOTA");
}

function succeed({ path, kind }: Action, place: number, bytes: number, run: Run): void {
  const outcome: ItemOutcome = { path, action: kind, status: "done", bytes };
  run.outcomes[place] = outcome;
  run.options.onEvent?.({ kind: "item", outcome });
}

function fail({ path, kind }: Pick<Action, "path" | "kind">, place: number, error: ItemError, run: Run): ItemOutcome {
  const outcome: ItemOutcome = { path, action: kind, status: "failed", error };
  run.outcomes[place] = outcome;
  return outcome;
}

/** Learns the versions that answers did not name. What cannot be learnt costs the next run a comparison. */
async function closeRun(run: Run): Promise<void> {
  if (run.sent.all.size === 0 || run.stopped?.class === "AUTH") return;
  if (run.signal?.aborted) {
    run.interrupted = true;
    return;
  }
  const { options } = run;
  const looked = { backend: run.backend, clock: run.clock, workers: options.workers, ...callOptions(run) };
  try {
    await learnRevs(run.sent.all, looked, {
      confirmed({ md5, sha256, local }, file) {
        const fact = local === undefined ? {} : { local: { stat: local, hash: { md5, sha256 } } };
        run.record({ kind: "set", base: agreedBase(run, file, { md5, sha256 }), ...fact });
      },
      damaged: ({ path }) => reportDamage(path, run),
    });
  } catch (error) {
    if (error instanceof LocalFileError) throw error;
    if (run.signal?.aborted) {
      run.interrupted = true;
      return;
    }
    const message = `could not look at what was sent (${describeItemError(error).message}): the next run compares it`;
    options.onEvent?.({ kind: "notice", message });
  }
}

function reportDamage(path: RelPath, run: Run): void {
  run.sent.delete(path);
  const isSender = (it: ItemOutcome | undefined) => it?.path === path && it.status === "done" && !isDelete(it.action);
  const place = run.senders.get(path) ?? run.outcomes.findIndex(isSender);
  const item = run.outcomes[place];
  if (item === undefined) return;
  const outcome = fail({ path: item.path, kind: item.action }, place, describeItemError(damaged(path)), run);
  run.options.onEvent?.({ kind: "item", outcome });
}

/** Turns one item's position into steps forward: a transfer that begins anew is not counted twice. */
function progressOf(run: Run): { readonly at: (bytes: number) => void } {
  let high = 0;
  return {
    at(bytes) {
      if (bytes <= high) return;
      run.options.onEvent?.({ kind: "bytes", bytes: bytes - high });
      high = bytes;
    },
  };
}

function sizeOf(action: Action): number {
  switch (action.kind) {
    case "upload":
      return action.local.size;
    case "download":
      return action.remote.size;
    case "keep-both":
      return action.winner === "remote" ? action.remote.size : action.local.size;
    case "delete-local":
    case "delete-remote":
    case "adopt":
    case "forget":
      return 0;
  }
}

function plannedBytes(actions: readonly Action[]): number {
  return actions.reduce((sum, action) => sum + sizeOf(action), 0);
}

function foldersWrittenTo(actions: readonly Action[]): Set<RelPath | ""> {
  const folders = new Set<RelPath | "">();
  for (const action of actions) {
    if (action.kind === "download") folders.add(parentOf(action.path));
    if (action.kind === "keep-both") folders.add(parentOf(action.path)).add(parentOf(action.copy));
  }
  return folders;
}
