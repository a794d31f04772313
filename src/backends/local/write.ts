import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, link, open, readdir, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { faultPoint } from "../../lib/fault.ts";
import { tempPathFor } from "../../lib/fs.ts";
import { type Hasher, hasher } from "../../lib/hash.ts";
import { claimPart, LARGE_TRANSFER, type PartName, releasePart } from "../../lib/part-file.ts";
import { joinUnder, type RelPath } from "../../lib/path.ts";
import { drain } from "../../lib/streams.ts";
import { BackendError, LocalFileError, StaleError } from "../errors.ts";
import type { Expect, Source, WriteOptions, Written } from "../types.ts";
import { type Attempt, attempting, codeOf, localError, rejected, subject } from "./errors.ts";
import { mayBeLeftover, removeLeftover } from "./leftovers.ts";
import { withPathLock } from "./lock.ts";
import { attemptOn, describe, findAny, type LocalRoot, lookAt, makeFolders, syncFolder } from "./root.ts";
import { dateFile, revOf } from "./version.ts";

/**
 * The contract's `write`: temporary file in the same folder, fsync, guard, link (nothing may be there) or rename (a
 * version may), fsync of the folder. The body is held to its size and digests before anything is touched.
 */
export async function writeLocal(
  root: LocalRoot,
  path: RelPath,
  source: Source,
  options: WriteOptions,
): Promise<Written> {
  options.signal?.throwIfAborted();
  const attempt = attemptOn(root, "write", path);
  const replaced = await findAny(root, path, attempt);
  await removeLeftovers(root, dirname(joinUnder(root.folder, path)));
  requireExpected(root, replaced, options.expect, attempt);
  await makeFolders(root, path, attempt);
  const part = partFor(root, path, source);
  const fill = (temp: string): Promise<void> =>
    fillTemp(root, { temp, resumed: part !== undefined }, source, replaced, attempt, options.signal);
  try {
    return await placeNew(root, path, attempt, { ...options, ...(part && { part: part.file }) }, fill);
  } finally {
    if (part) releasePart(part.file);
  }
}

/** A large body whose digest is known goes on in what a killed run left of it. */
function partFor(root: LocalRoot, path: RelPath, { size, sha256 }: Source): PartName | undefined {
  if (size < LARGE_TRANSFER || sha256 === undefined) return undefined;
  return claimPart(joinUnder(root.folder, path), `${size} ${sha256}`);
}

/** The contract's `remove`. */
export async function removeLocal(root: LocalRoot, path: RelPath, options: WriteOptions): Promise<void> {
  const { expect, signal } = options;
  signal?.throwIfAborted();
  const attempt = attemptOn(root, "remove", path);
  const first = await findAny(root, path, attempt);
  requireExpected(root, first, expect, attempt);
  if (first === undefined) return;
  const target = joinUnder(root.folder, path);
  await removeLeftovers(root, dirname(target));
  await attempting(attempt, () =>
    withPathLock(root, target, attempt, { signal }, async (stillOurs) => {
      const found = await lookAt(root, path, attempt);
      requireExpected(root, found, expect, attempt);
      await stillOurs();
      faultPoint("local-unlink");
      if (found !== undefined) await rm(target, { force: true });
      await syncFolder(dirname(target));
    }),
  );
}

/** Makes a new file with `fill` under a temporary name and puts it at `path` if that is what `expect` says. */
export async function placeNew(
  root: LocalRoot,
  path: RelPath,
  attempt: Attempt,
  options: WriteOptions & { readonly part?: string },
  fill: (temp: string) => Promise<void>,
): Promise<Written> {
  const target = joinUnder(root.folder, path);
  const temp = options.part ?? tempPathFor(target);
  try {
    await fill(temp);
    options.signal?.throwIfAborted();
    await attempting(attempt, () => place(root, path, temp, attempt, options));
  } catch (error) {
    const brokeOff = options.signal?.aborted || (error instanceof BackendError && error.class === "TRANSIENT");
    if (options.part === undefined || !brokeOff) await rm(temp, { force: true }).catch(() => undefined);
    throw error;
  }
  const found = await lookAt(root, path, attempt);
  return found?.isFile() ? { file: describe(root, path, found) } : {};
}

async function place(
  root: LocalRoot,
  path: RelPath,
  temp: string,
  attempt: Attempt,
  options: WriteOptions,
): Promise<void> {
  const target = joinUnder(root.folder, path);
  if (options.expect === "absent" && (await placeByLink(root, temp, target, attempt))) return;
  await withPathLock(root, target, attempt, options, async (stillOurs) => {
    requireExpected(root, await lookAt(root, path, attempt), options.expect, attempt);
    await stillOurs();
    faultPoint("local-rename");
    await rename(temp, target);
  });
  await syncFolder(dirname(target));
}

/** Creates `target` as a second name of `temp`, which the file system itself refuses when it is taken. */
async function placeByLink(root: LocalRoot, temp: string, target: string, attempt: Attempt): Promise<boolean> {
  if (!(await linkNew(root, temp, target, attempt))) return false;
  faultPoint("local-unlink-temp");
  await unlink(temp);
  await syncFolder(dirname(target));
  return true;
}

/** False when this file system has no hard links. Throws StaleError when `to` is taken. */
export async function linkNew(root: LocalRoot, from: string, to: string, attempt: Attempt): Promise<boolean> {
  if (!root.hardLinks) return false;
  faultPoint("local-link");
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST") throw staleError(attempt, "absent", "a file");
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS" && code !== "EMLINK") {
      throw error;
    }
    if (code !== "EMLINK") root.hardLinks = false;
    return false;
  }
}

/** Throws unless what was found is what `expect` names. */
export function requireExpected(
  root: LocalRoot,
  found: BigIntStats | undefined,
  expect: Expect,
  attempt: Attempt,
): void {
  if (found?.isDirectory()) throw rejected(attempt, "a folder is there");
  if (found && !found.isFile()) throw rejected(attempt, "something that is not a regular file is there");
  if (expect === "any") return;
  const state = found === undefined ? "absent" : revOf(found, root.version);
  if (state !== expect) throw staleError(attempt, expect, state);
}

function staleError(attempt: Attempt, expect: string, found: string): StaleError {
  return new StaleError(`cannot ${attempt.verb} ${subject(attempt)}: expected ${expect} and found ${found}`);
}

async function fillTemp(
  root: LocalRoot,
  { temp, resumed }: { readonly temp: string; readonly resumed: boolean },
  source: Source,
  replaced: BigIntStats | undefined,
  attempt: Attempt,
  signal: AbortSignal | undefined,
): Promise<void> {
  faultPoint("local-temp");
  const handle = await attempting(attempt, () => open(temp, resumed ? PART_FLAGS : "wx", 0o666));
  try {
    const put = resumed ? await afterEqual(handle, attempt) : (chunk: Uint8Array) => writeChunk(handle, chunk, attempt);
    await copyBody(put, source, attempt, signal);
    if (resumed) await attempting(attempt, () => handle.truncate(source.size));
    await attempting(attempt, () => seal(root, handle, replaced));
  } finally {
    await handle.close();
  }
}

/** Keeps the permission bits of the file to be replaced, dates the new one and makes it survive a power loss. */
export async function seal(root: LocalRoot, handle: FileHandle, replaced: BigIntStats | undefined): Promise<void> {
  if (replaced) await handle.chmod(Number(replaced.mode & 0o777n)).catch(() => undefined);
  await dateFile(handle, root.clock.now(), replaced);
  faultPoint("local-fsync");
  await handle.sync();
}

const PART_FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

/** Takes the next bytes of a body. */
type Put = (chunk: Uint8Array) => Promise<void>;

/** Writes only from the first byte on that differs from what the file holds: nothing in it needs to be believed. */
async function afterEqual(handle: FileHandle, attempt: Attempt): Promise<Put> {
  let there = Number((await attempting(attempt, () => handle.stat())).size);
  let at = 0;
  return async (chunk) => {
    const due = Math.min(chunk.length, there - at);
    if (due > 0) {
      const old = Buffer.allocUnsafe(due);
      const { bytesRead } = await attempting(attempt, () => handle.read(old, 0, due, at));
      if (bytesRead !== due || old.compare(chunk, 0, due) !== 0) there = at;
    }
    const kept = Math.max(0, Math.min(chunk.length, there - at));
    if (kept < chunk.length) await writeChunk(handle, chunk.subarray(kept), attempt, at + kept);
    at += chunk.length;
  };
}

async function copyBody(put: Put, source: Source, attempt: Attempt, signal: AbortSignal | undefined): Promise<void> {
  const digests: { readonly kind: "sha256" | "md5"; readonly told: string; readonly hash: Hasher }[] = [];
  for (const kind of ["sha256", "md5"] as const) {
    const told = source[kind];
    if (told !== undefined) digests.push({ kind, told, hash: hasher(kind) });
  }
  let length = 0;
  await fromSource(attempt, source, signal, async (chunk) => {
    length += chunk.length;
    if (length > source.size) throw wrongLength(attempt, source.size, `more than that`);
    for (const { hash } of digests) hash.update(chunk);
    await put(chunk);
  });
  if (length !== source.size) throw wrongLength(attempt, source.size, `${length}`);
  for (const { kind, told, hash } of digests) {
    if (hash.hex() !== told) throw rejected(attempt, `the bytes that were sent do not have the announced ${kind}`);
  }
}

/** Drains the body; a failure of its own is the local file's, never the remote folder's. */
async function fromSource(
  attempt: Attempt,
  source: Source,
  signal: AbortSignal | undefined,
  sink: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  try {
    await drain(source.open(), sink, signal ? { signal } : {});
  } catch (error) {
    if (signal?.aborted || error instanceof BackendError || error instanceof LocalFileError) throw error;
    const code = codeOf(error);
    throw new LocalFileError(`cannot read what is to be written to ${subject(attempt)}: ${String(error)}`, {
      cause: error,
      ...(code === undefined ? {} : { code }),
    });
  }
}

/** Writes every byte: a full disk can show as a short count without an error. */
async function writeChunk(handle: FileHandle, chunk: Uint8Array, attempt: Attempt, position?: number): Promise<void> {
  let at = 0;
  faultPoint("local-write");
  while (at < chunk.length) {
    const to = position === undefined ? null : position + at;
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, to).catch((error: unknown) => {
      throw localError(error, attempt);
    });
    if (bytesWritten <= 0) throw localError(Object.assign(new Error("short write"), { code: "ENOSPC" }), attempt);
    at += bytesWritten;
  }
}

function wrongLength(attempt: Attempt, announced: number, came: string): BackendError {
  return rejected(attempt, `${announced} bytes were announced and ${came} came`);
}

/** Takes away what killed runs left where a listing came by, and in the folder that is about to be written to. */
async function removeLeftovers(root: LocalRoot, folder: string): Promise<void> {
  const files = [...root.leftovers];
  root.leftovers.clear();
  if (!root.tidied.has(folder)) {
    root.tidied.add(folder);
    const names = await readdir(folder).catch((): string[] => []);
    files.push(...names.filter(mayBeLeftover).map((name) => join(folder, name)));
  }
  for (const file of files) await removeLeftover(file);
}
