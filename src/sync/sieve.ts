import type { RemoteFile } from "../backends/types.ts";
import type { StateIndex } from "./state-index.ts";

/** Notes which files of a listing are just the versions that the merge base names, so that nobody need keep them. */
export interface Sieve {
  /** For `ListOptions.sift`. */
  readonly begin: () => (file: RemoteFile) => boolean;
  /** Takes it that the listing would have the version of this index row: the walk did not come there. */
  assume(row: number): void;
  /** Whether the listing has the version of this index row. */
  has(row: number): boolean;
  /** How many it has, or would have. */
  count(): number;
}

/**
 * `index` answers undefined while the merge base is not loaded; files that come before are kept. A file is left out only
 * where its row tells all that a listing would: its rev, not racy, its id and its size.
 */
export function openSieve(index: () => StateIndex | undefined): Sieve {
  let found = new Uint8Array(0);
  let noted = 0;
  return {
    begin() {
      found = new Uint8Array(0);
      noted = 0;
      let next = 0;
      return (file) => {
        const base = index();
        if (base === undefined) return true;
        if (found.length !== base.length) found = new Uint8Array(base.length);
        // Listings come nearly in our order.
        const row = next < base.length && base.isAt(next, file.path) ? next : base.find(file.path);
        if (row < 0) return true;
        next = row + 1;
        if (found[row] === 1 || !base.isWholly(row, file)) return true;
        found[row] = 1;
        noted++;
        return false;
      };
    },
    assume(row) {
      const base = index();
      if (base !== undefined && found.length !== base.length) found = new Uint8Array(base.length);
      if (found[row] === 1) return;
      found[row] = 1;
      noted++;
    },
    has: (row) => found[row] === 1,
    count: () => noted,
  };
}

/** The file of a row that a sieve has noted, as the listing showed it (but for its time and checksums). */
export function siftedFile(index: StateIndex, row: number): RemoteFile | undefined {
  const entry = index.baseAt(row);
  if (entry?.rev === undefined || entry.size === undefined) return undefined;
  const { path, size, rev, remoteId, nativeHash } = entry;
  return { path, size, rev, racy: false, id: remoteId, nativeHash };
}
