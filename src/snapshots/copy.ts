import { BackendError } from "../backends/errors.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fetchManifest, type SnapshotRoom } from "./list.ts";
import type { BlobsManifest } from "./model.ts";

/** A snapshot's manifest as it was seen last, without a request where it is known: manifests never change. */
export async function knownManifest(
  room: SnapshotRoom,
  timestamp: string,
  options: SnapshotOptions = {},
): Promise<BlobsManifest> {
  const known = room.cache.manifest(timestamp);
  if (known !== undefined) return known;
  const parsed = await fetchManifest(room, timestamp, options);
  if (parsed.kind === "ok") return parsed.manifest;
  throw new BackendError(`cannot read snapshot ${timestamp}: ${parsed.reason}`, { class: "FILE_REJECTED" });
}
