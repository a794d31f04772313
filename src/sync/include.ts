import { fnmatchSource, isLiteral } from "./fnmatch.ts";

/** A pattern of the settings that cannot be used. */
export class PatternError extends Error {
  readonly pattern: string;
  constructor(pattern: string, found: string) {
    super(`cannot use the file pattern ${JSON.stringify(pattern)}: ${found}`);
    this.name = "PatternError";
    this.pattern = pattern;
  }
}

/**
 * Which files a list of `file_patterns` selects. `links` names the components (0 is the first) that are symbolic links
 * to folders: `**` does not pass through those, any other component does.
 */
export interface IncludeMatcher {
  matches(path: string, links?: readonly number[]): boolean;
  /** The same where no component is a link. */
  plain(path: string): boolean;
  /** False when nothing below `folder` can match. */
  descends(folder: string, links?: readonly number[]): boolean;
}

type Segment = { readonly kind: "any-depth" } | { readonly kind: "name"; readonly test: (name: string) => boolean };

interface Compiled {
  readonly segments: readonly Segment[];
  /** The whole test for a path without links. */
  readonly quick: (path: string) => boolean;
  readonly anyDepth: boolean;
}

const NO_LINKS: readonly number[] = [];

/**
 * Compiles patterns with the meaning that Python 3.11's `Path.glob` gives them (table in reference 2.15), files only:
 * case-sensitive, hidden names included, `**` and `d/**` select no file.
 * Throws PatternError for an empty or absolute pattern and for `**` glued to other characters.
 */
export function compileInclude(patterns: readonly string[]): IncludeMatcher {
  const compiled = patterns.map(compile).filter((one) => one !== undefined);
  const everywhere = compiled.some((one) => one.anyDepth);
  const first = compiled[0];
  const quick =
    compiled.length === 1 && first !== undefined
      ? first.quick
      : (path: string) => compiled.some((one) => one.quick(path));
  return {
    plain: quick,
    matches: (path, links = NO_LINKS) =>
      links.length === 0
        ? quick(path)
        : compiled.some((one) => walk(one.segments, path, links).has(one.segments.length)),
    descends: (folder, links = NO_LINKS) =>
      (everywhere && links.length === 0) || compiled.some((one) => continues(one.segments, folder, links)),
  };
}

/** Undefined for a pattern that is valid and selects folders only, or nothing. */
function compile(pattern: string): Compiled | undefined {
  const parts = components(pattern);
  if (pattern.endsWith("/") || parts.at(-1) === "**" || parts.includes("..")) return undefined;
  const segments = parts.map(segmentOf).filter((one, at, all) => one !== ANY_DEPTH || all[at - 1] !== ANY_DEPTH);
  return { segments, quick: quickTest(parts), anyDepth: parts[0] === "**" };
}

function components(pattern: string): string[] {
  if (pattern === "") throw new PatternError(pattern, "it is empty; write **/* for every file");
  if (pattern.startsWith("/")) {
    throw new PatternError(pattern, "it is absolute; patterns are relative to the project folder");
  }
  if (pattern.includes("\0")) throw new PatternError(pattern, "it holds a NUL character");
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0)
    throw new PatternError(pattern, "it names the project folder itself; write **/* for every file");
  const glued = parts.find((part) => part !== "**" && part.includes("**"));
  if (glued !== undefined) {
    throw new PatternError(pattern, `** must stand alone between slashes; write **/${glued.replace(/\*\*+/g, "*")}`);
  }
  return parts;
}

const ANY_DEPTH: Segment = { kind: "any-depth" };

function segmentOf(part: string): Segment {
  if (part === "**") return ANY_DEPTH;
  return { kind: "name", test: nameTest(part) };
}

function nameTest(part: string): (name: string) => boolean {
  if (isLiteral(part)) return (name) => name === part;
  if (part === "*") return () => true;
  if (part.startsWith("*") && isLiteral(part.slice(1))) {
    const suffix = part.slice(1);
    return (name) => name.endsWith(suffix);
  }
  const regex = new RegExp(`^${fnmatchSource(part, "name")}$`, "u");
  return (name) => regex.test(name);
}

/** The usual patterns cost one comparison of strings, others one regular expression. */
function quickTest(parts: readonly string[]): (path: string) => boolean {
  const last = parts.at(-1) as string;
  if (parts.slice(0, -1).every((part) => part === "**") && parts.length > 1 && last.startsWith("*")) {
    const suffix = last.slice(1);
    if (suffix === "") return () => true;
    if (isLiteral(suffix)) return (path) => path.endsWith(suffix);
  }
  if (parts.every(isLiteral)) {
    const whole = parts.join("/");
    return (path) => path === whole;
  }
  const source = parts.map((part) => (part === "**" ? "(?:[^/]+/)*" : `${fnmatchSource(part, "name")}/`)).join("");
  const regex = new RegExp(`^${source.slice(0, -1)}$`, "u");
  return (path) => regex.test(path);
}

/** The positions in `segments` that can be reached by reading all of `path`. */
function walk(segments: readonly Segment[], path: string, links: readonly number[]): Set<number> {
  let positions = closure(segments, [0]);
  const names = path.split("/");
  for (const [depth, name] of names.entries()) {
    const next: number[] = [];
    for (const position of positions) {
      const segment = segments[position];
      if (segment === undefined) continue;
      if (segment.kind === "name") {
        if (segment.test(name)) next.push(position + 1);
      } else if (!links.includes(depth)) {
        next.push(position);
      }
    }
    positions = closure(segments, next);
  }
  return positions;
}

/** `**` also stands for no folder at all. */
function closure(segments: readonly Segment[], from: readonly number[]): Set<number> {
  const positions = new Set(from);
  for (const position of positions) if (segments[position]?.kind === "any-depth") positions.add(position + 1);
  return positions;
}

function continues(segments: readonly Segment[], folder: string, links: readonly number[]): boolean {
  for (const position of walk(segments, folder, links)) if (position < segments.length) return true;
  return false;
}
