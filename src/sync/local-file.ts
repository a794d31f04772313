import * as fs from "node:fs";
import { join, sep } from "node:path";
import { LocalFileError } from "../backends/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { fsyncFolder } from "../lib/fs.ts";
import { joinUnder, parentOf, type RelPath } from "../lib/path.ts";
import { systemState } from "../lib/system-error.ts";
import { fileStat, sameStat } from "./file-stat.ts";
import type { FileStat } from "./model.ts";

/** What the plan assumed about a local file no longer holds. Nothing was changed; the next run looks again. */
export class StalePlanError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StalePlanError";
  }
}

/** An error for each file that is not there would cost more than the look. */
const EXACT = { bigint: true, throwIfNoEntry: false } as const;

/** What stands at an absolute path now, links followed: a regular file, nothing at all, a folder, or something else. */
export function lookAt(absolute: string): FileStat | "absent" | "folder" | "other" {
  let stat: fs.BigIntStats | undefined;
  try {
    stat = fs.lstatSync(absolute, EXACT);
    if (stat === undefined) return "absent";
    if (stat.isSymbolicLink()) stat = fs.statSync(absolute, EXACT);
    if (stat === undefined) return "other";
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") return "absent";
    throw error;
  }
  if (stat.isFile()) return fileStat(stat);
  return stat.isDirectory() ? "folder" : "other";
}

/**
 * Removes the folder at `absolute` where it and the folders in it hold no file: nothing of a user's is in it, and a file
 * may take its name. A folder that holds anything stays, with all that is in it.
 */
export function removeEmptyFolder(absolute: string): void {
  if (lookAt(absolute) !== "folder" || fs.lstatSync(absolute).isSymbolicLink() || holdsFiles(absolute)) return;
  for (const name of fs.readdirSync(absolute)) removeEmptyFolder(join(absolute, name));
  faultPoint("clear-folder");
  try {
    fs.rmdirSync(absolute);
  } catch (error) {
    if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
  }
}

function holdsFiles(folder: string): boolean {
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .some((entry) => !entry.isDirectory() || holdsFiles(join(folder, entry.name)));
}

/** Fails with StalePlanError unless `path` below `root` still is what the plan saw. */
export function requireUnchanged(absolute: string, path: RelPath, planned: FileStat | "absent"): void {
  const found = lookAt(absolute);
  if (found === "absent" && planned === "absent") return;
  if (typeof found === "object" && planned !== "absent" && sameStat(found, planned)) return;
  const state = found === "absent" ? "it is gone" : planned === "absent" ? "it has appeared" : "it has changed";
  throw new StalePlanError(`left "${path}" alone: ${state} since this run looked at it; run again`);
}

/** Reads the folders of one project safely: no path leads out of the root through a symbolic link. */
export interface LocalRoot {
  readonly path: string;
  /** Absolute path of a file, its folder checked. Throws LocalFileError when a link leads the folder out of the root. */
  file(path: RelPath): string;
  /** Like `file`, missing folders created and made durable. */
  fileToCreate(path: RelPath): string;
  /** Absolute path of the file to replace: where a link inside the root points, else `file`. */
  fileToReplace(path: RelPath): string;
  /** Removes the folders above `path` that are empty now, never the root. */
  pruneFolders(path: RelPath): void;
  /** Throws LocalFileError when the root is no longer the folder it was: an unmounted disk looks like deleted files. */
  requireRoot(): void;
}

export function openLocalRoot(root: string): LocalRoot {
  const real = fs.realpathSync(root);
  const identity = folderIdentity(root);
  const file = (path: RelPath) => {
    requireInside(root, real, path);
    return joinUnder(root, path);
  };
  return {
    path: root,
    file,
    fileToCreate(path) {
      const absolute = file(path);
      return createFolders(root, parentOf(path)) ? file(path) : absolute;
    },
    fileToReplace(path) {
      const absolute = file(path);
      if (!fs.lstatSync(absolute, { throwIfNoEntry: false })?.isSymbolicLink()) return absolute;
      const target = fs.realpathSync(absolute);
      if (isBelow(target, real)) return target;
      throw new LocalFileError(`refused to replace "${path}": it is a link that leaves the project`);
    },
    pruneFolders: (path) => pruneFolders(root, path),
    requireRoot() {
      if (folderIdentity(root) === identity) return;
      throw new LocalFileError(`could not trust "${root}": the folder was replaced or unmounted during this run`);
    },
  };
}

/** A system error as a LocalFileError that says what was attempted; every other error as it is. */
export function asLocalError(error: unknown, attempted: string): unknown {
  const code = errorCode(error);
  if (code === undefined || !(error instanceof Error) || !("syscall" in error || code === "ENOSPC")) return error;
  return new LocalFileError(`${attempted}: ${REASONS[code] ?? systemState(error)}`, { code, cause: error });
}

export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space and run again",
  EDQUOT: "your disk quota is used up; free some space and run again",
  EACCES: "permission denied; check the owner and mode of the file and its folder",
  EPERM: "the system does not permit it; check the owner and attributes of the file and its folder",
  EROFS: "the file system is mounted read-only",
  ENAMETOOLONG: "the name is too long for this file system",
  ENOTDIR: "a file stands where a folder is needed",
  EISDIR: "a folder stands where a file is needed",
  ENOENT: "it is not there",
};

function requireInside(root: string, real: string, path: RelPath): void {
  for (let folder = parentOf(path); folder !== ""; folder = parentOf(folder)) {
    let found: string;
    try {
      found = fs.realpathSync(joinUnder(root, folder));
    } catch (error) {
      if (errorCode(error) === "ENOENT" && !isThere(joinUnder(root, folder))) continue;
      if (errorCode(error) === "ENOTDIR") continue;
      throw asLocalError(error, `could not open the folder "${folder}"`);
    }
    if (found === real || isBelow(found, real)) return;
    throw new LocalFileError(`refused to use "${path}": its folder "${folder}" is a link that leaves the project`);
  }
}

function isBelow(absolute: string, real: string): boolean {
  return absolute.startsWith(real.endsWith(sep) ? real : real + sep);
}

/** Whether there were any to create. */
function createFolders(root: string, folder: RelPath | ""): boolean {
  if (folder === "" || isFolder(joinUnder(root, folder))) return false;
  const above = parentOf(folder);
  createFolders(root, above);
  try {
    faultPoint("make-folder");
    fs.mkdirSync(joinUnder(root, folder));
  } catch (error) {
    if (errorCode(error) === "EEXIST") {
      if (isFolder(joinUnder(root, folder))) return true;
      throw new LocalFileError(`could not create the folder "${folder}": a file of that name is in the way`, {
        code: "EEXIST",
        cause: error,
      });
    }
    throw asLocalError(error, `could not create the folder "${folder}"`);
  }
  fsyncFolder(join(root, above));
  return true;
}

function pruneFolders(root: string, path: RelPath): void {
  for (let folder = parentOf(path); folder !== ""; folder = parentOf(folder)) {
    try {
      faultPoint("prune-folder");
      fs.rmdirSync(joinUnder(root, folder));
    } catch {
      return; // Not empty, or not ours to remove: it stays, and so do the folders above it.
    }
  }
}

function isFolder(absolute: string): boolean {
  return lookAt(absolute) === "folder";
}

/** True for anything with that name, a dangling link included. */
function isThere(absolute: string): boolean {
  return fs.lstatSync(absolute, { throwIfNoEntry: false }) !== undefined;
}

function folderIdentity(root: string): string {
  const stat = fs.statSync(root, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev} ${stat.ino}`;
}
