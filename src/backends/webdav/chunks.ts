import { randomBytes } from "node:crypto";
import { faultPoint } from "../../lib/fault.ts";
import { hashBytes } from "../../lib/hash.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { Expect, Source, WriteOptions, Written } from "../types.ts";
import { checksumHeader, refusedChange, refuseName, writtenFile } from "./changing.ts";
import { type Chunk, type ChunkBodies, chunkBodies } from "./chunk-body.ts";
import { type ChunkNotes, chunkNotes, tidyChunkNotes } from "./chunk-notes.ts";
import type { DavRequest } from "./connection.ts";
import { type DavRoot, fileUrl } from "./dav-path.ts";
import { guardHeaders } from "./guard.ts";
import { propfind } from "./listing.ts";
import type { Remote } from "./remote.ts";

/** The server takes chunks of 5 MB to 5 GB and at most 10,000 of them (Nextcloud, developer manual, chunked upload v2). */
const SMALLEST = 5 * 1024 * 1024;
const LARGEST = 4 * 1024 * 1024 * 1024;
/** Smaller bodies gain nothing: what a chunk is lost with is a large part of them. Bytes. */
const WORTH_IT = 2 * SMALLEST;
/** A kill loses less than one chunk: a small share of any file of more than 320 MiB. */
const CHUNKS = 64;

/**
 * Where a Nextcloud takes chunks for files below this root: its `uploads/USER/` beside `files/USER/`. Undefined for every
 * other address.
 */
export function uploadsUrl(root: DavRoot): string | undefined {
  const match = /^(.*\/remote\.php\/dav)\/files\/([^/]+)(?:\/|$)/.exec(root.url);
  return match === null ? undefined : `${match[1]}/uploads/${match[2]}/`;
}

/** Whether the server takes this body in chunks, under the guard that the write needs. */
export function goesInChunks({ facts, connection }: Remote, { size }: Source, expect: Expect): boolean {
  if (size <= WORTH_IT || uploadsUrl(connection.root) === undefined) return false;
  return facts.chunks === "replace" || (facts.chunks === "create" && (expect === "absent" || expect === "any"));
}

/** One upload under way. */
interface Upload {
  readonly remote: Remote;
  readonly path: RelPath;
  readonly source: Source;
  /** Of the folder that takes the chunks. */
  readonly url: string;
  readonly notes: ChunkNotes;
  readonly chunks: readonly Chunk[];
  readonly options: WriteOptions;
}

/**
 * Sends a large body in chunks to a folder of its own and has them put together under the guard. One that broke off, here
 * or in an earlier run, goes on: a chunk counts as sent when the server has it in full and this machine noted that it
 * sent these very bytes.
 */
export async function writeInChunks(
  remote: Remote,
  path: RelPath,
  source: Source,
  options: WriteOptions,
): Promise<Written> {
  refuseName(remote, path);
  tidyChunkNotes(remote.chunkNotes, remote.clock.now());
  const upload = planUpload(remote, path, source, options);
  const bodies = chunkBodies(source);
  try {
    const there = await begin(upload);
    for (const [index, chunk] of upload.chunks.entries()) await sendChunk(upload, index + 1, chunk, { there, bodies });
    return await assemble(upload);
  } catch (error) {
    if (isFinal(error)) await abandon(upload);
    throw error;
  } finally {
    await bodies.close();
  }
}

function planUpload(remote: Remote, path: RelPath, source: Source, options: WriteOptions): Upload {
  const size = Math.min(LARGEST, Math.max(SMALLEST, Math.ceil(source.size / CHUNKS)));
  const chunks: Chunk[] = [];
  for (let start = 0; start < source.size; start += size) {
    chunks.push({ start, size: Math.min(size, source.size - start) });
  }
  const what = JSON.stringify([remote.client, fileUrl(remote.connection.root, path), source.size, source.sha256]);
  const known = source.sha256 !== undefined && remote.chunkNotes !== undefined;
  const id = known ? hashBytes("sha256", what).slice(0, 32) : randomBytes(16).toString("hex");
  const url = `${uploadsUrl(remote.connection.root)}claude-mirror-${id}/`;
  const notes = chunkNotes(known ? remote.chunkNotes : undefined, id);
  return { remote, path, source, url, notes, chunks, options };
}

/** What is surely there already: the numbers of the chunks with the digests they were sent with. */
type There = ReadonlyMap<number, string>;

async function begin(upload: Upload): Promise<There> {
  const { remote, path, notes, options } = upload;
  const noted = notes.read();
  if (noted !== undefined && noted.size > 0) {
    const there = await listChunks(upload, noted);
    if (there !== undefined) return there;
  }
  // Only a file that is to be made may bring its folder along.
  if (options.expect === "absent" || options.expect === "any") await remote.folders.make(parentOf(path), options);
  notes.begin();
  let made = await request(upload, "MKCOL", "");
  if (made.status === 405) {
    await abandon(upload);
    notes.begin();
    made = await request(upload, "MKCOL", "");
  }
  if (!made.ok) throw refused(upload, made);
  return new Map();
}

/** The chunks that the server holds in full and that were noted. Undefined when it has given the upload up. */
async function listChunks(upload: Upload, noted: There): Promise<There | undefined> {
  const { remote, url, chunks, options } = upload;
  const there = new Map<number, string>();
  const look = { url, depth: "1", what: `look at what is sent of "${upload.path}"`, signal: options.signal } as const;
  const found = await propfind(remote.connection, look, (entry) => {
    const name = /\/(\d{1,5})$/.exec(entry.href)?.[1];
    const chunk = name === undefined ? undefined : chunks[Number(name) - 1];
    const sha256 = noted.get(Number(name));
    if (chunk !== undefined && sha256 !== undefined && entry.size === chunk.size) there.set(Number(name), sha256);
  });
  return found.kind === "found" ? there : undefined;
}

interface Sending {
  readonly there: There;
  readonly bodies: ChunkBodies;
}

async function sendChunk(upload: Upload, number: number, chunk: Chunk, { there, bodies }: Sending): Promise<void> {
  const sha256 = there.get(number);
  if (sha256 !== undefined && (await bodies.digest(chunk)) === sha256) return;
  faultPoint("webdav-chunk");
  const response = await request(upload, "PUT", String(number).padStart(5, "0"), { body: bodies.body(chunk) });
  if (!response.ok) throw refused(upload, response);
  upload.notes.add(number, bodies.sent());
}

async function assemble(upload: Upload): Promise<Written> {
  const { remote, path, source, options, notes } = upload;
  const { expect } = options;
  const target = fileUrl(remote.connection.root, path);
  const guard = expect === "absent" || expect === "any" ? {} : guardHeaders("if-etag", "MOVE", target, expect);
  faultPoint("webdav-assemble");
  const headers = {
    ...guard,
    Overwrite: expect === "absent" ? "F" : "T",
    ...checksumHeader(remote, source),
  };
  const sent = davRequest(upload, "MOVE", ".file", { headers });
  const startedMs = remote.clock.now();
  const response = await remote.connection.send(sent);
  await response.drain().catch(() => {});
  if (!response.ok) throw refusedChange(remote.connection, response, sent, true);
  notes.remove();
  return writtenFile(remote, path, source, { response, startedMs });
}

interface Details {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: DavRequest["body"];
}

function davRequest(upload: Upload, method: string, name: string, details: Details = {}): DavRequest {
  const { remote, path, source, url, options } = upload;
  return {
    method,
    url: url + name,
    what: `write "${path}"`,
    headers: {
      ...details.headers,
      Destination: fileUrl(remote.connection.root, path),
      "OC-Total-Length": String(source.size),
    },
    ...(details.body === undefined ? {} : { body: details.body }),
    signal: options.signal,
    slow: true,
  };
}

async function request(upload: Upload, method: string, name: string, details: Details = {}): Promise<HttpResponse> {
  const response = await upload.remote.connection.send(davRequest(upload, method, name, details));
  await response.drain().catch(() => {});
  return response;
}

/** The server's own words for a chunk or its folder; a chunk without its folder can be sent anew. */
function refused(upload: Upload, response: HttpResponse): BackendError {
  const { status } = response;
  if (status !== 404 && status !== 409 && status !== 412) {
    return upload.remote.connection.refusal(response, davRequest(upload, "PUT", ""));
  }
  upload.notes.remove();
  return new BackendError(`Could not write "${upload.path}": the server has given the upload up (${status})`, {
    class: "TRANSIENT",
    status,
  });
}

/** No later try can go on with it. */
function isFinal(error: unknown): boolean {
  return error instanceof StaleError || (error instanceof BackendError && error.class === "FILE_REJECTED");
}

/** Frees the space at once; otherwise the server does so after a day. */
async function abandon({ remote, url, notes }: Upload): Promise<void> {
  notes.remove();
  try {
    await (await remote.connection.send({ method: "DELETE", url, what: "give an upload up" })).drain();
  } catch {
    // See above.
  }
}

/** The folder that a probe sends its chunk to. */
export function probeUploadUrl(root: DavRoot): string | undefined {
  const uploads = uploadsUrl(root);
  return uploads === undefined ? undefined : `${uploads}claude-mirror-probe-${randomBytes(6).toString("hex")}/`;
}
