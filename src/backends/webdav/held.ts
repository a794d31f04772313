import type { Clock } from "../../lib/clock.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { CallOptions, RemoteFile } from "../types.ts";
import type { DavConnection } from "./connection.ts";
import type { ServerFacts } from "./facts.ts";
import { statFile } from "./listing.ts";
import { type TakenLock, takeLock } from "./lock.ts";

/** A file that was looked at under a lock that nobody has released since. */
export interface HeldFile {
  readonly file: RemoteFile;
  readonly lock: TakenLock;
}

/** Files that are about to be written where a lock is the guard: the look that decides is also the one that guards. */
export interface Held {
  /** What `stat` answers; the file stays locked, unless somebody else has it locked. */
  look(path: RelPath, options: CallOptions): Promise<RemoteFile | undefined>;
  /**
   * Hands a file over to who writes it, and releases it. Undefined when it was not looked at so, or so long ago that the
   * lock may have ended (this machine slept): then the write looks for itself.
   */
  take(path: RelPath): Promise<HeldFile | undefined>;
  releaseAll(): Promise<void>;
}

/** Such a lock is held while contents are stored: others must not wait long for a run that was killed. */
const HELD_SECONDS = 60;
const TRUSTED_MS = 10_000;

export function createHeld(connection: DavConnection, facts: ServerFacts, clock: Clock): Held {
  const held = new Map<RelPath, HeldFile & { readonly atMs: number }>();
  return {
    async look(path, options) {
      if (held.has(path)) return statFile(connection, facts, path, options);
      const atMs = clock.now();
      const lock = await takeLock(connection, path, { ...options, clock, seconds: HELD_SECONDS }).catch(withoutLock);
      if (lock === "gone") return undefined;
      if (lock === "none") return statFile(connection, facts, path, options);
      try {
        const file = await statFile(connection, facts, path, options);
        if (file === undefined) await lock.release();
        else held.set(path, { file, lock, atMs });
        return file;
      } catch (error) {
        await lock.release();
        throw error;
      }
    },
    async take(path) {
      const found = held.get(path);
      held.delete(path);
      if (found === undefined || Math.abs(clock.now() - found.atMs) <= TRUSTED_MS) return found;
      await found.lock.release();
      return undefined;
    },
    async releaseAll() {
      const locks = [...held.values()];
      held.clear();
      await Promise.all(locks.map(({ lock }) => lock.release()));
    },
  };
}

/** A lock that is refused is no reason not to look. */
function withoutLock(error: unknown): "gone" | "none" {
  if (error instanceof StaleError) return "gone";
  if (error instanceof BackendError && error.class !== "AUTH") return "none";
  throw error;
}
