import { NotFoundError } from "../backends/errors.ts";
import { blobPath } from "../backends/layout.ts";
import { faultPoint } from "../lib/fault.ts";
import { forEachLimit } from "../lib/limits.ts";
import type { RelPath } from "../lib/path.ts";
import { reliedOn, secureBodies, writeManifest } from "./create.ts";
import { removeVersion } from "./forget.ts";
import { fullFolder } from "./full-folder.ts";
import { fetchManifest, readText } from "./list.ts";
import { parseMeta } from "./manifest-codec.ts";
import {
  cannot,
  type FolderFile,
  leftNote,
  type MigrateRun,
  type ReadFolder,
  readFolder,
  withCopy,
} from "./migrate-run.ts";
import type { BlobsManifest, FullMeta } from "./model.ts";
import { readBody } from "./verify-run.ts";

/**
 * Stores the files of a full snapshot as blobs, reads every blob back, writes the manifest, and removes the folder. Where the
 * manifest is there already, the folder must hold nothing that it does not. Answers why the folder is left, if it is.
 */
export async function migrateToBlobs(run: MigrateRun, timestamp: string): Promise<string | undefined> {
  const folder = await readFolder(run, timestamp);
  const known = await presentManifest(run, timestamp);
  if (known) await requireSame(run, known, folder);
  else await convert(run, timestamp, folder);
  if (run.options.keepSource) return undefined;
  return removeSource(run, timestamp, folder);
}

async function presentManifest({ room, call }: MigrateRun, timestamp: string): Promise<BlobsManifest | undefined> {
  try {
    const parsed = await fetchManifest(room, timestamp, call);
    const problem = parsed.kind === "ok" ? parsed.manifest.problem : parsed.reason;
    if (parsed.kind === "ok" && problem === undefined) return parsed.manifest;
    throw cannot(timestamp, `its manifest cannot be used: ${problem}`);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Every content of the manifest must be stored whole, and every file left in the folder must be one of them. */
async function requireSame(run: MigrateRun, manifest: BlobsManifest, { files }: ReadFolder): Promise<void> {
  const other = files.find(({ path, sha256 }) => manifest.files.get(path) !== sha256);
  if (other) {
    const why = `its folder and its manifest differ, in "${other.path}" for one; both stay`;
    throw cannot(manifest.timestamp, why);
  }
  const digests = new Set(manifest.files.values());
  await forEachLimit(digests, run.room.workers, (sha256) => requireBlob(run, manifest.timestamp, sha256), run.call);
}

async function convert(run: MigrateRun, timestamp: string, { marker, files }: ReadFolder): Promise<void> {
  const { room, call } = run;
  if (marker === undefined) throw cannot(timestamp, "it is incomplete: its marker is missing");
  const { text } = await readText(room, marker.path, call);
  const parsed = text === undefined ? undefined : parseMeta(text, timestamp);
  if (parsed?.kind !== "ok") throw cannot(timestamp, `its marker cannot be read: ${parsed?.reason ?? "no UTF-8 text"}`);
  const { totalFiles } = parsed.info;
  if (totalFiles > files.length) {
    throw cannot(timestamp, `${totalFiles - files.length} of its ${totalFiles} files are missing`);
  }
  const bySha256 = new Map(files.map((one) => [one.sha256, one]));
  await forEachLimit(bySha256.values(), room.workers, (one) => storeVerified(run, timestamp, one), call);
  const relied = reliedOn(room, bySha256.keys());
  const manifest = manifestOf(parsed.info, files);
  if (!(await writeManifest(room, manifest, call))) {
    throw cannot(timestamp, "a manifest of that name has just appeared; run it again");
  }
  const storeAgain = (sha256: string) => storeVerified(run, timestamp, bySha256.get(sha256) as FolderFile);
  await secureBodies(room, timestamp, relied, { storeAgain, ...call });
  room.blobs.reference(bySha256.keys());
}

function manifestOf(meta: FullMeta, files: readonly FolderFile[]): BlobsManifest {
  return {
    ...meta,
    format: "blobs",
    files: new Map(files.map(({ path, sha256 }) => [path, sha256] as const)),
    totalFiles: files.length,
    migratedFrom: "full",
  };
}

/** What we believe to be stored is looked at, too: the only other copy is about to go. */
async function storeVerified(run: MigrateRun, timestamp: string, { file, sha256 }: FolderFile): Promise<void> {
  const { room, call } = run;
  if (room.blobs.isStored(sha256)) {
    try {
      return await requireBlob(run, timestamp, sha256);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      room.blobs.forget(new Set([sha256]));
    }
  }
  await withCopy(run, { path: file.path, rev: file.rev, sha256 }, async (source) => {
    await room.blobs.store(source, call);
  });
  await requireBlob(run, timestamp, sha256);
}

/** Reads a blob back, once in a run. Throws NotFoundError, and BackendError when it is damaged. */
async function requireBlob(run: MigrateRun, timestamp: string, sha256: string): Promise<void> {
  if (run.verified.has(sha256)) return;
  const path = blobPath(sha256);
  const found = await readBody({ ...run, options: {} }, path);
  if (found.sha256 !== sha256) {
    run.room.blobs.forget(new Set([sha256]));
    throw cannot(timestamp, `the stored content "${path}" is damaged; claude-mirror verify --repair may heal it`);
  }
  run.verified.add(sha256);
}

/** Marker first, so that a half-removed folder never looks whole; each file only as the version that was read. */
async function removeSource(
  { room, call }: MigrateRun,
  timestamp: string,
  { marker, files }: ReadFolder,
): Promise<string | undefined> {
  const remove = async (path: RelPath, rev: FolderFile["file"]["rev"]): Promise<void> => {
    faultPoint("migrate-remove");
    await removeVersion(room, path, rev, call);
  };
  try {
    room.cache.drop([timestamp], "full");
    if (marker) await remove(marker.path, marker.rev);
    await forEachLimit(files, room.workers, ({ file }) => remove(file.path, file.rev), call);
    faultPoint("migrate-remove-folder");
    await room.backend.removeFolder?.(fullFolder(timestamp), call);
    return undefined;
  } catch (error) {
    return leftNote(error);
  }
}
