import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { faultPoint } from "./fault.ts";
import { hasEnded, processTag } from "./process-identity.ts";
import { isSystemError } from "./system-error.ts";
import { TEMP_PREFIX } from "./temp-prefix.ts";

/** In the names of temporary files that wait for a later process to go on with them (see `part-file.ts`). */
const PART_INFIX = "-part-";

/** The name of such a file of this process; `place` and `what` are hex. */
export function partName(place: string, what: string): string {
  return `${TEMP_PREFIX}${processTag()}${partSuffix(place, what)}`;
}

/** What the names of all processes for the same part end in; without `what`, what is in all parts for that place. */
export function partSuffix(place: string, what = ""): string {
  return `${PART_INFIX}${place}-${what}`;
}

/** True for the name of such a file, or of what belongs to one. */
export function isPartName(name: string): boolean {
  return name.startsWith(TEMP_PREFIX) && name.includes(PART_INFIX);
}

/** A name for a temporary file next to `target`, on the same file system so that a rename is atomic. */
export function tempPathFor(target: string): string {
  return join(dirname(target), `${TEMP_PREFIX}${processTag()}-${randomBytes(6).toString("hex")}`);
}

/** True for the name of a temporary file that nobody needs: its process ran on this machine and has ended. */
export function isAbandonedTemp(name: string): boolean {
  return isOrphan(name) && !isPartName(name);
}

/** True for the name of a temporary file, a part included, whose process ran on this machine and has ended. */
export function isOrphan(name: string): boolean {
  return name.startsWith(TEMP_PREFIX) && hasEnded(name.slice(TEMP_PREFIX.length));
}

/** Removes from one folder what killed processes of this machine left unfinished there. */
export function removeAbandonedTemps(folder: string): void {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    return; // Not there, or not readable: then whoever writes there says so.
  }
  for (const name of names) if (isAbandonedTemp(name)) fs.rmSync(join(folder, name), { force: true });
}

export interface AtomicWriteOptions {
  /** Permission bits of the new file; an existing file's own are kept when left out (0644 for a new one). */
  readonly mode?: number;
  /** False for caches that may be lost with the power. */
  readonly durable?: boolean;
}

/**
 * Replaces `target` so that every reader, at every instant and after a crash, finds the old or the new content whole:
 * temporary file, fsync, rename, fsync of the folder (invariant I8). Creates missing folders. A system error names
 * `target` as its path.
 */
export function writeAtomic(target: string, content: string | Uint8Array, options: AtomicWriteOptions = {}): void {
  fs.mkdirSync(dirname(target), { recursive: true });
  const temp = tempPathFor(target);
  const mode = options.mode ?? modeOf(target) ?? 0o644;
  try {
    const fd = fs.openSync(temp, "wx", mode);
    try {
      faultPoint(`atomic-temp ${basename(target)}`);
      writeAll(fd, typeof content === "string" ? Buffer.from(content) : content);
      fs.fchmodSync(fd, mode);
      if (options.durable !== false) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    faultPoint(`atomic-rename ${basename(target)}`);
    fs.renameSync(temp, target);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw isSystemError(error) ? Object.assign(error, { path: target }) : error;
  }
  if (options.durable !== false) fsyncFolder(dirname(target));
}

/** Writes every byte or throws: a full disk can show as a short count without an error. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    const written = fs.writeSync(fd, bytes, at, bytes.length - at);
    if (written <= 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    at += written;
  }
}

/** Makes what was written to an open file survive a power loss, while other work goes on. */
export function fsyncFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(fd, (error) => (error ? reject(error) : resolve()));
  });
}

/** Makes a rename or create in `folder` survive a power loss, where the system and the file system can do that. */
export function fsyncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(fd);
  } catch (error) {
    throwUnlessRefused(error);
  } finally {
    fs.closeSync(fd);
  }
}

/** The same while other work goes on. */
export async function fsyncFolderAsync(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const fd = fs.openSync(folder, "r");
  try {
    await fsyncFile(fd).catch(throwUnlessRefused);
  } finally {
    fs.closeSync(fd);
  }
}

/** Some network file systems refuse to sync a folder; the rename itself has happened. */
function throwUnlessRefused(error: unknown): void {
  if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
}

function modeOf(path: string): number | undefined {
  try {
    return fs.statSync(path).mode & 0o777;
  } catch {
    return undefined;
  }
}
