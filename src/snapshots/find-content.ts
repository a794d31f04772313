import { BackendError } from "../backends/errors.ts";
import { hashBytes } from "../lib/hash.ts";
import type { RelPath } from "../lib/path.ts";
import { toBytes } from "../lib/streams.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fullPath } from "./full-folder.ts";
import { listNames, loadManifest, type SnapshotName, type SnapshotRoom } from "./list.ts";

/** How many of the newest snapshots of each format are looked into. */
const MOST_LOOKED = 5;

/** A content that was agreed on, by what is known of it. */
export interface WantedContent {
  readonly path: RelPath;
  readonly sha256?: string;
  /** `""` when it is not known. */
  readonly md5: string;
}

export interface FindOptions extends SnapshotOptions {
  /** Bytes; larger ones are not found. */
  readonly limit: number;
}

/**
 * Looks for a content in the snapshots: among the blobs, by its name or, where only its MD5 is known, by the newest versions
 * of its file; then among the copies in the newest full snapshots. Undefined when it is in none of them. Throws
 * BackendErrors that do not concern one file.
 */
export async function findContent(
  room: SnapshotRoom,
  wanted: WantedContent,
  options: FindOptions,
): Promise<Uint8Array | undefined> {
  const { sha256 } = wanted;
  if (sha256 === undefined && wanted.md5 === "") return undefined;
  const known = sha256 !== undefined && room.blobs.isStored(sha256) ? await readBlob(room, sha256, options) : undefined;
  if (known !== undefined) return known;
  const { limit: _, ...call } = options;
  const newest = [...(await listNames(room, call))].reverse();
  const blobs = newest.filter(({ format }) => format === "blobs").slice(0, MOST_LOOKED);
  const digests = sha256 === undefined ? await versionsIn(room, wanted.path, blobs, call) : new Set([sha256]);
  for (const digest of blobs.length === 0 ? [] : digests) {
    const found = await readBlob(room, digest, options);
    if (found !== undefined && isWanted(found, wanted)) return found;
  }
  for (const { timestamp } of newest.filter(({ format }) => format === "full").slice(0, MOST_LOOKED)) {
    const found = await attempt(() => readWhole(room, fullPath(timestamp, wanted.path), options));
    if (found !== undefined && isWanted(found, wanted)) return found;
  }
  return undefined;
}

/** The versions of a file in these snapshots, in their order. */
async function versionsIn(
  room: SnapshotRoom,
  path: RelPath,
  names: readonly SnapshotName[],
  options: SnapshotOptions,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const name of names) {
    if (name.format !== "blobs") continue;
    const parsed = await attempt(() => loadManifest(room, name, options));
    const sha256 = parsed?.kind === "ok" ? parsed.manifest.files.get(path) : undefined;
    if (sha256 !== undefined) found.add(sha256);
  }
  return found;
}

function readBlob(room: SnapshotRoom, sha256: string, options: FindOptions): Promise<Uint8Array | undefined> {
  const { limit, ...call } = options;
  return attempt(async () => {
    const { size, body } = await room.blobs.read(sha256, call);
    if (size <= limit) return toBytes(body, options);
    await body.cancel();
    return undefined;
  });
}

async function readWhole(room: SnapshotRoom, path: RelPath, options: FindOptions): Promise<Uint8Array | undefined> {
  const { limit, ...call } = options;
  const { file, body } = await room.backend.read(path, call);
  if (file.size <= limit) return toBytes(body, options);
  await body.cancel();
  return undefined;
}

/** Undefined where the failure concerns this one file. */
async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackendError && (error.class === "FILE_REJECTED" || error.class === "UNKNOWN"))
      return undefined;
    throw error;
  }
}

function isWanted(found: Uint8Array, { sha256, md5 }: WantedContent): boolean {
  return sha256 === undefined ? hashBytes("md5", found) === md5 : hashBytes("sha256", found) === sha256;
}
