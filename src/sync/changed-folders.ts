import { parentOf, type RelPath } from "../lib/path.ts";
import type { LocalView } from "./scan.ts";
import type { StateIndex } from "./state-index.ts";

/** Where something here is not as agreed on, so that the remote has to be looked at. */
export interface ChangedFolders {
  /** Whether a file in it, or in a folder below, is. */
  has(folder: RelPath): boolean;
  /**
   * The rows of agreed files that lie where nothing has changed, below folders that are there on the remote: `listed` names
   * those that a walk along the changed ones has met.
   */
  restOf(listed: Iterable<RelPath>): Iterable<number>;
}

/** Holds the folder as it was scanned against the index. A row that does not tell all of the remote file counts as changed. */
export function changedFolders(view: LocalView, index: StateIndex): ChangedFolders {
  const changed = new Set<RelPath | "">();
  const add = (path: RelPath) => {
    for (let folder = parentOf(path); folder !== "" && !changed.has(folder); folder = parentOf(folder)) {
      changed.add(folder);
    }
  };
  const asAgreed = new Uint8Array(index.length);
  for (let at = 0; at < view.length; at++) {
    const row = view.indexRow[at] ?? -1;
    if (row >= 0 && view.clean[at] === 1 && index.localIsBase(row) && index.tellsRemote(row)) asAgreed[row] = 1;
    else add(view.pathAt(at));
  }
  for (let row = 0; row < index.length; row++) if (asAgreed[row] !== 1 && index.hasBase(row)) add(index.pathAt(row));
  return {
    has: (folder) => changed.has(folder),
    *restOf(listed) {
      const there = new Set(listed);
      let last: RelPath | "" | undefined;
      let isRest = false;
      for (let row = 0; row < index.length; row++) {
        if (asAgreed[row] !== 1) continue;
        const folder = parentOf(index.pathAt(row));
        if (folder !== last) isRest = there.has(outermostUnchanged(folder, changed));
        last = folder;
        if (isRest) yield row;
      }
    },
  };
}

/** `""` for a folder in which something has changed. */
function outermostUnchanged(folder: RelPath | "", changed: ReadonlySet<RelPath | "">): RelPath {
  let outermost: RelPath | "" = "";
  for (let above = folder; above !== "" && !changed.has(above); above = parentOf(above)) outermost = above;
  return outermost as RelPath;
}
