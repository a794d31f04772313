import type { HttpResponse } from "../../lib/http-response.ts";
import type { RelPath } from "../../lib/path.ts";
import { skipping } from "../../lib/streams.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Opened, ReadOptions, RemoteFile } from "../types.ts";
import { wholeBody } from "../whole-body.ts";
import type { DavRequest } from "./connection.ts";
import { fileUrl } from "./dav-path.ts";
import { statFile } from "./listing.ts";
import type { Remote } from "./remote.ts";
import { etagRev, isRacy, timedRev } from "./rev.ts";

/**
 * The contract's `read`. A part is asked for by Range with If-Range (RFC 9110 section 13.1.5): a server that ignores the
 * one, or finds another version by the other, answers with the whole file, which is then looked at and read on to the part.
 */
export async function readFile(remote: Remote, path: RelPath, options: ReadOptions): Promise<Opened> {
  const { connection } = remote;
  const request: DavRequest = {
    method: "GET",
    url: fileUrl(connection.root, path),
    what: `read "${path}"`,
    headers: rangeHeaders(options),
    signal: options.signal,
  };
  const response = await connection.send(request);
  if (response.status === 416) {
    await response.drain().catch(() => {});
    return emptyRest(remote, path, options);
  }
  if (response.status !== 200 && response.status !== 206) {
    await response.drain().catch(() => {});
    if (response.status === 404 || response.status === 410) throw missing(path, response.status);
    throw connection.refusal(response, request);
  }
  return openAnswer(remote, path, { response, request }, options);
}

/** What an answer of 200 or 206 to a GET holds. Throws StaleError for another version than `expect`. */
export async function openAnswer(
  remote: Remote,
  path: RelPath,
  { response, request }: { readonly response: HttpResponse; readonly request: DavRequest },
  options: ReadOptions,
): Promise<Opened> {
  try {
    const part = partOf(response, path, options);
    const file = (await describe(remote, path, response, part)) ?? (await lookInstead(remote, path, options));
    requireVersion(file, options);
    remote.seen.note(file);
    const range = { at: part.at, skip: (options.from ?? 0) - part.at };
    return { file, body: checked(response.stream(), file, range, (error) => remote.connection.broken(error, request)) };
  } catch (error) {
    await response
      .stream()
      .cancel()
      .catch(() => {});
    throw error;
  }
}

function rangeHeaders({ from = 0, expect }: ReadOptions): Readonly<Record<string, string>> {
  if (from === 0 || expect === undefined) return {};
  return { Range: `bytes=${from}-`, "If-Range": `"${expect}"` };
}

function missing(path: RelPath, status: number): NotFoundError {
  return new NotFoundError(`Could not read "${path}": it is not there`, { status });
}

function requireVersion(file: RemoteFile, { expect }: ReadOptions): void {
  if (expect === undefined || file.rev === expect) return;
  throw new StaleError(`Could not read "${file.path}": it is another version`);
}

/** The server has nothing from that byte on: the file ends there, or it is another one. */
async function emptyRest(remote: Remote, path: RelPath, options: ReadOptions): Promise<Opened> {
  const file = await lookInstead(remote, path, options);
  requireVersion(file, options);
  if (file.size !== options.from) {
    const text = `Could not read "${path}": the server refuses the part from byte ${options.from} on (416)`;
    throw new BackendError(text, { class: "TRANSIENT", status: 416 });
  }
  return { file, body: new ReadableStream({ start: (controller) => controller.close() }) };
}

/** Where in the file a body begins, and the file's size as far as the answer tells it. */
interface Part {
  readonly at: number;
  readonly size: number | undefined;
}

function partOf(response: HttpResponse, path: RelPath, { from = 0 }: ReadOptions): Part {
  if (response.status === 200) {
    const length = response.headers.get("content-length");
    return { at: 0, size: length !== null && /^\d+$/.test(length) ? Number(length) : undefined };
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range")?.trim() ?? "");
  const [at, last, size] = [Number(range?.[1]), Number(range?.[2]), Number(range?.[3])];
  if (at === from && last === size - 1) return { at, size };
  throw new BackendError(`Could not read "${path}": the server sends another part than was asked for`, {
    class: "TRANSIENT",
    status: 206,
  });
}

/** What the answer's headers say about the file; undefined when they do not say enough. */
async function describe(
  remote: Remote,
  path: RelPath,
  { headers }: HttpResponse,
  { size }: Part,
): Promise<RemoteFile | undefined> {
  if (headers.get("content-encoding") !== null) {
    throw new BackendError(`Could not read "${path}": the server sends it re-encoded although told not to`, {
      class: "FILE_REJECTED",
    });
  }
  const etag = headers.get("etag");
  const modified = Date.parse(headers.get("last-modified") ?? "");
  const timed = !remote.facts.listsEtags;
  if (size === undefined || (timed ? Number.isNaN(modified) : etag === null)) return undefined;
  const rev = timed ? timedRev(modified, size) : etagRev(etag ?? "");
  const date = Date.parse(headers.get("date") ?? "");
  return {
    path,
    size,
    rev,
    racy: isRacy(timed ? undefined : (etag ?? undefined), numberOr(modified), numberOr(date)),
    id: path,
    nativeHash: rev,
    ...(Number.isNaN(modified) ? {} : { modifiedMs: modified }),
  };
}

function numberOr(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

async function lookInstead(remote: Remote, path: RelPath, options: ReadOptions): Promise<RemoteFile> {
  const file = await statFile(remote.connection, remote.facts, path, options);
  if (file === undefined) throw new NotFoundError(`Could not read "${path}": it is a folder, or it just went away`);
  return file;
}

/** The bytes from `at` on without the first `skip`, failing as a BackendError where they do not end with the file. */
function checked(
  body: ReadableStream<Uint8Array>,
  file: RemoteFile,
  { at, skip }: { readonly at: number; readonly skip: number },
  explain: (error: unknown) => unknown,
): ReadableStream<Uint8Array> {
  return skipping(wholeBody(body, { path: file.path, due: file.size - at, explain }), skip);
}
