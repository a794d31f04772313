import * as fs from "node:fs";
import { relative, resolve, sep } from "node:path";
import { UsageError } from "../lib/errors.ts";
import { parseRelPath, type RelPath } from "../lib/path.ts";
import { lookAt } from "./local-file.ts";
import { wildmatchSource } from "./wildmatch.ts";

/** Which paths the FILES on a command line mean (decision 5). */
export interface Selection {
  /** Every argument is one path; then they can be looked at by themselves. */
  readonly exact: readonly RelPath[] | undefined;
  matches(path: RelPath): boolean;
  /** The arguments, as typed, that match none of `paths`. */
  unmatched(paths: Iterable<RelPath>): readonly string[];
}

export interface SelectOptions {
  /** Absolute, real path of the project. */
  readonly root: string;
  readonly cwd: string;
}

/** More than this many single paths are cheaper to find in one listing. */
const MOST_EXACT = 16;

/**
 * Reads paths relative to `cwd`, folders and globs. Globs mean what a shell with `**` would expand them to: `*` stops at
 * `/`, and a folder stands for all below it. Undefined when there are none: everything.
 * Throws UsageError for a path outside the project, and for an empty one: a variable that was never set means no file.
 */
export function selectFiles(files: readonly string[], options: SelectOptions): Selection | undefined {
  if (files.length === 0) return undefined;
  const patterns = files.map((file) => patternOf(file, options));
  const exact = patterns.every((pattern) => pattern.exact !== undefined) && patterns.length <= MOST_EXACT;
  return {
    exact: exact ? patterns.flatMap((pattern) => pattern.exact ?? []) : undefined,
    matches: (path) => patterns.some((pattern) => pattern.matches(path)),
    unmatched(paths) {
      const left = new Set(patterns);
      for (const path of paths) {
        for (const pattern of left) if (pattern.matches(path)) left.delete(pattern);
        if (left.size === 0) break;
      }
      return [...left].map((pattern) => pattern.typed);
    },
  };
}

/** The project-relative path of one FILE, glob characters taken as they are. */
export function selectPath(file: string, { root, cwd }: SelectOptions): RelPath {
  const path = parseRelPath(relativeTo(root, cwd, file));
  if (path === undefined) throw new UsageError(`"${file}" is not a file inside the project "${root}"`);
  return path;
}

interface Pattern {
  readonly typed: string;
  readonly exact: RelPath | undefined;
  matches(path: RelPath): boolean;
}

function patternOf(typed: string, { root, cwd }: SelectOptions): Pattern {
  if (typed === "") throw new UsageError('"" names no file: leave it out to mean all files');
  const text = relativeTo(root, cwd, typed);
  if (text === "") return { typed, exact: undefined, matches: () => true };
  const path = parseRelPath(text);
  if (path === undefined) throw new UsageError(`"${typed}" is outside the project "${root}"`);
  const found = kindOf(resolve(cwd, typed));
  if (found === "file") return { typed, exact: path, matches: (other) => other === path };
  const isNamed = (other: RelPath) => other === path || other.startsWith(`${path}/`);
  const here = relativeTo(root, cwd, ".");
  const plain = here !== "" && path.startsWith(`${here}/`) ? `${here}/` : "";
  if (found === "nothing" && /[*?[]/.test(path.slice(plain.length))) {
    const isMeant = globMatcher(plain, path.slice(plain.length));
    return { typed, exact: undefined, matches: (other) => isNamed(other) || isMeant(other) };
  }
  const single = found === "nothing" && !typed.endsWith("/");
  return { typed, exact: single ? path : undefined, matches: isNamed };
}

/** `plain` is the folder that the glob was typed in, its characters taken as they are. */
function globMatcher(plain: string, glob: string): (path: RelPath) => boolean {
  const source = wildmatchSource(bytesOf(glob));
  if (source === undefined) return () => false;
  const regex = new RegExp(`^${bytesOf(plain).replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}${source}(?:/.*)?$`, "s");
  return (path) => regex.test(bytesOf(path));
}

/** One character per byte of its UTF-8, as wildmatch wants it. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** Links in the folder part are resolved, so that the project is found from either of its names. */
function relativeTo(root: string, cwd: string, file: string): string {
  const absolute = resolve(cwd, file);
  const direct = relative(root, absolute);
  const inside =
    direct === ".." || direct.startsWith(`..${sep}`) ? relative(root, resolve(realFolder(cwd), file)) : direct;
  return inside.split(sep).join("/");
}

function realFolder(folder: string): string {
  try {
    return fs.realpathSync(folder);
  } catch {
    return folder;
  }
}

function kindOf(absolute: string): "file" | "folder" | "nothing" {
  const found = lookAt(absolute);
  return found === "absent" ? "nothing" : found === "folder" ? "folder" : "file";
}
