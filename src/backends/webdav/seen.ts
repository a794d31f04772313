import type { Clock } from "../../lib/clock.ts";
import type { RelPath } from "../../lib/path.ts";
import type { RemoteFile, Rev } from "../types.ts";

/** How long a look counts as just now, milliseconds. */
const FRESH_MS = 2000;

/**
 * The files that were looked at one by one a moment ago. Before a lock a file has to be known to exist (a lock on a
 * missing name makes an empty file); one that the caller has just looked up need not be looked up again for that. What
 * decides is the look under the lock, in any case.
 */
export interface Seen {
  note(file: RemoteFile): void;
  isFresh(path: RelPath, rev: Rev): boolean;
}

export function createSeen(clock: Clock): Seen {
  const seen = new Map<RelPath, { readonly rev: Rev; readonly atMs: number }>();
  return {
    note({ path, rev }) {
      const atMs = clock.now();
      for (const [old, look] of seen) {
        if (atMs - look.atMs <= FRESH_MS) break;
        seen.delete(old);
      }
      seen.delete(path);
      seen.set(path, { rev, atMs });
    },
    isFresh(path, rev) {
      const look = seen.get(path);
      return look !== undefined && look.rev === rev && Math.abs(clock.now() - look.atMs) <= FRESH_MS;
    },
  };
}
