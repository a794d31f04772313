import * as fs from "node:fs";
import { hashBytes, hasher } from "../lib/hash.ts";
import type { RelPath } from "../lib/path.ts";
import { fromBytes } from "../lib/streams.ts";
import { fileStat, sameStat } from "./file-stat.ts";
import { asLocalError, StalePlanError } from "./local-file.ts";
import type { ContentHash, FileStat } from "./model.ts";
import type { KnownSource, Progress } from "./run-context.ts";

/** Files up to this size are read once and sent from memory. Bytes. */
export const SMALL_FILE = 1 << 20;

const CHUNK = 1 << 18;
/** Opening a pipe that took the file's place must not wait for a writer. */
const READ_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

/** One local file's content as it is to be sent. */
export interface LocalContent {
  readonly hash: ContentHash;
  readonly small: boolean;
  /** Opens bodies that never end well unless they were exactly the content that `hash` names. */
  readonly source: KnownSource;
  /** Why a body that `source` opened last broke off, when the reason is on this side. */
  failure(): unknown;
}

export interface ContentOptions {
  readonly planned: FileStat;
  readonly hash?: ContentHash;
  readonly signal?: AbortSignal;
  readonly onProgress: Progress;
}

/**
 * Reads a file that must still be what the plan saw. A small one is held in memory; a larger one is digested (unless
 * `hash` is given) and read again for every body. Throws StalePlanError when it differs or changes meanwhile (I6),
 * LocalFileError when it cannot be read.
 */
export async function localContent(absolute: string, path: RelPath, options: ContentOptions): Promise<LocalContent> {
  try {
    if (options.planned.size <= SMALL_FILE) return smallContent(absolute, path, options);
    return await largeContent(absolute, path, options);
  } catch (error) {
    throw asLocalError(error, `could not read "${path}"`);
  }
}

function smallContent(absolute: string, path: RelPath, options: ContentOptions): LocalContent {
  const fd = fs.openSync(absolute, READ_FLAGS);
  const bytes = Buffer.allocUnsafe(options.planned.size + 1);
  let length = 0;
  try {
    requirePlanned(fd, path, options.planned);
    for (let count = -1; count !== 0 && length < bytes.length; length += count) {
      count = fs.readSync(fd, bytes, length, bytes.length - length, null);
    }
    requirePlanned(fd, path, options.planned);
  } finally {
    fs.closeSync(fd);
  }
  if (length !== options.planned.size) throw changing(path);
  const body = bytes.subarray(0, length);
  const hash = { md5: hashBytes("md5", body), sha256: hashBytes("sha256", body) };
  return {
    hash,
    small: true,
    source: { size: length, ...hash, open: () => fromBytes(body) },
    failure: () => undefined,
  };
}

async function largeContent(absolute: string, path: RelPath, options: ContentOptions): Promise<LocalContent> {
  const hash = options.hash ?? (await digestFile(absolute, path, options));
  const size = options.planned.size;
  let failure: unknown;
  const open = () => {
    failure = undefined;
    const guarded = { absolute, path, size, sha256: hash.sha256, onProgress: options.onProgress };
    return guardedBody(guarded, (error) => {
      failure = asLocalError(error, `could not read "${path}"`);
    });
  };
  requireStillPlanned(absolute, path, options.planned);
  return { hash, small: false, source: { size, ...hash, open }, failure: () => failure };
}

/** Both digests of a file, which must be the planned one before and after. */
export async function digestFile(
  absolute: string,
  path: RelPath,
  options: { readonly planned: FileStat; readonly signal?: AbortSignal },
): Promise<ContentHash> {
  const [md5, sha256] = [hasher("md5"), hasher("sha256")];
  const handle = await fs.promises.open(absolute, READ_FLAGS);
  try {
    requirePlanned(handle.fd, path, options.planned);
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      options.signal?.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, CHUNK, null);
      if (bytesRead === 0) break;
      md5.update(chunk.subarray(0, bytesRead));
      sha256.update(chunk.subarray(0, bytesRead));
    }
    requirePlanned(handle.fd, path, options.planned);
  } finally {
    await handle.close();
  }
  return { md5: md5.hex(), sha256: sha256.hex() };
}

interface Guarded {
  readonly absolute: string;
  /** For messages. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly onProgress: Progress;
}

/**
 * A body that holds its last piece back until the digest of the whole is the expected one: a file that changes while
 * it is sent makes the body fail short of its announced size, so that no mixture can be taken for a whole (I6).
 */
function guardedBody(file: Guarded, onFailure: (error: unknown) => void): ReadableStream<Uint8Array> {
  const digest = hasher("sha256");
  let handle: fs.promises.FileHandle | undefined;
  let held: Uint8Array | undefined;
  let read = 0;
  let cancelled = false;
  const close = async () => {
    const closing = handle;
    handle = undefined;
    await closing?.close();
  };
  /** The next piece that may be sent, and whether it is the last. */
  const advance = async (): Promise<{ readonly piece: Uint8Array | undefined; readonly last: boolean }> => {
    handle ??= await fs.promises.open(file.absolute, READ_FLAGS);
    const chunk = new Uint8Array(CHUNK);
    const { bytesRead } = await handle.read(chunk, 0, CHUNK, null);
    read += bytesRead;
    const ready = held;
    if (bytesRead === 0) {
      if (read !== file.size || digest.hex() !== file.sha256) throw changing(file.path);
      return { piece: ready, last: true };
    }
    if (read > file.size) throw changing(file.path);
    held = chunk.subarray(0, bytesRead);
    digest.update(held);
    return { piece: ready, last: false };
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { piece, last } = await advance();
            if (cancelled) return await close();
            if (piece !== undefined) controller.enqueue(piece);
            file.onProgress(last ? read : read - (held?.length ?? 0));
            if (last) {
              await close();
              return controller.close();
            }
            if (piece !== undefined) return;
          }
        } catch (error) {
          await close();
          if (cancelled) return;
          onFailure(error);
          throw error;
        }
      },
      async cancel() {
        cancelled = true;
        await close();
      },
    },
    { highWaterMark: 0 },
  );
}

function requirePlanned(fd: number, path: RelPath, planned: FileStat): void {
  const stat = fs.fstatSync(fd, { bigint: true });
  if (!stat.isFile() || !sameStat(fileStat(stat), planned)) throw changing(path);
}

function requireStillPlanned(absolute: string, path: RelPath, planned: FileStat): void {
  const stat = fs.statSync(absolute, { bigint: true });
  if (!stat.isFile() || !sameStat(fileStat(stat), planned)) throw changing(path);
}

function changing(path: string): StalePlanError {
  return new StalePlanError(`did not send "${path}": it changed while this run was under way; the next run sends it`);
}
