import { isUnder, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import { BLOBS_FOLDER } from "../layout.ts";
import type { FileNode } from "../nodes/model.ts";
import type { CallOptions, WriteOptions } from "../types.ts";
import { type DriveFile, FILE_FIELDS, nodeOf } from "./nodes.ts";
import { ALL_DRIVES, clash, type DriveRoom, isStillThere, lookAgain, lookUp, noted } from "./room.ts";

/**
 * The contract's `remove`: into Drive's trash, and our own blobs for good. A version that turns out to be another one
 * when it is in the trash is taken out again at once, so that no change in between is lost.
 */
export async function removeFile(path: RelPath, { expect, signal }: WriteOptions, room: DriveRoom): Promise<void> {
  const call = signal === undefined ? {} : { signal };
  const there = lookUp(room, path);
  const stale = (found: string) => new StaleError(`Could not remove "${path}": ${found}`);
  if (there.file === undefined) {
    const taken = clash(path, there, "remove");
    if (taken !== undefined) throw taken;
    if (expect === "any") return;
    throw stale("it is not there");
  }
  let node = there.file;
  const forGood = isUnder(path, BLOBS_FOLDER);
  if (forGood || (expect !== "any" && node.rev !== expect)) {
    const now = await lookAgain(room, node.id, `look at "${path}"`, call);
    const still = now !== undefined && isStillThere(now, node) ? nodeOf(now) : undefined;
    if (still?.is !== "file") {
      if (expect === "any") return;
      throw stale("it is not there any more");
    }
    if (expect !== "any" && still.rev !== expect) throw stale("another version is there");
    node = still;
  }
  if (forGood && (await removeForGood(path, node, room, call))) return;
  const binned = await setBinned(path, node, true, room, call);
  if (binned === undefined) {
    if (expect === "any") return;
    throw stale("it is not there any more");
  }
  const isAnother =
    expect !== "any" && (binned.rev !== expect || binned.name !== node.name || binned.parent !== node.parent);
  if (!isAnother) return;
  await setBinned(path, node, false, room, call);
  throw stale("another version is there; it was taken out of the trash again");
}

/** False where the account may not: only the owner of a file, or an organiser of a shared drive, removes it for good. */
async function removeForGood(path: RelPath, { id }: FileNode, room: DriveRoom, call: CallOptions): Promise<boolean> {
  const what = `remove "${path}"`;
  try {
    await room.change(
      { method: "DELETE", path: `/drive/v3/files/${encodeURIComponent(id)}?${ALL_DRIVES}`, what },
      call,
    );
  } catch (error) {
    if (error instanceof BackendError && error.class === "PERMISSION") return false;
    if (!(error instanceof NotFoundError)) throw error;
  }
  room.index.note([{ is: "gone", id }]);
  return true;
}

/** Puts an item into the trash, or takes it out. What it is then; undefined when it is gone. */
export async function setBinned(
  path: RelPath,
  { id }: { readonly id: string },
  trashed: boolean,
  room: DriveRoom,
  call: CallOptions,
): Promise<FileNode | undefined> {
  const what = trashed ? `remove "${path}"` : `take "${path}" out of the trash`;
  const patch = {
    method: "PATCH",
    path: `/drive/v3/files/${encodeURIComponent(id)}?${ALL_DRIVES}&fields=${FILE_FIELDS}`,
  } as const;
  try {
    const { body } = await room.change({ ...patch, body: { trashed }, what }, call);
    const file = body as DriveFile;
    noted(room, file);
    const node = nodeOf(file);
    return node.is === "file" ? node : undefined;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    room.index.note([{ is: "gone", id }]);
    return undefined;
  }
}

/** The contract's `removeFolder`. */
export async function removeEmptyFolder(path: RelPath, call: CallOptions, room: DriveRoom): Promise<void> {
  const { files, unusable, exists } = await room.index.list(path, call);
  if (!exists) {
    const { file, foreign } = lookUp(room, path);
    if (file === undefined && foreign === undefined) return;
    throw new BackendError(`Could not remove the folder "${path}": it is a file`, { class: "FILE_REJECTED" });
  }
  const inside = files.length + unusable.length;
  if (inside > 0) {
    const found = files[0]?.path ?? unusable[0]?.name;
    throw new BackendError(`Could not remove the folder "${path}": "${found}" is in it`, { class: "FILE_REJECTED" });
  }
  for (const folder of lookUp(room, path).folders) await setBinned(path, folder, true, room, call);
}
