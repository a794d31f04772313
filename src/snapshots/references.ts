import { BackendError, NotFoundError } from "../backends/errors.ts";
import { SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import type { Listing, RemoteFile } from "../backends/types.ts";
import { snapshotTime } from "../lib/clock.ts";
import { RefusedError } from "../lib/errors.ts";
import { forEachLimit } from "../lib/limits.ts";
import { nameOf, type RelPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fullFolder, META_NAME } from "./full-folder.ts";
import { fetchManifest, manifestPath, readManifest, type SnapshotRoom, tolerated } from "./list.ts";

/** How often the manifests are listed anew because one of them vanished while they were read. */
const MAX_ROUNDS = 5;

/** Every digest that any manifest on the remote names. */
export interface References {
  /** Digests of manifests that are gone by now included: too many are harmless, too few are not. */
  readonly named: Set<string>;
  /** Version of each manifest that is there, by path. */
  readonly manifests: ReadonlyMap<RelPath, RemoteFile>;
}

/**
 * Reads all manifests: every JSON file directly in the snapshots folder, whatever its name, and every one in a folder there that
 * is not a full snapshot's. Only those that `known` lacks are read. Throws RefusedError "gc" when one cannot be read or
 * there is none: then no blob can be called unused.
 */
export async function collectReferences(
  room: SnapshotRoom,
  known: References | undefined,
  options: SnapshotOptions = {},
): Promise<References> {
  const named = known?.named ?? new Set();
  const read = new Map<RelPath, RemoteFile>(known?.manifests);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const listed = await listManifests(room, options);
    if (listed.length === 0) throw refusal(NO_MANIFEST);
    const fresh = listed.filter((file) => file.racy || read.get(file.path)?.rev !== file.rev);
    const { vanished, unreadable } = await readAll(room, fresh, { named, read }, options);
    if (unreadable.length > 0) throw refusal(unreadableText(unreadable));
    if (vanished === 0) return { named, manifests: new Map(listed.map((file) => [file.path, file])) };
  }
  throw refusal("snapshots are being deleted by somebody else; run it again later");
}

async function listManifests(room: SnapshotRoom, options: SnapshotOptions): Promise<readonly RemoteFile[]> {
  const top = await room.backend.list(SNAPSHOTS_FOLDER, { shallow: true, ...options });
  const manifests = manifestsIn(top);
  for (const folder of top.folders) {
    if (snapshotTime(nameOf(folder)) !== undefined && folder === fullFolder(nameOf(folder))) continue;
    const inside = await room.backend.list(folder, options);
    if (inside.files.some((file) => file.path === `${folder}/${META_NAME}`)) continue;
    manifests.push(...manifestsIn(inside));
  }
  return manifests;
}

function manifestsIn(listing: Listing): RemoteFile[] {
  const odd = listing.unusable.find(({ name }) => isJson(name));
  if (odd) throw refusal(unreadableText([`"${odd.name}": ${odd.reason}`]));
  return listing.files.filter((file) => isJson(file.path));
}

function isJson(name: string): boolean {
  return /\.json$/i.test(name);
}

interface Found {
  readonly named: Set<string>;
  readonly read: Map<RelPath, RemoteFile>;
}

/** Adds what the manifests name. One that is not there any more is counted: the listing has to be made again. */
async function readAll(
  room: SnapshotRoom,
  files: readonly RemoteFile[],
  { named, read }: Found,
  options: SnapshotOptions,
): Promise<{ readonly vanished: number; readonly unreadable: readonly string[] }> {
  let vanished = 0;
  const unreadable: string[] = [];
  const add = (digests: Iterable<string>): void => {
    for (const sha256 of digests) if (!named.has(sha256)) named.add(detached(sha256));
  };
  const cached = new Set(files.filter((file) => isCached(room, file)));
  add(room.cache.digestsOf([...cached].map(snapshotOf)));
  for (const file of cached) read.set(file.path, file);
  await forEachLimit(
    files.filter((file) => !cached.has(file)),
    room.workers,
    async (file) => {
      try {
        add(await digestsOf(room, file, options));
        read.set(file.path, file);
      } catch (error) {
        if (error instanceof NotFoundError) vanished++;
        else unreadable.push(`"${file.path}": ${tolerated(error)}`);
      }
    },
    options,
  );
  return { vanished, unreadable };
}

/** A copy that does not keep the whole text alive which it was cut from. */
function detached(sha256: string): string {
  return Buffer.from(sha256, "latin1").toString("latin1");
}

function snapshotOf({ path }: RemoteFile): string {
  return nameOf(path).replace(/\.json$/, "");
}

/** Whether `snapshots` lists it, not only `gc`. */
function isListed(file: RemoteFile): boolean {
  return snapshotTime(snapshotOf(file)) !== undefined && file.path === manifestPath(snapshotOf(file));
}

function isCached({ cache }: SnapshotRoom, file: RemoteFile): boolean {
  return !file.racy && isListed(file) && cache.isExact(snapshotOf(file), file);
}

/** What one manifest names. Throws BackendError unless all of it can be used: an entry left out could name any blob. */
async function digestsOf(room: SnapshotRoom, file: RemoteFile, options: SnapshotOptions): Promise<Iterable<string>> {
  const parsed = isListed(file)
    ? await fetchManifest(room, snapshotOf(file), options)
    : await readManifest(room, file.path, options);
  const reason = parsed.kind === "unreadable" ? parsed.reason : parsed.manifest.problem;
  if (parsed.kind === "ok" && reason === undefined) return parsed.manifest.files.values();
  throw new BackendError(reason ?? "it cannot be used", { class: "FILE_REJECTED" });
}

/** A first push that a full disk ended leaves blobs and no manifest; so does somebody who deleted all manifests. */
const NO_MANIFEST = [
  "the remote has no snapshot manifest, so every blob would count as unused. Nothing was deleted",
  "If no snapshot has been finished here yet (a first push that broke off, a full disk), run claude-mirror push, or claude-mirror snapshot when there is nothing to push, with snapshot_format: blobs, and then gc again: it deletes what that snapshot does not name",
  "If there were snapshots, find out first where they went: claude-mirror snapshots --backend NAME shows what another backend has",
].join(". ");

function unreadableText(unreadable: readonly string[]): string {
  const more = unreadable.length > 1 ? ` (and ${unreadable.length - 1} more)` : "";
  return `a snapshot manifest cannot be read, so what it needs is not known: ${unreadable[0]}${more}. Nothing was deleted. If it stays so, restore it from a mirror, or give that snapshot up with claude-mirror forget TIMESTAMP`;
}

function refusal(why: string): RefusedError {
  return new RefusedError("gc", `gc refuses to delete blobs: ${why}.`);
}
