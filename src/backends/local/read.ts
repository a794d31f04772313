import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { joinUnder, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Opened, ReadOptions, RemoteFile } from "../types.ts";
import { type Attempt, attempting, localError, rejected, subject } from "./errors.ts";
import { attemptOn, describe, findAny, type LocalRoot, unlessMissing } from "./root.ts";
import { nativeHashOf, revOf } from "./version.ts";

const CHUNK = 256 * 1024;

/**
 * The contract's `read`. The facts are those of the very file that is open: a replacement by rename does not show in
 * the body, and a change in place makes the body fail at its end.
 */
export async function readLocal(root: LocalRoot, path: RelPath, options: ReadOptions = {}): Promise<Opened> {
  const { expect, signal, from = 0 } = options;
  signal?.throwIfAborted();
  const attempt = attemptOn(root, "read", path);
  const found = await findAny(root, path, attempt);
  if (found && !found.isFile()) throw rejected(attempt, "it is not a regular file");
  const handle = found && (await openFile(root, path, attempt));
  if (!handle) throw new NotFoundError(`cannot read ${subject(attempt)}: it is not there`);
  try {
    const stat = await attempting(attempt, () => handle.stat({ bigint: true }));
    if (!stat.isFile()) throw rejected(attempt, "it is not a regular file");
    const rev = revOf(stat, root.version);
    if (expect !== undefined && expect !== rev) {
      throw new StaleError(`cannot read ${subject(attempt)}: version ${expect} was expected and ${rev} is there`);
    }
    signal?.throwIfAborted();
    const file = describe(root, path, stat);
    return { file, body: bodyOf(handle, { file, from }, attempt, signal) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Links are not followed, and a pipe that was put there meanwhile does not block. */
function openFile(root: LocalRoot, path: RelPath, attempt: Attempt): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  return attempting(attempt, () => unlessMissing(open(joinUnder(root.folder, path), flags)));
}

function bodyOf(
  handle: FileHandle,
  { file, from }: { readonly file: RemoteFile; readonly from: number },
  attempt: Attempt,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  let at = from;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          signal?.throwIfAborted();
          const buffer = new Uint8Array(Math.min(CHUNK, Math.max(file.size - at, 1)));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
          at += bytesRead;
          if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
          await requireUnchanged(handle, file, at, attempt);
          await handle.close();
          controller.close();
        } catch (error) {
          await handle.close().catch(() => undefined);
          throw localError(error, attempt);
        }
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  );
}

async function requireUnchanged(handle: FileHandle, file: RemoteFile, length: number, attempt: Attempt): Promise<void> {
  const now = nativeHashOf(await handle.stat({ bigint: true }));
  if (length === file.size && now === file.nativeHash) return;
  throw new BackendError(`cannot read ${subject(attempt)}: it changed while it was read`, { class: "TRANSIENT" });
}
