import { BackendError } from "../backends/errors.ts";
import type { RemoteFile, Rev, Source } from "../backends/types.ts";
import { forEachLimit } from "../lib/limits.ts";
import { comparePaths, parseRelPath, type RelPath } from "../lib/path.ts";
import type { ByteStream } from "../lib/streams.ts";
import { type BlobSource, DamagedBlobError, type SnapshotOptions } from "./blob-store.ts";
import { fullFolder, META_NAME } from "./full-folder.ts";
import type { HashSet } from "./hash-set.ts";
import { type SnapshotRoom, tolerated } from "./list.ts";
import type { VerifyEvent } from "./model.ts";
import { readBody } from "./verify-run.ts";

export interface MigrateOptions extends SnapshotOptions {
  /** The old form stays beside the new one. */
  readonly keepSource: boolean;
  readonly onEvent?: (event: VerifyEvent) => void;
  /** Hands a body to `use` as a file on this disk, with its digest. */
  readonly withLocalCopy: (path: RelPath, body: ByteStream, use: (source: Source) => Promise<void>) => Promise<void>;
}

/** One migration under way. */
export interface MigrateRun {
  readonly room: SnapshotRoom;
  readonly options: MigrateOptions;
  /** What backend calls are given. */
  readonly call: SnapshotOptions;
  /** Blobs that this run has read back whole. */
  readonly verified: HashSet;
}

/** A file of a full snapshot with what was read of it. */
export interface FolderFile {
  /** In the project. */
  readonly path: RelPath;
  readonly file: RemoteFile;
  readonly sha256: string;
}

/** The folder of a full snapshot, read through. */
export interface ReadFolder {
  readonly marker: RemoteFile | undefined;
  readonly files: readonly FolderFile[];
}

/** Every file in the folder of a full snapshot and its marker, read nothing of. Throws BackendError for what cannot be carried. */
export async function listFolder(
  { room, call }: MigrateRun,
  timestamp: string,
): Promise<{ readonly marker: RemoteFile | undefined; readonly files: ReadonlyMap<RelPath, RemoteFile> }> {
  const folder = fullFolder(timestamp);
  const listing = await room.backend.list(folder, call);
  const odd = listing.unusable[0];
  if (odd) throw cannot(timestamp, `it holds "${odd.name}": ${odd.reason}`);
  const files = new Map<RelPath, RemoteFile>();
  let marker: RemoteFile | undefined;
  for (const file of listing.files) {
    const path = parseRelPath(file.path.slice(folder.length + 1));
    if (path === undefined) throw cannot(timestamp, `it holds "${file.path}", which is no path of a project`);
    if (path === META_NAME) marker = file;
    else files.set(path, file);
  }
  return { marker, files };
}

/** Reads the whole folder, nothing kept. Throws BackendError also when a file is not as long as its listing says. */
export async function readFolder(run: MigrateRun, timestamp: string): Promise<ReadFolder> {
  const { room, options, call } = run;
  const { marker, files } = await listFolder(run, timestamp);
  const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  options.onEvent?.({ kind: "begin", items: files.size, bytes });
  const read: FolderFile[] = [];
  const readOne = async ([path, listed]: readonly [RelPath, RemoteFile]): Promise<void> => {
    const { file, sha256, size } = await readBody(run, listed.path);
    if (size !== listed.size) throw cannot(timestamp, `"${path}" has ${listed.size} bytes and ${size} came`);
    read.push({ path, file, sha256 });
    options.onEvent?.({ kind: "item" });
  };
  await forEachLimit(files, room.workers, readOne, call);
  return { marker, files: read.sort((a, b) => comparePaths(a.path, b.path)) };
}

/**
 * Hands over the content of one remote file to be sent elsewhere, from a copy on this disk: a body that is read while it is sent
 * would hold two of the calls that may be under way at once. Throws BackendError when it is not the wanted content.
 */
export async function withCopy(
  { room, options, call }: MigrateRun,
  wanted: { readonly path: RelPath; readonly sha256: string; readonly rev?: Rev },
  use: (source: BlobSource) => Promise<void>,
): Promise<void> {
  const { path, sha256, rev } = wanted;
  const { body } = await room.backend.read(path, { ...call, ...(rev === undefined ? {} : { expect: rev }) });
  await options.withLocalCopy(path, body, async (source) => {
    if (source.sha256 !== sha256) throw new DamagedBlobError(path, source.sha256 ?? "");
    await use({ ...source, sha256 });
  });
}

/** Why one snapshot is left as it is. */
export function cannot(timestamp: string, why: string): BackendError {
  return new BackendError(`cannot migrate snapshot "${timestamp}": ${why}`, { class: "FILE_REJECTED" });
}

/** What is told when the old form could not be removed; sign-in and Ctrl-C are thrown again. */
export function leftNote(error: unknown): string {
  return `it is converted, and what is left of its old form could not be removed: ${tolerated(error)}; the next run removes it`;
}
