import { NotFoundError } from "../backends/errors.ts";
import { blobPath } from "../backends/layout.ts";
import type { Rev, Source } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import type { RelPath } from "../lib/path.ts";
import { removeVersion } from "./forget.ts";
import { type FullBody, fillFolder } from "./full-copy.ts";
import { sealFull } from "./full-create.ts";
import { metaPath } from "./full-folder.ts";
import { manifestPath, parseText, readText } from "./list.ts";
import { parseMeta } from "./manifest-codec.ts";
import { cannot, leftNote, listFolder, type MigrateRun, readFolder, withCopy } from "./migrate-run.ts";
import type { BlobsManifest, FullMeta } from "./model.ts";

/**
 * Copies the contents of a blobs snapshot into a folder, reads every copy back, writes the marker, and removes the manifest.
 * What an interrupted run has copied already stays. Answers why the manifest is left, if it is.
 */
export async function migrateToFull(run: MigrateRun, timestamp: string): Promise<string | undefined> {
  const { manifest, rev } = await presentManifest(run, timestamp);
  const { marker, files } = await listFolder(run, timestamp);
  const stranger = [...files.keys()].find((path) => !manifest.files.has(path));
  if (stranger !== undefined) {
    throw cannot(timestamp, `its folder holds "${stranger}", which its manifest does not list; both stay`);
  }
  if (marker === undefined) await fill(run, manifest);
  await requireCopies(run, manifest);
  if (marker === undefined) await sealFull(run.room, metaOf(manifest), run.call);
  else await requireMarker(run, timestamp);
  if (run.options.keepSource) return undefined;
  return removeSource(run, timestamp, rev);
}

async function presentManifest(
  { room, call }: MigrateRun,
  timestamp: string,
): Promise<{ readonly manifest: BlobsManifest; readonly rev: Rev }> {
  const { file, text } = await readText(room, manifestPath(timestamp), call);
  const parsed = parseText(text, timestamp);
  if (parsed.kind === "unreadable") throw cannot(timestamp, `its manifest cannot be read: ${parsed.reason}`);
  const { problem } = parsed.manifest;
  if (problem !== undefined) throw cannot(timestamp, `its manifest cannot be used: ${problem}`);
  return { manifest: parsed.manifest, rev: file.rev };
}

async function fill(run: MigrateRun, { timestamp, files }: BlobsManifest): Promise<void> {
  const { room, call, options } = run;
  const bodies: FullBody[] = [];
  // Each copy is read back below, so that the server's word is enough while they are made.
  for (const [path, sha256] of files) bodies.push({ path, sha256, from: [{ path: blobPath(sha256), isSure: true }] });
  options.onEvent?.({ kind: "begin", items: bodies.length, bytes: 0 });
  const bring = async (path: RelPath, use: (source: Source) => Promise<void>): Promise<boolean> => {
    const sha256 = files.get(path) as string;
    try {
      await withCopy(run, { path: blobPath(sha256), sha256 }, use);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  };
  const [first] = await fillFolder(room, timestamp, bodies, { bring, ...call });
  if (first) throw cannot(timestamp, `"${first.path}" cannot be copied: ${first.reason}`);
}

/** Every file of the manifest must be in the folder with the bytes that its digest names, and nothing else. */
async function requireCopies(run: MigrateRun, { timestamp, files }: BlobsManifest): Promise<void> {
  const found = new Map((await readFolder(run, timestamp)).files.map(({ path, sha256 }) => [path, sha256]));
  for (const [path, sha256] of files) {
    if (found.get(path) === sha256) continue;
    throw cannot(timestamp, `its copy of "${path}" ${found.has(path) ? "holds other bytes" : "is missing"}`);
  }
  if (found.size > files.size) throw cannot(timestamp, "its folder holds more than its manifest lists");
}

/** A marker that no reader can use is none. */
async function requireMarker({ room, call }: MigrateRun, timestamp: string): Promise<void> {
  const { text } = await readText(room, metaPath(timestamp), call);
  const parsed = text === undefined ? undefined : parseMeta(text, timestamp);
  if (parsed?.kind !== "ok") throw cannot(timestamp, "the marker in its folder cannot be read; both forms stay");
}

function metaOf({ files, problem: _, ...manifest }: BlobsManifest): FullMeta {
  return { ...manifest, format: "full", totalFiles: files.size, migratedFrom: "blobs" };
}

/** Its blobs stay for `gc`. */
async function removeSource({ room, call }: MigrateRun, timestamp: string, rev: Rev): Promise<string | undefined> {
  try {
    faultPoint("migrate-remove-manifest");
    await removeVersion(room, manifestPath(timestamp), rev, call);
    return undefined;
  } catch (error) {
    return leftNote(error);
  }
}
