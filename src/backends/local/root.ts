import type { BigIntStats } from "node:fs";
import { lstat, mkdir, open, stat } from "node:fs/promises";
import type { Clock } from "../../lib/clock.ts";
import { faultPoint } from "../../lib/fault.ts";
import { foldersOf, joinUnder, type RelPath } from "../../lib/path.ts";
import type { NameRules, RemoteFile } from "../types.ts";
import { type Attempt, attempting, codeOf, goneError, rejected } from "./errors.ts";
import { remoteFile, type VersionOptions } from "./version.ts";

/** One opened remote folder. */
export interface LocalRoot {
  /** Absolute, real. */
  readonly folder: string;
  readonly clock: Clock;
  readonly names: NameRules;
  readonly version: VersionOptions;
  /** Turns false when the file system is seen to have no hard links. */
  hardLinks: boolean;
  /** Temporary files that a listing met and that seem to be nobody's; the next write removes those that are. */
  readonly leftovers: Set<string>;
  /** Absolute folders that were searched for such files before something was written there. */
  readonly tidied: Set<string>;
}

export function attemptOn(root: LocalRoot, verb: string, path: string): Attempt {
  return { folder: root.folder, verb, path };
}

/** Throws unless the remote folder is there. */
export async function requireRoot(attempt: Attempt): Promise<void> {
  if (!(await rootExists(attempt))) throw goneError(attempt);
}

export async function rootExists(attempt: Attempt): Promise<boolean> {
  const found = await attempting(attempt, () => unlessMissing(stat(attempt.folder)));
  if (found && !found.isDirectory())
    throw rejected(attempt, "a file is there, not a folder; correct local_folder or move the file away");
  return found !== undefined;
}

export type Parents =
  | { readonly kind: "ready" }
  | { readonly kind: "missing" }
  /** A file stands where a folder is needed. */
  | { readonly kind: "blocked"; readonly by: RelPath };

/** Looks at every folder in `folders` (outermost first). Throws for one that is a symbolic link: it may lead outside. */
export async function lookAtFolders(root: LocalRoot, folders: readonly RelPath[], attempt: Attempt): Promise<Parents> {
  for (const folder of folders) {
    const found = await attempting(attempt, () => unlessMissing(lstat(joinUnder(root.folder, folder))));
    if (found === undefined) return { kind: "missing" };
    if (found.isSymbolicLink()) throw rejected(attempt, `"${folder}" is a symbolic link, which is not followed`);
    if (!found.isDirectory()) return { kind: "blocked", by: folder };
  }
  return { kind: "ready" };
}

/**
 * What is at `path`, not following links: a file's facts, or undefined when there is surely no file (nothing, or a
 * folder). Throws when the remote folder itself is gone and for what is neither file nor folder.
 */
export async function findFile(root: LocalRoot, path: RelPath, attempt: Attempt): Promise<BigIntStats | undefined> {
  const found = await findAny(root, path, attempt);
  if (found === undefined || found.isDirectory()) return undefined;
  if (!found.isFile()) throw rejected(attempt, "it is not a regular file");
  return found;
}

/** Like {@link findFile}, folders and other things included. */
export async function findAny(root: LocalRoot, path: RelPath, attempt: Attempt): Promise<BigIntStats | undefined> {
  const parents = await lookAtFolders(root, foldersOf(path), attempt);
  const found = parents.kind === "ready" ? await lookAt(root, path, attempt) : undefined;
  if (found === undefined) await requireRoot(attempt);
  return found;
}

/** `lstat`, undefined when there is nothing. */
export function lookAt(root: LocalRoot, path: RelPath, attempt: Attempt): Promise<BigIntStats | undefined> {
  return attempting(attempt, () => unlessMissing(lstat(joinUnder(root.folder, path), { bigint: true })));
}

export function describe(root: LocalRoot, path: RelPath, found: BigIntStats): RemoteFile {
  return remoteFile(path, found, root.clock.now(), root.version);
}

/** Creates the folders above `path` that are missing; never the remote folder itself. */
export async function makeFolders(root: LocalRoot, path: RelPath, attempt: Attempt): Promise<void> {
  const folders = foldersOf(path);
  const parents = await lookAtFolders(root, folders, attempt);
  if (parents.kind === "ready") return;
  if (parents.kind === "blocked") throw rejected(attempt, `"${parents.by}" is a file, not a folder`);
  await requireRoot(attempt);
  await attempting(attempt, async () => {
    for (const folder of folders) {
      const absolute = joinUnder(root.folder, folder);
      faultPoint("local-mkdir");
      if (await unlessExists(mkdir(absolute))) await syncFolder(absolute.slice(0, absolute.lastIndexOf("/")));
    }
  });
  const made = await lookAtFolders(root, folders, attempt);
  if (made.kind !== "ready") throw rejected(attempt, "a folder above it cannot be made");
}

/** Makes what happened in a folder survive a power loss, where the file system has that. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EINVAL" && code !== "ENOTSUP" && code !== "EPERM" && code !== "EBADF") throw error;
  } finally {
    await handle.close();
  }
}

/** The result, or undefined when there is nothing at that path. */
export async function unlessMissing<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Whether it was made now; false when it was there already. */
async function unlessExists(making: Promise<unknown>): Promise<boolean> {
  try {
    await making;
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}
