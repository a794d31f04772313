import { NotFoundError, StaleError } from "../../backends/errors.ts";
import type { Backend, RemoteFile } from "../../backends/types.ts";
import { remoteHash, sameByChecksum } from "../../sync/contents.ts";
import type { BaseEntry, ContentHash, ItemError } from "../../sync/model.ts";

/** What stands in a mirror's place for a file, against what this machine has put there and wants there. */
export type Found =
  | { readonly kind: "absent" }
  /** What is wanted there is there. */
  | { readonly kind: "wanted"; readonly file: RemoteFile; readonly hash: ContentHash }
  /** The version that this machine has put there. */
  | { readonly kind: "ours"; readonly file: RemoteFile }
  /** Somebody else's content. */
  | { readonly kind: "foreign"; readonly file: RemoteFile; readonly hash: ContentHash };

export interface Expected {
  /** What is to be there; undefined: nothing. */
  readonly wanted?: BaseEntry;
  readonly record?: BaseEntry;
  /** MD5 of a content that may be there by right. */
  readonly was?: string;
}

/** Looks at one file of a mirror, and reads it where its version does not tell. Throws what the backend throws. */
export async function examine(
  backend: Backend,
  path: RemoteFile["path"],
  expected: Expected,
  options: { readonly signal: AbortSignal },
): Promise<Found> {
  for (let round = 0; ; round++) {
    const file = await backend.stat(path, options);
    if (file === undefined) return { kind: "absent" };
    try {
      return await judge(backend, file, expected, options);
    } catch (error) {
      const moved = error instanceof StaleError || error instanceof NotFoundError;
      if (!moved || round === MOST_ROUNDS) throw error;
    }
  }
}

const MOST_ROUNDS = 2;

async function judge(
  backend: Backend,
  file: RemoteFile,
  { wanted, record, was }: Expected,
  options: { readonly signal: AbortSignal },
): Promise<Found> {
  if (record !== undefined && isVersion(backend, file, record)) return { kind: "ours", file };
  const known = wanted?.sha256 === undefined ? undefined : { md5: wanted.md5, sha256: wanted.sha256 };
  if (known && wanted?.size === file.size && sameByChecksum(file, known)) return { kind: "wanted", file, hash: known };
  const hash = await remoteHash(backend, file, options);
  if (wanted !== undefined && hash.md5 === wanted.md5) return { kind: "wanted", file, hash };
  const ours = hash.md5 === was || (record !== undefined && record.md5 !== "" && hash.md5 === record.md5);
  return ours ? { kind: "ours", file } : { kind: "foreign", file, hash };
}

/** Whether the version surely is the recorded one. */
export function isVersion(backend: Backend, file: RemoteFile, record: BaseEntry): boolean {
  if (record.racy || file.racy) return false;
  if (record.rev !== undefined) return record.rev === file.rev;
  return record.nativeHash !== "" && backend.canonicalHash(record.nativeHash) === file.nativeHash;
}

/** How a file is told that is somebody else's by now. */
export function driftError(path: string, name: string): ItemError {
  return {
    class: "STALE",
    message: `left "${path}" on ${name} alone: somebody else has changed it there`,
  };
}
