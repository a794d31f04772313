import * as fs from "node:fs";
import { dirname } from "node:path";
import { BackendError, LocalFileError, NotFoundError, needsPerson } from "../backends/errors.ts";
import { fsyncFolderAsync } from "../lib/fs.ts";
import { hasher } from "../lib/hash.ts";
import { forEachLimit, type Limiter, limiter } from "../lib/limits.ts";
import { joinUnder, parentOf, type RelPath, relPath } from "../lib/path.ts";
import { type BlobBody, DamagedBlobError } from "./blob-store.ts";
import { fullFolder } from "./full-folder.ts";
import type { SnapshotRoom } from "./list.ts";
import {
  asWriteOf,
  hashLocalFile,
  localError,
  lookAtTarget,
  lookAtWay,
  makeFolders,
  placeNew,
  placeOver,
  removeTemps,
  type TargetLook,
  type TempFile,
  type TempOptions,
  writeTemp,
  writeToPart,
} from "./local-target.ts";
import type { RestoreEvent, RestoreItem, RestoreOutcome, RestorePlan, RestoreReport } from "./model.ts";

/** A body that broke off or came damaged is asked for once more before the file counts as failed. */
const MAX_TRIES = 2;

/** So many files, besides those that are fetched, wait for the disk at once: it makes many durable in the time of one. */
const SETTLING = 32;

export interface RestoreOptions {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RestoreEvent) => void;
  /**
   * Called just before the file at `file` (absolute) is replaced, to keep its content. It must leave the file in place (a hard
   * link or a copy); when it throws, the file is not replaced.
   */
  readonly keep: (file: string, path: RelPath) => void | Promise<void>;
}

/**
 * Does what a plan says, one temporary file at a time: verified, synced to disk, and put in place only where the target is
 * still what the plan saw. One file that fails is reported and the others go on, except after a refused sign-in or on a full
 * disk, when nothing new is begun and the rest is reported failed for the same reason. Throws nothing.
 */
export async function executeRestore(
  room: SnapshotRoom,
  plan: RestorePlan,
  options: RestoreOptions,
): Promise<RestoreReport> {
  const fetching = limiter(room.workers);
  const run: Run = { room, plan, options, fetching, ready: new Set(), touched: new Set(), fatal: undefined };
  removeOldTemps(plan);
  room.resumed.tidy();
  const outcomes: RestoreOutcome[] = [];
  let done = 0;
  const restore = async (item: RestoreItem, index: number): Promise<void> => {
    if (options.signal?.aborted) return;
    const outcome = await restoreItem(run, item);
    if (outcome === undefined) return;
    outcomes[index] = outcome;
    options.onEvent?.({ kind: "item", outcome, done: ++done, total: plan.items.length });
  };
  await forEachLimit(plan.items, room.workers + SETTLING, restore);
  const unsynced = await syncFolders(run.touched);
  const settled = outcomes
    .filter((outcome) => outcome !== undefined)
    .map((outcome) => {
      const error = unsynced.get(dirname(joinUnder(plan.target, outcome.path)));
      return error !== undefined && outcome.status === "restored" ? failed(outcome.path, { error }) : outcome;
    });
  return { outcomes: settled, interrupted: options.signal?.aborted ?? false };
}

/** Makes the renames survive a power loss; answers which folders could not be synced, and why. */
async function syncFolders(folders: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
  const unsynced = new Map<string, string>();
  await forEachLimit(folders, SETTLING, async (folder) => {
    try {
      await fsyncFolderAsync(folder);
    } catch (error) {
      unsynced.set(folder, localError("sync the folder", folder, error).message);
    }
  });
  return unsynced;
}

/** Removes what a killed run left in the folders that this one writes to. */
function removeOldTemps(plan: RestorePlan): void {
  // Also where a file is the same by now: the killed run may have just placed it.
  const written = plan.items.filter((item) => item.problem === undefined);
  for (const folder of new Set(written.map((item) => parentOf(item.path)))) removeTemps(plan.target, folder);
}

interface Run {
  readonly room: SnapshotRoom;
  readonly plan: RestorePlan;
  readonly options: RestoreOptions;
  readonly fetching: Limiter;
  /** Folders below the target that this run has found or made: looked at again before a file is placed in them. */
  readonly ready: Set<RelPath | "">;
  /** Folders to sync at the end. */
  readonly touched: Set<string>;
  /** Why nothing new is begun; on a full disk nothing more is put in place either. */
  fatal: { readonly message: string; readonly isLocal: boolean } | undefined;
}

type Failure = Pick<RestoreOutcome, "error" | "needsPerson">;

/** Undefined when the signal ended it; then nothing of it is left but a part to go on with. */
async function restoreItem(run: Run, item: RestoreItem): Promise<RestoreOutcome | undefined> {
  const { path } = item;
  if (item.problem !== undefined) return failed(path, { error: item.problem });
  if (item.kind === "same") return { path, status: "same" };
  try {
    const temp = await run.fetching(() => noted(run, fetchItem(run, item)));
    return await noted(run, settle(run, item, temp));
  } catch (error) {
    if (run.options.signal?.aborted) return undefined;
    const told = {
      error: error instanceof Error ? error.message : String(error),
      ...(needsPerson(error) && { needsPerson: true }),
    };
    return failed(path, told);
  }
}

/** Takes note of a failure that ends it for all others, before anything else is begun. */
async function noted<T>(run: Run, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isFatal(error) && !run.options.signal?.aborted) {
      run.fatal ??= { message: error.message, isLocal: error instanceof LocalFileError };
    }
    throw error;
  }
}

/** The file's content beside its target. Throws when nothing new is begun. */
async function fetchItem(run: Run, item: RestoreItem): Promise<TempFile> {
  run.options.signal?.throwIfAborted();
  if (run.fatal !== undefined) throw new Error(run.fatal.message);
  return fetchTemp(run, item, item.kind === "create" ? makeWay(run, item) : modeOf(run, item));
}

/** Makes the folders that a new file needs. What is in its own place is found out when it is placed. */
function makeWay(run: Run, item: RestoreItem): undefined {
  const folder = parentOf(item.path);
  if (run.ready.has(folder)) return;
  expectUnchanged(run.plan.target, item);
  for (const changed of makeFolders(run.plan.target, item.path)) run.touched.add(changed);
  run.ready.add(folder);
}

/** The permission bits of the file that is replaced. */
function modeOf(run: Run, item: RestoreItem): number | undefined {
  const look = expectUnchanged(run.plan.target, item);
  return look.kind === "file" ? look.mode : undefined;
}

/** Makes the content durable and puts it in place. */
async function settle(run: Run, item: RestoreItem, temp: TempFile): Promise<RestoreOutcome> {
  const { path } = item;
  const { target: root } = run.plan;
  const target = joinUnder(root, path);
  let isPlaced = false;
  await temp.finish();
  try {
    if (run.fatal?.isLocal) throw new Error(run.fatal.message);
    if (item.kind === "create") place(run, item, temp);
    else {
      const now = expectUnchanged(root, item);
      if (now.kind === "absent") throw changedMeanwhile(target);
      if (item.sha256 === null && (await isSameContent(temp, target, now.size))) return { path, status: "same" };
      await replace(run, item, temp, now.identity);
    }
    isPlaced = true;
    run.touched.add(dirname(target));
    return { path, status: "restored", bytes: temp.size };
  } finally {
    if (!isPlaced) fs.rmSync(temp.file, { force: true });
  }
}

function place(run: Run, item: RestoreItem, temp: TempFile): void {
  const target = joinUnder(run.plan.target, item.path);
  const way = lookAtWay(run.plan.target, item.path);
  if (typeof way === "object") throw blocked(target, way.reason);
  try {
    placeNew(temp.file, target);
  } catch (error) {
    throw error instanceof LocalFileError && error.code === "EEXIST" ? changedMeanwhile(target) : error;
  }
}

async function replace(run: Run, item: RestoreItem, temp: TempFile, identity: string): Promise<void> {
  const target = joinUnder(run.plan.target, item.path);
  await run.options.keep(target, item.path);
  const kept = lookAtTarget(run.plan.target, item.path);
  if (kept.kind !== "file" || kept.identity !== identity) throw changedMeanwhile(target);
  placeOver(temp.file, target);
}

/** Looks again and throws when the target is not what the plan saw. */
function expectUnchanged(root: string, item: RestoreItem): Exclude<TargetLook, { kind: "blocked" }> {
  const look = lookAtTarget(root, item.path);
  const target = joinUnder(root, item.path);
  if (look.kind === "blocked") throw blocked(target, look.reason);
  const stamp = look.kind === "file" ? look.stamp : undefined;
  if (stamp !== item.found) throw changedMeanwhile(target);
  return look;
}

function blocked(target: string, reason: string): LocalFileError {
  return new LocalFileError(`cannot write "${target}": ${reason}`);
}

function changedMeanwhile(target: string): LocalFileError {
  return new LocalFileError(`cannot write "${target}": it changed since the restore was planned; run it again`);
}

/** The verified body in a temporary file beside its target. */
async function fetchTemp(run: Run, item: RestoreItem, mode: number | undefined): Promise<TempFile> {
  const { signal, onEvent } = run.options;
  const target = joinUnder(run.plan.target, item.path);
  for (let attempt = 1; ; attempt++) {
    try {
      const opened = await openBody(run, item);
      const { size } = opened;
      const temp = await bring(run.room, target, opened, {
        ...(mode === undefined ? {} : { mode }),
        ...(signal === undefined ? {} : { signal }),
        ...(onEvent === undefined ? {} : { onBytes: (bytes) => onEvent({ kind: "bytes", bytes }) }),
      });
      if (temp.size === (item.size ?? size)) return temp;
      temp.drop();
      throw new BackendError(`cannot restore "${item.path}": ${temp.size} of ${item.size ?? size} bytes came`, {
        class: "TRANSIENT",
      });
    } catch (error) {
      if (attempt === MAX_TRIES || signal?.aborted || !isWorthAnother(error)) throw explained(run, item, error);
    }
  }
}

/** A body; one whose digest is known beforehand can go on where it broke off. */
type OpenedBody = Pick<BlobBody, "size" | "body"> & { readonly blob?: BlobBody & { readonly sha256: string } };

async function bring(room: SnapshotRoom, target: string, opened: OpenedBody, options: TempOptions): Promise<TempFile> {
  const { blob, body, size } = opened;
  if (blob === undefined) return writeTemp(target, body, options);
  const digest = hasher("sha256");
  const what = { version: `sha256 ${blob.sha256}`, size, onKnown: (bytes: Uint8Array) => digest.update(bytes) };
  const part = asWriteOf(target, () => room.resumed.open(target, what));
  if (part === undefined) return writeTemp(target, body, options);
  if (part.from === 0) return writeToPart(part, target, body, options);
  const rest = await blob.rest(part.from, digest).catch((error: unknown) => {
    part.leave();
    throw error;
  });
  return writeToPart(part, target, rest, options);
}

async function openBody(run: Run, item: RestoreItem): Promise<OpenedBody> {
  const { sha256 } = item;
  const call = run.options.signal === undefined ? {} : { signal: run.options.signal };
  if (sha256 !== null) {
    const blob = await run.room.blobs.read(sha256, call);
    return { size: blob.size, body: blob.body, blob: { ...blob, sha256 } };
  }
  const path = relPath(`${fullFolder(run.plan.timestamp)}/${item.path}`);
  return run.room.backend.read(path, call).then(({ file, body }) => ({ size: file.size, body }));
}

/** A damaged or missing blob is forgotten, so that it is looked at again before it is relied on. */
function explained(run: Run, item: RestoreItem, error: unknown): unknown {
  if (error instanceof DamagedBlobError && item.sha256 !== null) run.room.blobs.forget(new Set([item.sha256]));
  if (!(error instanceof NotFoundError)) return error;
  const what = item.sha256 === null ? "its copy" : `its content ${item.sha256.slice(0, 12)}`;
  return new NotFoundError(`cannot restore "${item.path}": ${what} is missing on the remote`, { cause: error });
}

async function isSameContent(temp: TempFile, target: string, size: number): Promise<boolean> {
  return size === temp.size && (await hashLocalFile(target)) === (await hashLocalFile(temp.file));
}

function isWorthAnother(error: unknown): boolean {
  if (error instanceof DamagedBlobError) return true;
  return error instanceof BackendError && (error.class === "TRANSIENT" || error.class === "UNKNOWN");
}

function isFatal(error: unknown): error is Error {
  if (error instanceof BackendError) return error.class === "AUTH";
  return error instanceof LocalFileError && ["ENOSPC", "EDQUOT", "EROFS"].includes(error.code ?? "");
}

function failed(path: RelPath, failure: Failure): RestoreOutcome {
  return { path, status: "failed", ...failure };
}
