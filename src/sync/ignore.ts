import { wildmatchSource } from "./wildmatch.ts";

/** What the lines of a `.claude_mirror_ignore` file leave out. */
export interface IgnoreMatcher {
  /** For the path of a file. */
  ignores(path: string): boolean;
  /** For the path of a folder; then nothing below it can come back. */
  prunes(folder: string): boolean;
}

interface Rule {
  readonly negated: boolean;
  readonly foldersOnly: boolean;
  /** Matched against the last component instead of the whole path. */
  readonly byName: boolean;
  readonly test: (text: string) => boolean;
}

/**
 * Compiles the text of an ignore file with the meaning that git gives to a `.gitignore` at the root (git-scm.com/docs/gitignore):
 * the last matching line wins, and what lies below an ignored folder cannot be re-included. Like git it matches bytes of
 * UTF-8. A malformed pattern matches nothing.
 */
export function compileIgnore(text: string): IgnoreMatcher {
  const rules = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map(parseRule)
    .filter((rule) => rule !== undefined)
    .reverse();
  const folders = new Map<string, boolean>([["", false]]);
  const ignored = (path: string, kind: "file" | "folder"): boolean => {
    const slash = path.lastIndexOf("/");
    if (folderIgnored(slash < 0 ? "" : path.slice(0, slash))) return true;
    const whole = toBytes(path);
    const name = toBytes(path.slice(slash + 1));
    const rule = rules.find((one) => (kind === "folder" || !one.foldersOnly) && one.test(one.byName ? name : whole));
    return rule !== undefined && !rule.negated;
  };
  const folderIgnored = (folder: string): boolean => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const verdict = ignored(folder, "folder");
    folders.set(folder, verdict);
    return verdict;
  };
  if (rules.length === 0) return { ignores: () => false, prunes: () => false };
  return { ignores: (path) => ignored(path, "file"), prunes: folderIgnored };
}

function parseRule(line: string): Rule | undefined {
  let pattern = trimSpaces(line.endsWith("\r") ? line.slice(0, -1) : line);
  if (pattern === "" || pattern.startsWith("#")) return undefined;
  const negated = pattern.startsWith("!");
  if (negated) pattern = pattern.slice(1);
  const foldersOnly = pattern.endsWith("/");
  if (foldersOnly) pattern = pattern.slice(0, -1);
  if (pattern === "") return undefined;
  const byName = !pattern.includes("/");
  const bytes = toBytes(pattern.startsWith("/") ? pattern.slice(1) : pattern);
  const plain = byName ? "" : literalPrefix(bytes);
  const source = wildmatchSource(bytes.slice(plain.length));
  if (source === undefined) return undefined;
  const regex = new RegExp(`^${plain.replace(/[$()+.^{|}]/g, "\\$&")}${source}$`);
  return { negated, foldersOnly, byName, test: (text) => regex.test(text) };
}

/**
 * The part before the first special character. Git compares it apart from the rest, and so takes `**` right after it
 * for the start of a pattern: `a**` + `/b` also matches `ab`.
 */
function literalPrefix(pattern: string): string {
  return (/^[^*?[\\]*/.exec(pattern) as RegExpExecArray)[0];
}

/** Without the spaces at its end, unless a backslash precedes them. */
function trimSpaces(line: string): string {
  let keep = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === "\\") at++;
    else if (line[at] === " ") continue;
    keep = Math.min(at + 1, line.length);
  }
  return line.slice(0, keep);
}

/** One character for each byte of the UTF-8 form. */
function toBytes(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString("latin1");
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
