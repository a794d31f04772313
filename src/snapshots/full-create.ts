import { BackendError, NotFoundError, StaleError } from "../backends/errors.ts";
import { blobPath, RESERVED_FOLDERS } from "../backends/layout.ts";
import type { RemoteFile } from "../backends/types.ts";
import { capList } from "../lib/cap-list.ts";
import { snapshotName } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { hasher } from "../lib/hash.ts";
import type { RelPath } from "../lib/path.ts";
import { randomId } from "../lib/random.ts";
import { fromBytes, toBytes } from "../lib/streams.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { MAX_CHANGED, MAX_NAMES } from "./create.ts";
import { removeFull } from "./forget.ts";
import {
  type BodyPlace,
  checksumSays,
  type FillOptions,
  type FullBody,
  fillFolder,
  type Lacking,
} from "./full-copy.ts";
import { claimPath, listFull, META_NAME, metaPath } from "./full-folder.ts";
import type { FullNote } from "./full-known.ts";
import { listNames, type SnapshotRoom } from "./list.ts";
import { formatMeta, parseMeta } from "./manifest-codec.ts";
import type { AgreedFile, FullMeta, NewFullSnapshot } from "./model.ts";

/** Bytes of a claim or a marker. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

export interface CreatedFull {
  readonly timestamp: string;
  /** Files that it does not hold. */
  readonly lacking: readonly Lacking[];
}

/**
 * Writes a full snapshot (reference 1.9): a claim on a name of its own, a copy of every agreed version, made by the
 * server where it can, and the marker last. Repeated with the same facts after a kill it goes on where it was; with
 * other facts it first removes the unfinished folder. A folder without the marker is never taken for a snapshot.
 */
export async function createFull(
  room: SnapshotRoom,
  snapshot: NewFullSnapshot,
  options: FillOptions,
): Promise<CreatedFull> {
  const agreed = [...snapshot.files];
  const facts = factsOf(snapshot, agreed);
  const earlier = room.full.note();
  if (earlier?.facts === facts && earlier.done) return { timestamp: earlier.timestamp, lacking: [] };
  if (earlier?.done === false && earlier.facts !== facts) await abandon(room, earlier, options);
  const begun = earlier?.facts === facts ? await resume(room, { note: earlier, snapshot }, options) : "lost";
  const note = earlier && begun !== "lost" ? earlier : await claimName(room, { facts, snapshot }, options);
  const { timestamp } = note;
  if (begun === "finished") return finish(room, { note, digests: digestsOf(agreed, []), lacking: [] });
  const lacking = [...(await fillFolder(room, timestamp, await bodiesOf(room, agreed, options), options))];
  if (agreed.some(({ path }) => path === META_NAME)) {
    lacking.push({ path: META_NAME as RelPath, reason: "a full snapshot keeps its marker under that name" });
  }
  const meta = metaOf(snapshot, timestamp, agreed.length - lacking.length);
  await sealFull(room, meta, options);
  await unclaim(room, timestamp, options);
  return finish(room, { note, digests: digestsOf(agreed, lacking), lacking });
}

interface Finished {
  readonly note: FullNote;
  readonly digests: Iterable<string>;
  readonly lacking: readonly Lacking[];
}

function finish({ full }: SnapshotRoom, { note, digests, lacking }: Finished): CreatedFull {
  const { timestamp } = note;
  full.setNewest(timestamp, digests);
  full.setNote({ ...note, done: true });
  return { timestamp, lacking };
}

/** Writes the completion marker; the folder must be whole. Throws StaleError when it has another one. */
export async function sealFull(room: SnapshotRoom, meta: FullMeta, options: SnapshotOptions = {}): Promise<void> {
  const path = metaPath(meta.timestamp);
  const text = formatMeta(meta);
  const body = new TextEncoder().encode(text);
  faultPoint("full-marker");
  try {
    await room.backend.write(
      path,
      { size: body.length, open: () => fromBytes(body) },
      { expect: "absent", ...options },
    );
  } catch (error) {
    if (!(error instanceof StaleError) || (await textAt(room, path, options)) !== text) throw error;
  }
  room.cache.putFull(meta);
}

/** Tells one snapshot from every other: equal only for the same content, made by the same run. */
function factsOf(snapshot: NewFullSnapshot, agreed: readonly AgreedFile[]): string {
  const { files: _, ...rest } = snapshot;
  const digest = hasher("sha256");
  const add = (text: string): void => digest.update(new TextEncoder().encode(text));
  add(JSON.stringify(rest));
  for (const { path, md5, nativeHash } of agreed) add(`\n${JSON.stringify([path, md5, nativeHash])}`);
  // Without a time of its own no two are the same.
  if (snapshot.atMs === undefined) add(randomId());
  return digest.hex();
}

/** Where each agreed version can be copied from: the live file while it is that version, else a blob. */
async function bodiesOf(
  room: SnapshotRoom,
  agreed: readonly AgreedFile[],
  { signal }: SnapshotOptions,
): Promise<readonly FullBody[]> {
  const call = signal === undefined ? {} : { signal };
  const { files } = await room.backend.list("", { skip: RESERVED_FOLDERS, ...call });
  const live = new Map<RelPath, RemoteFile>(files.map((file) => [file.path, file]));
  return agreed
    .filter(({ path }) => path !== META_NAME)
    .map((entry) => {
      const { path, md5, sha256 } = entry;
      const from: BodyPlace[] = [];
      const file = live.get(path);
      if (file !== undefined && isAgreed(file, entry)) {
        const isSure = checksumSays(file, entry) ?? !(file.racy || entry.racy);
        from.push({ path, size: file.size, rev: file.rev, isSure });
      }
      if (sha256 !== undefined && room.blobs.holds(sha256)) from.push({ path: blobPath(sha256), isSure: true });
      return { path, md5, ...(sha256 === undefined ? {} : { sha256 }), from };
    });
}

function isAgreed(file: RemoteFile, entry: AgreedFile): boolean {
  if (checksumSays(file, entry) === false) return false;
  return entry.rev === undefined ? file.nativeHash === entry.nativeHash : file.rev === entry.rev;
}

function metaOf(snapshot: NewFullSnapshot, timestamp: string, totalFiles: number): FullMeta {
  return {
    timestamp,
    format: "full",
    triggeredBy: `${snapshot.user}@${snapshot.machine}`,
    action: snapshot.action,
    filesChanged: capList(snapshot.filesChanged, MAX_CHANGED),
    totalFiles,
    tag: snapshot.tag ?? null,
    message: snapshot.message ?? null,
  };
}

interface Claiming {
  readonly facts: string;
  readonly snapshot: NewFullSnapshot;
}

/** Takes a name that nobody has: noted here first, so that a killed run's folder is found again. */
async function claimName(
  room: SnapshotRoom,
  { facts, snapshot }: Claiming,
  options: SnapshotOptions,
): Promise<FullNote> {
  const taken = new Set((await listNames(room, plain(options))).map(({ timestamp }) => timestamp));
  const startMs = snapshot.atMs ?? room.clock.now();
  const claim = `${JSON.stringify({ by: `${snapshot.user}@${snapshot.machine}`, id: randomId() })}\n`;
  for (let second = 0; second < MAX_NAMES; second++) {
    const timestamp = snapshotName(startMs + second * 1000);
    if (taken.has(timestamp)) continue;
    const note: FullNote = { timestamp, facts, claim, done: false };
    room.full.setNote(note);
    if (await claimOne(room, note, options)) return note;
  }
  throw new BackendError(`cannot make a snapshot: the names of the next ${MAX_NAMES} seconds are all taken`, {
    class: "FILE_REJECTED",
    hint: "Check this machine's clock.",
  });
}

/** False when somebody else has the name, or finished a snapshot under it since the names were listed. */
async function claimOne(
  room: SnapshotRoom,
  { timestamp, claim }: FullNote,
  options: SnapshotOptions,
): Promise<boolean> {
  const path = claimPath(timestamp);
  const body = new TextEncoder().encode(claim);
  const call = plain(options);
  faultPoint("full-claim");
  try {
    await room.backend.write(path, { size: body.length, open: () => fromBytes(body) }, { expect: "absent", ...call });
  } catch (error) {
    if (!(error instanceof StaleError)) throw error;
    if ((await textAt(room, path, call)) !== claim) return false;
  }
  if ((await room.backend.stat(metaPath(timestamp), call)) === undefined) return true;
  await unclaim(room, timestamp, call);
  return false;
}

interface Begun {
  readonly note: FullNote;
  readonly snapshot: NewFullSnapshot;
}

/** How far an earlier attempt got with the same snapshot; `lost`: its name is not ours. */
async function resume(
  room: SnapshotRoom,
  { note, snapshot }: Begun,
  options: SnapshotOptions,
): Promise<"begun" | "finished" | "lost"> {
  const call = plain(options);
  const { timestamp } = note;
  const found = await textAt(room, claimPath(timestamp), call);
  if (found !== undefined && found !== note.claim) return "lost";
  const marker = await textAt(room, metaPath(timestamp), call);
  if (marker === undefined) {
    if (found !== undefined) return "begun";
    // Killed before the claim was made, or after it was given up.
    const isFree = !(await listFull(room, timestamp, call)).exists;
    return isFree && (await claimOne(room, note, call)) ? "begun" : "lost";
  }
  const parsed = parseMeta(marker, timestamp);
  if (parsed.kind !== "ok") return "lost";
  const ours = metaOf(snapshot, timestamp, parsed.info.totalFiles);
  if (formatMeta(ours) !== marker) return "lost";
  room.cache.putFull(ours);
  if (found !== undefined) {
    // A listing is what makes a backend clear away the temporary file of a killed write.
    await listFull(room, timestamp, call);
    await unclaim(room, timestamp, call);
  }
  return "finished";
}

/** Removes a folder of ours that was never finished; one that has its marker is a snapshot and stays. */
async function abandon(room: SnapshotRoom, note: FullNote, options: SnapshotOptions): Promise<void> {
  const call = plain(options);
  if ((await textAt(room, claimPath(note.timestamp), call)) === note.claim) {
    const { marker } = await listFull(room, note.timestamp, call);
    if (marker === undefined) await removeFull(room, note.timestamp, call);
    await unclaim(room, note.timestamp, call);
  }
  room.full.setNote(undefined);
}

async function unclaim(room: SnapshotRoom, timestamp: string, options: SnapshotOptions): Promise<void> {
  faultPoint("full-unclaim");
  await room.backend.remove(claimPath(timestamp), { expect: "any", ...plain(options) });
}

/** Undefined when there is no such file. */
async function textAt(room: SnapshotRoom, path: RelPath, options: SnapshotOptions): Promise<string | undefined> {
  const call = plain(options);
  try {
    const { body } = await room.backend.read(path, call);
    return new TextDecoder().decode(await toBytes(body, { limit: MAX_TEXT_BYTES, ...call }));
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

function* digestsOf(agreed: readonly AgreedFile[], lacking: readonly Lacking[]): Iterable<string> {
  const without = new Set(lacking.map(({ path }) => path));
  for (const { path, sha256 } of agreed) if (sha256 !== undefined && !without.has(path)) yield sha256;
}

function plain({ signal }: SnapshotOptions): SnapshotOptions {
  return signal === undefined ? {} : { signal };
}
