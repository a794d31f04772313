import { RefusedError, UsageError } from "../lib/errors.ts";
import type { SnapshotFormat } from "../snapshots/model.ts";
import { withProjectLock } from "./lock.ts";
import { openMirrorRun } from "./mirrors/run.ts";
import { mirrorsSnapshots } from "./mirrors/snapshots.ts";
import type { Parts } from "./parts.ts";
import { makeSnapshot } from "./snapshot-run.ts";

/** Reference 2.10. */
const TAG = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_MESSAGE = 1024;

export interface SnapshotRequest {
  readonly tag?: string | undefined;
  readonly message?: string | undefined;
  readonly dryRun: boolean;
}

export interface TakenSnapshot {
  readonly dryRun: boolean;
  /** Null for a dry run. */
  readonly timestamp: string | null;
  readonly format: SnapshotFormat;
  readonly totalFiles: number;
  readonly tag: string | null;
  readonly message: string | null;
  readonly notices: readonly string[];
}

/**
 * Makes a snapshot of what both sides agree on, now and by hand. Throws UsageError for a tag or a message that snapshots
 * cannot carry, RefusedError "tag" for a tag that is taken, and where nothing was agreed on yet.
 */
export async function takeSnapshot(parts: Parts, request: SnapshotRequest): Promise<TakenSnapshot> {
  const { tag = null, message = null, dryRun } = request;
  requireTag(tag);
  if (message !== null && message.length > MAX_MESSAGE) {
    throw new UsageError(
      `cannot make a snapshot: its message has ${message.length} characters, ${MAX_MESSAGE} is the most`,
    );
  }
  if (tag !== null) await requireFreeTag(parts, tag);
  const facts = { dryRun, format: parts.deps.config.snapshotFormat, tag, message };
  if (dryRun) {
    const notices = await survey(parts, { cache: false });
    const totalFiles = await parts.sync.agreedCount();
    return { ...facts, timestamp: null, totalFiles, notices };
  }
  return withProjectLock(parts, "snapshot", async () => {
    const mirrors = await openMirrorRun(parts);
    await parts.sync.recover();
    const notices = await survey(parts, { cache: true });
    const made = await makeSnapshot(parts, { action: "manual", filesChanged: [], tag, message });
    const timestamp = made.snapshot?.timestamp ?? null;
    if (timestamp !== null) mirrors?.queueSnapshot(timestamp);
    const queued = mirrors !== undefined && timestamp !== null && mirrorsSnapshots(parts.deps.config);
    const told = queued ? ["The mirrors get it with the next push, or with claude-mirror retry."] : [];
    return { ...facts, timestamp, totalFiles: made.totalFiles, notices: [...notices, ...made.notices, ...told] };
  });
}

function requireTag(tag: string | null): void {
  if (tag === null || TAG.test(tag)) return;
  throw new UsageError(
    `cannot tag a snapshot "${tag}": a tag is 1 to 64 letters, digits, dots, dashes and underscores`,
  );
}

async function requireFreeTag(parts: Parts, tag: string): Promise<void> {
  const all = await (await parts.snapshots()).list({ signal: parts.deps.signal });
  const holder = all.find((info) => info.tag === tag);
  if (holder === undefined) return;
  throw new UsageError(`cannot tag a snapshot "${tag}": ${holder.timestamp} has that tag already`, {
    hint: "A tag names one snapshot; take another, or forget that snapshot first.",
  });
}

/** What a person should know of files that will not be in it. Remembers what looking found out. Throws where nothing is agreed on. */
async function survey(parts: Parts, { cache }: { readonly cache: boolean }): Promise<readonly string[]> {
  const look = await parts.sync.look({ files: [], cache });
  const plan = await parts.sync.plan(look, { mode: { kind: "status" } });
  if (cache) parts.sync.remember(look);
  const snapshots = await parts.snapshots();
  if (cache && look.blobsMissing) snapshots.distrust("blobs");
  if (cache && look.snapshotsMissing) snapshots.distrust("full snapshots");
  if ((await parts.sync.agreedCount()) === 0) {
    throw new RefusedError(
      "nothing-agreed",
      "No snapshot was made: nothing was pushed or pulled yet. Run claude-mirror sync first.",
    );
  }
  const differing = plan.statuses.length;
  const told = `${differing} file(s) differ between here and the remote: the snapshot holds what both sides agreed on last. Push them to have them in the next one.`;
  return differing === 0 ? look.notices : [...look.notices, told];
}
