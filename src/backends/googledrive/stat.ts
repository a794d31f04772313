import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import type { CallOptions, RemoteFile } from "../types.ts";
import { type DriveFile, describeNode, FILE_FIELDS, FOLDER_TYPE, nodeOf, quoted } from "./nodes.ts";
import { type DriveRoom, isStillThere, lookAgain, lookUp, noted } from "./room.ts";

/**
 * The contract's `stat`: by id where the index knows one, which is always current; else by a search for the name, so that
 * an absence rests on two looks of their own, the stream of changes and the search.
 */
export async function statFile(path: RelPath, call: CallOptions, room: DriveRoom): Promise<RemoteFile | undefined> {
  const what = `look at "${path}"`;
  const there = lookUp(room, path);
  if (there.file !== undefined) {
    const now = await lookAgain(room, there.file.id, what, call);
    const node = now !== undefined && isStillThere(now, there.file) ? nodeOf(now) : undefined;
    if (node?.is === "file") return describeNode(node, path);
  }
  if (there.folders.length > 0) return undefined;
  const parents = await foldersAt(parentOf(path), call, room);
  if (parents.length === 0) return undefined;
  const pending = parents.map((id) => room.pending.get(`file ${id}/${nameOf(path)}`)).find((id) => id !== undefined);
  if (pending !== undefined) {
    const now = await lookAgain(room, pending, what, call);
    const node = now?.name === nameOf(path) ? nodeOf(now) : undefined;
    if (node?.is === "file") return describeNode(node, path);
  }
  for (const file of await searchName(nameOf(path), parents, what, call, room)) {
    if (file.mimeType !== FOLDER_TYPE) noted(room, file);
  }
  const found = lookUp(room, path).file;
  return found === undefined ? undefined : describeNode(found, path);
}

/** Ids of the folders at a path, searched for where the index has none. */
async function foldersAt(path: RelPath | "", call: CallOptions, room: DriveRoom): Promise<readonly string[]> {
  const known = lookUp(room, path).folders.map(({ id }) => id);
  if (known.length > 0 || path === "") return known;
  const parents = await foldersAt(parentOf(path), call, room);
  if (parents.length === 0) return [];
  const found = (await searchName(nameOf(path), parents, `look at "${path}"`, call, room)).filter(
    ({ mimeType }) => mimeType === FOLDER_TYPE,
  );
  const ids = found.flatMap(({ id }) => (id ? [id] : []));
  // A folder is only known together with what is in it.
  if (ids.length > 0) room.index.note([...found.map((file) => nodeOf(file)), ...(await room.source.below(ids, call))]);
  return ids;
}

/** Items of exactly this name: the service's own comparison ignores case. */
async function searchName(
  name: string,
  parents: readonly string[],
  what: string,
  call: CallOptions,
  room: DriveRoom,
): Promise<DriveFile[]> {
  const { driveId } = room.facts;
  const inside = parents.map((id) => `${quoted(id)} in parents`).join(" or ");
  const query = new URLSearchParams({
    q: `name = ${quoted(name)} and (${inside}) and trashed = false`,
    fields: `incompleteSearch,files(${FILE_FIELDS})`,
    pageSize: "1000",
    supportsAllDrives: "true",
    includeItemsFromAllDrives: "true",
    ...(driveId === undefined ? {} : { corpora: "drive", driveId }),
  });
  const { body } = await room.ask({ method: "GET", path: `/drive/v3/files?${query}`, what }, call);
  const { files = [] } = body as { readonly files?: readonly DriveFile[] };
  return files.filter((file) => file.name === name);
}
