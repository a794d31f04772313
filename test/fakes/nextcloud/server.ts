import { type FakeHttp, type FakeReply, type FakeRequest, startFakeHttp } from "../fake-http.ts";
import { parentOf, Tree } from "./tree.ts";

/**
 * A Nextcloud as far as its WebDAV goes: `/remote.php/dav/files/USER/` and chunked upload v2 at
 * `/remote.php/dav/uploads/USER/` (Nextcloud, developer manual, "Chunked file upload"; the answers to preconditions are those
 * of sabre/dav). Counters and faults go by `METHOD files` and `METHOD uploads`.
 */
export interface FakeNextcloud extends FakeHttp {
  /** Address of the user's files. */
  readonly url: string;
  readonly files: Tree;
  /** Uploads under way: the chunks of each by name. */
  readonly uploads: ReadonlyMap<string, ReadonlyMap<string, Buffer>>;
  /** Bytes of chunks and whole files that arrived. */
  received(): number;
  /** What 24 hours without activity do. */
  expireUploads(): void;
}

export interface FakeNextcloudOptions {
  /** The least size of a chunk but the last; 5 MB on a real one. */
  readonly smallestChunk?: number;
  /** False for a server that puts chunks together whatever `If` says of the target. */
  readonly guardsAssembly?: boolean;
}

export const NEXTCLOUD_USER = { username: "ada", password: "app-password" };

const BASE = "/remote.php/dav";
const FILES = `${BASE}/files/${NEXTCLOUD_USER.username}`;
const UPLOADS = `${BASE}/uploads/${NEXTCLOUD_USER.username}`;
const XML = { "Content-Type": "application/xml; charset=utf-8" };

interface World {
  readonly files: Tree;
  readonly uploads: Map<string, { readonly target: string; readonly chunks: Map<string, Buffer> }>;
  readonly options: FakeNextcloudOptions;
  bytes: number;
}

export async function startFakeNextcloud(options: FakeNextcloudOptions = {}): Promise<FakeNextcloud> {
  const world: World = { files: new Tree(), uploads: new Map(), options, bytes: 0 };
  const http = await startFakeHttp({
    name: ({ method, url }) => `${method} ${url.pathname.startsWith(UPLOADS) ? "uploads" : "files"}`,
    handle: (request) => handle(world, request),
  });
  return {
    ...http,
    url: http.origin + FILES,
    files: world.files,
    get uploads() {
      return new Map([...world.uploads].map(([name, { chunks }]) => [name, chunks]));
    },
    received: () => world.bytes,
    expireUploads: () => world.uploads.clear(),
  };
}

async function handle(world: World, request: FakeRequest): Promise<FakeReply> {
  const login = Buffer.from(`${NEXTCLOUD_USER.username}:${NEXTCLOUD_USER.password}`).toString("base64");
  if (request.headers["authorization"] !== `Basic ${login}`) {
    await request.body();
    return { status: 401, headers: { "WWW-Authenticate": 'Basic realm="Nextcloud", charset="UTF-8"' } };
  }
  const path = decodeURIComponent(request.url.pathname);
  if (path.startsWith(`${UPLOADS}/`)) return inUploads(world, request, path.slice(UPLOADS.length + 1));
  if (path !== FILES && !path.startsWith(`${FILES}/`)) return { status: 404 };
  const below = trimmed(path.slice(FILES.length));
  const refused = preconditions(world, request, below);
  if (refused !== undefined) {
    await request.body();
    return refused;
  }
  return inFiles(world, request, below);
}

function trimmed(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}

async function inFiles(world: World, request: FakeRequest, path: string): Promise<FakeReply> {
  const { files } = world;
  const node = files.get(path);
  switch (request.method) {
    case "OPTIONS":
      return { status: 200, headers: { DAV: "1, 3, extended-mkcol, access-control" } };
    case "PROPFIND":
      await request.body();
      return node === undefined ? { status: 404 } : propfind(world, request, path);
    case "HEAD":
    case "GET":
      return read(world, request, path);
    case "PUT":
      return put(world, request, path);
    case "MKCOL":
      await request.body();
      if (node !== undefined) return { status: 405 };
      if (files.get(parentOf(path))?.kind !== "folder") return { status: 409 };
      files.makeFolder(path);
      return { status: 201 };
    case "DELETE":
      if (node === undefined) return { status: 404 };
      files.remove(path);
      return { status: 204 };
    case "COPY":
    case "MOVE":
      return transfer(world, request, path);
    default:
      return { status: 501 };
  }
}

async function put(world: World, request: FakeRequest, path: string): Promise<FakeReply> {
  const body = await request.body();
  const { files } = world;
  const old = files.get(path);
  if (request.headers["content-range"] !== undefined) return { status: 501 };
  if (old?.kind === "folder") return { status: 409 };
  if (files.get(parentOf(path))?.kind !== "folder") return { status: 404 };
  world.bytes += body.length;
  const node = files.put(path, body, request.headers["oc-checksum"] ?? "");
  const tag = `"${node.etag}"`;
  return { status: old === undefined ? 201 : 204, headers: { ETag: tag, "OC-ETag": tag } };
}

function read(world: World, request: FakeRequest, path: string): FakeReply {
  const node = world.files.get(path);
  if (node === undefined) return { status: 404 };
  if (node.kind === "folder") return { status: 501 };
  const headers = { ETag: `"${node.etag}"`, "Last-Modified": new Date(node.modifiedMs).toUTCString() };
  const range = /^bytes=(\d+)-$/.exec(request.headers["range"] ?? "");
  const current = (request.headers["if-range"] ?? headers.ETag) === headers.ETag;
  if (range === null || !current) return { status: 200, headers, body: node.bytes };
  const from = Number(range[1]);
  if (from >= node.bytes.length) return { status: 416 };
  const part = { "Content-Range": `bytes ${from}-${node.bytes.length - 1}/${node.bytes.length}` };
  return { status: 206, headers: { ...headers, ...part }, body: node.bytes.subarray(from) };
}

function transfer(world: World, request: FakeRequest, from: string): FakeReply {
  const { files } = world;
  const to = destination(request);
  if (to === undefined) return { status: 400 };
  if (files.get(from) === undefined) return { status: 404 };
  if (files.get(parentOf(to))?.kind !== "folder") return { status: 409 };
  const taken = files.get(to) !== undefined;
  if (taken && request.headers["overwrite"] === "F") return { status: 412 };
  if (taken) files.remove(to);
  files.copy(from, to);
  if (request.method === "MOVE") files.remove(from);
  return { status: taken ? 204 : 201 };
}

function destination(request: FakeRequest): string | undefined {
  const header = request.headers["destination"];
  if (header === undefined) return undefined;
  const path = decodeURIComponent(new URL(header, request.url).pathname);
  return path.startsWith(`${FILES}/`) ? trimmed(path.slice(FILES.length)) : undefined;
}

/** `If-Match`, `If-None-Match` and the ETag lists of `If`, tagged or not (RFC 4918 section 10.4). */
function preconditions(world: World, request: FakeRequest, path: string): FakeReply | undefined {
  const refused: FakeReply = { status: 412 };
  const etagOf = (at: string) => world.files.get(at)?.etag;
  const { headers } = request;
  const match = headers["if-match"];
  if (match !== undefined && (match === "*" ? etagOf(path) === undefined : match !== `"${etagOf(path)}"`))
    return refused;
  if (headers["if-none-match"] === "*" && etagOf(path) !== undefined) return refused;
  for (const [, tag, etag] of (headers["if"] ?? "").matchAll(/(?:<([^>]+)> )?\(\["([^"]*)"\]\)/g)) {
    const at = tag === undefined ? path : trimmed(decodeURIComponent(new URL(tag).pathname).slice(FILES.length));
    if (etagOf(at) !== etag) return refused;
  }
  return undefined;
}

/** Deep listings are switched off, as they are by default: then sabre answers one level. */
function propfind(world: World, request: FakeRequest, path: string): FakeReply {
  const { files } = world;
  const paths = request.headers["depth"] === "0" ? [path] : [path, ...files.children(path)];
  const entries = paths.map((one) => {
    const node = files.get(one);
    if (node === undefined) return "";
    const folder = node.kind === "folder";
    const sum = node.checksum === "" ? "" : `<oc:checksums><oc:checksum>${node.checksum}</oc:checksum></oc:checksums>`;
    const size = folder ? "" : `<d:getcontentlength>${node.bytes.length}</d:getcontentlength>${sum}`;
    const type = `<d:resourcetype>${folder ? "<d:collection/>" : ""}</d:resourcetype>`;
    const time = `<d:getlastmodified>${new Date(node.modifiedMs).toUTCString()}</d:getlastmodified>`;
    return entry(hrefOf(FILES, one, folder), `${type}${size}<d:getetag>&quot;${node.etag}&quot;</d:getetag>${time}`);
  });
  return multistatus(entries);
}

function hrefOf(base: string, path: string, folder: boolean): string {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${base}/${encoded}${folder && path !== "" ? "/" : ""}`;
}

function entry(href: string, props: string): string {
  const prop = `<d:propstat><d:prop>${props}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>`;
  return `<d:response><d:href>${href}</d:href>${prop}</d:response>`;
}

function multistatus(entries: readonly string[]): FakeReply {
  const names = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"';
  return {
    status: 207,
    headers: XML,
    body: `<?xml version="1.0"?><d:multistatus ${names}>${entries.join("")}</d:multistatus>`,
  };
}

async function inUploads(world: World, request: FakeRequest, path: string): Promise<FakeReply> {
  const [id = "", name = ""] = path.split("/");
  const upload = world.uploads.get(id);
  if (request.method === "MKCOL") {
    await request.body();
    if (upload !== undefined) return { status: 405 };
    const target = destination(request);
    if (target === undefined) return { status: 400 };
    world.uploads.set(id, { target, chunks: new Map() });
    return { status: 201 };
  }
  if (upload === undefined) {
    await request.body();
    return { status: 404 };
  }
  switch (request.method) {
    case "PROPFIND": {
      await request.body();
      const chunks = [...upload.chunks].map(([chunk, bytes]) =>
        entry(
          `${UPLOADS}/${id}/${chunk}`,
          `<d:resourcetype/><d:getcontentlength>${bytes.length}</d:getcontentlength><d:getetag>"c"</d:getetag>`,
        ),
      );
      const future = entry(`${UPLOADS}/${id}/.file`, "<d:resourcetype/><d:getcontentlength>0</d:getcontentlength>");
      const self = entry(`${UPLOADS}/${id}/`, "<d:resourcetype><d:collection/></d:resourcetype>");
      return multistatus([self, future, ...chunks]);
    }
    case "PUT": {
      const body = await request.body();
      if (destination(request) !== upload.target || !/^\d+$/.test(name)) return { status: 400 };
      if (Number(name) < 1 || Number(name) > 10_000) return { status: 400 };
      world.bytes += body.length;
      upload.chunks.set(name, body);
      return { status: 201 };
    }
    case "MOVE":
      return assemble(world, request, id);
    case "DELETE":
      world.uploads.delete(id);
      return { status: 204 };
    default:
      return { status: 405 };
  }
}

function assemble(world: World, request: FakeRequest, id: string): FakeReply {
  const { files, options } = world;
  const { target, chunks } = world.uploads.get(id) as { target: string; chunks: Map<string, Buffer> };
  if (options.guardsAssembly !== false) {
    const refused = preconditions(world, request, target);
    if (refused !== undefined) return refused;
  }
  if (destination(request) !== target) return { status: 400 };
  if (files.get(parentOf(target))?.kind !== "folder") return { status: 409 };
  const old = files.get(target);
  if (old !== undefined && request.headers["overwrite"] === "F") return { status: 412 };
  const parts = [...chunks].sort(([a], [b]) => Number(a) - Number(b)).map(([, bytes]) => bytes);
  if (parts.slice(0, -1).some((part) => part.length < (options.smallestChunk ?? 5_000_000))) return { status: 400 };
  const whole = Buffer.concat(parts);
  if (request.headers["oc-total-length"] !== String(whole.length)) return { status: 400 };
  const node = files.put(target, whole, request.headers["oc-checksum"] ?? "");
  world.uploads.delete(id);
  return { status: old === undefined ? 201 : 204, headers: { "OC-ETag": `"${node.etag}"` } };
}
