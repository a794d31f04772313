import { BackendError } from "../../backends/errors.ts";
import { snapshotTime } from "../../lib/clock.ts";
import { forEachLimit } from "../../lib/limits.ts";
import { joinUnder, type RelPath } from "../../lib/path.ts";
import type { ProjectConfig } from "../../settings/model.ts";
import type { FillOptions } from "../../snapshots/full-copy.ts";
import { fullPath } from "../../snapshots/full-folder.ts";
import type { AgreedFile, SnapshotFile } from "../../snapshots/model.ts";
import type { SnapshotService } from "../../snapshots/service.ts";
import type { BaseEntry } from "../../sync/model.ts";
import type { KnownSource } from "../../sync/run-context.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import { withAgreedBody } from "../agreed-body.ts";
import { fileContent, withLocalCopy } from "../content.ts";
import type { Parts } from "../parts.ts";
import type { OpenMirror } from "./model.ts";
import { MAX_RETRIES, sameContent } from "./plan.ts";

/** Whether mirrors get the snapshots, too (decision 26). */
export function mirrorsSnapshots({ snapshotOn, snapshotFormat }: ProjectConfig): boolean {
  return snapshotOn === "all" || (snapshotOn === "" && snapshotFormat === "blobs");
}

/** Whether contents that go to a mirror are stored as blobs first, for the snapshot that follows. */
export function mirrorsBlobs(config: ProjectConfig): boolean {
  return config.snapshotFormat === "blobs" && mirrorsSnapshots(config);
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
  await withLocalCopy(parts, path, body, async (content) => {
    await store(content);
    return true;
  });
}

export interface CopyFull {
  readonly agreed: StateIndex;
  /** Made in this run, of what is agreed: the mirror copies its own files. Else each body is read from the primary's. */
  readonly isOwn: boolean;
  /** One of many files that is not of this run is left to `seed-mirror`. */
  readonly few: boolean;
}

/** Makes a full snapshot of the primary on a mirror, under the same name. Throws BackendError. */
export async function copyFullTo(
  parts: Parts,
  one: OpenMirror,
  timestamp: string,
  { agreed, isOwn, few }: CopyFull,
): Promise<void> {
  const { signal, config } = parts.deps;
  const target = await one.mirror.snapshots();
  const { info, files: held } = await (await parts.snapshots()).inspect(timestamp, [], { signal });
  if (!isOwn) {
    const there = await target.list({ signal });
    if (there.some((other) => other.timestamp === timestamp && other.problem === undefined)) return;
    if (few && held.length > MAX_RETRIES) {
      throw new BackendError(`left out snapshot ${timestamp}: its ${held.length} files would be sent once more`, {
        class: "TRANSIENT",
        hint: "claude-mirror seed-mirror sends them all.",
      });
    }
  }
  const { files, bring } = isOwn ? agreedBodies(parts, one, agreed) : heldBodies(parts, timestamp, held);
  const { action, filesChanged, tag, message } = info;
  const facts = {
    action: action === "sync" ? ("sync" as const) : ("push" as const),
    filesChanged,
    tag,
    message,
    files,
  };
  const atMs = snapshotTime(timestamp) ?? parts.deps.clock.now();
  await target.createFull({ ...facts, atMs, user: config.user, machine: config.machineName }, { signal, bring });
}

interface Bodies {
  readonly files: readonly AgreedFile[];
  readonly bring: FillOptions["bring"];
}

/** The mirror's own files, and what it lacks from here. */
function agreedBodies(parts: Parts, { state }: OpenMirror, agreed: StateIndex): Bodies {
  const entries = new Map<RelPath, BaseEntry>();
  for (let row = 0; row < agreed.length; row++) {
    const base = agreed.baseAt(row);
    if (base) entries.set(base.path, base);
  }
  return {
    files: [...entries.values()].map((base) => asOn(state.recordOf(base.path), base)),
    async bring(path, use) {
      const entry = entries.get(path);
      return entry !== undefined && withAgreedBody(parts, entry, use);
    },
  };
}

/** What the primary's snapshot holds, whatever has become of the files since. */
function heldBodies(parts: Parts, timestamp: string, held: readonly SnapshotFile[]): Bodies {
  return {
    files: held.map(({ path }) => ({ path, md5: "", nativeHash: "", racy: true })),
    async bring(path, use) {
      const { signal } = parts.deps;
      const { body } = await (await parts.backend()).read(fullPath(timestamp, path), { signal });
      return withLocalCopy(parts, path, body, async (content) => {
        await use(content);
        return true;
      });
    },
  };
}

/** An agreed version as it is known again on a mirror. */
function asOn(record: BaseEntry | undefined, base: BaseEntry): AgreedFile {
  const { path, md5, sha256 } = base;
  const content = { path, md5, ...(sha256 !== undefined && { sha256 }) };
  if (record === undefined || !sameContent(base, record)) return { ...content, nativeHash: "", racy: true };
  const { rev, nativeHash, racy } = record;
  return { ...content, nativeHash, racy, ...(rev !== undefined && { rev }) };
}
