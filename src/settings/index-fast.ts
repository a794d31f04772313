import { readFileSync, realpathSync, statSync } from "node:fs";
import { configDir, type Env, homeFrom, stateDir } from "../lib/dirs.ts";

// Part of the entry chunk: node:fs and text work only, or `find-config` misses its budget.

/** One YAML of the config folder. */
export interface IndexedProject {
  /** Real path of the project folder. */
  readonly path: string;
  /** The path as written, where that is another or did not exist: looked at again each time. */
  readonly given?: string;
  /** Absolute path of the YAML. */
  readonly file: string;
  /** Whether another config names it as its mirror: then it is no project of its own. */
  readonly mirror: boolean;
  /** Real paths of the configs that it names as its mirrors, where it names any. */
  readonly mirrors?: readonly string[];
}

/** A YAML as it was when it was read. */
export interface FileStamp {
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}

export interface ConfigProblem {
  readonly file: string;
  readonly message: string;
}

/** Where the projects are, kept in the state folder: valid as long as the config folder and every YAML look the same. */
export interface ProjectIndex {
  readonly version: 1;
  readonly configDir: string;
  /** -1 when there is no such folder. */
  readonly dirMtimeMs: number;
  readonly files: readonly FileStamp[];
  readonly projects: readonly IndexedProject[];
  /** YAMLs that could not be read. Those that once could are among `projects` as they were then. */
  readonly problems: readonly ConfigProblem[];
}

export type FindResult =
  | { readonly kind: "found"; readonly file: string; readonly path: string }
  /** Several configs claim the folder `path`: `--config` has to choose (decision 7). */
  | { readonly kind: "ambiguous"; readonly files: readonly string[]; readonly path: string }
  | { readonly kind: "none"; readonly projects: readonly IndexedProject[] };

/** Where the index lies. */
export function indexFile(env: Env, home: string): string {
  return `${stateDir(env, home)}/projects.json`;
}

/**
 * The config of the project that holds `path` (absolute, or relative to the current folder), from the index; undefined
 * when the index is missing or anything has changed since, then `findProject` has to look.
 */
export function findConfigFast(path: string, env: Env): FindResult | undefined {
  const home = homeFrom(env);
  if (home === undefined) return undefined;
  const index = readFreshIndex(indexFile(env, home), configDir(env, home));
  const real = realPath(path);
  return index && real !== undefined ? lookUp(index.projects, real) : undefined;
}

/** The index when it is there and still true. */
export function readFreshIndex(file: string, folder: string): ProjectIndex | undefined {
  try {
    const index = JSON.parse(readFileSync(file, "utf8")) as ProjectIndex;
    if (index.version !== 1 || index.configDir !== folder || index.dirMtimeMs !== mtimeOf(folder)) return undefined;
    if (!Array.isArray(index.projects) || !Array.isArray(index.problems)) return undefined;
    return index.files.every((stamp) => isUnchanged(folder, stamp)) ? index : undefined;
  } catch {
    // Missing or damaged: looking again costs time only.
    return undefined;
  }
}

/** The nearest project folder at or above `real`, which is a real path. */
export function lookUp(projects: readonly IndexedProject[], real: string): FindResult {
  let nearest = "";
  let files: string[] = [];
  for (const project of projects) {
    const path = project.given === undefined ? project.path : (realPath(project.given) ?? project.path);
    if (project.mirror || path.length < nearest.length || !holds(path, real)) continue;
    if (path !== nearest) files = [];
    nearest = path;
    files.push(project.file);
  }
  const [file] = files;
  if (file === undefined) return { kind: "none", projects: projects.filter((project) => !project.mirror) };
  return files.length === 1 ? { kind: "found", file, path: nearest } : { kind: "ambiguous", files, path: nearest };
}

/** Undefined when there is nothing at `path` or it cannot be reached. */
export function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

/** -1 when there is nothing at `path`. */
export function mtimeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1;
}

/** A dangling link has a stamp too, so that it does not make every look a slow one. */
export function stampOf(folder: string, name: string): FileStamp {
  const stat = statSync(`${folder}/${name}`, { throwIfNoEntry: false });
  return stat
    ? { name, size: stat.size, mtimeMs: stat.mtimeMs, ino: stat.ino }
    : { name, size: -1, mtimeMs: -1, ino: -1 };
}

function isUnchanged(folder: string, then: FileStamp): boolean {
  const now = stampOf(folder, then.name);
  return now.size === then.size && now.mtimeMs === then.mtimeMs && now.ino === then.ino;
}

function holds(folder: string, path: string): boolean {
  if (!path.startsWith(folder)) return false;
  const next = path[folder.length];
  return next === undefined || next === "/" || next === "\\" || folder.endsWith("/");
}
