import { conflictCopyPath } from "../../lib/copy-name.ts";
import { nameOf, type RelPath } from "../../lib/path.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { FileNode, FolderNode } from "../nodes/model.ts";
import type { Duplicate, NodeListing } from "../nodes/view.ts";
import type { CallOptions, Listing, RemoteFile, UnusableName } from "../types.ts";
import { type DriveFile, describeNode, FILE_FIELDS, sha256Of } from "./nodes.ts";
import { setBinned } from "./remove.ts";
import { ALL_DRIVES, type DriveRoom, noted } from "./room.ts";

/**
 * The listing with every file under a name of its own: of several files of one name in one folder the oldest keeps it;
 * another content is shown under the name of a conflict copy of its own bytes, and equal bytes are shown once. All
 * machines pick the same names.
 */
export function withoutDuplicates(listing: NodeListing, room: DriveRoom): Listing {
  const { duplicates, ...plain } = listing;
  if (duplicates.length === 0) return plain;
  const taken = new Map(listing.files.map((file) => [file.path, file]));
  const files = [...listing.files];
  const unusable = [...listing.unusable];
  for (const duplicate of duplicates) {
    for (const { node, path } of extras(duplicate)) {
      const shown = show(node, path, taken);
      if (shown === "known") continue;
      if ("reason" in shown) unusable.push(shown);
      else {
        files.push(shown);
        taken.set(path, shown);
        room.aliases.set(path, node.id);
      }
    }
  }
  return { ...plain, files, unusable };
}

interface Extra {
  readonly node: FileNode;
  /** Where it is shown. */
  readonly path: RelPath;
}

/** The files of other bytes than the one that keeps the name, each content once. */
function extras({ path, nodes }: Duplicate): Extra[] {
  const seen = new Set<string>();
  const found: Extra[] = [];
  for (const node of nodes.filter((each) => each.is === "file")) {
    const isNew = !seen.has(node.hash);
    if (seen.size > 0 && isNew) found.push({ node, path: conflictCopyPath(path, sha256Of(node) || node.hash) });
    seen.add(node.hash);
  }
  return found;
}

function show(
  node: FileNode,
  path: RelPath,
  taken: ReadonlyMap<RelPath, RemoteFile>,
): RemoteFile | UnusableName | "known" {
  const there = taken.get(path);
  if (there === undefined) return describeNode(node, path);
  if (there.nativeHash === node.hash) return "known";
  return { name: path, reason: "several files of this name are in the folder, and a copy's name is taken, too" };
}

/**
 * Puts right what only Drive can get wrong: of files of one name and equal bytes all but the oldest go to the trash, other
 * bytes get the name of a conflict copy, and what lies in a second folder of one name moves into the first. Nothing is
 * removed for good. One line for each thing done.
 */
export async function mendDuplicates(room: DriveRoom, call: CallOptions): Promise<readonly string[]> {
  const { duplicates } = room;
  room.duplicates = [];
  const done: string[] = [];
  for (const duplicate of duplicates) {
    const folders = duplicate.nodes.filter((node) => node.is === "folder");
    if (folders.length > 1) done.push(...(await mergeFolders(duplicate.path, folders, room, call)));
    else done.push(...(await partFiles(duplicate, room, call)));
  }
  return done;
}

async function partFiles(duplicate: Duplicate, room: DriveRoom, call: CallOptions): Promise<string[]> {
  const { path, nodes } = duplicate;
  const files = nodes.filter((node) => node.is === "file");
  const renamed = new Map(extras(duplicate).map((extra) => [extra.node.id, extra.path]));
  const done: string[] = [];
  for (const node of files.slice(1)) {
    const copy = renamed.get(node.id);
    if (copy === undefined) {
      if (await binTwin(path, node, room, call))
        done.push(`"${path}" was there twice with equal bytes: one is in the trash of Google Drive`);
    } else if (room.index.at(copy).length === 0) {
      await patch(node.id, { name: nameOf(copy) }, "", `rename "${path}"`, room, call);
      room.aliases.delete(copy);
      done.push(`"${path}" was there twice with different bytes: the newer one is "${copy}" now`);
    }
  }
  return done;
}

/** Only while it still is what was compared. */
async function binTwin(path: RelPath, node: FileNode, room: DriveRoom, call: CallOptions): Promise<boolean> {
  const binned = await setBinned(path, node, true, room, call);
  if (binned === undefined || binned.hash === node.hash) return binned !== undefined;
  await setBinned(path, node, false, room, call);
  return false;
}

/** Moves what is in the further folders into the first; a folder that is found empty goes to the trash in a later run. */
async function mergeFolders(
  path: RelPath,
  folders: readonly FolderNode[],
  room: DriveRoom,
  call: CallOptions,
): Promise<string[]> {
  const [first, ...more] = folders;
  if (first === undefined) return [];
  const done: string[] = [];
  for (const folder of more) {
    const inside = await room.source.below([folder.id], call);
    const children = inside.filter((node) => node.is !== "gone" && node.parent === folder.id);
    if (children.length === 0) {
      await setBinned(path, folder, true, room, call);
      done.push(`the folder "${path}" was there twice: the empty one is in the trash of Google Drive`);
      continue;
    }
    const move = `&addParents=${encodeURIComponent(first.id)}&removeParents=${encodeURIComponent(folder.id)}`;
    await Promise.all(
      children.map(({ id }) => patch(id, {}, move, `move what is in a second folder "${path}"`, room, call)),
    );
    done.push(`the folder "${path}" was there twice: its ${children.length} items are in one now`);
  }
  return done;
}

async function patch(
  id: string,
  body: object,
  query: string,
  what: string,
  room: DriveRoom,
  call: CallOptions,
): Promise<void> {
  const path = `/drive/v3/files/${encodeURIComponent(id)}?${ALL_DRIVES}&fields=${FILE_FIELDS}${query}`;
  try {
    noted(room, (await room.change({ method: "PATCH", path, body, what }, call)).body as DriveFile);
  } catch (error) {
    // Somebody else moved or removed it meanwhile; the next run sees how it is then.
    if (!(error instanceof StaleError) && !(error instanceof BackendError && error.class === "FILE_REJECTED"))
      throw error;
  }
}
