import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import { BLOBS_FOLDER, RESERVED_FOLDERS } from "../layout.ts";
import type { CallOptions } from "../types.ts";
import type { BatchCall } from "./batch.ts";
import { type DriveFile, FILE_FIELDS, FOLDER_TYPE, fromV2, V2_FIELDS, type V2File } from "./nodes.ts";
import { ALL_DRIVES, type DriveRoom, lookAgain, lookUp, noted } from "./room.ts";

/** Makes folders, each of them once however many files want it at the same moment. */
export interface Folders {
  /** The id of the folder at `path`, made with all above it where it is missing. */
  ensure(path: RelPath | "", call: CallOptions): Promise<string>;
}

export function createFolders(room: DriveRoom): Folders {
  /** Under way, by parent and name. */
  const making = new Map<string, Promise<string>>();

  async function ensure(path: RelPath | "", call: CallOptions): Promise<string> {
    if (path === "") return room.facts.rootId;
    const there = lookUp(room, path);
    const known = there.folders[0];
    if (known !== undefined) return known.id;
    if (there.file !== undefined || there.foreign !== undefined) {
      throw new BackendError(`Could not make the folder "${path}": something of that name is there`, {
        class: "FILE_REJECTED",
        hint: `Rename "${nameOf(path)}" in Google Drive or here.`,
      });
    }
    const parent = await ensure(parentOf(path), call);
    const key = `${parent}/${nameOf(path)}`;
    const running = making.get(key);
    if (running !== undefined) return running;
    const made = makeFolder(room, path, parent, call).finally(() => making.delete(key));
    making.set(key, made);
    // A push that makes one of them needs all: together they are one request.
    if (path === BLOBS_FOLDER) for (const other of RESERVED_FOLDERS) void ensure(other, call).catch(() => undefined);
    return made;
  }
  return { ensure };
}

async function makeFolder(room: DriveRoom, path: RelPath, parent: string, call: CallOptions): Promise<string> {
  const key = `folder ${parent}/${nameOf(path)}`;
  const id = room.pending.get(key) ?? (await room.ids.take(call));
  room.pending.set(key, id);
  const what = `make the folder "${path}"`;
  try {
    const { body } = await room.makeFolder(newFolderCall(room, { id, name: nameOf(path), parent }, what), call);
    room.pending.delete(key);
    if (noted(room, room.facts.ifMatch ? fromV2(body as V2File) : (body as DriveFile)) !== undefined) return id;
    throw new BinnedParentError(parent);
  } catch (error) {
    if (error instanceof BackendError && error.status === 409) {
      room.pending.delete(key);
      const there = await lookAgain(room, id, what, call);
      if (there?.name === nameOf(path) && there.parents?.[0] === parent) return id;
      // An id of an earlier process that was used after all.
      return makeFolder(room, path, parent, call);
    }
    if (error instanceof NotFoundError) throw new MissingParentError(parent, error);
    if (error instanceof BackendError && !error.outcomeUnknown) room.pending.delete(key);
    throw error;
  }
}

interface NewFolder {
  readonly id: string;
  readonly name: string;
  readonly parent: string;
}

/** By v2 where that guards writes: the ETags of the files that are about to be replaced come with its answer. */
function newFolderCall({ facts }: DriveRoom, { id, name, parent }: NewFolder, what: string): BatchCall {
  const body = facts.ifMatch
    ? { id, title: name, mimeType: FOLDER_TYPE, parents: [{ id: parent }] }
    : { id, name, mimeType: FOLDER_TYPE, parents: [parent] };
  const path = facts.ifMatch ? `/drive/v2/files?fields=${V2_FIELDS}` : `/drive/v3/files?fields=${FILE_FIELDS}`;
  return { method: "POST", path: `${path}&${ALL_DRIVES}`, body, what };
}

/** The folder that something was to be put into is gone. */
export class MissingParentError extends NotFoundError {
  readonly parent: string;
  constructor(parent: string, cause: NotFoundError) {
    super(cause.message, { cause, ...(cause.status === undefined ? {} : { status: cause.status }) });
    this.parent = parent;
  }
}

/** What was made lies in the trash, for a folder above it does. */
export class BinnedParentError extends NotFoundError {
  readonly parent: string;
  constructor(parent: string) {
    super("Could not write to the remote folder: it, or a folder in it, is in the trash of Google Drive", {
      hint: "Take the folder out of the trash, or set drive_folder_id to another one.",
    });
    this.parent = parent;
  }
}

/** Finds out which of the folders above `path` are gone, so that they are made anew. Throws when the root itself is. */
export async function recheckFolders(
  room: DriveRoom,
  path: RelPath,
  cause: NotFoundError,
  call: CallOptions,
): Promise<void> {
  const root = await lookAgain(room, room.facts.rootId, "look at the remote folder", call);
  if (root === undefined) {
    throw new NotFoundError("Could not write to the remote folder: it is gone or in the trash", {
      status: 404,
      hint: "Take the folder out of the trash of Google Drive, or set drive_folder_id to another one.",
      cause,
    });
  }
  let found = false;
  for (let folder = parentOf(path); folder !== ""; folder = parentOf(folder)) {
    for (const { id } of lookUp(room, folder).folders) {
      if ((await lookAgain(room, id, `look at "${folder}"`, call)) === undefined) found = true;
    }
  }
  if (!found) throw cause;
}
