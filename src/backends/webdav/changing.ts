import type { Clock } from "../../lib/clock.ts";
import { faultPoint } from "../../lib/fault.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { CallOptions, CopyOptions, RemoteFile, Source, WriteOptions, Written } from "../types.ts";
import type { DavConnection, DavRequest } from "./connection.ts";
import { fileUrl } from "./dav-path.ts";
import { type GuardedChange, guarded, type Headers, stale } from "./guarded.ts";
import { lookUp, statFile } from "./listing.ts";
import type { Remote } from "./remote.ts";
import { canonicalEtag, etagRev, timedRev } from "./rev.ts";

/** What the file systems below all common servers allow. */
const MAX_NAME = 255;

/** Writes a file under the best guard that was proven; folders that are missing are made on the way. */
export async function writeFile(
  remote: Remote,
  path: RelPath,
  source: Source,
  options: WriteOptions,
): Promise<Written> {
  refuseName(remote, path);
  const { expect } = options;
  if (expect === "any") return put(remote, path, source, { ...options, headers: {} });
  if (expect === "absent") return create(remote, path, source, options);
  const change: GuardedChange<Written> = (headers, dateMs) => {
    const dated = dateMs !== undefined && keepsDate(remote, source) ? { dateMs } : {};
    return put(remote, path, source, { ...options, headers, ...dated });
  };
  return guarded(remote, path, { ...options, expect, guard: remote.facts.update, method: "PUT" }, change);
}

/** Names that the server would take in a way of its own are refused before anything is sent. */
export function refuseName(remote: Remote, path: RelPath): void {
  if (path.length * 3 > MAX_NAME && path.split("/").some((part) => Buffer.byteLength(part) > MAX_NAME)) {
    throw new BackendError(`Could not write "${path}": a name in it is longer than ${MAX_NAME} bytes`, {
      class: "FILE_REJECTED",
    });
  }
  if (!remote.facts.hidesDotFiles || !/(^|\/)\./.test(path)) return;
  throw new BackendError(`Could not write "${path}": this server leaves names that begin with a dot out of listings`, {
    class: "FILE_REJECTED",
    hint: "Exclude such files, or use a server that lists them.",
  });
}

/**
 * Servers compare when a request begins: while a large body is under way another machine can write the name. Such a
 * body goes to a temporary name first, which leaves a moment instead of the whole upload.
 */
const LARGE_BODY = 1024 * 1024;

/**
 * Where versions are times, the one of a body that arrives in one piece can be chosen, and need not be looked up.
 */
function keepsDate({ facts }: Remote, { size }: Source): boolean {
  return facts.keepsDates && !facts.listsEtags && size <= LARGE_BODY;
}

function create(remote: Remote, path: RelPath, source: Source, options: WriteOptions): Promise<Written> {
  if (source.size > LARGE_BODY && remote.facts.moves) return createByMove(remote, path, source, options);
  switch (remote.facts.create) {
    case "if-none-match":
      return put(remote, path, source, { ...options, headers: { "If-None-Match": "*" } });
    case "move":
      return createByMove(remote, path, source, options);
    case "look":
      return createByLook(remote, path, source, options);
    default:
      return remote.facts.create satisfies never;
  }
}

async function createByLook(remote: Remote, path: RelPath, source: Source, options: WriteOptions): Promise<Written> {
  const there = await statFile(remote.connection, remote.facts, path, options);
  if (there !== undefined) throw stale("write", path, "it exists already");
  return put(remote, path, source, { ...options, headers: {} });
}

async function createByMove(remote: Remote, path: RelPath, source: Source, options: WriteOptions): Promise<Written> {
  const temp = remote.temps.create(path);
  try {
    const written = await put(remote, temp, source, { ...options, headers: {}, subject: path });
    const moved = await transfer(remote, "MOVE", temp, path, { ...options, subject: `write "${path}"` });
    remote.temps.done(temp);
    const file = written.file === undefined ? undefined : { ...written.file, path, id: path };
    return { ...moved, ...(file === undefined ? {} : { file }) };
  } catch (error) {
    await removeTemp(remote, temp);
    throw error;
  }
}

async function removeTemp(remote: Remote, temp: RelPath): Promise<void> {
  try {
    await removeFile(remote, temp, { expect: "any" });
    remote.temps.done(temp);
  } catch {
    // The error that led here counts; the note about the file stays for the next run.
  }
}

/** Removes the temporary files that killed runs left. One that cannot be removed now is met again. */
export async function removeLeftTemps(remote: Remote, options: CallOptions): Promise<void> {
  const { own, old } = remote.temps.takeLeft();
  for (const temp of own) {
    options.signal?.throwIfAborted();
    await removeTemp(remote, temp);
  }
  for (const { path, rev } of old) {
    await removeFile(remote, path, { ...options, expect: rev }).catch(ignoreRefusal);
  }
}

/** Somebody else's leftover is no reason for a run to fail. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof BackendError)) throw error;
}

interface PutOptions extends CallOptions {
  readonly headers: Headers;
  /** The time to give to the file, in whole seconds; the server's own when left out. */
  readonly dateMs?: number;
  /** The path that messages name, where it is not the one written to. */
  readonly subject?: RelPath;
}

/** One PUT. With the headers of a guard a missing folder is not made. */
export async function put(remote: Remote, path: RelPath, source: Source, options: PutOptions): Promise<Written> {
  const { connection } = remote;
  const request: DavRequest = {
    method: "PUT",
    url: fileUrl(connection.root, path),
    what: `write "${options.subject ?? path}"`,
    headers: { ...options.headers, ...checksumHeader(remote, source), ...dateHeader(options.dateMs) },
    body: source,
    signal: options.signal,
    slow: true,
  };
  faultPoint("webdav-put");
  // Only what replaces a known version must not bring its folder back.
  const replaces = "If" in options.headers || "If-Match" in options.headers;
  const startedMs = remote.clock.now();
  const response = replaces
    ? await sendDrained(connection, request)
    : await withFolder(remote, parentOf(path), request, options);
  if (!response.ok) throw refusedChange(connection, response, request, replaces);
  const written = writtenFile(remote, path, source, { response, startedMs });
  return options.dateMs === undefined ? written : { ...written, file: datedFile(path, source.size, options.dateMs) };
}

function dateHeader(dateMs: number | undefined): Headers {
  return dateMs === undefined ? {} : { Date: new Date(dateMs).toUTCString() };
}

function datedFile(path: RelPath, size: number, modifiedMs: number): RemoteFile {
  const rev = timedRev(modifiedMs, size);
  return { path, size, rev, racy: false, id: path, nativeHash: rev, modifiedMs };
}

/** The answer to a request that was sent at `startedMs`. */
interface Answer {
  readonly response: HttpResponse;
  readonly startedMs: number;
}

/** Apache's Date is the time at which a request came in, however long it took. */
function serverTime({ response, startedMs }: Answer, clock: Clock): Pick<Written, "serverTimeMs" | "tookMs"> {
  const serverTimeMs = dateOf(response);
  return serverTimeMs === undefined ? {} : { serverTimeMs, tookMs: Math.max(0, Math.ceil(clock.now() - startedMs)) };
}

/** What the answer to a write tells of the new version. */
export function writtenFile({ facts, clock: time }: Remote, path: RelPath, source: Source, answer: Answer): Written {
  const { response } = answer;
  const etag = response.headers.get("etag") ?? response.headers.get("oc-etag");
  const clock = serverTime(answer, time);
  if (!facts.putReturnsEtag || !facts.listsEtags || etag === null) return clock;
  const file: RemoteFile = {
    path,
    size: source.size,
    rev: etagRev(etag),
    racy: false,
    id: path,
    nativeHash: canonicalEtag(etag),
  };
  return { ...clock, file };
}

/** In the kind that the server was seen to keep, best first. */
export function checksumHeader({ facts }: Remote, source: Source): Headers {
  if (source.sha256 !== undefined && facts.checksums[0] !== "md5") return { "OC-Checksum": `SHA256:${source.sha256}` };
  return source.md5 === undefined ? {} : { "OC-Checksum": `MD5:${source.md5}` };
}

function dateOf(response: HttpResponse): number | undefined {
  const date = Date.parse(response.headers.get("date") ?? "");
  return Number.isNaN(date) ? undefined : date;
}

async function sendDrained(connection: DavConnection, request: DavRequest): Promise<HttpResponse> {
  const response = await connection.send(request);
  await response.drain().catch(() => {});
  return response;
}

/** Sends a request that needs `folder`, making it first when it is known to be missing and after it turns out so. */
async function withFolder(
  remote: Remote,
  folder: RelPath | "",
  request: DavRequest,
  options: CallOptions,
): Promise<HttpResponse> {
  const { connection, folders } = remote;
  if (folders.missing(folder)) await folders.make(folder, options);
  const before = folders.made();
  const first = await sendDrained(connection, request);
  const { status } = first;
  // No two servers agree: 409 (RFC 4918), 404 (Go), 500 (nginx).
  if (folder === "" || (status !== 409 && status !== 404 && status !== 500)) return first;
  folders.forget(folder);
  await folders.make(folder, options);
  // Where nothing was missing, by another request of ours made meanwhile neither, a 500 has another reason.
  return status !== 500 || folders.made() > before ? sendDrained(connection, request) : first;
}

/** The error for a change that was refused: StaleError where a guard of ours was what refused it. */
export function refusedChange(
  connection: DavConnection,
  response: HttpResponse,
  request: DavRequest,
  known: boolean,
): BackendError {
  const { status } = response;
  const gone = status === 404 || status === 410 || (known && status === 409);
  if (status !== 412 && !(known && gone)) return connection.refusal(response, request);
  if (response.repeated) {
    // The first sending may have been carried out, and then its own result refused the second.
    const text = `Could not ${request.what}: the connection broke and it is not known whether it was done`;
    return new BackendError(text, { class: "TRANSIENT", status, outcomeUnknown: true });
  }
  return new StaleError(`Could not ${request.what}: ${status === 412 ? "it is another version" : "it is gone"}`, {
    status,
  });
}

/** Removes a file. A folder of that name is never touched: DELETE would take everything in it along. */
export async function removeFile(remote: Remote, path: RelPath, options: WriteOptions): Promise<void> {
  const { expect } = options;
  if (expect === "absent")
    throw new BackendError(`Could not remove "${path}": nothing to expect there`, { class: "UNKNOWN" });
  if (expect === "any") {
    const there = await lookUp(remote.connection, remote.facts, path, options);
    if (there.kind === "folder") {
      throw new BackendError(`Could not remove "${path}": it is a folder`, { class: "FILE_REJECTED" });
    }
    return there.kind === "missing" ? undefined : sendRemove(remote, path, { ...options, headers: {}, known: false });
  }
  await guarded(remote, path, { ...options, expect, guard: remote.facts.remove, method: "DELETE" }, (headers) =>
    sendRemove(remote, path, { ...options, headers, known: true }),
  );
}

interface RemoveOptions extends CallOptions {
  readonly headers: Headers;
  readonly known: boolean;
}

async function sendRemove(remote: Remote, path: RelPath, options: RemoveOptions): Promise<void> {
  const { connection } = remote;
  const request: DavRequest = {
    method: "DELETE",
    url: fileUrl(connection.root, path),
    what: `remove "${path}"`,
    headers: options.headers,
    signal: options.signal,
  };
  faultPoint("webdav-delete");
  const response = await sendDrained(connection, request);
  // 207 lists what could not be removed (RFC 4918 section 9.6.1).
  if (response.ok && response.status !== 207) return;
  if (!options.known && (response.status === 404 || response.status === 410)) return;
  throw refusedChange(connection, response, request, options.known);
}

/** COPY or MOVE onto a name that must not exist. */
export async function transferFile(
  remote: Remote,
  method: "COPY" | "MOVE",
  paths: { readonly from: RelPath; readonly to: RelPath },
  options: CopyOptions,
): Promise<Written> {
  const { from, to } = paths;
  refuseName(remote, to);
  const expect = options.expectSource;
  if (expect === undefined) {
    // A folder would go along with everything in it.
    const there = method === "MOVE" ? await statFile(remote.connection, remote.facts, from, options) : true;
    if (there === undefined) throw stale("move", from, "it is gone");
    return transfer(remote, method, from, to, options);
  }
  const guard = method === "COPY" ? remote.facts.copySource : remote.facts.moveSource;
  return guarded(remote, from, { ...options, expect, guard, method }, (headers) =>
    transfer(remote, method, from, to, { ...options, headers }),
  );
}

interface TransferOptions extends CallOptions {
  readonly headers?: Headers;
  readonly subject?: string;
}

async function transfer(
  remote: Remote,
  method: "COPY" | "MOVE",
  from: RelPath,
  to: RelPath,
  options: TransferOptions,
): Promise<Written> {
  const { connection } = remote;
  const request: DavRequest = {
    method,
    url: fileUrl(connection.root, from),
    what: options.subject ?? `${method === "COPY" ? "copy" : "move"} "${from}" to "${to}"`,
    headers: {
      ...options.headers,
      Destination: fileUrl(connection.root, to),
      Overwrite: "F",
      ...(method === "COPY" ? { Depth: "0" } : {}),
    },
    signal: options.signal,
    slow: true,
  };
  faultPoint(`webdav-${method.toLowerCase()}`);
  const startedMs = remote.clock.now();
  const response = await withFolder(remote, parentOf(to), request, options);
  if (!response.ok || response.status === 207) throw refusedChange(connection, response, request, true);
  return serverTime({ response, startedMs }, remote.clock);
}
