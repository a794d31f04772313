import type { BigIntStats, Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { isAbandonedTemp } from "../../lib/fs.ts";
import { comparePaths, foldersOf, joinUnder, parseRelPath, type RelPath } from "../../lib/path.ts";
import { TEMP_PREFIX } from "../../lib/temp-prefix.ts";
import { BackendError } from "../errors.ts";
import type { Listing, ListOptions, RemoteFile, UnusableName } from "../types.ts";
import { type Attempt, attempting, codeOf } from "./errors.ts";
import { isLockName } from "./lock.ts";
import { attemptOn, describe, type LocalRoot, lookAtFolders, requireRoot, rootExists, unlessMissing } from "./root.ts";

/** A temporary file this old belongs to a run that died. */
const LEFTOVER_MS = 24 * 3600 * 1000;
const TRIES = 3;
/** What bytes that are no UTF-8 are read as; such a name finds nothing again. */
const BROKEN_UTF8 = "\ufffd";
/** Look-ups under way at once: 2 to 3 times faster than one by one on a network share. */
const BATCH = 64;

/** The contract's `list`: complete, or an error. A tree that keeps changing under the walk is walked again. */
export async function listLocal(root: LocalRoot, under: RelPath | "", options: ListOptions = {}): Promise<Listing> {
  const attempt = attemptOn(root, "list", under);
  for (let tries = 1; ; tries++) {
    options.signal?.throwIfAborted();
    if (!(await startExists(root, under, attempt))) return { files: [], folders: [], unusable: [], exists: false };
    const walk: Walk = {
      root,
      under,
      options,
      attempt,
      files: [],
      folders: [],
      unusable: [],
      seen: 0,
      keep: options.sift?.(),
    };
    if (await walkTree(walk)) {
      await requireRoot(attempt);
      options.onCount?.(walk.seen);
      return { files: walk.files, folders: walk.folders, unusable: walk.unusable, exists: true };
    }
    if (tries === TRIES) {
      throw new BackendError(`cannot list "${under}" in "${root.folder}": folders went away during the walk`, {
        class: "TRANSIENT",
        hint: "Try again when nothing else is moving folders there.",
      });
    }
  }
}

interface Walk {
  readonly root: LocalRoot;
  readonly under: RelPath | "";
  readonly options: ListOptions;
  readonly attempt: Attempt;
  readonly files: RemoteFile[];
  /** Files met so far, sifted ones included. */
  seen: number;
  readonly keep: ((file: RemoteFile) => boolean) | undefined;
  readonly folders: RelPath[];
  readonly unusable: UnusableName[];
}

async function startExists(root: LocalRoot, under: RelPath | "", attempt: Attempt): Promise<boolean> {
  if (!(await rootExists(attempt))) return false;
  if (under === "") return true;
  return (await lookAtFolders(root, [...foldersOf(under), under], attempt)).kind === "ready";
}

/** False when a folder that had been seen was gone when its turn came. */
async function walkTree(walk: Walk): Promise<boolean> {
  const { under, options } = walk;
  const skipped = new Set<string>(options.skip);
  const stack: (RelPath | "")[] = [under];
  for (let folder = stack.pop(); folder !== undefined; folder = stack.pop()) {
    options.signal?.throwIfAborted();
    const entries = await readFolder(walk, folder);
    if (entries === undefined) return false;
    const below = await walkFolder(walk, folder, entries);
    walk.folders.push(...below);
    options.onCount?.(walk.seen);
    if (!options.shallow) stack.push(...below.filter((path) => !skipped.has(path)).reverse());
  }
  return true;
}

async function readFolder(walk: Walk, folder: RelPath | ""): Promise<Dirent[] | undefined> {
  const absolute = folder === "" ? walk.root.folder : joinUnder(walk.root.folder, folder);
  try {
    const entries = await readdir(absolute, { withFileTypes: true });
    return entries.sort((a, b) => comparePaths(a.name, b.name));
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return attempting({ ...walk.attempt, path: folder }, () => Promise.reject(error));
  }
}

/** Notes the files of one folder; gives its sub-folders. */
async function walkFolder(walk: Walk, folder: RelPath | "", entries: readonly Dirent[]): Promise<RelPath[]> {
  const below: RelPath[] = [];
  for (let at = 0; at < entries.length; at += BATCH) {
    const batch = entries.slice(at, at + BATCH);
    const looks = await Promise.all(batch.map((entry) => lookAtEntry(walk, folder, entry)));
    for (const [i, look] of looks.entries()) {
      const { name } = batch[i] as Dirent;
      noteEntry(walk, folder === "" ? name : `${folder}/${name}`, name, look, below);
    }
  }
  return below;
}

async function lookAtEntry(walk: Walk, folder: string, entry: Dirent): Promise<BigIntStats | "folder" | undefined> {
  if (entry.isDirectory() && !entry.name.includes(BROKEN_UTF8)) return "folder";
  const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
  const attempt = { ...walk.attempt, path };
  const found = await attempting(attempt, () => unlessMissing(lstat(`${walk.root.folder}/${path}`, { bigint: true })));
  return found?.isDirectory() ? "folder" : found;
}

function noteEntry(
  walk: Walk,
  text: string,
  name: string,
  look: BigIntStats | "folder" | undefined,
  below: RelPath[],
): void {
  const { root, unusable } = walk;
  if (name.startsWith(TEMP_PREFIX)) {
    noteLeftover(root, text, name, look);
    return;
  }
  if (look === undefined) {
    // Any other name was removed between the two looks.
    if (name.includes(BROKEN_UTF8)) unusable.push({ name: text, reason: "the name is not valid UTF-8" });
    return;
  }
  const path = parseRelPath(text);
  if (path === undefined) unusable.push({ name: text, reason: "the name cannot be used on this machine" });
  else if (look === "folder") below.push(path);
  else if (look.isFile()) noteFile(walk, describe(root, path, look));
  else unusable.push({ name: text, reason: look.isSymbolicLink() ? "a symbolic link" : "not a regular file" });
}

function noteFile(walk: Walk, file: RemoteFile): void {
  walk.seen++;
  if (walk.keep?.(file) ?? true) walk.files.push(file);
}

function noteLeftover(root: LocalRoot, text: string, name: string, look: BigIntStats | "folder" | undefined): void {
  if (look === undefined || look === "folder" || !look.isFile()) return;
  const isOld = root.clock.now() - Number(look.ctimeMs) > LEFTOVER_MS;
  if (isOld || isLockName(name) || isAbandonedTemp(name)) root.leftovers.add(`${root.folder}/${text}`);
}
