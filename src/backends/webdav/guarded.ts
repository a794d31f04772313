import type { RelPath } from "../../lib/path.ts";
import { StaleError } from "../errors.ts";
import type { CallOptions, RemoteFile, Rev } from "../types.ts";
import { fileUrl } from "./dav-path.ts";
import type { ChangeGuard } from "./facts.ts";
import { guardHeaders } from "./guard.ts";
import { IncompleteEntryError, statFile } from "./listing.ts";
import { type HeldLock, withLock } from "./lock.ts";
import type { Remote } from "./remote.ts";

export type Headers = Readonly<Record<string, string>>;

export interface Guarded extends CallOptions {
  readonly expect: Rev;
  readonly guard: ChangeGuard;
  readonly method: "PUT" | "DELETE" | "COPY" | "MOVE";
}

/**
 * Sends a change with these headers. `dateMs` is a time to give to what is written, where there is one that tells it from
 * every other version of the file.
 */
export type GuardedChange<T> = (headers: Headers, dateMs?: number) => Promise<T>;

/** Runs `change` with the headers that make it fail unless `path` is the version expected. */
export async function guarded<T>(
  remote: Remote,
  path: RelPath,
  options: Guarded,
  change: GuardedChange<T>,
): Promise<T> {
  const { expect, guard } = options;
  switch (guard) {
    case "if-etag":
    case "if-match":
      return change(guardHeaders(guard, options.method, fileUrl(remote.connection.root, path), expect));
    case "lock":
    case "lock-tagged":
      return underLock(remote, path, options, change);
    case "look":
      await look(remote, path, options);
      return change({});
    default:
      return guard satisfies never;
  }
}

async function underLock<T>(remote: Remote, path: RelPath, options: Guarded, change: GuardedChange<T>): Promise<T> {
  const present = (lock: HeldLock, there: RemoteFile) => {
    // Only what changes the locked file presents the lock.
    if (options.method === "COPY") return change({});
    return change(options.guard === "lock" ? lock.plain : lock.tagged, ownDate(lock.dateMs, there.modifiedMs));
  };
  const held = await remote.held.take(path);
  if (held !== undefined) {
    try {
      return await present(held.lock, requireVersion(held.file, path, options));
    } finally {
      await held.lock.release();
    }
  }
  if (!remote.seen.isFresh(path, options.expect)) await look(remote, path, options);
  return withLock(remote.connection, path, { ...options, clock: remote.clock }, async (lock) => {
    const there = await look(remote, path, options).catch((error) => lockedNothing(error, path, options));
    return present(lock, there);
  });
}

const SECOND_MS = 1000;

/**
 * A second that lies after the present version's and before the server's own, whose clock `nowMs` is: no version before has
 * it, and none that is written later can get it, as each of ours comes after the one it replaces and everybody else's has the
 * time it is written at.
 */
function ownDate(nowMs: number | undefined, modifiedMs: number | undefined): number | undefined {
  if (nowMs === undefined || modifiedMs === undefined) return undefined;
  const date = Math.max(nowMs - 2 * SECOND_MS, (Math.floor(modifiedMs / SECOND_MS) + 1) * SECOND_MS);
  return date < nowMs ? date : undefined;
}

const VERBS = { PUT: "write", DELETE: "remove", COPY: "copy", MOVE: "move" } as const;

export function stale(verb: string, path: RelPath, why: string): StaleError {
  return new StaleError(`Could not ${verb} "${path}": ${why}`);
}

async function look(remote: Remote, path: RelPath, options: Guarded): Promise<RemoteFile> {
  return requireVersion(await statFile(remote.connection, remote.facts, path, options), path, options);
}

function requireVersion(there: RemoteFile | undefined, path: RelPath, { method, expect }: Guarded): RemoteFile {
  if (there === undefined) throw stale(VERBS[method], path, "it is gone");
  if (there.rev !== expect) throw stale(VERBS[method], path, "it is another version");
  return there;
}

/** What is locked and has neither size nor version is a name without a file (a lock-null resource, RFC 2518 section 7.4). */
function lockedNothing(error: unknown, path: RelPath, { method }: Guarded): never {
  if (error instanceof IncompleteEntryError && error.status === undefined)
    throw stale(VERBS[method], path, "it is gone");
  throw error;
}
