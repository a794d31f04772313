import * as fs from "node:fs";
import { dirname } from "node:path";
import { writeAtomic } from "./fs.ts";

/**
 * Writes a file that only its owner may read: 0600 from the first byte, replaced whole or not at all, also when a
 * looser file stood there. A missing folder is made 0700.
 */
export function writeSecret(file: string, text: string): void {
  fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeAtomic(file, text, { mode: 0o600 });
}

/** The text of a secret file, undefined when there is none; every other failure is thrown as node:fs gives it. */
export function readSecret(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** True when someone other than the owner may read or write the file. False when it is missing, and on Windows. */
export function isWorldReadable(file: string): boolean {
  if (process.platform === "win32") return false;
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && (stat.mode & 0o066) !== 0;
}
