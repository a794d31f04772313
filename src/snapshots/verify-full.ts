import { NotFoundError } from "../backends/errors.ts";
import type { Listing, RemoteFile } from "../backends/types.ts";
import { snapshotTime } from "../lib/clock.ts";
import { forEachLimit } from "../lib/limits.ts";
import { nameOf, parseRelPath, type RelPath, relPath } from "../lib/path.ts";
import { fullFolder, META_NAME } from "./full-folder.ts";
import { manifestPath, readText } from "./list.ts";
import { parseMeta } from "./manifest-codec.ts";
import type { Finding, SnapshotInfo, Verification } from "./model.ts";
import { type Tally, tally } from "./tally.ts";
import { type ReadBody, readBody, type VerifyRun } from "./verify-run.ts";

/**
 * Reads every file of every full snapshot. The format holds no digests (reference 1.9): a file is verified when a manifest or
 * a record of ours names its content, and *unverified* when it can be read and nothing tells what it should hold.
 */
export async function verifyFullSnapshots(run: VerifyRun, listing: Listing): Promise<Verification> {
  const { options, call } = run;
  const counts = tally(options.place, "full");
  const timestamps = listing.folders.map(nameOf).filter((name) => snapshotTime(name) !== undefined);
  const manifests = new Set<string>(listing.files.map(({ path }) => path));
  for (const timestamp of timestamps.sort()) {
    if (listing.folders.includes(fullFolder(timestamp))) {
      call.signal?.throwIfAborted();
      await verifyFull(run, { timestamp, hasManifest: manifests.has(manifestPath(timestamp)) }, counts);
    }
  }
  return counts.result();
}

interface Named {
  readonly timestamp: string;
  /** A blobs snapshot has the same name. */
  readonly hasManifest: boolean;
}

async function verifyFull(run: VerifyRun, { timestamp, hasManifest }: Named, counts: Tally): Promise<void> {
  const { room, call } = run;
  const folder = fullFolder(timestamp);
  try {
    const { files, exists } = await room.backend.list(folder, call);
    if (!exists) return;
    const marker = files.find(({ path }) => path === `${folder}/${META_NAME}`);
    if (marker === undefined) return counts.found(incomplete(folder, hasManifest));
    const { file, text } = await readText(room, marker.path, call);
    const parsed = text === undefined ? undefined : parseMeta(text, timestamp);
    if (parsed?.kind !== "ok") {
      const detail = `the marker of the snapshot cannot be used: ${parsed?.reason ?? "it is not UTF-8 text"}`;
      counts.found({ kind: "corrupted", path: marker.path, rev: file.rev, detail });
    } else counts.verified();
    const bodies = files.filter(({ path }) => path !== marker.path);
    const wanted = hasManifest ? room.cache.manifest(timestamp)?.files : undefined;
    if (wanted) await compareWith(run, { folder, wanted, bodies }, counts);
    else {
      if (parsed?.kind === "ok") countFiles(folder, parsed.info, bodies, counts);
      await readAll(run, folder, bodies, counts);
    }
  } catch (error) {
    // Forgotten since it was listed.
    if (!(error instanceof NotFoundError)) counts.failed(folder, error);
  }
}

function incomplete(path: RelPath, hasManifest: boolean): Omit<Finding, "place" | "phase"> {
  const detail = hasManifest
    ? "a copy that was begun beside a snapshot of the same name and never finished"
    : `incomplete: it has no ${META_NAME}, so its making or its deletion was interrupted`;
  return { kind: "unverified", path, detail };
}

function countFiles(folder: RelPath, { totalFiles }: SnapshotInfo, bodies: readonly RemoteFile[], counts: Tally): void {
  const lacks = totalFiles - bodies.length;
  if (lacks === 0) return;
  const detail =
    lacks > 0
      ? `${lacks} of its ${totalFiles} files are missing; its format does not tell which`
      : `it holds ${-lacks} files more than the ${totalFiles} that it says`;
  counts.found({ kind: lacks > 0 ? "missing" : "drift", path: folder, detail, ...(lacks > 0 ? { count: lacks } : {}) });
}

/** Reads the files of a snapshot of which nothing but the number is known. */
async function readAll(run: VerifyRun, folder: RelPath, bodies: readonly RemoteFile[], counts: Tally): Promise<void> {
  const { named, whole, options, room } = run;
  const isKnown = (sha256: string): boolean =>
    named.has(sha256) || whole.has(sha256) || room.full.holds(sha256) || options.isKnown?.(sha256) === true;
  let unknown = 0;
  await readEach(run, bodies, counts, async (listed, read) => {
    if (read.size !== listed.size || read.size !== read.file.size) {
      const detail = `${read.size} of its ${listed.size} bytes can be read`;
      return counts.found({ kind: "corrupted", path: listed.path, rev: read.file.rev, detail });
    }
    options.onContent?.(read.sha256, read.file);
    if (isKnown(read.sha256)) counts.verified();
    else unknown++;
  });
  if (unknown === 0) return;
  const detail = `${unknown} of its ${bodies.length} files can be read, and nothing here tells what they should hold`;
  counts.found({ kind: "unverified", path: folder, detail, count: unknown });
}

interface Comparison {
  readonly folder: RelPath;
  /** What a manifest of the same name says. */
  readonly wanted: ReadonlyMap<RelPath, string>;
  readonly bodies: readonly RemoteFile[];
}

/** Reads the files of a snapshot that exists in both formats. */
async function compareWith(run: VerifyRun, { folder, wanted, bodies }: Comparison, counts: Tally): Promise<void> {
  const own = (path: RelPath): RelPath | undefined => parseRelPath(path.slice(folder.length + 1));
  const present = new Set(bodies.map(({ path }) => own(path)));
  for (const [path, sha256] of wanted) {
    if (!present.has(path)) {
      const missing = { kind: "missing", path: relPath(`${folder}/${path}`), sha256 } as const;
      counts.found({ ...missing, detail: "it is not there", files: [path] });
    }
  }
  await readEach(run, bodies, counts, async (listed, read) => {
    const path = own(listed.path);
    const sha256 = path && wanted.get(path);
    if (path === undefined || sha256 === undefined) {
      return counts.found({
        kind: "drift",
        path: listed.path,
        detail: "the manifest of the same name does not list it",
      });
    }
    if (read.sha256 === sha256) {
      run.options.onContent?.(sha256, read.file);
      return counts.verified();
    }
    const detail = `its ${read.size} bytes have the SHA-256 ${read.sha256}`;
    counts.found({ kind: "corrupted", path: listed.path, rev: read.file.rev, sha256, detail, files: [path] });
  });
}

async function readEach(
  run: VerifyRun,
  bodies: readonly RemoteFile[],
  counts: Tally,
  judge: (listed: RemoteFile, read: ReadBody) => Promise<void> | void,
): Promise<void> {
  const { options, room, call } = run;
  const bytes = bodies.reduce((sum, { size }) => sum + size, 0);
  options.onEvent?.({ kind: "begin", items: bodies.length, bytes });
  const look = async (listed: RemoteFile): Promise<void> => {
    try {
      await judge(listed, await readBody(run, listed.path));
    } catch (error) {
      // Forgotten since it was listed.
      if (!(error instanceof NotFoundError)) counts.failed(listed.path, error);
    }
    options.onEvent?.({ kind: "item" });
  };
  await forEachLimit(bodies, room.workers, look, call);
}
