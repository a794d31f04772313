import { BackendError } from "../../backends/errors.ts";
import { forEachLimit } from "../../lib/limits.ts";
import { joinUnder, type RelPath } from "../../lib/path.ts";
import type { ProjectConfig } from "../../settings/model.ts";
import type { SnapshotService } from "../../snapshots/service.ts";
import type { KnownSource } from "../../sync/run-context.ts";
import { fileContent, withLocalCopy } from "../content.ts";
import type { Parts } from "../parts.ts";
import { MAX_RETRIES } from "./plan.ts";

/** Whether mirrors get the snapshots, too (decision 26). */
export function mirrorsSnapshots({ snapshotOn, snapshotFormat }: ProjectConfig): boolean {
  return snapshotFormat === "blobs" && snapshotOn !== "primary";
}

/**
 * Makes a snapshot of the primary on another remote: every body first, then the manifest under the same name. Bodies come
 * from the project where it still has them, else from the primary. With `few`, one that lacks most of its bodies there is
 * left to `seed-mirror`. Throws BackendError.
 */
export async function copySnapshotTo(
  parts: Parts,
  target: SnapshotService,
  timestamp: string,
  options: { readonly few: boolean },
): Promise<void> {
  const { signal, config } = parts.deps;
  const source = await parts.snapshots();
  const manifest = await source.manifest(timestamp, { signal });
  const paths = new Map<string, RelPath>();
  for (const [path, sha256] of manifest.files) if (!paths.has(sha256)) paths.set(sha256, path);
  const missing = await target.unstored(paths.keys(), { signal });
  if (options.few && missing.length > MAX_RETRIES) {
    throw new BackendError(`left out snapshot ${timestamp}: ${missing.length} of its contents are not there yet`, {
      class: "TRANSIENT",
      hint: "claude-mirror seed-mirror sends them all.",
    });
  }
  const store = async (sha256: string): Promise<void> => {
    const path = paths.get(sha256);
    if (path !== undefined) await storeBody(parts, { path, sha256 }, { source, target });
  };
  await forEachLimit(missing, config.parallelWorkers, store, { signal });
  await target.copy(manifest, { signal, storeAgain: store });
}

interface Body {
  readonly path: RelPath;
  readonly sha256: string;
}

async function storeBody(
  parts: Parts,
  { path, sha256 }: Body,
  { source, target }: { readonly source: SnapshotService; readonly target: SnapshotService },
): Promise<void> {
  const { signal } = parts.deps;
  const store = async (content: KnownSource): Promise<void> => {
    await target.store(content, { signal });
  };
  const local = await parts.sync.tools.hashLocal(path).catch(() => undefined);
  if (local?.hash.sha256 === sha256) return store(await fileContent(joinUnder(parts.root, path), path, signal));
  const { body } = await source.read(sha256, { signal });
  await withLocalCopy(parts, body, { path, reason: "copy on its way into a mirror's snapshot" }, async (content) => {
    await store(content);
    return true;
  });
}
