import * as fs from "node:fs";
import type { RelPath } from "../lib/path.ts";
import { fileStat } from "./file-stat.ts";
import { errorCode } from "./local-file.ts";
import type { FileStat } from "./model.ts";
import type { Scope } from "./scope.ts";
import { type StatColumns, statColumns } from "./stat-columns.ts";
import type { StateIndex } from "./state-index.ts";

/** Something the scan could not look at, or must not. What it covers is unknown, never absent. */
export interface ScanProblem {
  /** `""` is the root. */
  readonly path: RelPath | "";
  /** `folder`: all below the path as well. */
  readonly covers: "file" | "folder";
  /** Worth telling only when the base or the remote has something there. */
  readonly quiet: boolean;
  /** One sentence for a person. */
  readonly reason: string;
}

/** The local files in scope, sorted by path (`<`). */
export interface LocalView {
  readonly length: number;
  pathAt(file: number): RelPath;
  statAt(file: number): FileStat;
  /** For each file its row in the index, or -1. */
  readonly indexRow: Int32Array;
  /** 1 where the file surely is the one recorded in its row, so that the digests there hold. */
  readonly clean: Uint8Array;
  /** Sorted by path. */
  readonly problems: readonly ScanProblem[];
  /** The root does not exist; then there are no files and no problems. */
  readonly missingRoot: boolean;
}

/** The calls that the scan makes, so that a test can let them fail. */
export type ScanFs = Pick<typeof fs, "readdirSync" | "lstatSync" | "statSync" | "realpathSync">;

export interface ScanOptions {
  readonly root: string;
  readonly scope: Scope;
  readonly index?: StateIndex | undefined;
  /** Called now and then with the number of files found so far. */
  readonly onCount?: (files: number) => void;
  /** Looked at now and then; its reason is thrown. */
  readonly signal?: AbortSignal;
  readonly fs?: ScanFs;
}

/**
 * Looks at the project folder: every regular file in scope, and links to regular files inside the project. Synchronous,
 * because a call to lstat costs less than a promise. An unchanged file costs one lstat and no object of ours.
 */
export function scan(options: ScanOptions): LocalView {
  const state: Walk = {
    ...options,
    fs: options.fs ?? fs,
    rootSlash: options.root.endsWith("/") ? options.root : `${options.root}/`,
    files: 0,
    indexRow: new Int32Array(4096),
    clean: new Uint8Array(4096),
    paths: [],
    known: statColumns(),
    place: new Int32Array(4096),
    problems: [],
    linkedFolders: new Set(),
    row: 0,
  };
  const rootState = lookAtRoot(state);
  if (rootState === "there") walkFolder(state, ROOT);
  options.onCount?.(state.files);
  return viewOf(state, rootState === "missing");
}

interface Walk extends ScanOptions {
  readonly fs: ScanFs;
  readonly rootSlash: string;
  files: number;
  indexRow: Int32Array;
  clean: Uint8Array;
  /** By number of the file, where the index does not know it. */
  readonly paths: (RelPath | undefined)[];
  /** Stats that are not those of the index. */
  readonly known: StatColumns;
  /** For each file its place there, or -1. */
  place: Int32Array;
  readonly problems: ScanProblem[];
  /** The first index row that is not before the file at hand. */
  row: number;
  /** Prefixes of the folders that are reached through a link. */
  readonly linkedFolders: Set<string>;
  realRoot?: string;
}

interface Folder {
  /** Relative, with a slash at the end unless it is the root. */
  readonly prefix: string;
  /** Which of its components are links to folders. */
  readonly links: readonly number[];
  readonly depth: number;
}

const ROOT: Folder = { prefix: "", links: [], depth: 0 };

function viewOf(state: Walk, missingRoot: boolean): LocalView {
  const { files, paths, known, place, index } = state;
  const indexRow = state.indexRow.subarray(0, files);
  return {
    length: files,
    pathAt: (file) => paths[file] ?? (index as StateIndex).pathAt(indexRow[file] as number),
    statAt(file) {
      const at = place[file] as number;
      return at < 0 ? (index as StateIndex).statAt(indexRow[file] as number) : known.at(at);
    },
    indexRow,
    clean: state.clean.subarray(0, files),
    problems: state.problems.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)),
    missingRoot,
  };
}

function lookAtRoot(state: Walk): "there" | "missing" | "unusable" {
  try {
    if (state.fs.statSync(state.root).isDirectory()) return "there";
    addProblem(state, "", "folder", "the project folder is not a folder");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "missing";
    addProblem(state, "", "folder", `the project folder cannot be read: ${reasonOf(error)}`);
  }
  return "unusable";
}

/** Paths are sorted with the slash that follows a folder's name, which makes the order of whole paths. */
function walkFolder(state: Walk, folder: Folder): void {
  const paths = pathsIn(state, folder);
  for (let at = takeUnchanged(state, paths, 0); at < paths.length; at = takeUnchanged(state, paths, at + 1)) {
    const path = paths[at] as string;
    if (path.charCodeAt(path.length - 1) === SLASH) {
      const link = state.linkedFolders.has(path) ? [folder.depth] : [];
      walkFolder(state, { prefix: path, links: folder.links.concat(link), depth: folder.depth + 1 });
    } else if (!takeFile(state, path as RelPath)) {
      const reason = "the folder can be listed but not entered: permission denied";
      addProblem(state, withoutSlash(folder.prefix), "folder", reason);
      return;
    }
  }
}

const SLASH = 0x2f;

/** Takes files from `paths[from]` on while they surely are those of the rows that come next in the index; answers where it stopped. */
function takeUnchanged(state: Walk, paths: readonly string[], from: number): number {
  const { index, rootSlash, row, files } = state;
  if (index === undefined || from === paths.length) return from;
  const count = index.countUnchanged(row, paths, from, { prefix: rootSlash, lstatSync: state.fs.lstatSync });
  while (files + count > state.clean.length) widen(state);
  const { indexRow, clean, place } = state;
  for (let at = 0; at < count; at++) indexRow[files + at] = row + at;
  clean.fill(1, files, files + count);
  place.fill(-1, files, files + count);
  state.row = row + count;
  countFiles(state, count);
  return from + count;
}

/** What the runtime makes of bytes that are not UTF-8. The name it gives then leads nowhere. */
const UNDECODABLE = "\ufffd";
const NOT_UTF8 = "its name is not valid UTF-8; rename it";

/** What is to be visited in a folder, sorted; folders end in a slash. */
function pathsIn(state: Walk, folder: Folder): string[] {
  const paths: string[] = [];
  const { scope } = state;
  const { prefix, links } = folder;
  const entries = readFolder(state, folder);
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at] as fs.Dirent;
    const path = prefix + entry.name;
    if (entry.isFile()) {
      if (scope.includes(path, links)) paths.push(path);
    } else if (entry.isDirectory()) {
      if (scope.descends(path, links)) paths.push(`${path}/`);
    } else if (entry.isSymbolicLink()) {
      const visited = followLink(state, folder, path as RelPath);
      if (visited !== undefined) paths.push(visited);
    } else if (scope.includes(path, links)) {
      paths.push(path);
    }
  }
  return paths.sort();
}

function readFolder(state: Walk, folder: Folder): fs.Dirent[] {
  try {
    return state.fs.readdirSync(state.rootSlash + folder.prefix, { withFileTypes: true });
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    const path = withoutSlash(folder.prefix);
    const gone = errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR";
    if (gone && path.includes(UNDECODABLE)) addProblem(state, path, "folder", NOT_UTF8);
    else if (gone) addProblem(state, path, "folder", "the folder vanished while it was read", "quiet");
    else addProblem(state, path, "folder", `the folder cannot be read: ${reasonOf(error)}`);
    return [];
  }
}

/** The path under which a link is visited (with a slash for a folder), or undefined after noting why it is not. */
function followLink(state: Walk, folder: Folder, path: RelPath): string | undefined {
  const isWanted = state.scope.includes(path, folder.links);
  if (!isWanted && !state.scope.descends(path)) return undefined;
  const target = targetOf(state, path);
  const note = (covers: ScanProblem["covers"], reason: string) =>
    addProblem(state, path, covers, reason, isWanted && covers === "file" ? "loud" : "quiet");
  if (target.kind === "broken") {
    if (isWanted) note("file", `the link ${target.reason}`);
    if (state.scope.descends(path)) note("folder", `the link ${target.reason}`);
    return undefined;
  }
  const links = [...folder.links, folder.depth];
  if (target.kind === "folder") {
    if (!state.scope.descends(path)) return undefined;
    if (!target.inside) note("folder", "the link to a folder leaves the project");
    else if (!state.scope.descends(path, links))
      note("folder", "links to folders are followed only where a pattern names them");
    else {
      state.linkedFolders.add(`${path}/`);
      return `${path}/`;
    }
    return undefined;
  }
  if (!isWanted) return undefined;
  if (target.kind === "file" && target.inside) return path;
  note(
    "file",
    target.kind === "file" ? "the link leaves the project" : "the link leads to something that is not a regular file",
  );
  return undefined;
}

type LinkTarget =
  | { readonly kind: "file" | "folder" | "other"; readonly inside: boolean }
  | { readonly kind: "broken"; readonly reason: string };

function targetOf(state: Walk, path: RelPath): LinkTarget {
  try {
    const real = state.fs.realpathSync(state.rootSlash + path);
    const stat = state.fs.statSync(real);
    state.realRoot ??= state.fs.realpathSync(state.root);
    const inside = real === state.realRoot || real.startsWith(state.realRoot === "/" ? "/" : `${state.realRoot}/`);
    return { kind: stat.isFile() ? "file" : stat.isDirectory() ? "folder" : "other", inside };
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "broken", reason: "leads to nothing" };
    return {
      kind: "broken",
      reason: code === "ELOOP" ? "leads back to itself" : `cannot be followed: ${reasonOf(error)}`,
    };
  }
}

/** False when the folder turns out to be closed to us. */
function takeFile(state: Walk, path: RelPath): boolean {
  const row = rowFor(state, path);
  const found = lookAtFile(state, path, row);
  if (found === "closed") return false;
  if (found === "none") return true;
  if (row < 0) state.paths[state.files] = path;
  addFile(state, row, found);
  return true;
}

/** The stat of a regular file, or that its index row holds; "none" after noting why there is no file. */
function lookAtFile(state: Walk, path: RelPath, row: number): FileStat | "clean" | "closed" | "none" {
  const absolute = state.rootSlash + path;
  const { index } = state;
  try {
    let stat = state.fs.lstatSync(absolute, { bigint: true });
    if (stat.isSymbolicLink()) stat = state.fs.statSync(absolute, { bigint: true });
    if (stat.isFile()) {
      const now = fileStat(stat);
      return index !== undefined && row >= 0 && index.localEquals(row, now) && index.isSettled(row) ? "clean" : now;
    }
    if (!stat.isDirectory()) addProblem(state, path, "file", `it is ${kindOf(stat)}, not a regular file`);
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code === "EACCES" || code === "EPERM") return "closed";
    if (code !== "ENOENT") addProblem(state, path, "file", `it cannot be looked at: ${reasonOf(error)}`);
    else if (path.includes(UNDECODABLE)) addProblem(state, path, "file", NOT_UTF8);
    else addProblem(state, path, "file", "it vanished while the folder was read", "quiet");
  }
  return "none";
}

/** Moves the index along; both sides are sorted alike. */
function rowFor(state: Walk, path: string): number {
  const { index } = state;
  if (index === undefined) return -1;
  while (state.row < index.length) {
    if (index.isAt(state.row, path)) return state.row;
    if (index.pathAt(state.row) > path) return -1;
    state.row++;
  }
  return -1;
}

function addFile(state: Walk, row: number, found: FileStat | "clean"): void {
  const file = state.files;
  if (file === state.clean.length) widen(state);
  state.indexRow[file] = row;
  state.clean[file] = found === "clean" ? 1 : 0;
  state.place[file] = found === "clean" ? -1 : state.known.push(found);
  countFiles(state, 1);
}

/** Tells how far the walk is, and stops it, each time it has come past another FILES_PER_CALL files. */
function countFiles(state: Walk, more: number): void {
  const before = state.files;
  state.files += more;
  if (Math.floor(before / FILES_PER_CALL) === Math.floor(state.files / FILES_PER_CALL)) return;
  state.signal?.throwIfAborted();
  state.onCount?.(state.files);
}

function widen(state: Walk): void {
  const { indexRow, clean, place } = state;
  state.indexRow = new Int32Array(indexRow.length * 2);
  state.indexRow.set(indexRow);
  state.place = new Int32Array(place.length * 2);
  state.place.set(place);
  state.clean = new Uint8Array(clean.length * 2);
  state.clean.set(clean);
}

const FILES_PER_CALL = 2000;

function addProblem(
  state: Walk,
  path: RelPath | "",
  covers: ScanProblem["covers"],
  reason: string,
  volume: "loud" | "quiet" = "loud",
): void {
  state.problems.push({ path, covers, reason, quiet: volume === "quiet" });
}

function withoutSlash(prefix: string): RelPath | "" {
  return prefix.slice(0, -1) as RelPath | "";
}

function kindOf(stat: fs.BigIntStats): string {
  if (stat.isFIFO()) return "a named pipe";
  if (stat.isSocket()) return "a socket";
  return "a device";
}

function reasonOf(error: unknown): string {
  const code = errorCode(error);
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
