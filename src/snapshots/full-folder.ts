import { SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import type { RemoteFile } from "../backends/types.ts";
import { parseRelPath, type RelPath, relPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import type { SnapshotRoom } from "./list.ts";

/** Name of the completion marker in the folder of a full snapshot (reference 1.9). */
export const META_NAME = "_snapshot_meta.json";

/** Where the files of a full snapshot live. */
export function fullFolder(timestamp: string): RelPath {
  return relPath(`${SNAPSHOTS_FOLDER}/${timestamp}`);
}

/** Where the copy of one file lives. */
export function fullPath(timestamp: string, path: string): RelPath {
  return relPath(`${fullFolder(timestamp)}/${path}`);
}

/** Where a full snapshot that is complete says so. */
export function metaPath(timestamp: string): RelPath {
  return fullPath(timestamp, META_NAME);
}

/** Whose folder it is until its marker is there. Beside the folder: no file of a project can have this place. */
export function claimPath(timestamp: string): RelPath {
  return relPath(`${SNAPSHOTS_FOLDER}/${timestamp}.claim`);
}

/** The folder of a full snapshot as it is. */
export interface FullFolder {
  readonly exists: boolean;
  /** Its files below their own paths, the marker left out. */
  readonly files: ReadonlyMap<RelPath, RemoteFile>;
  /** Left out while the snapshot is incomplete. */
  readonly marker?: RemoteFile;
}

/** Lists the folder of a full snapshot. Throws BackendError. */
export async function listFull(
  { backend }: SnapshotRoom,
  timestamp: string,
  options: SnapshotOptions = {},
): Promise<FullFolder> {
  const folder = fullFolder(timestamp);
  const listing = await backend.list(folder, options);
  const files = new Map<RelPath, RemoteFile>();
  let marker: RemoteFile | undefined;
  for (const file of listing.files) {
    const path = parseRelPath(file.path.slice(folder.length + 1));
    if (path === META_NAME) marker = file;
    else if (path !== undefined) files.set(path, file);
  }
  return { exists: listing.exists, files, ...(marker && { marker }) };
}
