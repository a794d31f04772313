import { NotFoundError } from "../backends/errors.ts";
import { forEachLimit } from "../lib/limits.ts";
import { type RelPath, relPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fullFolder } from "./full-folder.ts";
import { fetchManifest, listNamesToShow, type SnapshotName, type SnapshotRoom, tolerated } from "./list.ts";
import type { History, HistoryVersion } from "./model.ts";

/** One snapshot's answer: the digest (null in a full snapshot), not in it, or not to be told. */
type Appearance =
  | { readonly kind: "there"; readonly sha256: string | null }
  | { readonly kind: "absent" }
  | { readonly kind: "problem"; readonly reason: string };

/**
 * The versions of one file over all snapshots, newest first. Costs one listing, a request for each manifest that this
 * machine has not seen yet, and a lookup for each full snapshot.
 */
export async function fileHistory(room: SnapshotRoom, path: RelPath, options: SnapshotOptions = {}): Promise<History> {
  const names = await listNamesToShow(room, options);
  const cached = room.cache.versionsOf(path);
  const found: Appearance[] = [];
  const look = async (name: SnapshotName, index: number): Promise<void> => {
    const known =
      name.format === "blobs" && cached.has(name.timestamp) && room.cache.isCurrent(name.timestamp, name.file);
    found[index] = known ? there(cached.get(name.timestamp)) : await appearance(room, name, path, options);
  };
  await forEachLimit(names, room.workers, look, options);
  const labels = new Map<string, string>();
  const rows: HistoryVersion[] = [];
  const problems: string[] = [];
  names.forEach(({ timestamp, format }, index) => {
    const seen = found[index];
    if (seen?.kind === "problem") problems.push(`${timestamp}: ${seen.reason}`);
    if (seen?.kind !== "there") return;
    const { sha256 } = seen;
    const older = rows.at(-1);
    const changed = older === undefined || (sha256 !== null && older.sha256 !== sha256);
    rows.push({ timestamp, sha256, version: labelOf(labels, sha256), format, changed });
  });
  return {
    path,
    versions: rows.reverse(),
    distinctVersions: labels.size,
    totalAppearances: rows.length,
    ...(problems.length === 0 ? {} : { problems }),
  };
}

/** A new content gets the next number; one seen before keeps its own, so A, B, A is v1, v2, v1 (reference 2.10). */
function labelOf(labels: Map<string, string>, sha256: string | null): string {
  if (sha256 === null) return "?";
  const label = labels.get(sha256) ?? `v${labels.size + 1}`;
  labels.set(sha256, label);
  return label;
}

async function appearance(
  room: SnapshotRoom,
  name: SnapshotName,
  path: RelPath,
  options: SnapshotOptions,
): Promise<Appearance> {
  try {
    if (name.format === "full") return await inFullSnapshot(room, name.timestamp, path, options);
    const parsed = await fetchManifest(room, name.timestamp, options);
    if (parsed.kind === "unreadable") return { kind: "problem", reason: parsed.reason };
    return there(parsed.manifest.files.get(path));
  } catch (error) {
    if (error instanceof NotFoundError) return { kind: "absent" };
    return { kind: "problem", reason: tolerated(error) };
  }
}

async function inFullSnapshot(
  room: SnapshotRoom,
  timestamp: string,
  path: RelPath,
  options: SnapshotOptions,
): Promise<Appearance> {
  const file = await room.backend.stat(relPath(`${fullFolder(timestamp)}/${path}`), options);
  return file ? { kind: "there", sha256: null } : { kind: "absent" };
}

function there(sha256: string | undefined): Appearance {
  return sha256 === undefined ? { kind: "absent" } : { kind: "there", sha256 };
}
