/**
 * The regular expression (source text, not anchored, no flags) of a pattern as git's wildmatch reads it with
 * WM_PATHNAME (git-scm.com/docs/gitignore): `*` and `?` stop at `/`, `**` between slashes spans folders, a backslash
 * escapes, classes take `!` or `^` and POSIX names. One character stands for one byte. Undefined when the pattern is
 * malformed and so matches nothing.
 */
export function wildmatchSource(pattern: string): string | undefined {
  let source = "";
  for (let at = 0; at < pattern.length; ) {
    const char = pattern.charAt(at);
    if (char === "*") {
      const run = starRun(pattern, at);
      source += run.source;
      at = run.end;
    } else if (char === "?") {
      source += "[^/]";
      at++;
    } else if (char === "[") {
      const group = byteClass(pattern, at + 1);
      if (group === undefined) return undefined;
      source += group.source;
      at = group.end;
    } else if (char === "\\") {
      if (at + 1 >= pattern.length) return undefined;
      source += byteSource(pattern.charCodeAt(at + 1));
      at += 2;
    } else {
      source += byteSource(pattern.charCodeAt(at));
      at++;
    }
  }
  return source;
}

interface Piece {
  readonly source: string;
  /** Index of what follows the piece. */
  readonly end: number;
}

function starRun(pattern: string, from: number): Piece {
  let end = from;
  while (pattern[end] === "*") end++;
  const bounded = from === 0 || pattern[from - 1] === "/";
  if (end - from < 2 || !bounded) return { source: "[^/]*", end };
  if (end === pattern.length) return { source: "[^]*", end };
  if (pattern[end] === "/") return { source: "(?:[^]*/)?", end: end + 1 };
  if (pattern.startsWith("\\/", end)) return { source: "[^]*", end };
  return { source: "[^/]*", end };
}

const POSIX_CLASSES: ReadonlyMap<string, string> = new Map([
  ["alnum", "0-9A-Za-z"],
  ["alpha", "A-Za-z"],
  ["blank", " \\t"],
  ["cntrl", "\\x00-\\x1f\\x7f"],
  ["digit", "0-9"],
  ["graph", "!-~"],
  ["lower", "a-z"],
  ["print", " -~"],
  ["punct", "!-\\/:-@\\[-`{-~"],
  ["space", " \\t\\n\\v\\f\\r"],
  ["upper", "A-Z"],
  ["xdigit", "0-9A-Fa-f"],
]);

/** A class whose members start at `from`. It never matches `/`. */
function byteClass(pattern: string, from: number): Piece | undefined {
  const negated = pattern[from] === "!" || pattern[from] === "^";
  const start = negated ? from + 1 : from;
  let body = "";
  /** The member that a following `-` would make the start of a range; -1 when there is none. */
  let previous = -1;
  let at = start;
  while (at === start || pattern[at] !== "]") {
    if (at >= pattern.length) return undefined;
    const named = pattern.startsWith("[:", at) ? posixClass(pattern, at) : "none";
    if (named === undefined) return undefined;
    if (named !== "none") {
      body += named.source;
      previous = -1;
      at = named.end;
    } else if (pattern[at] === "-" && previous >= 0 && at + 1 < pattern.length && pattern[at + 1] !== "]") {
      const last = member(pattern, at + 1);
      if (last === undefined) return undefined;
      if (previous <= last.code) body += `${byteSource(previous)}-${byteSource(last.code)}`;
      previous = -1;
      at = last.end;
    } else {
      const one = member(pattern, at);
      if (one === undefined) return undefined;
      body += byteSource(one.code);
      previous = one.code;
      at = one.end;
    }
  }
  return { source: `(?!/)[${negated ? "^" : ""}${body}]`, end: at + 1 };
}

/** `[:name:]` at `from`; "none" when the text there is no such thing, undefined when it is one that does not exist. */
function posixClass(pattern: string, from: number): Piece | "none" | undefined {
  const close = pattern.indexOf("]", from + 2);
  if (close < 0) return undefined;
  if (close - 1 < from + 2 || pattern[close - 1] !== ":") return "none";
  const source = POSIX_CLASSES.get(pattern.slice(from + 2, close - 1));
  return source === undefined ? undefined : { source, end: close + 1 };
}

function member(pattern: string, at: number): { readonly code: number; readonly end: number } | undefined {
  const start = pattern[at] === "\\" ? at + 1 : at;
  if (start >= pattern.length) return undefined;
  return { code: pattern.charCodeAt(start), end: start + 1 };
}

function byteSource(code: number): string {
  return `\\x${code.toString(16).padStart(2, "0")}`;
}
