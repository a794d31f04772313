import { childOf, nameOf, parentOf, type RelPath } from "./path.ts";

/**
 * Where the losing content of a conflict over `path` goes: `name.conflict-<8 hex of its SHA-256>.ext` in the same
 * folder. Depends on nothing but its arguments, so every machine picks the same name. The copy of a copy takes the
 * copy's place: an old mark is replaced. A name that would pass 255 bytes loses the end of its stem.
 */
export function conflictCopyPath(path: RelPath, sha256: string): RelPath {
  const { stem, extension } = splitName(nameOf(path));
  const mark = `.conflict-${sha256.slice(0, 8)}`;
  const room = MAX_NAME_BYTES - byteLength(mark) - byteLength(extension);
  return childOf(parentOf(path), cutToBytes(stem, room) + mark + extension);
}

/** NAME_MAX of ext4, XFS, btrfs, ZFS and APFS. */
const MAX_NAME_BYTES = 255;
const COPY_MARKS = /(?:\.conflict-[0-9a-f]{8})+$/;

/** The extension includes its dot; a leading dot is part of the stem, and marks of conflict copies are gone. */
function splitName(name: string): { stem: string; extension: string } {
  const bare = unmark(name);
  if (bare !== name) return { stem: bare, extension: "" };
  const dot = name.lastIndexOf(".");
  if (dot <= 0) return { stem: name, extension: "" };
  return { stem: unmark(name.slice(0, dot)), extension: name.slice(dot) };
}

function unmark(stem: string): string {
  return stem.replace(COPY_MARKS, "") || stem;
}

function cutToBytes(text: string, bytes: number): string {
  let cut = text;
  while (cut !== "" && byteLength(cut) > bytes) cut = [...cut].slice(0, -1).join("");
  return cut;
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
