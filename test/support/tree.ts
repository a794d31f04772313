import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Our state files in a project folder and the three reserved folders of a remote. */
const OURS = /^(\.claude_mirror_(manifest|hash_cache|inbox)|_claude_mirror_(logs|blobs|snapshots)(\/|$))/;

export const isUserFile = (path: string): boolean => !OURS.test(path);

/** The user's files below `folder`: path to content, a byte per character. Empty where there is no such folder. */
export function userFiles(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const path of filesBelow(folder)) {
    if (isUserFile(path)) files[path] = readFileSync(join(folder, path), "latin1");
  }
  return files;
}

/** Everything below `folder` with what would show any write: type, mode, time, inode and content. */
export function fingerprint(folder: string): string[] {
  if (!existsSync(folder)) return ["(missing)"];
  return ["", ...(readdirSync(folder, { recursive: true }) as string[]).sort()].map((path) => {
    const { mode, mtimeMs, ino } = lstatSync(join(folder, path));
    const content = lstatSync(join(folder, path)).isFile() ? digest(readFileSync(join(folder, path))) : "folder";
    return `${path} ${mode.toString(8)} ${mtimeMs} ${ino} ${content}`;
  });
}

/** Paths of all files below `folder`, sorted; symbolic links to files included. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => statSync(join(folder, path), { throwIfNoEntry: false })?.isFile())
    .sort();
}

/** SHA-256 in hex. */
export function digest(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The user's files below `folder`: path to SHA-256. */
export function userDigests(folder: string): Record<string, string> {
  return Object.fromEntries(
    filesBelow(folder)
      .filter(isUserFile)
      .map((path) => [path, fileDigest(join(folder, path))]),
  );
}

const known = new Map<string, string>();

/** SHA-256 of a file, read once as long as its stat stays the same. */
export function fileDigest(file: string): string {
  const { dev, ino, size, mtimeMs, ctimeMs } = statSync(file);
  const key = `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  const found = known.get(key) ?? digest(readFileSync(file));
  known.set(key, found);
  return found;
}
