/** A path relative to a root: `/`-separated, normalised, never leaving the root. Made only by this file. */
export type RelPath = string & { readonly __brand: "RelPath" };

/**
 * Reads a relative path that came from outside (a listing, a manifest, an argument).
 * Returns undefined for what must never be joined to a root: empty, absolute, `.` or `..` components, empty
 * components, NUL, a Windows drive or (on Windows) a backslash.
 */
export function parseRelPath(text: string): RelPath | undefined {
  if (text === "" || text.includes("\0")) return undefined;
  if (text.charCodeAt(0) === 0x2f || text.charCodeAt(text.length - 1) === 0x2f) return undefined;
  if (onWindows && (text.includes("\\") || /^[A-Za-z]:/.test(text))) return undefined;
  if (text.includes("//") || hasDotComponent(text)) return undefined;
  return text as RelPath;
}

/** Like {@link parseRelPath}, for text that is known to be good; throws RangeError when it is not. */
export function relPath(text: string): RelPath {
  const parsed = parseRelPath(text);
  if (parsed === undefined) throw new RangeError(`not a path inside the root: ${JSON.stringify(text)}`);
  return parsed;
}

/** The absolute path of `path` below `root`, in the form the operating system's calls take. */
export function joinUnder(root: string, path: RelPath): string {
  return root.endsWith("/") ? root + path : `${root}/${path}`;
}

/** The folder that holds `path`, `""` for the root itself. */
export function parentOf(path: RelPath): RelPath | "" {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : (path.slice(0, slash) as RelPath);
}

/** The last component of `path`. */
export function nameOf(path: RelPath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `name` inside `folder`, where `""` is the root. The caller vouches for `name`. */
export function childOf(folder: RelPath | "", name: string): RelPath {
  return relPath(folder === "" ? name : `${folder}/${name}`);
}

/** True when `path` is `folder` or lies below it. `""` holds everything. */
export function isUnder(path: RelPath, folder: RelPath | ""): boolean {
  return folder === "" || path === folder || path.startsWith(`${folder}/`);
}

/** Every folder above `path`, outermost first, the root left out: `a/b/c` gives `a`, `a/b`. */
export function foldersOf(path: RelPath): RelPath[] {
  const folders: RelPath[] = [];
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    folders.push(path.slice(0, slash) as RelPath);
  }
  return folders;
}

/** The innermost folder that is one of these, or holds them all. */
export function commonFolder(folders: readonly (RelPath | "")[]): RelPath | "" {
  let common = folders[0] ?? "";
  for (const folder of folders)
    while (!isUnder(folder || ("" as RelPath), common)) common = parentOf(common as RelPath);
  return common;
}

/** The order of all our sorted lists: UTF-16 code units, what `<` does. */
export function comparePaths(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order by Unicode code point, which is how Python sorts the keys of the files we share with it. */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

const onWindows = process.platform === "win32";

function hasDotComponent(text: string): boolean {
  if (text.charCodeAt(0) !== 0x2e && !text.includes("/.")) return false;
  return /(^|\/)\.\.?(\/|$)/.test(text);
}

/** Surrogates (code points above U+FFFF) sort after the rest of the basic plane. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
