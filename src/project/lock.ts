import { join } from "node:path";
import { removeAbandonedTemps } from "../lib/fs.ts";
import { acquireLock } from "../lib/lock.ts";
import { snapshotFolders } from "../snapshots/service.ts";
import type { Parts } from "./parts.ts";

/** Where the lock of a project's runs is. */
export function lockFile(stateFolder: string): string {
  return join(stateFolder, "lock");
}

/**
 * One run per project at a time; throws LockedError when another has it. What killed runs left unfinished in the places
 * that only a run writes to is gone when `use` begins.
 */
export async function withProjectLock<T>(parts: Parts, command: string, use: () => Promise<T>): Promise<T> {
  const { stateFolder, clock } = parts.deps;
  const lock = acquireLock(lockFile(stateFolder), { command, clock });
  try {
    for (const folder of [parts.root, stateFolder, ...snapshotFolders(stateFolder)]) removeAbandonedTemps(folder);
    return await use();
  } finally {
    lock.release();
  }
}
