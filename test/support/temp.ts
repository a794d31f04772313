import { chmodSync, lstatSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** A new empty folder, by its real path, removed when all tests are done. */
export function tempFolder(label = "test"): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `claude-mirror-${label}-`)));
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
