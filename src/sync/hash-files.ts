import * as fs from "node:fs";
import { LocalFileError } from "../backends/errors.ts";
import { hashBytes, hasher } from "../lib/hash.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { fileStat, sameStat } from "./file-stat.ts";
import { asLocalError, errorCode } from "./local-file.ts";
import type { ContentHash, FileStat } from "./model.ts";

/** The digests of a file and the stat that they belong to. */
export interface HashedFile {
  readonly hash: ContentHash;
  readonly stat: FileStat;
}

/** The calls that reading makes, so that a test can let the file change under them. */
export type ReadFs = Pick<
  typeof fs,
  "openSync" | "closeSync" | "fstatSync" | "readSync" | "read" | "readlinkSync" | "realpathSync" | "statSync"
>;

export interface HashOptions {
  readonly signal?: AbortSignal;
  readonly fs?: ReadFs;
}

/**
 * MD5 and SHA-256 of a project file, from one reading during which its stat did not move. Small files are read at once,
 * others in pieces that leave the event loop free.
 * Throws LocalFileError when the file is not there, not regular, not readable, outside the project, or keeps changing.
 */
export async function hashFile(root: string, path: RelPath, options: HashOptions = {}): Promise<HashedFile> {
  const calls = options.fs ?? fs;
  for (let attempt = 1; ; attempt++) {
    const fd = openInside(root, path, calls);
    try {
      const hashed = await hashOpen(fd, calls, options.signal);
      if (hashed) return hashed;
    } catch (error) {
      throw asLocalError(error, `could not read "${path}"`);
    } finally {
      calls.closeSync(fd);
    }
    if (attempt === ATTEMPTS) {
      throw new LocalFileError(
        `could not read "${path}": it keeps changing while it is read; run again when it is at rest`,
      );
    }
  }
}

const ATTEMPTS = 2;

/**
 * Opens a project file for reading and returns its descriptor, which the caller closes. The open file surely is a regular
 * one inside the project: what was opened is checked, not what was named (invariant I35), so a link swapped in
 * meanwhile is found out. Throws LocalFileError otherwise.
 */
export function openInside(root: string, path: RelPath, calls: ReadFs = fs): number {
  let fd: number;
  try {
    fd = calls.openSync(joinUnder(root, path), fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw asLocalError(error, `could not open "${path}"`);
  }
  try {
    if (!calls.fstatSync(fd).isFile()) throw new LocalFileError(`could not open "${path}": it is not a regular file`);
    if (isInside(root, path, fd, calls)) return fd;
    throw new LocalFileError(`refused to open "${path}": a link in it leaves the project`);
  } catch (error) {
    calls.closeSync(fd);
    throw asLocalError(error, `could not open "${path}"`);
  }
}

function isInside(root: string, path: RelPath, fd: number, calls: ReadFs): boolean {
  const open = nameOfOpen(fd, calls);
  if (open !== undefined) return below(root, open) || below(calls.realpathSync(root), open);
  const real = calls.realpathSync(joinUnder(root, path));
  if (!below(calls.realpathSync(root), real)) return false;
  const named = calls.statSync(real, { bigint: true });
  const opened = calls.fstatSync(fd, { bigint: true });
  return named.ino === opened.ino && named.dev === opened.dev;
}

/** Linux tells the path of an open file (proc(5)), links resolved. */
function nameOfOpen(fd: number, calls: ReadFs): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return calls.readlinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

function below(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

const SMALL_BYTES = 1 << 18;
const PIECE_BYTES = 1 << 20;

/** Undefined when the file changed meanwhile. */
async function hashOpen(fd: number, calls: ReadFs, signal: AbortSignal | undefined): Promise<HashedFile | undefined> {
  const stat = fileStat(calls.fstatSync(fd, { bigint: true }));
  const hash =
    stat.size <= SMALL_BYTES ? hashSmall(fd, stat.size, calls) : await hashLarge(fd, stat.size, calls, signal);
  const after = fileStat(calls.fstatSync(fd, { bigint: true }));
  return hash && sameStat(stat, after) ? { hash, stat } : undefined;
}

/** Reads one byte more than there should be, to see the end. */
function hashSmall(fd: number, size: number, calls: ReadFs): ContentHash | undefined {
  const bytes = Buffer.allocUnsafe(size + 1);
  let at = 0;
  for (let read = 1; read > 0 && at <= size; at += read) read = calls.readSync(fd, bytes, at, bytes.length - at, null);
  if (at !== size) return undefined;
  const content = bytes.subarray(0, size);
  return { md5: hashBytes("md5", content), sha256: hashBytes("sha256", content) };
}

async function hashLarge(
  fd: number,
  size: number,
  calls: ReadFs,
  signal: AbortSignal | undefined,
): Promise<ContentHash | undefined> {
  const md5 = hasher("md5");
  const sha256 = hasher("sha256");
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let at = 0;
  while (at <= size) {
    signal?.throwIfAborted();
    const read = await readPiece(fd, piece, calls);
    if (read === 0) break;
    md5.update(piece.subarray(0, read));
    sha256.update(piece.subarray(0, read));
    at += read;
  }
  return at === size ? { md5: md5.hex(), sha256: sha256.hex() } : undefined;
}

function readPiece(fd: number, piece: Buffer, calls: ReadFs): Promise<number> {
  return new Promise((resolve, reject) => {
    calls.read(fd, piece, 0, piece.length, null, (error, read) => (error ? reject(error) : resolve(read)));
  });
}
