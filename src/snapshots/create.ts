import { BackendError, NotFoundError, StaleError } from "../backends/errors.ts";
import { callsAtOnce } from "../backends/in-flight.ts";
import { capList } from "../lib/cap-list.ts";
import { snapshotName } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { hasher } from "../lib/hash.ts";
import { forEachLimit } from "../lib/limits.ts";
import { releaseMemory } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import { drain, fromPieces } from "../lib/streams.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { metaPath } from "./full-folder.ts";
import { type HashSet, hashSet } from "./hash-set.ts";
import { listNames, loadManifest, manifestPath, type SnapshotRoom } from "./list.ts";
import { formatManifest, type ManifestText, manifestText } from "./manifest-codec.ts";
import type { BlobsManifest, NewSnapshot } from "./model.ts";

/** How many changed paths a manifest names (reference 1.8). */
export const MAX_CHANGED = 100;
/** How many seconds a name may be put off because earlier ones are taken. */
export const MAX_NAMES = 60;
/** From so many unknown bodies on it pays to look at what is there before sending. */
const MANY = 16;
/** Knowledge older than this is checked against the names on the remote before it is relied on, milliseconds. */
const LOOK_AGAIN_MS = 12 * 60 * 60 * 1000;

export interface CreatedSnapshot {
  readonly timestamp: string;
}

export interface CreateOptions extends SnapshotOptions {
  /**
   * Gives one body to `store` again: only snapshots that were forgotten meanwhile named it, so it may be collected.
   * Left out, such a snapshot fails and the next attempt stores what it needs.
   */
  readonly storeAgain?: (sha256: string) => Promise<void>;
}

/**
 * Writes the manifest of a new blobs snapshot: one guarded request, more only while its name on the one-second grid
 * is taken. With `atMs`, making it again from the same facts finds the first one. Every body must have been stored
 * before, or this throws and writes nothing. One more request looks whether the snapshot that we rely on for bodies of
 * earlier runs is still there: seen after ours is, no collector can have missed both.
 */
export async function createSnapshot(
  room: SnapshotRoom,
  snapshot: NewSnapshot,
  options: CreateOptions = {},
): Promise<CreatedSnapshot> {
  requireStored(room, snapshot);
  const relied = reliedOn(room, snapshot.files.values());
  const startMs = snapshot.atMs ?? room.clock.now();
  for (let second = 0; second < MAX_NAMES; second++) {
    const manifest = manifestOf(snapshot, snapshotName(startMs + second * 1000));
    if (isKnownTaken(room, manifest) || !(await writeManifest(room, manifest, options))) continue;
    await secureBodies(room, manifest.timestamp, relied, options);
    room.blobs.reference(manifest.files.values());
    releaseMemory(manifest.files.size);
    return { timestamp: manifest.timestamp };
  }
  throw new BackendError(`cannot make a snapshot: the names of the next ${MAX_NAMES} seconds are all taken`, {
    class: "FILE_REJECTED",
    hint: "Check this machine's clock.",
  });
}

/**
 * Writes a snapshot that was made on another remote, under its own name; one that is there already is left as it is.
 * As {@link createSnapshot} otherwise. Throws BackendError FILE_REJECTED when another snapshot has that name.
 */
export async function copySnapshot(
  room: SnapshotRoom,
  manifest: BlobsManifest,
  options: CreateOptions = {},
): Promise<void> {
  requireStored(room, manifest);
  const relied = reliedOn(room, manifest.files.values());
  if (isKnownTaken(room, manifest) || !(await writeManifest(room, manifest, options))) {
    throw new BackendError(`cannot copy snapshot ${manifest.timestamp}: another one of that name is there`, {
      class: "FILE_REJECTED",
    });
  }
  await secureBodies(room, manifest.timestamp, relied, options);
  room.blobs.reference(manifest.files.values());
}

/**
 * Which of these digests must still be stored before a snapshot may name them, each once. Costs nothing when all are known;
 * when many are not, it learns from the newest snapshot, and lists the blob folders so that storing need not make them blindly.
 */
export async function unstoredBlobs(
  room: SnapshotRoom,
  sha256s: Iterable<string>,
  options: SnapshotOptions = {},
): Promise<readonly string[]> {
  const asked = setOf(sha256s);
  const unknown = (): string[] => without(asked, (sha256) => room.blobs.isStored(sha256));
  if (asked.size > 0) await lookAgain(room, options);
  const before = unknown();
  if (before.length < MANY) return before;
  await learnFromNewest(room, options);
  const left = unknown();
  if (left.length < MANY) return left;
  await room.blobs.warmFolders(options);
  return unknown();
}

/** One stored content. */
export interface HeldContent {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** Fewer and less than this are not worth asking for: to keep a copy costs as many requests. */
const FEW = 3;
const LITTLE_BYTES = 1024 * 1024;

/** Asks the remote which of these contents a snapshot holds, where many are not known to be held. */
export async function learnHeld(
  room: SnapshotRoom,
  contents: readonly HeldContent[],
  options: SnapshotOptions = {},
): Promise<void> {
  const unheld = contents.filter(({ sha256 }) => !room.blobs.holds(sha256) && !room.full.holds(sha256));
  if (unheld.length < FEW && unheld.reduce((sum, { size }) => sum + size, 0) < LITTLE_BYTES) return;
  if (unheld.some(({ sha256 }) => !room.blobs.isReferenced(sha256))) await learnFromNewest(room, options);
  const look = async ({ sha256, size }: HeldContent): Promise<void> => {
    if (room.blobs.isReferenced(sha256)) await room.blobs.lookAt(sha256, size, options);
  };
  await forEachLimit(unheld, callsAtOnce(room.backend.can, "stat", room.workers), look, options);
}

/** Two or three requests that save one for each body where many of unknown digests are about to be stored. */
export async function prepareToStore(room: SnapshotRoom, options: SnapshotOptions = {}): Promise<void> {
  if (room.blobs.isBlank()) await learnFromNewest(room, options);
  else await lookAgain(room, options);
  await room.blobs.warmFolders(options);
}

/** Another machine may have forgotten snapshots and collected what only they named: noticed by their names. */
async function lookAgain(room: SnapshotRoom, options: SnapshotOptions): Promise<void> {
  const now = room.clock.now();
  const last = room.cache.lastLook();
  if (!room.blobs.knowsReferenced()) room.cache.setLastLook(now);
  else if (last === undefined || Math.abs(now - last) > LOOK_AGAIN_MS) await listNames(room, options);
}

async function learnFromNewest(room: SnapshotRoom, options: SnapshotOptions): Promise<void> {
  const newest = (await listNames(room, options)).findLast((name) => name.format === "blobs");
  if (newest === undefined) return;
  try {
    const parsed = await loadManifest(room, newest, options);
    if (parsed.kind === "ok") room.blobs.reference(parsed.manifest.files.values());
  } catch (error) {
    // Vanished since it was listed: nothing to learn from it.
    if (!(error instanceof NotFoundError)) throw error;
  }
}

/** Stores again what was relied on and is named by no snapshot but the new one `own` any more. */
export async function secureBodies(
  room: SnapshotRoom,
  own: string,
  relied: HashSet,
  { storeAgain, ...options }: CreateOptions,
): Promise<void> {
  if (relied.size === 0 || (await hasWitness(room, own, relied, options))) return;
  await listNames(room, { ...options, except: own });
  const shaken = without(relied, (sha256) => room.blobs.isStored(sha256));
  if (shaken.length === 0) return;
  if (storeAgain === undefined) {
    throw new BackendError(
      `cannot finish the snapshot "${own}": other snapshots that held ${shaken.length} of its files were deleted meanwhile`,
      { class: "TRANSIENT", hint: "Run it again." },
    );
  }
  await forEachLimit(shaken, room.workers, storeAgain, options);
}

/** True when snapshots that are still there hold all of these bodies. One request, or two for each format. */
export async function surelyHolds(
  room: SnapshotRoom,
  sha256s: Iterable<string>,
  options: SnapshotOptions = {},
): Promise<boolean> {
  const all = setOf(sha256s);
  const full = room.full.newest();
  if (full !== undefined && without(all, (sha256) => !room.full.holds(sha256)).length > 0) {
    const marker = await room.backend.stat(metaPath(full), options);
    if (marker === undefined) room.full.retain(new Set());
  }
  const asked = setOf(without(all, (sha256) => room.full.holds(sha256)));
  const areHeld = (): boolean => without(asked, (sha256) => room.blobs.holds(sha256)).length === 0;
  if (!areHeld()) return false;
  if (asked.size === 0 || (await hasWitness(room, undefined, asked, options))) return true;
  await listNames(room, options);
  return areHeld();
}

/** True when the newest other snapshot that we know names all of `relied` and is still there. */
async function hasWitness(
  room: SnapshotRoom,
  own: string | undefined,
  relied: HashSet,
  options: SnapshotOptions,
): Promise<boolean> {
  const name = room.cache.names("blobs").findLast((other) => other !== own);
  if (name === undefined) return false;
  if (!room.cache.namesAll(name, relied)) return false;
  const file = await room.backend.stat(manifestPath(name), options);
  return file !== undefined && room.cache.isCurrent(name, file);
}

/** What is only stored because snapshots that we have seen name it. */
export function reliedOn({ blobs }: SnapshotRoom, sha256s: Iterable<string>): HashSet {
  const relied = hashSet();
  for (const sha256 of sha256s) if (blobs.isReferenced(sha256)) relied.add(sha256);
  return relied;
}

function setOf(sha256s: Iterable<string>): HashSet {
  const all = hashSet();
  for (const sha256 of sha256s) all.add(sha256);
  return all;
}

function without(all: HashSet, isOut: (sha256: string) => boolean): string[] {
  const left: string[] = [];
  for (const sha256 of all.values()) if (!isOut(sha256)) left.push(sha256);
  return left;
}

function requireStored(room: SnapshotRoom, snapshot: Pick<NewSnapshot, "files">): void {
  const missing: RelPath[] = [];
  snapshot.files.forEach((sha256, path) => {
    if (!room.blobs.isStored(sha256)) missing.push(path);
  });
  const [first] = missing;
  if (first === undefined) return;
  throw new Error(
    `cannot make a snapshot: the content of ${missing.length} files is not stored on the remote, the first is "${first}"`,
  );
}

function manifestOf(snapshot: NewSnapshot, timestamp: string): BlobsManifest {
  return {
    timestamp,
    format: "blobs",
    triggeredBy: `${snapshot.user}@${snapshot.machine}`,
    action: snapshot.action,
    filesChanged: capList(snapshot.filesChanged, MAX_CHANGED),
    totalFiles: snapshot.files.size,
    tag: snapshot.tag ?? null,
    message: snapshot.message ?? null,
    files: snapshot.files,
  };
}

/** True when another snapshot was seen under this name: asking for it would be in vain. */
function isKnownTaken(room: SnapshotRoom, manifest: BlobsManifest): boolean {
  const known = room.cache.manifest(manifest.timestamp);
  return known !== undefined && formatManifest(known) !== formatManifest(manifest);
}

/** False when the name is taken by another snapshot. */
export async function writeManifest(
  room: SnapshotRoom,
  manifest: BlobsManifest,
  options: SnapshotOptions,
): Promise<boolean> {
  const path = manifestPath(manifest.timestamp);
  const text = manifestText(manifest);
  const { size } = text;
  releaseMemory(manifest.files.size);
  faultPoint("manifest-write");
  try {
    const source = { size, open: () => fromPieces(text.pieces) };
    const { file } = await room.backend.write(path, source, { expect: "absent", ...options });
    releaseMemory(manifest.files.size);
    room.cache.put(manifest, { rev: file && !file.racy ? file.rev : null, size }, text.sha256);
    releaseMemory(manifest.files.size);
    return true;
  } catch (error) {
    if (!(error instanceof StaleError)) throw error;
  }
  if (!(await hasText(room, manifest, text, options))) return false;
  room.cache.put(manifest, { rev: null, size }, text.sha256);
  return true;
}

/** True when what is there is what we sent: an answer got lost and the write was repeated. */
async function hasText(
  room: SnapshotRoom,
  manifest: BlobsManifest,
  { size, sha256 }: ManifestText,
  options: SnapshotOptions,
): Promise<boolean> {
  try {
    const opened = await room.backend.read(manifestPath(manifest.timestamp), options);
    if (opened.file.size !== size) {
      await opened.body.cancel();
      return false;
    }
    const digest = hasher("sha256");
    await drain(opened.body, (chunk) => digest.update(chunk), options);
    return digest.hex() === sha256;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}
