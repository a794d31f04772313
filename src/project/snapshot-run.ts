import type { RelPath } from "../lib/path.ts";
import { describeItemError } from "../sync/item-error.ts";
import type { Due } from "../sync/marker.ts";
import type { ItemOutcome, Plan } from "../sync/model.ts";
import type { Parts } from "./parts.ts";
import { type Made, makeBlobsSnapshot, type Wanted } from "./snapshot-blobs.ts";
import { makeFullSnapshot } from "./snapshot-full.ts";

/** Deletes on the remote of bytes that no snapshot holds make one first (decision 18). */
export async function snapshotBefore(parts: Parts, command: string, plan: Plan): Promise<Made> {
  const doomed = plan.actions.filter((action) => action.kind === "delete-remote");
  if (doomed.length === 0) return NONE;
  const snapshots = await parts.snapshots();
  const digests = doomed.flatMap(({ sha256 }) => sha256 ?? []);
  const { signal } = parts.deps;
  if (digests.length === doomed.length && (await snapshots.surelyHolds(digests, { signal }))) return NONE;
  return makeSnapshot(parts, {
    action: command === "sync" ? "sync" : "push",
    filesChanged: doomed.map(({ path }) => path),
  });
}

const NONE: Made = { snapshot: null, totalFiles: 0, notices: [] };

export type SnapshotAfter =
  | (Made & { readonly kind: "made" })
  | { readonly kind: "failed"; readonly outcome: ItemOutcome };

/** The snapshot of what both sides agree on after a run that sent or deleted something. */
export async function snapshotAfter(parts: Parts, due: Due, atMs: number): Promise<SnapshotAfter> {
  const filesChanged = [...due.uploaded, ...due.deletedRemote].sort();
  if (filesChanged.length === 0) return { kind: "made", ...NONE };
  try {
    return {
      kind: "made",
      ...(await makeSnapshot(parts, { action: due.command === "sync" ? "sync" : "push", filesChanged, atMs })),
    };
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    const { message, ...rest } = describeItemError(error);
    const told = { ...rest, message: `the snapshot could not be made: ${message}` };
    return {
      kind: "failed",
      outcome: { path: filesChanged[0] as RelPath, action: "upload", status: "failed", error: told },
    };
  }
}

/** A snapshot of what both sides agree on, in the project's format. */
export function makeSnapshot(parts: Parts, wanted: Wanted): Promise<Made> {
  return parts.deps.config.snapshotFormat === "blobs"
    ? makeBlobsSnapshot(parts, wanted)
    : makeFullSnapshot(parts, wanted);
}
