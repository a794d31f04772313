import { BackendError, NotFoundError } from "../backends/errors.ts";
import type { RemoteFile } from "../backends/types.ts";
import { snapshotTime } from "../lib/clock.ts";
import { comparePaths, type RelPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { listFull } from "./full-folder.ts";
import { fetchManifest, fullInfo, listNames, type SnapshotRoom } from "./list.ts";
import type { BlobsManifest, Inspection, SnapshotFile } from "./model.ts";
import { selectPaths } from "./path-match.ts";

const MAX_NEAREST = 3;

/** A snapshot with all that it names; bodies stay where they are. */
export type FoundSnapshot =
  | { readonly format: "blobs"; readonly manifest: BlobsManifest }
  | {
      readonly format: "full";
      readonly timestamp: string;
      readonly files: ReadonlyMap<RelPath, RemoteFile>;
      /** False without its marker: it was never finished, or its deletion was begun. */
      readonly isComplete: boolean;
    };

/**
 * Looks a snapshot up by its name: the manifest (one request), else the folder of a full snapshot. Throws NotFoundError with the
 * nearest names as its hint, BackendError when its manifest cannot be read.
 */
export async function findSnapshot(
  room: SnapshotRoom,
  timestamp: string,
  options: SnapshotOptions = {},
): Promise<FoundSnapshot> {
  if (snapshotTime(timestamp) === undefined) throw await notFound(room, timestamp, options);
  try {
    const parsed = await fetchManifest(room, timestamp, options);
    if (parsed.kind === "ok") return { format: "blobs", manifest: parsed.manifest };
    throw new BackendError(`cannot read the manifest of snapshot "${timestamp}": ${parsed.reason}`, {
      class: "FILE_REJECTED",
    });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  const { exists, files, marker } = await listFull(room, timestamp, options);
  if (!exists) throw await notFound(room, timestamp, options);
  // What this machine remembers of the marker would make the rest look whole.
  if (marker === undefined) room.cache.drop([timestamp], "full");
  return { format: "full", timestamp, files, isComplete: marker !== undefined };
}

/**
 * What a snapshot holds, sorted by path, only what the patterns mean (see `pathMatcher`). One request for a blobs snapshot. Throws
 * as {@link findSnapshot}.
 */
export async function inspectSnapshot(
  room: SnapshotRoom,
  timestamp: string,
  patterns: readonly string[],
  options: SnapshotOptions = {},
): Promise<Inspection> {
  const found = await findSnapshot(room, timestamp, options);
  switch (found.format) {
    case "blobs": {
      const { files, ...info } = found.manifest;
      const { selected } = selectPaths([...files.keys()].sort(comparePaths), patterns);
      return { info, files: selected.map((path) => ({ path, sha256: files.get(path) as string, size: null })) };
    }
    case "full": {
      const { selected } = selectPaths([...found.files.keys()].sort(comparePaths), patterns);
      const describe = (path: RelPath): SnapshotFile => ({
        path,
        sha256: null,
        size: found.files.get(path)?.size ?? null,
      });
      return { info: await fullInfo(room, timestamp, options), files: selected.map(describe) };
    }
  }
}

async function notFound(room: SnapshotRoom, timestamp: string, options: SnapshotOptions): Promise<NotFoundError> {
  const names = (await listNames(room, options)).map((name) => name.timestamp);
  const nearest = nearestNames(timestamp, names);
  return new NotFoundError(`cannot find snapshot "${timestamp}": there is none of that name`, {
    hint:
      nearest.length === 0
        ? "There are no snapshots yet."
        : `${nearest.length === 1 ? "The only one is" : "The nearest are"} ${nearest.join(", ")}.`,
  });
}

/** Nearest in time when the name is a time, else those that share the longest beginning; the newer first among equals. */
export function nearestNames(wanted: string, names: readonly string[]): readonly string[] {
  const time = snapshotTime(wanted);
  const distance = (name: string): number =>
    time === undefined ? -commonStart(wanted, name) : Math.abs((snapshotTime(name) ?? 0) - time);
  const sorted = [...names].sort((a, b) => distance(a) - distance(b) || comparePaths(b, a));
  return sorted.slice(0, MAX_NEAREST);
}

function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
