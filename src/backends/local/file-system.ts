import { randomBytes } from "node:crypto";
import { lstat, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TEMP_PREFIX } from "../../lib/temp-prefix.ts";
import type { NameRules } from "../types.ts";
import { unlessMissing } from "./root.ts";

/** What the kind of file system says about a folder. */
export interface FileSystem {
  /** Inode numbers and change times survive a remount. */
  readonly stableInodes: boolean;
  readonly names: NameRules;
  /** Bytes. */
  readonly maxFileSize?: number;
}

/** Magic numbers of statfs(2), from linux/magic.h and the drivers' own headers. */
const MSDOS = 0x4d44;
const EXFAT = 0x2011bab0;
const NTFS3 = 0x7366746e;
const CIFS = 0xff534d42;
const SMB2 = 0xfe534d42;
const FUSE = 0x65735546;

const WINDOWS_FORBIDDEN = '"*:<>?\\|';
const FAT_LIMIT = 2 ** 32 - 1;

/** Looks without changing anything. An empty folder of unknown kind counts as its operating system's usual one. */
export async function lookAtFileSystem(folder: string): Promise<FileSystem> {
  const type = await typeOf(folder);
  const windowsNames = process.platform === "win32" || type === MSDOS || type === EXFAT || type === NTFS3;
  return {
    stableInodes: ![MSDOS, EXFAT, CIFS, SMB2, FUSE].includes(type),
    names: {
      forbidden: windowsNames ? WINDOWS_FORBIDDEN : "",
      maxNameBytes: 255,
      caseSensitive: (await caseSensitiveByLooking(folder)) ?? usualCase(type),
    },
    ...(type === MSDOS ? { maxFileSize: FAT_LIMIT } : {}),
  };
}

/** Finds out by writing, so for setup only: throws when the folder cannot be written to. */
export async function probeCaseSensitivity(folder: string): Promise<boolean> {
  const name = `${TEMP_PREFIX}case_${randomBytes(6).toString("hex")}`;
  const file = join(folder, name);
  await writeFile(file, "", { flag: "wx" });
  try {
    return (await unlessMissing(lstat(join(folder, name.toUpperCase())))) === undefined;
  } finally {
    await rm(file, { force: true });
  }
}

/** `0` where the system does not tell. */
async function typeOf(folder: string): Promise<number> {
  if (process.platform !== "linux") return 0;
  try {
    return (await statfs(folder)).type >>> 0;
  } catch {
    return 0;
  }
}

function usualCase(type: number): boolean {
  if (process.platform === "darwin" || process.platform === "win32") return false;
  return ![MSDOS, EXFAT, CIFS, SMB2].includes(type);
}

/** Asks for one of the folder's own entries under the other case; undefined when none of them has letters. */
async function caseSensitiveByLooking(folder: string): Promise<boolean | undefined> {
  try {
    for (const name of (await readdir(folder)).slice(0, 50)) {
      const other = swapCase(name);
      if (other === name) continue;
      const [real, twin] = await Promise.all([
        unlessMissing(lstat(join(folder, name), { bigint: true })),
        unlessMissing(lstat(join(folder, other), { bigint: true })),
      ]);
      if (real) return twin?.ino !== real.ino;
    }
  } catch {
    // A folder that cannot be read says so at the first listing.
  }
  return undefined;
}

function swapCase(name: string): string {
  return name.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));
}
