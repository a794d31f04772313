import { NotFoundError, StaleError } from "../backends/errors.ts";
import type { Backend, RemoteFile } from "../backends/types.ts";
import { hasher } from "../lib/hash.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { type ByteStream, drain } from "../lib/streams.ts";
import { localContent } from "./local-content.ts";
import type { ContentHash, FileStat } from "./model.ts";

/** Reads a remote file through and digests it; nothing is kept. Throws StaleError when it is another version by now. */
export async function remoteHash(
  backend: Backend,
  file: RemoteFile,
  options: { readonly signal: AbortSignal },
): Promise<ContentHash> {
  const { body } = await backend.read(file.path, { expect: file.rev, signal: options.signal });
  return digest(body, options);
}

/** Looks a remote file up by reading it through: one request for its version and its content. Undefined: not there. */
export async function readThrough(
  backend: Backend,
  path: RelPath,
  options: { readonly signal: AbortSignal },
): Promise<{ readonly file: RemoteFile; readonly hash: ContentHash } | undefined> {
  try {
    const { file, body } = await backend.read(path, options);
    return { file, hash: await digest(body, options) };
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

async function digest(body: ByteStream, options: { readonly signal: AbortSignal }): Promise<ContentHash> {
  const md5 = hasher("md5");
  const sha256 = hasher("sha256");
  await drain(
    body,
    (chunk) => {
      md5.update(chunk);
      sha256.update(chunk);
    },
    options,
  );
  return { md5: md5.hex(), sha256: sha256.hex() };
}

/** What a remote file is that moved on between a listing and its reading; throws every other error again. */
export function movedOn(error: unknown): { readonly kind: "unusable"; readonly reason: string } {
  if (!(error instanceof StaleError || error instanceof NotFoundError)) throw error;
  return { kind: "unusable", reason: "it changed on the remote while it was read; run again" };
}

/** Whether the server's own checksums settle the question; undefined when it has none that we can compare. */
export function sameByChecksum(file: RemoteFile, hash: ContentHash): boolean | undefined {
  for (const { kind, value } of file.checksums ?? []) {
    if (kind === "sha256") return value === hash.sha256;
    if (kind === "md5") return value === hash.md5;
  }
  return undefined;
}

export interface LocalPlace {
  /** The project folder. */
  readonly root: string;
  readonly path: RelPath;
  readonly stat: FileStat;
  readonly signal: AbortSignal;
}

/**
 * Whether a local file that must still have this stat is what the backend's own checksum names; undefined where the
 * backend cannot tell. Asks nothing of the remote.
 */
export async function isVouched(backend: Backend, file: RemoteFile, place: LocalPlace): Promise<boolean | undefined> {
  const { root, path, stat, signal } = place;
  if (backend.vouches === undefined || file.size !== stat.size || file.racy) return undefined;
  const options = { planned: stat, signal, onProgress: () => undefined };
  const { source } = await localContent(joinUnder(root, path), path, options);
  return backend.vouches(file, source);
}
