import { join } from "node:path";
import { acquireLock } from "../lib/lock.ts";
import type { Parts } from "./parts.ts";

/** Where the lock of a project's runs is. */
export function lockFile(stateFolder: string): string {
  return join(stateFolder, "lock");
}

/** One run per project at a time; throws LockedError when another has it. */
export async function withProjectLock<T>(parts: Parts, command: string, use: () => Promise<T>): Promise<T> {
  const { stateFolder, clock } = parts.deps;
  const lock = acquireLock(lockFile(stateFolder), { command, clock });
  try {
    return await use();
  } finally {
    lock.release();
  }
}
