import * as fs from "node:fs";
import type { RelPath } from "../lib/path.ts";
import type { SyncFiles } from "./files.ts";
import type { ScopeRules } from "./scope.ts";

/** Prefix of the paths in it (`""`, `a/b/`), mtime, ctime (milliseconds) and inode of one folder. */
type FolderStamp = readonly [path: string, mtimeMs: number, ctimeMs: number, ino: number];

/**
 * What a walk through the project found besides files of the index: in a folder that still has its stamps no file has
 * come or gone, and only the files that are known need to be looked at.
 */
export interface Walked {
  readonly version: 1;
  /** Tells the index that `unseen` counts in, and the rules, from all others. */
  readonly key: string;
  /** When the walk began, milliseconds since 1970. */
  readonly atMs: number;
  readonly folders: readonly FolderStamp[];
  /** Files in scope that nothing was ever agreed on. */
  readonly added: readonly RelPath[];
  /** Files that were agreed on and are gone. */
  readonly gone: readonly RelPath[];
  /** Rows of the index that are no file in scope, ascending. */
  readonly unseen: readonly number[];
  /** Every agreed file was last seen with the content that was agreed on. */
  readonly agreed: boolean;
}

/** Where the last walk is kept. */
export function walkedFile({ index }: SyncFiles): string {
  return index.replace(/index\.bin$/, "walked.json");
}

/** File systems that stamp in steps of two seconds: a change in the same step would not show. */
const COARSE_MS = 2_000;
/** A file system that does not stamp its folders is found out no later. */
const LASTS_MS = 10 * 60_000;

/** What has to be the same for a walk to be of use. */
export function walkedKey(files: SyncFiles, rules: ScopeRules): string {
  const index = fs.statSync(files.index, { throwIfNoEntry: false });
  return JSON.stringify([files.root, index?.size, index?.mtimeMs, index?.ino, rules]);
}

/** The last walk, and the prefixes of the folders that have to be read again. */
export interface LastWalk {
  readonly walked: Walked;
  readonly changed: readonly string[];
}

/** Undefined where there is none, it is of no use any more, or a folder is gone. */
export function readWalked(files: SyncFiles, key: string, nowMs: number): LastWalk | undefined {
  let walked: Walked;
  try {
    walked = JSON.parse(fs.readFileSync(walkedFile(files), "utf8")) as Walked;
  } catch {
    return undefined;
  }
  if (walked.version !== 1 || walked.key !== key) return undefined;
  if (walked.atMs > nowMs || walked.atMs < nowMs - LASTS_MS) return undefined;
  const changed: string[] = [];
  for (const [prefix, mtimeMs, ctimeMs, ino] of walked.folders) {
    const stat = fs.statSync(`${files.root}/${prefix}`, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.mtimeMs !== mtimeMs || stat.ctimeMs !== ctimeMs || stat.ino !== ino) changed.push(prefix);
  }
  return { walked, changed };
}

/** Notes the folders that a walk reads. */
export interface FolderNotes {
  /** To be read with, in the place of `fs.readdirSync`. */
  readonly readdirSync: typeof fs.readdirSync;
  /** Undefined where there is a link: what it leads to may change without it. One that was changed just now has no stamps. */
  stamps(atMs: number): readonly FolderStamp[] | undefined;
}

export function noteFolders(root: string): FolderNotes {
  const folders: FolderStamp[] = [];
  let links = 0;
  const readdirSync = (absolute: string, options: { withFileTypes: true }): fs.Dirent[] => {
    const { mtimeMs, ctimeMs, ino } = fs.statSync(absolute);
    const entries = fs.readdirSync(absolute, options);
    for (const entry of entries) if (entry.isSymbolicLink()) links++;
    folders.push([absolute.slice(root.length + 1), mtimeMs, ctimeMs, ino]);
    return entries;
  };
  return {
    readdirSync: readdirSync as unknown as typeof fs.readdirSync,
    stamps(atMs) {
      if (links > 0) return undefined;
      return folders.map((folder): FolderStamp => {
        const [prefix, mtimeMs, ctimeMs] = folder;
        return Math.max(mtimeMs, ctimeMs) < atMs - COARSE_MS ? folder : [prefix, -1, -1, -1];
      });
    },
  };
}

/** Keeps a walk. A state folder that cannot be written costs time only. */
export async function writeWalked(files: SyncFiles, walked: Walked): Promise<void> {
  const { writeAtomic } = await import("../lib/fs.ts");
  try {
    writeAtomic(walkedFile(files), JSON.stringify(walked), { mode: 0o600, durable: false });
  } catch {
    // See above.
  }
}
