import { hasher } from "../lib/hash.ts";
import { forEachLimit } from "../lib/limits.ts";
import { comparePaths, type RelPath } from "../lib/path.ts";
import { drain, toBytes } from "../lib/streams.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fullPath } from "./full-folder.ts";
import { type FoundSnapshot, findSnapshot } from "./inspect.ts";
import type { SnapshotRoom } from "./list.ts";
import type { SnapshotChange, SnapshotComparison } from "./model.ts";
import { selectPaths } from "./path-match.ts";

/**
 * What changed between two snapshots of either format, by content. Two blobs snapshots cost their manifests; where a
 * full one takes part, files of equal size are read, unless the server's checksums settle it. Throws as `findSnapshot`.
 */
export async function compareSnapshots(
  room: SnapshotRoom,
  { from, to, patterns }: { readonly from: string; readonly to: string; readonly patterns: readonly string[] },
  options: SnapshotOptions = {},
): Promise<SnapshotComparison> {
  const [before, after] = [await findSnapshot(room, from, options), await findSnapshot(room, to, options)];
  const all = new Set([...pathsOf(before).keys(), ...pathsOf(after).keys()]);
  const { selected, unmatched } = selectPaths([...all].sort(comparePaths), patterns);
  const changes: SnapshotChange[] = [];
  const look = async (path: RelPath, at: number): Promise<void> => {
    changes[at] = { path, kind: await changeOf(room, { before, after, path }, options) };
  };
  await forEachLimit(selected, room.workers, look, options);
  return { from, to, changes, unmatched };
}

/** One file's content in a snapshot; undefined when that lacks it, "large" when it has more than `limit` bytes. */
export async function readInSnapshot(
  room: SnapshotRoom,
  { timestamp, path, limit }: { readonly timestamp: string; readonly path: RelPath; readonly limit: number },
  options: SnapshotOptions = {},
): Promise<Uint8Array | "large" | undefined> {
  const found = await findSnapshot(room, timestamp, options);
  if (!pathsOf(found).has(path)) return undefined;
  const { size, body } = await openIn(room, found, path, options);
  if (size <= limit) return toBytes(body, { limit, ...options });
  await body.cancel();
  return "large";
}

function pathsOf(found: FoundSnapshot): ReadonlyMap<RelPath, unknown> {
  return found.format === "blobs" ? found.manifest.files : found.files;
}

interface Pair {
  readonly before: FoundSnapshot;
  readonly after: FoundSnapshot;
  readonly path: RelPath;
}

async function changeOf(
  room: SnapshotRoom,
  { before, after, path }: Pair,
  options: SnapshotOptions,
): Promise<SnapshotChange["kind"]> {
  if (!pathsOf(before).has(path)) return "added";
  if (!pathsOf(after).has(path)) return "removed";
  const sizes = [before, after].map((found) => (found.format === "full" ? found.files.get(path)?.size : undefined));
  if (sizes[0] !== undefined && sizes[1] !== undefined && sizes[0] !== sizes[1]) return "modified";
  const one = await digestIn(room, before, path, options);
  return one === (await digestIn(room, after, path, options)) ? "unchanged" : "modified";
}

async function digestIn(
  room: SnapshotRoom,
  found: FoundSnapshot,
  path: RelPath,
  options: SnapshotOptions,
): Promise<string | undefined> {
  if (found.format === "blobs") return found.manifest.files.get(path);
  const told = found.files.get(path)?.checksums?.find(({ kind }) => kind === "sha256");
  if (told !== undefined) return told.value;
  const digest = hasher("sha256");
  const { body } = await openIn(room, found, path, options);
  await drain(body, (chunk) => digest.update(chunk), options);
  return digest.hex();
}

async function openIn(
  room: SnapshotRoom,
  found: FoundSnapshot,
  path: RelPath,
  options: SnapshotOptions,
): Promise<{ readonly size: number; readonly body: ReadableStream<Uint8Array> }> {
  if (found.format === "blobs") return room.blobs.read(found.manifest.files.get(path) as string, options);
  const { file, body } = await room.backend.read(fullPath(found.timestamp, path), options);
  return { size: file.size, body };
}
