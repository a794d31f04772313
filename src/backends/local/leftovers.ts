import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { isAbandonedTemp } from "../../lib/fs.ts";
import { isLockName, takeOverStale } from "./lock.ts";

/** True for the name of a file that a killed run may have left. */
export function mayBeLeftover(name: string): boolean {
  return isAbandonedTemp(name) || isLockName(name);
}

/** Removes such a file (absolute), unless it is a lock that somebody holds. Throws nothing: it is a courtesy. */
export async function removeLeftover(file: string): Promise<void> {
  const removing = isLockName(basename(file)) ? takeOverStale(file) : rm(file, { force: true });
  await removing.catch(() => undefined);
}
