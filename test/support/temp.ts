import { chmodSync, existsSync, lstatSync, mkdtempSync, readdirSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** A new empty folder, by its real path, removed when all tests are done. */
export function tempFolder(label = "test"): string {
  return newFolder(tmpdir(), label);
}

/**
 * The same on a RAM disk, where there is one: for tests that run a program hundreds of times on a few small files, and
 * would wait for the disk to sync most of their time. What survives a power loss is not what they ask.
 */
export function quickFolder(label: string): string {
  return newFolder(hasRoom(RAM_DISK) ? RAM_DISK : tmpdir(), label);
}

const RAM_DISK = "/dev/shm";
/** Containers have one of 64 MB. Bytes. */
const LEAST_ROOM = 1024 ** 3;

function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= LEAST_ROOM;
}

function newFolder(parent: string, label: string): string {
  const folder = realpathSync(mkdtempSync(join(parent, `claude-mirror-${label}-`)));
  made.push(folder);
  return folder;
}

/** What the test runner does at its end. */
export function removeTempFolders(): void {
  for (const folder of made.splice(0)) removeFolder(folder);
}

function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    unlockFolders(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Gives back the permissions that a test took from folders, so that they can be removed. */
function unlockFolders(folder: string): void {
  chmodSync(folder, 0o700);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) unlockFolders(path);
  }
}
