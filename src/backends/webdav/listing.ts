import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import { TEMP_PREFIX } from "../../lib/temp-prefix.ts";
import { BackendError } from "../errors.ts";
import type { CallOptions, Listing, ListOptions, RemoteFile, UnusableName } from "../types.ts";
import type { DavConnection, DavRequest } from "./connection.ts";
import { fileUrl, folderUrl, readHref } from "./dav-path.ts";
import type { ServerFacts } from "./facts.ts";
import { createMultistatusParser, type DavEntry, PROPFIND_BODY } from "./multistatus-parser.ts";
import { canonicalEtag, etagRev, isRacy, timedRev } from "./rev.ts";

/** Folders of the setup probe begin so; like our temporary files they are never listed. */
export const PROBE_PREFIX = ".claude_mirror_probe_";

type Depth = "0" | "1" | "infinity";

interface Propfind {
  readonly url: string;
  readonly depth: Depth;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a PROPFIND came to: its date by the server's clock, or that there is nothing, or that it asks too much. */
export type PropfindResult =
  | { readonly kind: "found"; readonly dateMs: number | undefined }
  | { readonly kind: "missing" }
  | { readonly kind: "too-deep" };

/** One PROPFIND, its entries handed out as they come. Complete, or it throws. */
export async function propfind(
  connection: DavConnection,
  options: Propfind,
  onEntry: (entry: DavEntry, dateMs: number | undefined) => void,
): Promise<PropfindResult> {
  const request: DavRequest = {
    method: "PROPFIND",
    url: options.url,
    what: options.what,
    headers: { Depth: options.depth },
    body: PROPFIND_BODY,
    signal: options.signal,
    slow: options.depth === "infinity",
  };
  const response = await connection.send(request);
  if (response.status === 404 || response.status === 410) return { kind: "missing" };
  if (response.status !== 207) {
    await response.drain().catch(() => {});
    if (options.depth === "infinity" && response.status >= 400) return { kind: "too-deep" };
    throw notWebdav(connection, request, response);
  }
  const date = Date.parse(response.headers.get("date") ?? "");
  const dateMs = Number.isNaN(date) ? undefined : date;
  const reader = response.stream().getReader();
  try {
    const parser = createMultistatusParser((entry) => onEntry(entry, dateMs));
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parser.write(value);
    }
    parser.end();
  } catch (error) {
    await reader.cancel().catch(() => {});
    throw options.signal?.aborted ? options.signal.reason : connection.broken(error, request);
  }
  return { kind: "found", dateMs };
}

function notWebdav(
  connection: DavConnection,
  request: DavRequest,
  response: Parameters<DavConnection["refusal"]>[0],
): BackendError {
  const { status } = response;
  if (status >= 400 && status !== 405 && status !== 501) return connection.refusal(response, request);
  return new BackendError(
    `Could not ${request.what}: "${new URL(request.url).host}" did not answer as a WebDAV server (${status})`,
    {
      class: status < 300 ? "TRANSIENT" : "FILE_REJECTED",
      status,
      hint: "Check webdav_url and that no proxy or sign-in page answers in the server's place.",
    },
  );
}

/** The file that an entry describes. Throws where the server left out what we need to know. */
export function remoteFile(path: RelPath, entry: DavEntry, facts: ServerFacts, dateMs: number | undefined): RemoteFile {
  const { size, etag, modifiedMs } = entry;
  const timed = !facts.listsEtags || etag === undefined;
  if (size === undefined || (timed && modifiedMs === undefined)) throw new IncompleteEntryError(path, entry);
  const rev = timed ? timedRev(modifiedMs ?? 0, size) : etagRev(etag);
  return {
    path,
    size,
    rev,
    racy: isRacy(timed ? undefined : etag, modifiedMs, dateMs),
    id: path,
    nativeHash: timed ? rev : canonicalEtag(etag),
    ...(entry.checksums.length > 0 ? { checksums: entry.checksums } : {}),
    ...(modifiedMs === undefined ? {} : { modifiedMs }),
  };
}

/** The server lists a name and does not say enough about it. */
export class IncompleteEntryError extends BackendError {
  constructor(path: RelPath | "", entry: DavEntry) {
    const status = entry.failed ?? entry.status;
    const detail = status === undefined ? "without its size or version" : `with status ${status}`;
    super(`Could not list the remote folder: the server lists "${path}" ${detail}`, {
      class: status === 403 ? "PERMISSION" : "TRANSIENT",
      ...(status === undefined ? {} : { status }),
    });
    this.name = "IncompleteEntryError";
  }
}

/** What a name stands for on the server. */
export type Found =
  | { readonly kind: "file"; readonly file: RemoteFile }
  | { readonly kind: "folder" }
  | { readonly kind: "missing" };

/** Looks one name up. */
export async function lookUp(
  connection: DavConnection,
  facts: ServerFacts,
  path: RelPath,
  options: CallOptions = {},
): Promise<Found> {
  try {
    return await lookOnce(connection, facts, path, options);
  } catch (error) {
    // Below a file there is nothing, which some servers answer with 404 and others with a refusal (Apache: 400).
    const parent = parentOf(path);
    if (parent === "" || !(error instanceof BackendError) || !BELOW_A_FILE.has(error.status ?? 0)) throw error;
    const above = await lookUp(connection, facts, parent, options);
    if (above.kind === "folder") throw error;
    return { kind: "missing" };
  }
}

const BELOW_A_FILE = new Set([400, 403, 405, 409]);

async function lookOnce(
  connection: DavConnection,
  facts: ServerFacts,
  path: RelPath,
  options: CallOptions,
): Promise<Found> {
  const entries: DavEntry[] = [];
  const what = `look at "${path}"`;
  const url = fileUrl(connection.root, path);
  const found = await propfind(connection, { url, depth: "0", what, signal: options.signal }, (entry) => {
    entries.push(entry);
  });
  if (found.kind !== "found") return { kind: "missing" };
  const entry = entries.find((one) => {
    const href = readHref(connection.root, one.href);
    return href.kind === "below" && href.path === path;
  });
  if (entry === undefined) {
    throw new BackendError(`Could not ${what}: the server's answer is about something else`, { class: "TRANSIENT" });
  }
  if (entry.status === 404 || entry.status === 410) return { kind: "missing" };
  if (entry.failed !== undefined || (entry.status ?? 200) !== 200) throw new IncompleteEntryError(path, entry);
  return entry.isFolder ? { kind: "folder" } : { kind: "file", file: remoteFile(path, entry, facts, found.dateMs) };
}

/** Looks one file up; undefined when there is surely no file of this name. */
export async function statFile(
  connection: DavConnection,
  facts: ServerFacts,
  path: RelPath,
  options: CallOptions = {},
): Promise<RemoteFile | undefined> {
  const found = await lookUp(connection, facts, path, options);
  return found.kind === "file" ? found.file : undefined;
}

interface WalkOptions extends ListOptions {
  /** Told of temporary files of ours, which are in no listing. */
  readonly onTemp?: (file: RemoteFile, dateMs: number | undefined) => void;
}

interface Collected {
  readonly files: RemoteFile[];
  /** Files met so far, sifted ones included. */
  count: number;
  readonly keep: ((file: RemoteFile) => boolean) | undefined;
  readonly folders: RelPath[];
  readonly unusable: UnusableName[];
  /** ETag of the folder that was asked for first. */
  etag: string | undefined;
}

interface Walk {
  readonly connection: DavConnection;
  readonly facts: ServerFacts;
  readonly options: WalkOptions;
  readonly skip: ReadonlySet<string>;
  readonly collected: Collected;
}

/**
 * Lists what lies below `under`, paths relative to the remote root. Where the server answers deep listings that is
 * one request, or with folders to skip one plus one per folder directly below; elsewhere one per folder, in parallel.
 */
export async function listFolder(
  connection: DavConnection,
  facts: ServerFacts,
  under: RelPath | "",
  options: WalkOptions,
): Promise<Listing> {
  const skip = new Set<string>(options.skip ?? []);
  const keep = options.sift?.();
  const collected: Collected = {
    files: [],
    count: 0,
    keep,
    folders: [],
    unusable: [],
    etag: undefined,
  };
  const walk: Walk = { connection, facts, options, skip, collected };
  const exists = await walkFrom(walk, under).catch(async (error: unknown) => {
    if (under === "" || !(error instanceof BackendError) || !BELOW_A_FILE.has(error.status ?? 0)) throw error;
    if ((await lookUp(connection, facts, under, options)).kind === "folder") throw error;
    return false;
  });
  const cursor = facts.propagates && under === "" ? collected.etag : undefined;
  if (!exists) return { files: [], folders: [], unusable: [], exists };
  const { files, folders, unusable } = collected;
  return { files, folders, unusable, exists, ...(cursor === undefined ? {} : { cursor }) };
}

async function walkFrom(walk: Walk, under: RelPath | ""): Promise<boolean> {
  const { options, facts } = walk;
  if (options.shallow !== true && facts.deepListing && walk.skip.size === 0) {
    const found = await listOne(walk, under, "infinity");
    if (found !== "too-deep") return found !== "missing";
  }
  const below = await listOne(walk, under, "1");
  if (below === "missing" || below === "too-deep") return false;
  if (options.shallow === true) return true;
  const open = descended(walk, below).filter((folder) => !walk.skip.has(folder));
  await inParallel(open, (folder) => (facts.deepListing ? walkDeep(walk, folder) : walkShallow(walk, folder)));
  return true;
}

function descended({ options: { descend } }: Walk, folders: readonly RelPath[]): readonly RelPath[] {
  return descend === undefined ? folders : folders.filter(descend);
}

async function walkDeep(walk: Walk, folder: RelPath): Promise<readonly RelPath[]> {
  const found = await listOne(walk, folder, "infinity");
  if (found === "too-deep") return walkShallow(walk, folder);
  if (found === "missing") throw vanished(folder);
  return [];
}

async function walkShallow(walk: Walk, folder: RelPath): Promise<readonly RelPath[]> {
  const found = await listOne(walk, folder, "1");
  if (found === "missing" || found === "too-deep") throw vanished(folder);
  return descended(walk, found);
}

/** It may have been moved to where the walk has been already, so what was seen is not complete. */
function vanished(folder: RelPath): BackendError {
  return new BackendError(`Could not list "${folder}": the folder went away meanwhile`, { class: "TRANSIENT" });
}

/** One PROPFIND on a folder, into what is collected; answers the folders seen below it. Each file is settled as it comes. */
async function listOne(
  walk: Walk,
  folder: RelPath | "",
  depth: "1" | "infinity",
): Promise<readonly RelPath[] | "missing" | "too-deep"> {
  const { connection, collected } = walk;
  const below: Below = { folders: [], kept: new Set() };
  let self: DavEntry | undefined;
  const what = folder === "" ? "list the remote folder" : `list "${folder}"`;
  const url = folderUrl(connection.root, folder);
  const found = await propfind(connection, { url, depth, what, signal: walk.options.signal }, (entry, dateMs) => {
    const href = readHref(connection.root, entry.href);
    if (href.kind === "unusable") {
      collected.unusable.push({ name: href.name, reason: href.reason });
    } else if (href.kind === "root" ? folder === "" : href.path === folder) {
      self = entry;
    } else if (href.kind === "root" || !isWithin(href.path, folder, depth)) {
      collected.unusable.push({ name: entry.href.slice(0, 300), reason: "listed where it does not belong" });
    } else if (isOurs(href.path)) {
      if (!entry.isFolder && entry.size !== undefined) noteTemp(walk, href.path, entry, dateMs);
    } else {
      take(walk, { path: href.path, entry, dateMs }, below);
    }
  });
  if (found.kind !== "found") return found.kind;
  if (self === undefined) throw noSelf(what);
  if (!self.isFolder) return "missing";
  collected.etag ??= self.etag === undefined ? undefined : canonicalEtag(self.etag);
  walk.options.onCount?.(collected.count);
  return below.folders;
}

/** What one answer showed below its folder. */
interface Below {
  readonly folders: RelPath[];
  /** Folders, and the files that were kept: a server may name one twice. */
  readonly kept: Set<string>;
}

function noteTemp(walk: Walk, path: RelPath, entry: DavEntry, dateMs: number | undefined): void {
  if ((entry.status ?? 200) !== 200 || entry.modifiedMs === undefined) return;
  if (walk.facts.listsEtags && entry.etag === undefined) return;
  walk.options.onTemp?.(remoteFile(path, entry, walk.facts, dateMs), dateMs);
}

function noSelf(what: string): BackendError {
  return new BackendError(`Could not ${what}: the server's answer does not name the folder that was asked for`, {
    class: "TRANSIENT",
    hint: "Check that webdav_url is the address the server itself uses, without redirects or rewritten paths.",
  });
}

/** After so many files of one answer it is told how many there are. */
const FILES_PER_COUNT = 1000;

interface Listed {
  readonly path: RelPath;
  readonly entry: DavEntry;
  readonly dateMs: number | undefined;
}

function take({ collected, facts, options }: Walk, { path, entry, dateMs }: Listed, below: Below): void {
  if (below.kept.has(path) || entry.status === 404 || entry.status === 410) return;
  if ((entry.status ?? 200) !== 200 || entry.failed !== undefined) throw new IncompleteEntryError(path, entry);
  if (entry.isFolder) {
    below.kept.add(path);
    below.folders.push(path);
    collected.folders.push(path);
    return;
  }
  const file = remoteFile(path, entry, facts, dateMs);
  if (++collected.count % FILES_PER_COUNT === 0) options.onCount?.(collected.count);
  if (collected.keep?.(file) === false) return;
  below.kept.add(path);
  collected.files.push(file);
}

function isWithin(path: RelPath, folder: RelPath | "", depth: "1" | "infinity"): boolean {
  if (depth === "1") return parentOf(path) === folder;
  return folder === "" || path.startsWith(`${folder}/`);
}

function isOurs(path: RelPath): boolean {
  if (!path.includes(".claude_mirror_")) return false;
  return nameOf(path).startsWith(TEMP_PREFIX) || path.split("/").some((part) => part.startsWith(PROBE_PREFIX));
}

/** Runs `work` on every item and on every item that it answers with, 16 at a time; stops at the first failure. */
async function inParallel(
  items: readonly RelPath[],
  work: (item: RelPath) => Promise<readonly RelPath[]>,
): Promise<void> {
  const queue = [...items];
  let failed = false;
  await new Promise<void>((resolve, reject) => {
    let running = 0;
    const pump = () => {
      while (!failed && running < 16 && queue.length > 0) {
        running++;
        work(queue.pop() as RelPath).then(
          (more) => {
            running--;
            queue.push(...more);
            pump();
          },
          (error) => {
            failed = true;
            reject(error);
          },
        );
      }
      if (running === 0 && queue.length === 0) resolve();
    };
    pump();
  });
}
