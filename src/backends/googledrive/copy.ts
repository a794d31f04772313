import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { FileNode } from "../nodes/model.ts";
import type { CallOptions, CopyOptions, Written } from "../types.ts";
import { BinnedParentError, type Folders, recheckFolders } from "./folders.ts";
import { type DriveFile, describeNode, FILE_FIELDS, nodeOf } from "./nodes.ts";
import { ALL_DRIVES, clash, type DriveRoom, isStillThere, lookAgain, lookUp, noted } from "./room.ts";

interface CopyContext {
  readonly room: DriveRoom;
  readonly folders: Folders;
}

/** The contract's `copy`, on the server. A copy that turns out to be of another version is removed again. */
export async function copyFile(
  from: RelPath,
  to: RelPath,
  options: CopyOptions,
  context: CopyContext,
): Promise<Written> {
  const { room } = context;
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const source = await sourceOf(from, options, room, call);
  await requireFree(to, room, call);
  try {
    return { file: describeNode(await copyOnce(source, { from, to }, context, call), to) };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    // Either end may be what is missing.
    const still = await lookAgain(room, source.id, `look at "${from}"`, call);
    if (still === undefined)
      throw new NotFoundError(`Could not copy "${from}": it is not there any more`, { cause: error });
    await recheckFolders(room, to, error, call);
    return { file: describeNode(await copyOnce(source, { from, to }, context, call), to) };
  }
}

async function sourceOf(from: RelPath, options: CopyOptions, room: DriveRoom, call: CallOptions): Promise<FileNode> {
  const { file } = lookUp(room, from);
  const { expectSource } = options;
  if (file === undefined) throw new NotFoundError(`Could not copy "${from}": it is not there`);
  if (expectSource === undefined || file.rev === expectSource) return file;
  const now = await lookAgain(room, file.id, `look at "${from}"`, call);
  const node = now !== undefined && isStillThere(now, file) ? nodeOf(now) : undefined;
  if (node?.is === "file" && node.rev === expectSource) return node;
  throw new StaleError(`Could not copy "${from}": another version is there`);
}

async function requireFree(to: RelPath, room: DriveRoom, call: CallOptions): Promise<void> {
  const there = lookUp(room, to);
  const taken = clash(to, there, "copy to");
  if (taken !== undefined) throw taken;
  if (there.file === undefined) return;
  const now = await lookAgain(room, there.file.id, `look at "${to}"`, call);
  if (now !== undefined && isStillThere(now, there.file))
    throw new StaleError(`Could not copy to "${to}": a file is there`);
}

interface Ends {
  readonly from: RelPath;
  readonly to: RelPath;
}

async function copyOnce(
  source: FileNode,
  { from, to }: Ends,
  { room, folders }: CopyContext,
  call: CallOptions,
): Promise<FileNode> {
  const parent = await folders.ensure(parentOf(to), call);
  const place = `file ${parent}/${nameOf(to)}`;
  const what = `copy "${from}" to "${to}"`;
  const id = room.pending.get(place) ?? (await room.ids.take(call));
  room.pending.set(place, id);
  const path = `/drive/v3/files/${encodeURIComponent(source.id)}/copy?${ALL_DRIVES}&fields=${FILE_FIELDS}`;
  let made: DriveFile | undefined;
  try {
    made = (await room.change({ method: "POST", path, body: { id, name: nameOf(to), parents: [parent] }, what }, call))
      .body as DriveFile;
    room.pending.delete(place);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    if (!error.outcomeUnknown) room.pending.delete(place);
    if (error.status !== 409) throw error;
    made = await lookAgain(room, id, what, call);
    if (made === undefined || made.name !== nameOf(to) || made.parents?.[0] !== parent)
      return copyOnce(source, { from, to }, { room, folders }, call);
  }
  const kept = noted(room, made);
  const node = nodeOf(made);
  if (kept !== undefined && node.is === "file" && node.hash === source.hash) return node;
  await room.change(
    { method: "DELETE", path: `/drive/v3/files/${encodeURIComponent(id)}?${ALL_DRIVES}`, what: `take back "${to}"` },
    call,
  );
  room.index.note([{ is: "gone", id }]);
  if (kept === undefined) throw new BinnedParentError(parent);
  throw new StaleError(`Could not copy "${from}": another version is there`);
}
