import { mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blobPath, SNAPSHOTS_FOLDER } from "../../src/backends/layout.ts";
import { snapshotName } from "../../src/lib/clock.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { manifestCacheFolder, openManifestCache } from "../../src/snapshots/manifest-cache.ts";
import { formatManifest, manifestText } from "../../src/snapshots/manifest-codec.ts";
import type { BlobsManifest } from "../../src/snapshots/model.ts";
import { corpusPath } from "./corpus.ts";
import type { MeasuredMachine } from "./measured-machine.ts";

export interface PileOptions {
  readonly snapshots: number;
  readonly files: number;
  /** Files that differ from one snapshot to the next. */
  readonly changes: number;
}

/** Manifests as so many hourly pushes would have made them, oldest first. */
export function* manifestPile({ snapshots, files, changes }: PileOptions): Iterable<BlobsManifest> {
  let held = new Map<RelPath, string>();
  for (let at = 0; at < files; at++) held.set(relPath(corpusPath(at)), hashBytes("sha256", `first ${at}`));
  for (let made = 0; made < snapshots; made++) {
    held = new Map(held);
    const changed = Array.from({ length: changes }, (_, at) => relPath(corpusPath((made * 7 + at) % files)));
    for (const path of changed) held.set(path, hashBytes("sha256", `${made} ${path}`));
    const info = { triggeredBy: "me@bench", action: "push", filesChanged: changed, totalFiles: held.size };
    const timestamp = snapshotName(Date.UTC(2026, 0, 1) + made * 3_600_000);
    yield { ...info, timestamp, format: "blobs", tag: null, message: null, files: held };
  }
}

/** Puts them with empty blobs on a local remote. */
export function putPile(remote: string, options: PileOptions): void {
  const named = new Set<string>();
  mkdirSync(join(remote, SNAPSHOTS_FOLDER), { recursive: true });
  for (const manifest of manifestPile(options)) {
    writeFileSync(join(remote, SNAPSHOTS_FOLDER, `${manifest.timestamp}.json`), formatManifest(manifest));
    for (const sha256 of manifest.files.values()) named.add(sha256);
  }
  for (const sha256 of named) {
    const file = join(remote, blobPath(sha256));
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "");
  }
}

/**
 * Lets a machine know them as if it had read them, while a local remote holds files of their size and no content: a
 * thousand large manifests would fill a disk. The machine has run a command before.
 */
export function knowPile(machine: MeasuredMachine, remote: string, options: PileOptions): void {
  const states = join(machine.home, ".local/state/claude-mirror");
  const name = readdirSync(states, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name ?? "";
  const cache = openManifestCache(manifestCacheFolder(join(states, name)));
  mkdirSync(join(remote, SNAPSHOTS_FOLDER), { recursive: true });
  for (const manifest of manifestPile(options)) {
    const { size, sha256 } = manifestText(manifest);
    const file = join(remote, SNAPSHOTS_FOLDER, `${manifest.timestamp}.json`);
    writeFileSync(file, "");
    truncateSync(file, size);
    cache.put(manifest, { rev: null, size }, sha256);
  }
}
