import type { files } from "dropbox";
import type { Settled } from "../../lib/coalesce.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import type { Written } from "../types.ts";
import { answeredFile } from "./files.ts";
import type { DropboxPlace } from "./place.ts";

/** A write whose answer was lost, or refused after an earlier sending. */
export interface InDoubt {
  readonly path: RelPath;
  readonly mode: files.WriteMode;
  /** content_hash of what was sent. */
  readonly hash: string;
  readonly error: unknown;
}

/**
 * Looks whether writes in doubt took effect: the bytes are there under a version that is not the one to be replaced.
 * Everything else keeps its error. One request each: answers are lost rarely.
 */
export async function resolveLost(
  writes: readonly InDoubt[],
  place: DropboxPlace,
  signal: AbortSignal | undefined,
): Promise<Settled<Written>[]> {
  const results: Settled<Written>[] = [];
  for (const write of writes) results.push(await resolveOne(write, place, signal));
  return results;
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
    const { result } = await client.call({ what: `look at "${path}"`, signal }, (sdk, options) =>
      sdk.filesGetMetadata({ path: `${root}/${path}` }, options),
    );
    return result;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
