import { resolve } from "node:path";
import { forEachLimit } from "../lib/limits.ts";
import { comparePaths, joinUnder, type RelPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { META_NAME } from "./full-folder.ts";
import { type FoundSnapshot, findSnapshot } from "./inspect.ts";
import type { SnapshotRoom } from "./list.ts";
import { hashLocalFile, lookAtTarget } from "./local-target.ts";
import type { RestoreItem, RestorePlan } from "./model.ts";
import { selectPaths } from "./path-match.ts";

/**
 * What restoring the paths that `patterns` mean (all of them when there are none) would do to the folder `target`. Reads one
 * manifest and, where a file is already there, that file; writes nothing. Throws as `findSnapshot`.
 */
export async function planRestore(
  room: SnapshotRoom,
  timestamp: string,
  patterns: readonly string[],
  target: string,
  options: SnapshotOptions = {},
): Promise<RestorePlan> {
  const found = await findSnapshot(room, timestamp, options);
  const files = found.format === "blobs" ? found.manifest.files : found.files;
  const { selected, unmatched } = selectPaths([...files.keys()].sort(comparePaths), patterns);
  const root = resolve(target);
  const items: RestoreItem[] = [];
  const plan = async (path: RelPath, index: number): Promise<void> => {
    items[index] = await planItem(root, wantedFile(found, path), options);
  };
  await forEachLimit(selected, room.workers, plan, options);
  const incomplete = found.format === "full" && !found.isComplete;
  return {
    timestamp,
    format: found.format,
    target: root,
    items,
    unmatched,
    ...(incomplete && { problem: `it is incomplete: it has no ${META_NAME}` }),
  };
}

interface WantedFile {
  readonly path: RelPath;
  readonly sha256: string | null;
  readonly size?: number;
}

function wantedFile(found: FoundSnapshot, path: RelPath): WantedFile {
  if (found.format === "blobs") return { path, sha256: found.manifest.files.get(path) ?? null };
  const size = found.files.get(path)?.size;
  return { path, sha256: null, ...(size === undefined ? {} : { size }) };
}

async function planItem(root: string, wanted: WantedFile, options: SnapshotOptions): Promise<RestoreItem> {
  try {
    const look = lookAtTarget(root, wanted.path);
    switch (look.kind) {
      case "absent":
        return { ...wanted, kind: "create" };
      case "blocked":
        return { ...wanted, kind: "overwrite", problem: look.reason };
      case "file": {
        const isSame =
          wanted.sha256 !== null &&
          (await hashLocalFile(joinUnder(root, wanted.path), options.signal)) === wanted.sha256;
        return { ...wanted, kind: isSame ? "same" : "overwrite", found: look.stamp };
      }
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    return { ...wanted, kind: "overwrite", problem: error instanceof Error ? error.message : String(error) };
  }
}
