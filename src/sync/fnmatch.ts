/**
 * The regular expression (source text for the `u` flag, not anchored) of a shell pattern as Python's `fnmatch` reads it:
 * `*`, `?`, `[abc]`, `[a-z]`, `[!a]`; `[^a]` is no negation, an unclosed `[` is literal, there is no escape character
 * (docs.python.org/3.11/library/fnmatch). Within a `path`, `*`, `?` and classes match `/` as well.
 */
export function fnmatchSource(pattern: string, within: "path" | "name"): string {
  const any = within === "path" ? "[^]" : "[^/]";
  const guard = within === "path" ? "" : "(?!/)";
  const chars = [...pattern];
  let source = "";
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    if (char === "*") {
      if (chars[at - 1] !== "*") source += `${any}*`;
    } else if (char === "?") {
      source += any;
    } else if (char === "[") {
      const close = classEnd(chars, at + 1);
      source += close < 0 ? "\\[" : guard + classSource(chars.slice(at + 1, close));
      if (close >= 0) at = close;
    } else {
      source += literalSource(char);
    }
  }
  return source;
}

/** True when `pattern` holds none of the characters that make `fnmatch` more than a comparison. */
export function isLiteral(pattern: string): boolean {
  return !/[*?[]/.test(pattern);
}

/** One character, escaped for a regular expression with the `u` flag. */
export function literalSource(char: string): string {
  return /^[A-Za-z0-9_]$/.test(char) ? char : `\\u{${(char.codePointAt(0) as number).toString(16)}}`;
}

/** The members between the brackets as a regular expression class. Ranges that run backwards are empty. */
function classSource(members: readonly string[]): string {
  const negated = members[0] === "!";
  let body = "";
  for (let at = negated ? 1 : 0; at < members.length; at++) {
    const first = members[at] as string;
    const last = members[at + 2];
    if (members[at + 1] === "-" && last !== undefined) {
      if (codePoint(first) <= codePoint(last)) body += `${literalSource(first)}-${literalSource(last)}`;
      at += 2;
    } else {
      body += literalSource(first);
    }
  }
  return `[${negated ? "^" : ""}${body}]`;
}

/** Index of the `]` that closes a class whose members start at `from`, or -1. A `]` in first place is a member. */
function classEnd(chars: readonly string[], from: number): number {
  const first = chars[from] === "!" ? from + 1 : from;
  return chars.indexOf("]", first + 1);
}

function codePoint(char: string): number {
  return char.codePointAt(0) as number;
}
