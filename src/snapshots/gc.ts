import { BackendError, needsPerson, StaleError } from "../backends/errors.ts";
import { callsAtOnce } from "../backends/in-flight.ts";
import { BLOBS_FOLDER, blobPath } from "../backends/layout.ts";
import type { RemoteFile } from "../backends/types.ts";
import { snapshotTime } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { forEachLimit } from "../lib/limits.ts";
import { nameOf, type RelPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import type { SnapshotRoom } from "./list.ts";
import { isSha256 } from "./manifest-codec.ts";
import type { GcPlan, GcReport, UnusedBlob } from "./model.ts";
import { collectReferences } from "./references.ts";

/** The manifests are looked at again before each batch of so many blobs. */
const BATCH = 200;
/** How far a snapshot's name may be ahead of its file's time before our clock is called fast. */
const CLOCK_TOLERANCE_MS = 2 * 60 * 1000;

export interface GcOptions extends SnapshotOptions {
  /** How old a blob must be, milliseconds. */
  readonly graceMs: number;
  /** `user@machine`: snapshots that were made by this machine's clock. */
  readonly madeBy?: string;
}

/**
 * Finds the blobs that no manifest names: first lists the blobs, then reads the manifests. A blob younger than the
 * grace period, or of unknown age, is held: a push may have sent it that has yet to write its manifest. Throws
 * RefusedError "gc" when what is used cannot be told.
 */
export async function planGc(room: SnapshotRoom, { graceMs, madeBy, ...options }: GcOptions): Promise<GcPlan> {
  const listing = await room.backend.list(BLOBS_FOLDER, options);
  const { named, manifests } = await collectReferences(room, undefined, options);
  const nowMs = room.clock.now() - clockAhead(room, manifests, madeBy);
  const candidates: UnusedBlob[] = [];
  const held: UnusedBlob[] = [];
  let blobs = 0;
  let heldUntilMs: number | null = 0;
  for (const file of listing.files) {
    const sha256 = nameOf(file.path);
    if (!isSha256(sha256) || file.path !== blobPath(sha256)) continue;
    blobs++;
    if (named.has(sha256)) continue;
    const unused = { sha256, rev: file.rev, size: file.size };
    if (isOld(file, nowMs - graceMs)) candidates.push(unused);
    else {
      held.push(unused);
      const until = file.modifiedMs === undefined ? null : file.modifiedMs + graceMs;
      heldUntilMs = until === null || heldUntilMs === null ? null : Math.max(heldUntilMs, until);
    }
  }
  return {
    graceMs,
    candidates,
    held,
    heldUntilMs: held.length === 0 ? null : heldUntilMs,
    manifests: manifests.size,
    blobs,
  };
}

/**
 * Deletes what was planned, each blob only as the version that was listed. The manifests are read again just before: a blob that
 * one of them came to name stays. A blob that a push wants meanwhile is younger by then, or it is written again and has another
 * version. Throws RefusedError as {@link planGc}; a blob that cannot be deleted is reported.
 */
export async function executeGc(room: SnapshotRoom, plan: GcPlan, options: SnapshotOptions = {}): Promise<GcReport> {
  const deleted: UnusedBlob[] = [];
  const spared: UnusedBlob[] = [];
  const failed: GcReport["failed"][number][] = [];
  // First: after a kill this machine knows too little about the remote, never too much.
  room.blobs.forget(new Set(plan.candidates.map(({ sha256 }) => sha256)));
  const atOnce = callsAtOnce(room.backend.can, "remove", room.workers);
  let references: Awaited<ReturnType<typeof collectReferences>> | undefined;
  for (let at = 0; at < plan.candidates.length; at += BATCH) {
    references = await collectReferences(room, references, options);
    const { named } = references;
    const act = async (blob: UnusedBlob): Promise<void> => {
      if (named.has(blob.sha256)) return void spared.push(blob);
      const error = await removeBlob(room, blob, options);
      if (error === undefined) deleted.push(blob);
      else if (error instanceof StaleError) spared.push(blob);
      else {
        const { message } = error;
        failed.push({ sha256: blob.sha256, error: message, ...(needsPerson(error) && { needsPerson: true }) });
      }
    };
    await forEachLimit(plan.candidates.slice(at, at + BATCH), atOnce, act, options);
  }
  return { deleted, spared, failed };
}

/** The error that concerns this blob alone; others (sign-in, Ctrl-C) are thrown. */
async function removeBlob(
  room: SnapshotRoom,
  { sha256, rev }: UnusedBlob,
  options: SnapshotOptions,
): Promise<BackendError | undefined> {
  faultPoint("gc-remove");
  try {
    await room.backend.remove(blobPath(sha256), { expect: rev, ...options });
    return undefined;
  } catch (error) {
    if (error instanceof BackendError && error.class !== "AUTH") return error;
    throw error;
  }
}

function isOld({ modifiedMs, racy }: RemoteFile, beforeMs: number): boolean {
  return !racy && modifiedMs !== undefined && modifiedMs <= beforeMs;
}

/**
 * Milliseconds by which our clock is ahead of the server's, as the newest snapshot of this machine shows: its name is our
 * time from before its file was written. Without such a snapshot 0.
 */
function clockAhead(
  room: SnapshotRoom,
  manifests: ReadonlyMap<RelPath, RemoteFile>,
  madeBy: string | undefined,
): number {
  let newest = Number.NEGATIVE_INFINITY;
  let ahead = 0;
  for (const file of manifests.values()) {
    const { modifiedMs } = file;
    const name = nameOf(file.path).replace(/\.json$/, "");
    const madeMs = snapshotTime(name);
    if (madeMs === undefined || modifiedMs === undefined || modifiedMs <= newest) continue;
    if (room.cache.info(name, file)?.triggeredBy !== madeBy) continue;
    newest = modifiedMs;
    ahead = madeMs - modifiedMs;
  }
  return ahead > CLOCK_TOLERANCE_MS ? ahead : 0;
}
