import type { RelPath } from "../lib/path.ts";

/** Tells whether a path is meant by one pattern that a user typed. */
export type PathMatcher = (path: RelPath) => boolean;

/**
 * A pattern of `restore` and `inspect`: the path itself, a folder (`memory`, `memory/`) for all below it, or Python's
 * `fnmatch` over the whole path, where `*` and `?` cross `/`. `**` + `/x` also means `x` at the root. A leading `./` is dropped.
 */
export function pathMatcher(pattern: string): PathMatcher {
  const plain = pattern.replace(/^(\.\/+)+/, "").replace(/\/+$/, "");
  if (plain === "" || plain === ".") return () => pattern.startsWith(".");
  const isMeant = (path: string): boolean => path === plain || path.startsWith(`${plain}/`);
  if (!/[*?[]/.test(plain)) return isMeant;
  const forms = plain.startsWith("**/") ? [plain, plain.slice(3)] : [plain];
  const globs = forms.flatMap((form) => [compileGlob(form), compileGlob(`${form}/*`)]);
  return (path) => {
    if (isMeant(path)) return true;
    const chars = [...path];
    return globs.some((glob) => matchGlob(glob, chars));
  };
}

export interface Selection {
  readonly selected: readonly RelPath[];
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
}

/** The paths that any pattern means, in the order given; all of them when there is no pattern. */
export function selectPaths(paths: readonly RelPath[], patterns: readonly string[]): Selection {
  if (patterns.length === 0) return { selected: paths, unmatched: [] };
  const matchers = patterns.map((pattern) => ({ pattern, matches: pathMatcher(pattern), used: false }));
  const selected = paths.filter((path) => {
    let wanted = false;
    for (const matcher of matchers) {
      if (!matcher.matches(path)) continue;
      matcher.used = true;
      wanted = true;
    }
    return wanted;
  });
  return { selected, unmatched: matchers.filter((matcher) => !matcher.used).map((matcher) => matcher.pattern) };
}

/** `*`, or a test of one character. */
type GlobPart = "*" | ((char: string) => boolean);

function compileGlob(pattern: string): readonly GlobPart[] {
  const chars = [...pattern];
  const parts: GlobPart[] = [];
  let at = 0;
  while (at < chars.length) {
    const char = chars[at] as string;
    const close = char === "[" ? closingBracket(chars, at) : -1;
    if (char === "*") {
      if (parts.at(-1) !== "*") parts.push("*");
    } else if (char === "?") parts.push(() => true);
    else if (close > 0) parts.push(charClass(chars.slice(at + 1, close)));
    else parts.push((other) => other === char);
    at = close > 0 ? close + 1 : at + 1;
  }
  return parts;
}

/** Index of the `]` that ends the class opened at `open`, or -1: then the bracket stands for itself. */
function closingBracket(chars: readonly string[], open: number): number {
  const first = open + (chars[open + 1] === "!" ? 2 : 1);
  return chars.indexOf("]", first + 1);
}

function charClass(body: readonly string[]): (char: string) => boolean {
  const negated = body[0] === "!";
  const ranges: (readonly [number, number])[] = [];
  for (let at = negated ? 1 : 0; at < body.length; ) {
    const isRange = body[at + 1] === "-" && at + 2 < body.length;
    ranges.push([codePoint(body[at]), codePoint(isRange ? body[at + 2] : body[at])]);
    at += isRange ? 3 : 1;
  }
  return (char) => ranges.some(([low, high]) => low <= codePoint(char) && codePoint(char) <= high) !== negated;
}

/** Greedy with one point of return, so that no pattern makes it slow. */
function matchGlob(parts: readonly GlobPart[], chars: readonly string[]): boolean {
  let part = 0;
  let char = 0;
  let star = -1;
  let resume = 0;
  while (char < chars.length) {
    const current = parts[part];
    if (current === "*") {
      star = part++;
      resume = char;
    } else if (current?.(chars[char] as string)) {
      part++;
      char++;
    } else if (star >= 0) {
      part = star + 1;
      char = ++resume;
    } else return false;
  }
  while (parts[part] === "*") part++;
  return part === parts.length;
}

function codePoint(char: string | undefined): number {
  return char?.codePointAt(0) ?? -1;
}
