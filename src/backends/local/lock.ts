import { lstat, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { faultPoint } from "../../lib/fault.ts";
import { tempPathFor } from "../../lib/fs.ts";
import { hashBytes } from "../../lib/hash.ts";
import { liveness, ownIdentity, type ProcessIdentity } from "../../lib/process-identity.ts";
import { TEMP_PREFIX } from "../../lib/temp-prefix.ts";
import { BackendError } from "../errors.ts";
import { type Attempt, codeOf } from "./errors.ts";
import { type LocalRoot, unlessMissing } from "./root.ts";

/** A lock is held for a look and a rename: microseconds. One this old has lost its owner, wherever that ran. */
const STALE_MS = 30_000;
const WAIT_MS = 60_000;

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `act` while no other client of ours, on this machine or another one that has the folder mounted, is changing
 * `target` (absolute). `stillOurs` throws when the lock was taken over because we stalled; call it right before the
 * change. Programs that know nothing of our lock are not kept out: between the look and the rename they can slip in.
 */
export async function withPathLock<T>(
  root: LocalRoot,
  target: string,
  attempt: Attempt,
  options: LockOptions,
  act: (stillOurs: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const file = lockFile(target, root.names.caseSensitive);
  const inode = await acquire(root, file, attempt, options);
  const isOurs = async (): Promise<boolean> => (await unlessMissing(lstat(file, { bigint: true })))?.ino === inode;
  try {
    return await act(async () => {
      if (!(await isOurs())) throw busy(attempt, "the lock on it was lost, because this run stood still too long");
    });
  } finally {
    faultPoint("local-unlock");
    if (await isOurs()) await rm(file, { force: true });
  }
}

/** Where the lock of `target` lies: next to it, under a name that sync never sees. */
export function lockFile(target: string, caseSensitive: boolean): string {
  const key = caseSensitive ? target : target.normalize("NFC").toLowerCase();
  const name = key.slice(key.lastIndexOf("/") + 1);
  return join(dirname(target), `${TEMP_PREFIX}lock_${hashBytes("sha256", name).slice(0, 16)}`);
}

/** Whether a file of that name is a lock. */
export function isLockName(name: string): boolean {
  return name.startsWith(`${TEMP_PREFIX}lock_`);
}

async function acquire(root: LocalRoot, file: string, attempt: Attempt, options: LockOptions): Promise<bigint> {
  const deadline = root.clock.now() + WAIT_MS;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const inode = await tryLock(file);
    if (inode !== undefined) return inode;
    if (pause >= 16) await takeOverStale(file);
    if (root.clock.now() > deadline) throw busy(attempt, "another run holds the lock on it");
    await root.clock.sleep(pause, options.signal);
  }
}

async function tryLock(file: string): Promise<bigint | undefined> {
  faultPoint("local-lock");
  try {
    const handle = await open(file, "wx", 0o666);
    try {
      await handle.writeFile(ownerText());
      return (await handle.stat({ bigint: true })).ino;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) === "EEXIST") return undefined;
    throw error;
  }
}

let owner: string | undefined;

function ownerText(): string {
  owner ??= JSON.stringify(ownIdentity());
  return owner;
}

/** True when the lock says that its owner was a process of this machine, and that process has ended. */
async function ownerEnded(file: string): Promise<boolean> {
  try {
    const identity: unknown = JSON.parse(await readFile(file, "utf8"));
    return isIdentity(identity) && liveness(identity) === "dead";
  } catch {
    // Gone meanwhile, or its owner has not finished writing it.
    return false;
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== "object" || value === null || !("pid" in value) || typeof value.pid !== "number") return false;
  const fields = value as Readonly<Record<string, unknown>>;
  return ["host", "boot", "pidSpace", "processStart"].every((name) => typeof fields[name] === "string");
}

/**
 * Removes a lock whose owner is gone: a process of this machine that has ended, or anybody after STALE_MS. Its age is
 * told by the file system's own clock, which all machines share.
 */
export async function takeOverStale(file: string): Promise<void> {
  const seen = await unlessMissing(lstat(file, { bigint: true }));
  if (!seen) return;
  const ended = await ownerEnded(file);
  const now = tempPathFor(file);
  await writeFile(now, "");
  try {
    if (!ended && (await stat(now)).mtimeMs - Number(seen.mtimeMs) < STALE_MS) return;
    faultPoint("local-lock-takeover");
    await rename(file, now);
    if ((await lstat(now, { bigint: true })).ino !== seen.ino) await rename(now, file);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  } finally {
    await rm(now, { force: true });
  }
}

function busy(attempt: Attempt, state: string): BackendError {
  return new BackendError(`cannot ${attempt.verb} "${attempt.path}" in "${attempt.folder}": ${state}`, {
    class: "TRANSIENT",
    hint: "Try again; the lock is released by itself.",
  });
}
