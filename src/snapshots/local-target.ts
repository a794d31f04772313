import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { BackendError, LocalFileError } from "../backends/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { fsyncFile, isPartName, tempPathFor, writeAll } from "../lib/fs.ts";
import { hasher } from "../lib/hash.ts";
import { foldersOf, joinUnder, type RelPath } from "../lib/path.ts";
import type { ResumedFile } from "../lib/resumed-file.ts";
import { drain } from "../lib/streams.ts";
import { TEMP_PREFIX } from "../lib/temp-prefix.ts";

const READ_BYTES = 1024 * 1024;

/** What lies at a path below the folder that is restored to. */
export type TargetLook =
  | { readonly kind: "absent" }
  | {
      readonly kind: "file";
      readonly stamp: string;
      readonly identity: string;
      readonly size: number;
      readonly mode: number;
    }
  | BlockedTarget;

interface BlockedTarget {
  readonly kind: "blocked";
  readonly reason: string;
}

/**
 * Looks without following any link: a folder on the way that is a link or a file, and anything but a plain file at the end,
 * is `blocked`. `stamp` changes with every write to the file or its name; `identity` stays when only links to it are made.
 */
export function lookAtTarget(root: string, path: RelPath): TargetLook {
  const way = lookAtWay(root, path);
  if (way === "absent") return { kind: "absent" };
  if (way !== "clear") return way;
  const found = exactLstat(joinUnder(root, path));
  if (found === undefined) return { kind: "absent" };
  if (found.isSymbolicLink()) return { kind: "blocked", reason: "a symbolic link is there" };
  if (!found.isFile())
    return { kind: "blocked", reason: found.isDirectory() ? "a folder is there" : "it is no plain file" };
  const identity = `${found.size}-${found.mtimeNs}-${found.ino}`;
  return {
    kind: "file",
    stamp: `${identity}-${found.ctimeNs}`,
    identity,
    size: Number(found.size),
    mode: Number(found.mode) & 0o777,
  };
}

/** Looks at the folders that lead to a path, following no link: all are there, one is missing, or one is none. */
export function lookAtWay(root: string, path: RelPath): "clear" | "absent" | BlockedTarget {
  if (!path.isWellFormed()) return { kind: "blocked", reason: "its name is not valid Unicode" };
  for (const folder of foldersOf(path)) {
    const found = lstat(joinUnder(root, folder));
    if (found === undefined) return "absent";
    if (found.isSymbolicLink()) return { kind: "blocked", reason: `"${folder}" is a symbolic link` };
    if (!found.isDirectory()) return { kind: "blocked", reason: `"${folder}" is not a folder` };
  }
  return "clear";
}

/** SHA-256 of a local file, read in pieces. Throws LocalFileError. */
export async function hashLocalFile(file: string, signal?: AbortSignal): Promise<string> {
  const digest = hasher("sha256");
  const buffer = Buffer.alloc(READ_BYTES);
  try {
    const handle = await fs.promises.open(file, "r");
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await handle.read(buffer, 0, READ_BYTES);
        if (bytesRead === 0) return digest.hex();
        digest.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw localError("read", file, error);
  }
}

export interface TempFile {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Makes it durable and closes it: before it is put in place. Nothing is left of it when that fails. */
  finish(): Promise<void>;
  /** Closes and removes it. */
  drop(): void;
}

export interface TempOptions {
  /** Permission bits of the file that it will replace. */
  readonly mode?: number;
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

/** Writes a body into a temporary file beside `target`, whose folder exists. Nothing is left when it throws. */
export async function writeTemp(
  target: string,
  body: ReadableStream<Uint8Array>,
  options: TempOptions,
): Promise<TempFile> {
  const { mode, signal, onBytes } = options;
  const file = tempPathFor(target);
  let size = 0;
  faultPoint("restore-temp");
  const opened = openTemp(file, target, mode);
  if ("error" in opened) {
    await body.cancel(opened.error).catch(() => undefined);
    throw opened.error;
  }
  const { fd } = opened;
  const drop = (): void => {
    fs.closeSync(fd);
    fs.rmSync(file, { force: true });
  };
  try {
    const sink = (chunk: Uint8Array): void => {
      writeChunk(fd, chunk, target);
      size += chunk.length;
      onBytes?.(chunk.length);
    };
    await drain(body, sink, signal === undefined ? {} : { signal });
    if (mode !== undefined) fs.fchmodSync(fd, mode);
  } catch (error) {
    drop();
    throw error;
  }
  const finish = async (): Promise<void> => {
    await durable(fsyncFile(fd), { target, drop });
    fs.closeSync(fd);
  };
  return { file, size, finish, drop };
}

function openTemp(
  file: string,
  target: string,
  mode: number | undefined,
): { readonly fd: number } | { readonly error: unknown } {
  try {
    return { fd: asWriteOf(target, () => fs.openSync(file, "wx", mode ?? 0o666)) };
  } catch (error) {
    return { error };
  }
}

async function durable(syncing: Promise<void>, { target, drop }: { target: string; drop: () => void }): Promise<void> {
  try {
    await syncing;
  } catch (error) {
    drop();
    throw localError("write", target, error);
  }
}

/** The same for a body that goes on in a part. What came of it stays when it breaks off, not when it proves wrong. */
export async function writeToPart(
  part: ResumedFile,
  target: string,
  body: ReadableStream<Uint8Array>,
  options: TempOptions,
): Promise<TempFile> {
  const { mode, signal, onBytes } = options;
  let size = part.from;
  try {
    const sink = (chunk: Uint8Array): void => {
      faultPoint("restore-write");
      asWriteOf(target, () => part.write(chunk));
      size += chunk.length;
      onBytes?.(chunk.length);
    };
    await drain(body, sink, signal === undefined ? {} : { signal });
    if (mode !== undefined) fs.chmodSync(part.file, mode);
    const drop = (): void => part.drop();
    return { file: part.file, size, finish: () => durable(part.finish(), { target, drop }), drop };
  } catch (error) {
    const brokeOff = error instanceof BackendError && error.class !== "FILE_REJECTED";
    if (signal?.aborted || brokeOff) part.leave();
    else part.drop();
    await body.cancel(error).catch(() => undefined);
    throw error;
  }
}

/** Makes the folders that `path` needs below `root`, and `root` itself. Returns those whose entries changed, outermost first. */
export function makeFolders(root: string, path: RelPath): string[] {
  const changed: string[] = [];
  try {
    if (!fs.existsSync(root)) {
      fs.mkdirSync(root, { recursive: true });
      changed.push(dirname(root));
    }
    for (const folder of foldersOf(path)) {
      const full = joinUnder(root, folder);
      if (lstat(full) !== undefined) continue;
      faultPoint("restore-mkdir");
      makeFolder(full);
      changed.push(dirname(full));
    }
  } catch (error) {
    throw localError("make the folder for", joinUnder(root, path), error);
  }
  return changed;
}

/** Removes temporary files of ours from one folder below `root`, parts left out; does nothing where a link leads there. */
export function removeTemps(root: string, folder: RelPath | ""): void {
  const full = folder === "" ? root : joinUnder(root, folder);
  const steps = folder === "" ? [] : [...foldersOf(folder), folder];
  try {
    if (!steps.every((step) => lstat(joinUnder(root, step))?.isDirectory())) return;
    for (const name of fs.readdirSync(full)) {
      if (name.startsWith(TEMP_PREFIX) && !isPartName(name)) fs.rmSync(join(full, name), { force: true });
    }
  } catch {
    // Not there yet, or not ours to tidy: the restore itself will say what is wrong.
  }
}

/** Gives the temporary file its name where nothing may be. Throws LocalFileError with the code EEXIST when something is. */
export function placeNew(temp: string, target: string): void {
  faultPoint("restore-place");
  try {
    try {
      fs.linkSync(temp, target);
    } catch (error) {
      // No hard links on this file system (FAT, some network mounts): an exclusive create reserves the name instead.
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(codeOf(error) ?? "")) throw error;
      fs.closeSync(fs.openSync(target, "wx"));
      fs.renameSync(temp, target);
      return;
    }
    faultPoint("restore-unlink-temp");
    fs.unlinkSync(temp);
  } catch (error) {
    throw localError("write", target, error);
  }
}

/** Replaces `target`, in one step for every reader. */
export function placeOver(temp: string, target: string): void {
  faultPoint("restore-rename");
  try {
    fs.renameSync(temp, target);
  } catch (error) {
    throw localError("write", target, error);
  }
}

/** Says what could not be done with which file, with the system's code. */
export function localError(verb: string, file: string, error: unknown): LocalFileError {
  const code = codeOf(error);
  const options = { cause: error, ...(code === undefined ? {} : { code }) };
  return new LocalFileError(`cannot ${verb} "${file}": ${reasonOf(code, error)}`, options);
}

function writeChunk(fd: number, chunk: Uint8Array, target: string): void {
  faultPoint("restore-write");
  asWriteOf(target, () => writeAll(fd, chunk));
}

/** Runs what writes to `target`, its system errors told as such. */
export function asWriteOf<T>(target: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw localError("write", target, error);
  }
}

/** Another worker may have made it meanwhile; a link that appears there is found by the look before the file is placed. */
function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

function lstat(file: string): fs.Stats | undefined {
  return orAbsent(file, () => fs.lstatSync(file, { throwIfNoEntry: false }));
}

/** With times in nanoseconds. */
function exactLstat(file: string): fs.BigIntStats | undefined {
  return orAbsent(file, () => fs.lstatSync(file, { bigint: true, throwIfNoEntry: false }));
}

function orAbsent<T>(file: string, look: () => T | undefined): T | undefined {
  try {
    return look();
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw localError("look at", file, error);
  }
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function reasonOf(code: string | undefined, error: unknown): string {
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EROFS") return "the disk is read-only";
  if (code === "EEXIST") return "a file appeared there meanwhile";
  if (code === "ENOTDIR") return "a file is in the way";
  if (code === "ENAMETOOLONG") return "its name is too long for this disk";
  return error instanceof Error ? error.message : String(error);
}
