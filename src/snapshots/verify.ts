import { NotFoundError } from "../backends/errors.ts";
import { BLOBS_FOLDER, blobPath, SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import type { Listing, RemoteFile } from "../backends/types.ts";
import { snapshotTime } from "../lib/clock.ts";
import { forEachLimit } from "../lib/limits.ts";
import { comparePaths, nameOf, type RelPath } from "../lib/path.ts";
import { type HashSet, hashSet } from "./hash-set.ts";
import { manifestPath, parseText, readText, rememberManifest, requireRemoteFolder, type SnapshotRoom } from "./list.ts";
import { formatManifest, isSha256 } from "./manifest-codec.ts";
import type { BlobsManifest, Finding, Verification } from "./model.ts";
import { joinVerifications, type Tally, tally } from "./tally.ts";
import { verifyFullSnapshots } from "./verify-full.ts";
import { type ReadBody, readBody, type VerifyOptions, type VerifyRun } from "./verify-run.ts";

/** How many names of one damaged content are told. */
const MAX_FILES = 5;

/**
 * Reads every manifest, every blob and every file of every full snapshot from the remote, each once, those that are not what
 * they should be twice, and tells all that is wrong. Nothing is changed but what this machine remembers. Memory grows
 * with the number of blobs, not with their size nor with the number of snapshots. Throws BackendError where the remote
 * as a whole cannot be read.
 */
export async function verifySnapshots(room: SnapshotRoom, options: VerifyOptions): Promise<Verification> {
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const run: VerifyRun = { room, options, call, named: hashSet(), whole: hashSet() };
  // Manifests first: what a push adds meanwhile is then never looked for in vain.
  const listing = await room.backend.list(SNAPSHOTS_FOLDER, { shallow: true, ...call });
  if (!listing.exists) await requireRemoteFolder(room, call);
  const manifests = listing.files.filter(({ path }) => /\.json$/i.test(path));
  return joinVerifications([
    await verifyManifests(run, manifests, listing),
    await verifyBlobs(run, manifests),
    await verifyFullSnapshots(run, listing),
  ]);
}

async function verifyManifests(
  run: VerifyRun,
  files: readonly RemoteFile[],
  { unusable }: Listing,
): Promise<Verification> {
  const { options, room } = run;
  const counts = tally(options.place, "manifests");
  options.onEvent?.({ kind: "begin", items: files.length, bytes: 0 });
  for (const { name, reason } of unusable.filter((one) => /\.json$/i.test(one.name))) {
    counts.found({
      kind: "corrupted",
      path: SNAPSHOTS_FOLDER,
      detail: `it holds "${name}", which cannot be read: ${reason}`,
    });
  }
  const verify = async (file: RemoteFile): Promise<void> => {
    try {
      await verifyManifest(run, file, counts);
    } catch (error) {
      // Forgotten since it was listed.
      if (!(error instanceof NotFoundError)) counts.failed(file.path, error);
    }
    options.onEvent?.({ kind: "item" });
  };
  await forEachLimit(files, room.workers, verify, run.call);
  return counts.result();
}

async function verifyManifest(run: VerifyRun, { path }: RemoteFile, counts: Tally): Promise<void> {
  const { room, named } = run;
  const { file, text } = await readText(room, path, run.call);
  const timestamp = timestampOf(path);
  const same = timestamp === undefined ? undefined : room.cache.digestsIfSame(timestamp, text ?? "");
  if (same) {
    for (const sha256 of same) named.add(sha256);
    return counts.verified();
  }
  const known = timestamp === undefined ? undefined : room.cache.manifest(timestamp);
  const parsed = parseText(text, timestamp ?? nameOf(path));
  const damaged = (detail: string): void => {
    // What it named when it was whole is still needed.
    for (const sha256 of known?.files.values() ?? []) named.add(sha256);
    counts.found({ kind: "corrupted", path, rev: file.rev, detail });
  };
  if (parsed.kind === "unreadable") return damaged(parsed.reason);
  const { manifest } = parsed;
  for (const sha256 of manifest.files.values()) named.add(sha256);
  if (manifest.problem !== undefined) return damaged(manifest.problem);
  const change = known && timestamp ? changeOf(room, known, { manifest, file, text }) : undefined;
  if (change?.kind === "corrupted") return damaged(change.detail);
  const oddity = change?.detail ?? oddityOf(manifest, text ?? "", timestamp);
  if (oddity === undefined) counts.verified();
  else counts.found({ kind: "unverified", path, rev: file.rev, detail: oddity });
  if (timestamp !== undefined) rememberManifest(room, manifest, file);
}

interface ReadManifest {
  readonly manifest: BlobsManifest;
  readonly file: RemoteFile;
  readonly text: string | undefined;
}

/** How a manifest differs from what this machine saw before. A snapshot never changes; it may be made anew, when it is migrated. */
function changeOf(
  { cache }: VerifyRun["room"],
  known: BlobsManifest,
  { manifest, file, text }: ReadManifest,
): Pick<Finding, "kind" | "detail"> | undefined {
  if (formatManifest(known) === text) return undefined;
  if (!sameFiles(known, manifest)) {
    return { kind: "corrupted", detail: "it names other contents than when this machine last saw it" };
  }
  if (cache.isCurrent(known.timestamp, file) && formatManifest(known) !== formatManifest(manifest)) {
    return {
      kind: "corrupted",
      detail: "it is not what it was when this machine last saw it, although its version is",
    };
  }
  return { kind: "unverified", detail: "it is not what this machine saw before, although it names the same contents" };
}

/** What makes a readable manifest suspect: it holds no checksum of its own. */
function oddityOf(manifest: BlobsManifest, text: string, timestamp: string | undefined): string | undefined {
  if (timestamp === undefined) return "it does not have the name of a snapshot";
  if (manifest.totalFiles !== manifest.files.size) {
    return `it says that it lists ${manifest.totalFiles} files and lists ${manifest.files.size}`;
  }
  if (formatManifest(manifest) === text) return undefined;
  return "it can be read, but no program that writes snapshots spells one so: a part of it may be damaged";
}

function sameFiles({ files: one }: BlobsManifest, { files: other }: BlobsManifest): boolean {
  if (one.size !== other.size) return false;
  for (const [path, sha256] of one) if (other.get(path) !== sha256) return false;
  return true;
}

/** Undefined for a file that is not at a manifest's own place. */
function timestampOf(path: RelPath): string | undefined {
  const timestamp = nameOf(path).replace(/\.json$/, "");
  return snapshotTime(timestamp) !== undefined && path === manifestPath(timestamp) ? timestamp : undefined;
}

async function verifyBlobs(run: VerifyRun, manifests: readonly RemoteFile[]): Promise<Verification> {
  const { room, options, call, named } = run;
  const counts = tally(options.place, "blobs");
  const { files } = await room.backend.list(BLOBS_FOLDER, call);
  const blobs = files.filter(({ path }) => isSha256(nameOf(path)) && path === blobPath(nameOf(path)));
  const present = hashSet();
  for (const { path } of blobs) present.add(nameOf(path));
  options.onEvent?.({ kind: "begin", items: blobs.length, bytes: blobs.reduce((sum, { size }) => sum + size, 0) });
  const verify = async (sha256: string): Promise<void> => {
    try {
      await verifyBlob(run, sha256, counts);
    } catch (error) {
      counts.failed(blobPath(sha256), error);
    }
    options.onEvent?.({ kind: "item" });
  };
  await forEachLimit(
    map(blobs, ({ path }) => nameOf(path)),
    room.workers,
    verify,
    call,
  );
  // A listing may lag: what it lacks is asked for by name.
  await forEachLimit(without(named, present), room.workers, verify, call);
  await tellWhoNeeds(run, counts, manifests);
  room.blobs.forget(new Set(counts.findings.flatMap(({ kind, sha256 }) => (kind === "failed" ? [] : (sha256 ?? [])))));
  return counts.result();
}

async function verifyBlob(run: VerifyRun, sha256: string, counts: Tally): Promise<void> {
  const path = blobPath(sha256);
  for (let attempt = 1; ; attempt++) {
    let body: ReadBody;
    try {
      body = await readBody(run, path);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      // One that no snapshot names may be collected at any time.
      if (run.named.has(sha256)) counts.found({ kind: "missing", path, sha256, detail: "it is not there" });
      return;
    }
    if (body.sha256 === sha256) {
      run.whole.add(sha256);
      return counts.verified();
    }
    if (attempt === 1) continue;
    const detail = `its ${body.size} bytes have the SHA-256 ${body.sha256}`;
    return counts.found({ kind: "corrupted", path, sha256, rev: body.file.rev, detail });
  }
}

/** Names the snapshots and files of each damaged content, and drops what only snapshots needed that are gone by now. */
async function tellWhoNeeds(run: VerifyRun, counts: Tally, manifests: readonly RemoteFile[]): Promise<void> {
  const { room, call } = run;
  const damaged = new Map<string, { snapshots: string[]; files: Set<RelPath> }>();
  for (const { sha256 } of counts.findings)
    if (sha256 !== undefined) damaged.set(sha256, { snapshots: [], files: new Set() });
  if (damaged.size === 0) return;
  const listing = await room.backend.list(SNAPSHOTS_FOLDER, { shallow: true, ...call });
  const still = new Set(listing.files.map(({ path }) => path));
  let all = true;
  for (const path of manifests.map((file) => file.path).sort(comparePaths)) {
    if (!still.has(path)) continue;
    const timestamp = timestampOf(path);
    const manifest = timestamp === undefined ? undefined : room.cache.manifest(timestamp);
    all &&= manifest !== undefined;
    for (const [file, sha256] of manifest?.files ?? []) {
      const needed = damaged.get(sha256);
      if (needed === undefined) continue;
      if (needed.snapshots.at(-1) !== timestamp) needed.snapshots.push(timestamp as string);
      if (needed.files.size < MAX_FILES) needed.files.add(file);
    }
  }
  counts.revise((finding) => {
    const needed = damaged.get(finding.sha256 ?? "");
    if (needed === undefined) return finding;
    if (needed.snapshots.length > 0) return { ...finding, snapshots: needed.snapshots, files: [...needed.files] };
    if (!all) return finding;
    return finding.kind === "missing" ? undefined : unneeded(finding);
  });
}

function unneeded(finding: Finding): Finding {
  return { ...finding, snapshots: [], detail: `${finding.detail}; no snapshot needs it` };
}

function* map<T, U>(items: Iterable<T>, change: (item: T) => U): Iterable<U> {
  for (const item of items) yield change(item);
}

function* without(all: HashSet, known: HashSet): Iterable<string> {
  for (const sha256 of all.values()) if (!known.has(sha256)) yield sha256;
}
