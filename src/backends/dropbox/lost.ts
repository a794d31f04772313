import type { files } from "dropbox";
import type { Settled } from "../../lib/coalesce.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import type { RemoteFile, Written } from "../types.ts";
import { answeredFile } from "./files.ts";
import { fold } from "./paths.ts";
import type { DropboxPlace } from "./place.ts";

/** A write whose answer was lost, or refused after an earlier sending. */
export interface InDoubt {
  readonly path: RelPath;
  readonly mode: files.WriteMode;
  /** content_hash of what was sent. */
  readonly hash: string;
  readonly error: unknown;
}

/** More than so many are looked for in one listing. */
const FEW = 8;

/**
 * Looks whether writes in doubt took effect: the bytes are there under a version that is not the one to be replaced.
 * Everything else keeps its error.
 */
export async function resolveLost(
  writes: readonly InDoubt[],
  place: DropboxPlace,
  signal: AbortSignal | undefined,
): Promise<Settled<Written>[]> {
  const inDoubt = writes.filter(({ error }) => error instanceof BackendError && error.outcomeUnknown).length;
  const listed = inDoubt > FEW && !signal?.aborted ? await listedFiles(place, signal) : undefined;
  const results: Settled<Written>[] = [];
  for (const write of writes) {
    const found = listed?.get(fold(write.path));
    if (listed === undefined) results.push(await resolveOne(write, place, signal));
    else
      results.push(
        found && isOurs(write, found) ? { ok: { file: { ...found, path: write.path } } } : { error: write.error },
      );
  }
  return results;
}

/** Everything by its folded path; empty when the look failed: whoever asked looks again, one by one. */
async function listedFiles(
  place: DropboxPlace,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, RemoteFile>> {
  try {
    const { files: found } = await place.list(signal === undefined ? {} : { signal });
    return new Map(found.map((file) => [fold(file.path), file]));
  } catch {
    return new Map();
  }
}

function isOurs({ error, mode, hash }: InDoubt, { rev, checksums }: RemoteFile): boolean {
  const inDoubt = error instanceof BackendError && error.outcomeUnknown;
  const replaced = mode[".tag"] === "update" ? mode.update : undefined;
  return inDoubt && checksums?.[0]?.value === hash && rev !== replaced;
}

async function resolveOne(
  { path, mode, hash, error }: InDoubt,
  place: DropboxPlace,
  signal: AbortSignal | undefined,
): Promise<Settled<Written>> {
  if (!(error instanceof BackendError) || !error.outcomeUnknown || signal?.aborted) return { error };
  try {
    const metadata = await metadataAt(path, place, signal);
    const replaced = mode[".tag"] === "update" ? mode.update : undefined;
    if (metadata?.[".tag"] === "file" && metadata.content_hash === hash && metadata.rev !== replaced) {
      return { ok: { file: answeredFile(place.root, path, metadata) } };
    }
  } catch {
    // The look failed as well: whoever asked looks again.
  }
  return { error };
}

type Metadata = files.FileMetadataReference | files.FolderMetadataReference | files.DeletedMetadataReference;

/** What is at a path; undefined when surely nothing is. */
export async function metadataAt(
  path: RelPath,
  { client, root }: DropboxPlace,
  signal: AbortSignal | undefined,
): Promise<Metadata | undefined> {
  try {
    const what = `look at "${path}"`;
    const { result } = await client.call({ what, signal }, (sdk, options) =>
      sdk.filesGetMetadata({ path: `${root}/${path}` }, options),
    );
    if (typeof result[".tag"] === "string") return result;
    throw new BackendError(`Could not ${what}: Dropbox does not say what it is`, { class: "TRANSIENT" });
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
