import { BackendError, NotFoundError } from "../backends/errors.ts";
import { SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import type { Backend, Listing, RemoteFile } from "../backends/types.ts";
import { type Clock, snapshotTime } from "../lib/clock.ts";
import { forEachLimit } from "../lib/limits.ts";
import { comparePaths, nameOf, type RelPath, relPath } from "../lib/path.ts";
import type { ResumedFiles } from "../lib/resumed-file.ts";
import { toBytes } from "../lib/streams.ts";
import type { BlobStore, SnapshotOptions } from "./blob-store.ts";
import { META_NAME, metaPath } from "./full-folder.ts";
import type { FullKnowledge } from "./full-known.ts";
import type { ManifestCache } from "./manifest-cache.ts";
import { type ParsedManifest, parseManifest, parseMeta } from "./manifest-codec.ts";
import type { BlobsManifest, SnapshotInfo } from "./model.ts";

/** Bytes; a manifest of a million files stays below. */
const MAX_MANIFEST_BYTES = 512 * 1024 * 1024;

/** What the parts of this room share. */
export interface SnapshotRoom {
  readonly backend: Backend;
  readonly blobs: BlobStore;
  readonly cache: ManifestCache;
  readonly full: FullKnowledge;
  readonly clock: Clock;
  /** How many requests run at once. */
  readonly workers: number;
  /** Where large bodies that are restored go on after they broke off. */
  readonly resumed: ResumedFiles;
}

/** A snapshot as the listing of the snapshots folder shows it. */
export type SnapshotName =
  | { readonly format: "blobs"; readonly timestamp: string; readonly file: RemoteFile }
  | { readonly format: "full"; readonly timestamp: string };

/** Where the manifest of a blobs snapshot lives. */
export function manifestPath(timestamp: string): RelPath {
  return relPath(`${SNAPSHOTS_FOLDER}/${timestamp}.json`);
}

export interface ListNamesOptions extends SnapshotOptions {
  /** A snapshot that is being made: what it names does not count as named yet. */
  readonly except?: string;
}

/**
 * All snapshots, oldest first, by one shallow listing. A timestamp that has both forms is a blobs snapshot. When snapshots
 * that we knew are gone their bodies may be collected at any time, so what only they named is forgotten here.
 */
export async function listNames(room: SnapshotRoom, options: ListNamesOptions = {}): Promise<readonly SnapshotName[]> {
  const { except, ...call } = options;
  const listing = await room.backend.list(SNAPSHOTS_FOLDER, { shallow: true, ...call });
  const names = new Map<string, SnapshotName>();
  for (const [timestamp, { manifest }] of formsIn(listing)) {
    names.set(timestamp, manifest ? { format: "blobs", timestamp, file: manifest } : { format: "full", timestamp });
  }
  forgetVanished(room, names, except);
  room.cache.setLastLook(room.clock.now());
  return [...names.values()].sort((a, b) => comparePaths(a.timestamp, b.timestamp));
}

/** What a snapshot's name stands for: a manifest, a folder, or both. */
export interface SnapshotForms {
  readonly manifest?: RemoteFile;
  readonly folder?: true;
}

/** The names in a shallow listing of the snapshots folder. */
export function formsIn({ folders, files }: Listing): ReadonlyMap<string, SnapshotForms> {
  const forms = new Map<string, SnapshotForms>();
  for (const folder of folders) {
    const timestamp = nameOf(folder);
    if (snapshotTime(timestamp) !== undefined) forms.set(timestamp, { folder: true });
  }
  for (const manifest of files) {
    const timestamp = nameOf(manifest.path).replace(/\.json$/, "");
    if (snapshotTime(timestamp) === undefined || nameOf(manifest.path) === timestamp) continue;
    forms.set(timestamp, { ...forms.get(timestamp), manifest });
  }
  return forms;
}

/** Like {@link listNames}, and throws BackendError where there are none because the remote folder itself is missing. */
export async function listNamesToShow(
  room: SnapshotRoom,
  options: SnapshotOptions = {},
): Promise<readonly SnapshotName[]> {
  const names = await listNames(room, options);
  if (names.length === 0) await requireRemoteFolder(room, options);
  return names;
}

/** Where nothing was found: throws BackendError when the remote folder itself is missing. */
export async function requireRemoteFolder({ backend }: SnapshotRoom, options: SnapshotOptions = {}): Promise<void> {
  if ((await backend.list("", { shallow: true, ...options })).exists) return;
  throw new BackendError("cannot list the snapshots: the remote folder is missing", {
    class: "TRANSIENT",
    hint: "If it was moved or its disk is not mounted, bring it back; if it was never made, run claude-mirror auth.",
  });
}

/**
 * Every snapshot, newest first. Costs one listing and one request for each manifest that this machine has not seen yet.
 * One that cannot be read, or a full snapshot without its marker, is listed with a `problem`.
 */
export async function listSnapshots(
  room: SnapshotRoom,
  options: SnapshotOptions = {},
): Promise<readonly SnapshotInfo[]> {
  return describeNames(room, await listNamesToShow(room, options), options);
}

/** What the snapshots of a listing say about themselves, newest first; as {@link listSnapshots}. */
export async function describeNames(
  room: SnapshotRoom,
  names: readonly SnapshotName[],
  options: SnapshotOptions = {},
): Promise<readonly SnapshotInfo[]> {
  const infos: SnapshotInfo[] = [];
  const look = async (name: SnapshotName): Promise<void> => {
    const info =
      name.format === "full" ? await fullInfo(room, name.timestamp, options) : await blobsInfo(room, name, options);
    if (info) infos.push(info);
  };
  await forEachLimit(names, room.workers, look, options);
  return infos.sort((a, b) => comparePaths(b.timestamp, a.timestamp));
}

/** Reads a manifest from the remote, one request, and remembers it. Throws NotFoundError and other BackendErrors. */
export async function fetchManifest(
  room: SnapshotRoom,
  timestamp: string,
  options: SnapshotOptions = {},
): Promise<ParsedManifest> {
  const { file, text } = await readText(room, manifestPath(timestamp), options);
  const parsed = parseText(text, timestamp);
  if (parsed.kind === "unreadable") return parsed;
  rememberManifest(room, parsed.manifest, file);
  room.blobs.reference(parsed.manifest.files.values());
  return parsed;
}

/** Keeps a manifest as it was read from `file`. */
export function rememberManifest({ cache }: SnapshotRoom, manifest: BlobsManifest, file: RemoteFile): void {
  cache.put(manifest, file.racy ? { ...file, rev: "" } : file);
}

/** A small file's text, one request; undefined when it is not UTF-8. Throws as {@link fetchManifest}. */
export async function readText(
  room: SnapshotRoom,
  path: RelPath,
  options: SnapshotOptions = {},
): Promise<{ readonly file: RemoteFile; readonly text: string | undefined }> {
  const { file, body } = await room.backend.read(path, options);
  return { file, text: await textOf(body, options) };
}

/** As {@link parseManifest}, of what {@link readText} read. */
export function parseText(text: string | undefined, timestamp: string): ParsedManifest {
  return text === undefined ? { kind: "unreadable", reason: "it is not UTF-8 text" } : parseManifest(text, timestamp);
}

/** Reads any file as a manifest, one request, and remembers nothing. Throws as {@link fetchManifest}. */
export async function readManifest(
  room: SnapshotRoom,
  path: RelPath,
  options: SnapshotOptions = {},
): Promise<ParsedManifest> {
  const { text } = await readText(room, path, options);
  return parseText(text, nameOf(path));
}

/** The manifest from the cache, or else from the remote. Throws as {@link fetchManifest}. */
export async function loadManifest(
  room: SnapshotRoom,
  name: SnapshotName & { readonly format: "blobs" },
  options: SnapshotOptions = {},
): Promise<ParsedManifest> {
  const manifest = room.cache.manifest(name.timestamp, name.file);
  return manifest ? { kind: "ok", manifest } : fetchManifest(room, name.timestamp, options);
}

/** What a full snapshot says about itself. One without its marker was interrupted and is a `problem`. */
export async function fullInfo(
  room: SnapshotRoom,
  timestamp: string,
  options: SnapshotOptions = {},
): Promise<SnapshotInfo> {
  const cached = room.cache.info(timestamp);
  if (cached) return cached;
  try {
    const { text } = await readText(room, metaPath(timestamp), options);
    const parsed = text === undefined ? undefined : parseMeta(text, timestamp);
    if (parsed?.kind !== "ok") return emptyInfo(timestamp, "full", parsed?.reason ?? "its marker is not UTF-8 text");
    room.cache.putFull(parsed.info);
    return parsed.info;
  } catch (error) {
    if (error instanceof NotFoundError) return emptyInfo(timestamp, "full", `incomplete: it has no ${META_NAME}`);
    return emptyInfo(timestamp, "full", tolerated(error));
  }
}

/** The message of an error that concerns one snapshot only; others (sign-in, Ctrl-C) are thrown again. */
export function tolerated(error: unknown): string {
  if (error instanceof BackendError && error.class !== "AUTH") return error.message;
  throw error;
}

/** Undefined when it vanished after it was listed. */
async function blobsInfo(
  room: SnapshotRoom,
  name: SnapshotName & { readonly format: "blobs" },
  options: SnapshotOptions,
): Promise<SnapshotInfo | undefined> {
  const cached = room.cache.info(name.timestamp, name.file);
  if (cached) return cached;
  try {
    const parsed = await fetchManifest(room, name.timestamp, options);
    if (parsed.kind === "unreadable") return emptyInfo(name.timestamp, "blobs", `unreadable: ${parsed.reason}`);
    const { files: _, ...info } = parsed.manifest;
    return info;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    return emptyInfo(name.timestamp, "blobs", tolerated(error));
  }
}

function forgetVanished(
  room: SnapshotRoom,
  names: ReadonlyMap<string, SnapshotName>,
  except: string | undefined,
): void {
  const isGone = (name: string): boolean => names.get(name)?.format !== "full";
  room.cache.drop(room.cache.names("full").filter(isGone), "full");
  room.full.retain(new Set(names.keys()));
  const vanished: string[] = [];
  const remaining: string[] = [];
  for (const name of room.cache.names("blobs")) {
    if (name !== except) (names.get(name)?.format === "blobs" ? remaining : vanished).push(name);
  }
  if (vanished.length === 0) return;
  // In this order: after a kill between the two the next listing finds the same names vanished.
  room.blobs.retain(room.cache.digestsOf(remaining));
  room.cache.drop(vanished, "blobs");
}

async function textOf(body: ReadableStream<Uint8Array>, options: SnapshotOptions): Promise<string | undefined> {
  const bytes = await toBytes(body, { limit: MAX_MANIFEST_BYTES, ...options });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function emptyInfo(timestamp: string, format: "blobs" | "full", problem: string): SnapshotInfo {
  return {
    timestamp,
    format,
    triggeredBy: "",
    action: "",
    filesChanged: [],
    totalFiles: 0,
    tag: null,
    message: null,
    problem,
  };
}
