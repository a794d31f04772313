import type { FakeReply, FakeRequest } from "../fake-http.ts";
import { FieldsError, selectFields } from "./fields.ts";
import { parseQuery, QueryError } from "./query.ts";
import {
  type DriveStore,
  type Item,
  type ItemChange,
  KNOWN_FIELDS,
  type NewItem,
  Refusal,
  resourceOf,
} from "./store.ts";
import { readUpload, type Sessions } from "./uploads.ts";

export interface Route {
  /** As in the documents: `files.list`, `changes.list`; `upload.*` and `files.media` for contents. */
  readonly method: string;
  readonly id?: string | undefined;
  readonly v2?: boolean;
}

export interface Call {
  readonly request: FakeRequest;
  readonly user: string;
  readonly store: DriveStore;
  readonly sessions: Sessions;
  readonly state: { readonly honoursIfMatch: boolean; readonly incomplete: boolean; readonly pageGeneration: number };
}

/** Which method of the API a request is for. */
export function routeOf({ method, url }: FakeRequest): Route | undefined {
  const path = url.pathname;
  if (path === "/o/oauth2/v2/auth" || path === "/o/oauth2/auth") return { method: "authorize" };
  if (path === "/token") return { method: "token" };
  if (path === "/batch/drive/v3" || path === "/batch/drive/v2") return { method: "batch" };
  const upload = /^\/upload\/drive\/v(2|3)\/files(?:\/([^/]+))?$/.exec(path);
  if (upload) {
    if (url.searchParams.has("upload_id")) return { method: "upload.chunk" };
    const id = upload[2] === undefined ? undefined : decodeURIComponent(upload[2]);
    const resumable = url.searchParams.get("uploadType") === "resumable";
    return {
      method: resumable ? "upload.start" : id === undefined ? "upload.create" : "upload.update",
      id,
      v2: upload[1] === "2",
    };
  }
  if (path === "/drive/v2/files" && method === "POST") return { method: "files.create", v2: true };
  const v2 = /^\/drive\/v2\/files\/([^/]+)$/.exec(path);
  if (v2?.[1] !== undefined && method === "GET")
    return { method: "files.get", id: decodeURIComponent(v2[1]), v2: true };
  const v3 = /^\/drive\/v3\/(.*)$/.exec(path)?.[1];
  if (v3 === undefined) return undefined;
  if (v3 === "about") return { method: "about.get" };
  if (v3 === "changes") return { method: "changes.list" };
  if (v3 === "changes/startPageToken") return { method: "changes.getStartPageToken" };
  if (v3 === "files/generateIds") return { method: "files.generateIds" };
  if (v3 === "files") return { method: method === "POST" ? "files.create" : "files.list" };
  const file = /^files\/([^/]+)(\/copy)?$/.exec(v3);
  if (file?.[1] === undefined) return undefined;
  const id = decodeURIComponent(file[1]);
  if (file[2] !== undefined) return { method: "files.copy", id };
  if (method === "PATCH") return { method: "files.update", id };
  if (method === "DELETE") return { method: "files.delete", id };
  return { method: url.searchParams.get("alt") === "media" ? "files.media" : "files.get", id };
}

export function refusalReply({ status, reason, message }: Refusal): FakeReply {
  const domain = /ateLimit/.test(reason) ? "usageLimits" : "global";
  const error = { errors: [{ domain, reason, message }], code: status, message };
  return reply(status, { error });
}

function reply(status: number, value: unknown): FakeReply {
  return { status, headers: { "Content-Type": "application/json; charset=UTF-8" }, body: JSON.stringify(value) };
}

export async function callOf(route: Route, call: Call): Promise<FakeReply> {
  const { request, user, store } = call;
  const id = route.id ?? "";
  switch (route.method) {
    case "about.get":
      if (!request.url.searchParams.has("fields"))
        throw new Refusal(400, "required", "The 'fields' parameter is required.");
      return masked(call, { user: { kind: "drive#user", emailAddress: user, displayName: user } }, "kind");
    case "files.generateIds":
      return generateIds(call);
    case "files.list":
      return listFiles(call);
    case "changes.getStartPageToken":
      return reply(200, { kind: "drive#startPageToken", startPageToken: String(store.changes.length + 1) });
    case "changes.list":
      return listChanges(call);
    case "files.get":
      return route.v2 ? reply(200, v2Resource(call, found(call, id))) : file(call, found(call, id));
    case "files.media":
      return media(call, found(call, id));
    case "files.create":
      return made(route, call, store.create(user, newItem(await bodyOf(request), route.v2), undefined));
    case "files.update":
      found(call, id);
      return file(call, store.update(user, id, changeOf(await bodyOf(request), request)));
    case "files.copy":
      found(call, id);
      return file(call, store.copy(user, id, newItem(await bodyOf(request))));
    case "files.delete":
      found(call, id);
      store.remove(user, id);
      return { status: 204 };
    case "upload.create":
    case "upload.update":
      return upload(route, call);
    case "upload.start":
      return startSession(route, call);
    case "upload.chunk":
      return call.sessions.receive(request);
    default:
      return { status: 404, body: "Not Found" };
  }
}

async function bodyOf(request: FakeRequest): Promise<Record<string, unknown>> {
  const text = (await request.body()).toString();
  return text.trim() === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** v2 says `title`, and names parents by references. */
function newItem(body: Record<string, unknown>, v2 = false): NewItem {
  if (!v2) return body as NewItem;
  const { title, parents, ...rest } = body as { readonly title?: string; readonly parents?: { readonly id: string }[] };
  return { ...rest, ...(title && { name: title }), ...(parents && { parents: parents.map(({ id }) => id) }) };
}

function made({ v2 }: Route, call: Call, item: Item): FakeReply {
  return v2 ? reply(200, v2Resource(call, item)) : file(call, item);
}

function changeOf(body: Record<string, unknown>, { url }: FakeRequest): ItemChange {
  return {
    ...(body as ItemChange),
    addParents: url.searchParams.get("addParents") ?? undefined,
    removeParents: url.searchParams.get("removeParents") ?? undefined,
  };
}

/** An item of a shared drive is not found by clients that do not say that they know such drives. */
function found({ store, user, request }: Call, id: string): Item {
  const item = store.get(user, id);
  if (item.driveId !== undefined && request.url.searchParams.get("supportsAllDrives") !== "true") {
    throw new Refusal(404, "notFound", `File not found: ${id}.`);
  }
  return item;
}

function file(call: Call, item: Item): FakeReply {
  return masked(call, resourceOf(call.store, call.user, item), "kind,id,name,mimeType");
}

function masked({ request }: Call, value: Record<string, unknown>, fallback: string): FakeReply {
  try {
    return reply(200, selectFields(value, request.url.searchParams.get("fields") ?? fallback, KNOWN_FIELDS));
  } catch (error) {
    if (error instanceof FieldsError) throw new Refusal(400, "invalidParameter", error.message);
    throw error;
  }
}

function generateIds(call: Call): FakeReply {
  const count = Number(call.request.url.searchParams.get("count") ?? 10);
  if (!(count >= 1 && count <= 1000)) throw new Refusal(400, "invalid", "Invalid Value");
  return masked(call, { kind: "drive#generatedIds", space: "drive", ids: call.store.issueIds(count) }, "*");
}

function pageSizeOf({ url }: FakeRequest): number {
  const size = Number(url.searchParams.get("pageSize") ?? 100);
  if (!(size >= 1 && size <= 1000)) throw new Refusal(400, "invalidParameter", "Invalid value for pageSize");
  return size;
}

function listFiles(call: Call): FakeReply {
  const { request, store, user, state } = call;
  const get = (name: string): string | null => request.url.searchParams.get(name);
  const corpora = get("corpora") ?? "user";
  const driveId = get("driveId");
  const allDrives = get("supportsAllDrives") === "true" && get("includeItemsFromAllDrives") === "true";
  if (corpora === "drive" && (driveId === null || !allDrives)) {
    throw new Refusal(
      400,
      "invalid",
      "The driveId parameter must be specified if and only if corpora is set to drive.",
    );
  }
  let test: ReturnType<typeof parseQuery>;
  try {
    test = parseQuery(get("q") ?? "trashed = true or trashed = false");
  } catch (error) {
    if (error instanceof QueryError) throw new Refusal(400, "invalid", "Invalid Value");
    throw error;
  }
  const all = [...store.listed().values()].filter((item) => {
    if (item.parent === undefined) return false;
    if (item.driveId !== undefined && !allDrives) return false;
    if (corpora === "drive" && item.driveId !== driveId) return false;
    if (store.roleOf(user, item) === undefined) return false;
    const parents = [item.parent];
    return test({ ...item, parents, trashed: isTrashedIn(store.listed(), item) }, user);
  });
  all.sort((a, b) => (a.id < b.id ? -1 : 1));
  const { page, nextPageToken } = pageOf(call, all, `${get("q")} ${corpora} ${driveId}`);
  const value = {
    kind: "drive#fileList",
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
    incompleteSearch: state.incomplete,
    files: page.map((item) => resourceOf(store, user, item)),
  };
  return masked(call, value, "kind,nextPageToken,incompleteSearch,files(kind,id,name,mimeType)");
}

function isTrashedIn(items: ReadonlyMap<string, Item>, item: Item): boolean {
  for (
    let at: Item | undefined = item;
    at !== undefined;
    at = at.parent === undefined ? undefined : items.get(at.parent)
  ) {
    if (at.binned) return true;
  }
  return false;
}

/** A page token is bound to its query and lives a few hours. */
function pageOf(call: Call, all: readonly Item[], bound: string): { page: readonly Item[]; nextPageToken?: string } {
  const size = pageSizeOf(call.request);
  const token = call.request.url.searchParams.get("pageToken");
  const { pageGeneration } = call.state;
  let from = 0;
  if (token !== null) {
    const [generation, start, ...rest] = Buffer.from(token, "base64url").toString().split("|");
    if (Number(generation) !== pageGeneration || rest.join("|") !== bound)
      throw new Refusal(400, "invalid", "Invalid Value");
    from = Number(start);
  }
  const page = all.slice(from, from + size);
  if (from + size >= all.length) return { page };
  return { page, nextPageToken: Buffer.from(`${pageGeneration}|${from + size}|${bound}`).toString("base64url") };
}

/** One entry for each file that changed since, its last state; not what lies below a folder that changed. */
function listChanges(call: Call): FakeReply {
  const { request, store, user } = call;
  const get = (name: string): string | null => request.url.searchParams.get(name);
  const token = get("pageToken");
  if (token === null || !/^\d+$/.test(token) || Number(token) > store.changes.length + 1) {
    throw new Refusal(400, "invalid", "Invalid Value");
  }
  const size = pageSizeOf(request);
  const allDrives = get("supportsAllDrives") === "true" && get("includeItemsFromAllDrives") === "true";
  const since = store.changes.slice(Number(token) - 1);
  const last = new Map(since.map((change) => [change.fileId, change.at]));
  const due = since.filter((change) => last.get(change.fileId) === change.at);
  const page = due.slice(0, size);
  const end = page.at(-1)?.at;
  const changes = page.flatMap(({ fileId, removed }) => {
    const item = store.items.get(fileId);
    if (item?.driveId !== undefined && !allDrives) return [];
    if (get("driveId") !== null && item?.driveId !== get("driveId") && item !== undefined) return [];
    const gone = removed || item === undefined || store.roleOf(user, item) === undefined;
    if (gone && get("includeRemoved") === "false") return [];
    const change = { kind: "drive#change", changeType: "file", time: "2026-01-01T00:00:00.000Z", fileId };
    return [gone ? { ...change, removed: true } : { ...change, removed: false, file: resourceOf(store, user, item) }];
  });
  const next =
    due.length > size && end !== undefined
      ? { nextPageToken: String(end + 1) }
      : { newStartPageToken: String(store.changes.length + 1) };
  return masked(
    call,
    { kind: "drive#changeList", ...next, changes },
    "kind,nextPageToken,newStartPageToken,changes(kind,fileId,removed)",
  );
}

function media({ request }: Call, { content, mimeType }: Item): FakeReply {
  if (content === undefined) {
    const words = "Only files with binary content can be downloaded. Use Export with Docs Editors files.";
    throw new Refusal(403, "fileNotDownloadable", words);
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers["range"] ?? "");
  if (range === null) return { status: 200, headers: { "Content-Type": mimeType }, body: content };
  const from = Number(range[1]);
  if (from >= content.length) {
    return { status: 416, headers: { "Content-Range": `bytes */${content.length}` } };
  }
  const to = range[2] ? Math.min(Number(range[2]), content.length - 1) : content.length - 1;
  const headers = { "Content-Type": mimeType, "Content-Range": `bytes ${from}-${to}/${content.length}` };
  return { status: 206, headers, body: content.subarray(from, to + 1) };
}

async function upload(route: Route, call: Call): Promise<FakeReply> {
  const { request, store, user } = call;
  const { metadata, mimeType, content } = await readUpload(request);
  const item = { ...newItem(metadata, route.v2), ...(metadata["mimeType"] === undefined ? { mimeType } : {}) };
  if (route.id === undefined) return made(route, call, store.create(user, item, content));
  requireMatch(call, found(call, route.id));
  return made(route, call, store.update(user, route.id, { ...changeOf(metadata, request), content }));
}

/** The item is made when the last byte has come; its id and If-Match are checked then. */
async function startSession(route: Route, call: Call): Promise<FakeReply> {
  const { request, store, user } = call;
  const metadata = await bodyOf(request);
  const mimeType = request.headers["x-upload-content-type"];
  if (route.id !== undefined) requireMatch(call, found(call, route.id));
  const length = Number(request.headers["x-upload-content-length"] ?? 0);
  if (length > store.free) {
    throw new Refusal(403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded.");
  }
  return call.sessions.start(request, (content) => {
    if (route.id === undefined)
      return made(route, call, store.create(user, { mimeType, ...newItem(metadata, route.v2) }, content));
    requireMatch(call, store.get(user, route.id));
    return made(route, call, store.update(user, route.id, { ...changeOf(metadata, request), content }));
  });
}

function requireMatch({ request, state }: Call, item: Item): void {
  const wanted = request.headers["if-match"];
  if (wanted === undefined || !state.honoursIfMatch || wanted === etagOf(item)) return;
  throw new Refusal(412, "conditionNotMet", "Precondition Failed");
}

function etagOf({ id, version }: Item): string {
  return `"${Buffer.from(`${id}/${version}`).toString("base64url")}"`;
}

function v2Resource({ store, user }: Call, item: Item): Record<string, unknown> {
  const v3 = resourceOf(store, user, item);
  return {
    kind: "drive#file",
    id: item.id,
    etag: etagOf(item),
    title: item.name,
    mimeType: item.mimeType,
    parents: item.parent === undefined ? [] : [{ kind: "drive#parentReference", id: item.parent }],
    labels: { trashed: v3["trashed"] },
    modifiedDate: item.modifiedTime,
    createdDate: item.createdTime,
    version: v3["version"],
    fileSize: v3["size"],
    md5Checksum: v3["md5Checksum"],
    sha256Checksum: v3["sha256Checksum"],
    headRevisionId: v3["headRevisionId"],
  };
}
