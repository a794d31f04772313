import type { BackendKind } from "../backends/types.ts";
import { manifestStat, sameManifest } from "./file-stat.ts";
import type { SyncFiles } from "./files.ts";
import { rewriteManifest } from "./manifest-file.ts";
import type { RemotePatch } from "./remote-record.ts";
import { type IndexRow, loadIndex, type StateIndex } from "./state-index.ts";
import { writeIndex } from "./write-index.ts";

/**
 * Writes what became of files on other backends into the shared manifest, and makes our index speak of the new one,
 * where it spoke of the old. Writes nothing when nothing differs. Throws LocalFileError.
 */
export function recordRemotes(files: SyncFiles, remotes: RemotePatch, backend: BackendKind | "memory"): void {
  if (remotes.records.size === 0) return;
  const before = manifestStat(files.manifest);
  const index = loadIndex(files.index);
  const { written } = rewriteManifest(files.manifest, new Map(), { backend, remotes });
  if (!written || index === undefined || !sameManifest(index.manifest, before)) return;
  const manifest = manifestStat(files.manifest);
  const { hashedSinceMs, meta } = index;
  writeIndex(files.index, rowsOf(index), { hashedSinceMs, meta, ...(manifest && { manifest }) });
}

function* rowsOf(index: StateIndex): Iterable<IndexRow> {
  for (let row = 0; row < index.length; row++) yield index.rowAt(row);
}
