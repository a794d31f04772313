import type { FakeReply, FakeRequest } from "../fake-http.ts";
import { type DeltaState, deltaPage } from "./delta.ts";
import { describe, selected } from "./facets.ts";
import { type FakeUser, json } from "./identity.ts";
import type { Route } from "./route.ts";
import { type Drive, type Item, matches, Refusal } from "./store.ts";
import type { Uploads } from "./uploads.ts";

/** What the service does not do the same everywhere, and what has not settled yet. */
export interface Habits {
  kind: "personal" | "business";
  /** Whether PUT of a content compares If-Match, which no document says. */
  honoursIfMatch: boolean;
  /** Whether hashes are worked out already. */
  hashes: boolean;
  /** Whether a folder that is not a drive's root has a delta. */
  folderDelta: boolean;
  /** How often a copy is still under way when asked. */
  copyPolls: number;
  /** How a copy fails in the end. */
  copyFails: string | undefined;
  /** Items beyond their owner's drive that others may use. */
  readonly shared: Set<string>;
}

export interface Job {
  polls: number;
  readonly run: () => Item;
}

export interface Service {
  readonly origin: () => string;
  readonly drives: ReadonlyMap<string, Drive>;
  readonly owned: ReadonlyMap<string, Drive>;
  readonly habits: Habits;
  readonly delta: DeltaState;
  readonly uploads: Uploads;
  readonly jobs: Map<string, Job>;
}

export interface Call {
  readonly service: Service;
  readonly request: FakeRequest;
  readonly route: Route;
  readonly user: FakeUser;
}

const BEHAVIOR = "@microsoft.graph.conflictBehavior";
const SIMPLE_UPLOAD = 4 * 1024 * 1024;

export async function callOf(call: Call): Promise<FakeReply> {
  const { route } = call;
  const drive = driveOf(call);
  if (route.name === "drive") return driveInfo(drive, call);
  const anchor = drive.item(route.anchor === "root" ? drive.root : (route.anchor ?? ""));
  checkAccess(call, drive, anchor);
  switch (route.name) {
    case "item":
      return json(200, selected(facets(call, drive, target(drive, anchor, route)), params(call).get("$select")));
    case "children":
      return listChildren(call, drive, target(drive, anchor, route));
    case "folder":
      return makeFolder(call, drive, target(drive, anchor, route));
    case "content":
      return putContent(call, drive, anchor);
    case "content.read":
      return { status: 302, headers: { Location: downloadUrl(call, drive, target(drive, anchor, route)) } };
    case "createUploadSession":
      return createSession(call, drive, anchor);
    case "copy":
      return copyItem(call, drive, target(drive, anchor, route));
    case "move":
      return moveItem(call, drive, target(drive, anchor, route));
    case "delete":
      return removeItem(call, drive, target(drive, anchor, route));
    case "delta":
      return delta(call, drive, anchor);
    default:
      throw new Refusal(400, "invalidRequest", "Resource not found for the segment.");
  }
}

const params = ({ request }: Call): URLSearchParams => request.url.searchParams;

function driveOf({ service, route, user }: Call): Drive {
  const drive = route.drive === "me" ? service.owned.get(user.username) : service.drives.get(route.drive ?? "");
  if (drive === undefined) throw new Refusal(404, "ResourceNotFound", "User's mysite not found.");
  return drive;
}

/** Beyond somebody's own drive only what was shared, and what is in it. */
function checkAccess({ service, user }: Call, drive: Drive, item: Item): void {
  if (service.owned.get(user.username) === drive) return;
  for (let at = item.id; at !== ""; at = drive.items.get(at)?.parent ?? "") if (service.habits.shared.has(at)) return;
  throw new Refusal(403, "accessDenied", "Access denied");
}

function target(drive: Drive, anchor: Item, { path = "" }: Route): Item {
  const item = drive.find(anchor.id, path);
  if (item === undefined) throw new Refusal(404, "itemNotFound", "The resource could not be found.");
  return item;
}

function facets(call: Call, drive: Drive, item: Item): Record<string, unknown> {
  const { service } = call;
  return describe(item, {
    drive,
    origin: service.origin(),
    kind: service.habits.kind,
    hashes: service.habits.hashes,
    download: (file) => downloadUrl(call, drive, file),
  });
}

function downloadUrl({ service }: Call, drive: Drive, item: Item): string {
  if (item.kind !== "file") throw new Refusal(400, "invalidRequest", "You cannot get content for a folder");
  return `${service.origin()}/dl/${encodeURIComponent(drive.id)}/${encodeURIComponent(item.id)}?tempauth=v1.secret`;
}

function driveInfo(drive: Drive, { service, user }: Call): FakeReply {
  const quota = Number.isFinite(drive.quota)
    ? { total: drive.quota, used: drive.used(), remaining: drive.quota - drive.used(), state: "normal" }
    : { total: 5e9, used: drive.used(), remaining: 5e9 - drive.used(), state: "normal" };
  const owner = { user: { displayName: user.name, id: user.oid } };
  return json(200, { id: drive.id, driveType: service.habits.kind, owner, quota });
}

function checkMatch(call: Call, item: Item | undefined): void {
  const wanted = call.request.headers["if-match"];
  if (wanted === undefined) return;
  if (item === undefined || !matches(item, wanted)) {
    throw new Refusal(412, "resourceModified", "ETag does not match current item's value");
  }
}

/** The place that an upload goes to; folders that are missing are made, the anchor is not. */
function uploadPlace(call: Call, drive: Drive, anchor: Item) {
  const { path = "" } = call.route;
  if (path === "") return { item: anchor, parent: anchor.parent, name: anchor.name };
  const slash = path.lastIndexOf("/");
  return {
    item: drive.find(anchor.id, path),
    folder: slash < 0 ? "" : path.slice(0, slash),
    name: path.slice(slash + 1),
  };
}

async function putContent(call: Call, drive: Drive, anchor: Item): Promise<FakeReply> {
  const body = await call.request.body();
  if (body.length > SIMPLE_UPLOAD) throw new Refusal(413, "contentTooLarge", "Use an upload session.");
  const place = uploadPlace(call, drive, anchor);
  if (call.service.habits.honoursIfMatch) checkMatch(call, place.item);
  const bytes = new Uint8Array(body);
  if (place.item !== undefined) {
    const behavior = params(call).get(BEHAVIOR) ?? "replace";
    if (behavior === "fail") throw new Refusal(409, "nameAlreadyExists", "An item with the same name already exists.");
    return json(200, facets(call, drive, drive.write(place.item.id, bytes)));
  }
  const parent = drive.folders(anchor.id, place.folder ?? "");
  return json(201, facets(call, drive, drive.put(parent.id, place.name, bytes)));
}

async function createSession(call: Call, drive: Drive, anchor: Item): Promise<FakeReply> {
  const text = (await call.request.body()).toString();
  const wanted = (text === "" ? {} : JSON.parse(text)) as { item?: Record<string, unknown> };
  const place = uploadPlace(call, drive, anchor);
  checkMatch(call, place.item);
  const behavior = String(wanted.item?.[BEHAVIOR] ?? "fail");
  const size = Number(wanted.item?.["fileSize"] ?? 0);
  if (drive.used() + size > drive.quota) throw new Refusal(507, "insufficientStorage", "Not enough space.");
  if (place.item !== undefined && behavior === "fail") {
    throw new Refusal(409, "nameAlreadyExists", "An item with the same name already exists.");
  }
  const parent = place.item === undefined ? drive.folders(anchor.id, place.folder ?? "").id : place.item.parent;
  const item = place.item?.id;
  const { url, until } = call.service.uploads.create({ drive, parent, name: place.name, item, behavior });
  return json(200, { uploadUrl: url, expirationDateTime: new Date(until).toISOString() });
}

function listChildren(call: Call, drive: Drive, folder: Item): FakeReply {
  const query = params(call);
  const top = Math.min(Number(query.get("$top") ?? 200), 1000);
  const from = Number(query.get("$skiptoken") ?? 0);
  const all = drive.children(folder.id);
  const value = all.slice(from, from + top).map((item) => selected(facets(call, drive, item), query.get("$select")));
  if (from + top >= all.length) return json(200, { value });
  const next = new URL(call.request.url);
  next.searchParams.set("$skiptoken", String(from + top));
  return json(200, { value, "@odata.nextLink": next.href });
}

async function makeFolder(call: Call, drive: Drive, parent: Item): Promise<FakeReply> {
  const wanted = JSON.parse((await call.request.body()).toString()) as Record<string, unknown>;
  if (wanted["folder"] === undefined) throw new Refusal(400, "invalidRequest", "Only folders are made so.");
  const name = String(wanted["name"] ?? "");
  const there = drive.child(parent.id, name);
  if (there !== undefined) {
    if (wanted[BEHAVIOR] !== "replace" || there.kind !== "folder") {
      throw new Refusal(409, "nameAlreadyExists", "An item with the same name already exists.");
    }
    return json(200, facets(call, drive, there));
  }
  return json(201, facets(call, drive, drive.folder(parent.id, name)));
}

interface Destination {
  readonly name?: string;
  readonly parentReference?: { readonly id?: string; readonly driveId?: string };
}

async function copyItem(call: Call, drive: Drive, item: Item): Promise<FakeReply> {
  const { service } = call;
  const wanted = JSON.parse((await call.request.body()).toString()) as Destination;
  const parent = drive.item(wanted.parentReference?.id ?? item.parent);
  const name = wanted.name ?? item.name;
  const taken = (): Refusal => new Refusal(409, "nameAlreadyExists", "Name already exists");
  // Business refuses at once; personal accepts, and the job fails.
  if (service.habits.kind === "business" && drive.child(parent.id, name) !== undefined) throw taken();
  const id = String(service.jobs.size + 1);
  service.jobs.set(id, {
    polls: service.habits.copyPolls,
    run() {
      if (service.habits.copyFails !== undefined) throw new Refusal(500, service.habits.copyFails, "failed");
      if (drive.child(parent.id, name) !== undefined) throw taken();
      return drive.put(parent.id, name, drive.item(item.id).bytes);
    },
  });
  return { status: 202, headers: { Location: `${service.origin()}/monitor/${id}` } };
}

/** https://learn.microsoft.com/graph/long-running-actions-overview; asked without a token. */
export function monitor(service: Service, request: FakeRequest): FakeReply {
  const id = request.url.pathname.split("/").at(-1) ?? "";
  const job = service.jobs.get(id);
  if (job === undefined) throw new Refusal(404, "itemNotFound", "No such job.");
  if (job.polls-- > 0) return json(202, { operation: "ItemCopy", percentageComplete: 27.8, status: "inProgress" });
  try {
    const item = job.run();
    service.jobs.set(id, { polls: 0, run: () => item });
    return json(200, { percentageComplete: 100, resourceId: item.id, status: "completed" });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return json(200, { percentageComplete: 0, status: "failed", error: { code: error.code, message: error.message } });
  }
}

async function moveItem(call: Call, drive: Drive, item: Item): Promise<FakeReply> {
  const wanted = JSON.parse((await call.request.body()).toString()) as Destination;
  checkMatch(call, item);
  const parent = drive.item(wanted.parentReference?.id ?? item.parent);
  return json(200, facets(call, drive, drive.move(item.id, parent.id, wanted.name ?? item.name)));
}

function removeItem(call: Call, drive: Drive, item: Item): FakeReply {
  checkMatch(call, item);
  if (item.id === drive.root) throw new Refusal(403, "accessDenied", "The root cannot be deleted.");
  drive.remove(item.id);
  return { status: 204 };
}

function delta(call: Call, drive: Drive, anchor: Item): FakeReply {
  const { service } = call;
  if (anchor.id !== drive.root && !service.habits.folderDelta) {
    throw new Refusal(400, "invalidRequest", "Delta is supported on the root of a drive only.");
  }
  const query = params(call);
  const link = (token: string): string => {
    const next = new URL(call.request.url);
    next.searchParams.set("token", token);
    return next.href;
  };
  try {
    const page = deltaPage(drive, anchor.id, service.delta, query);
    const value = page.entries.map(({ item, gone }) => {
      if (item === undefined) return gone ?? {};
      const { cTag, parentReference, "@microsoft.graph.downloadUrl": _, ...rest } = facets(call, drive, item);
      // Delta gives no path of the parent, and on business no cTag.
      const { path: __, ...reference } = parentReference as Record<string, unknown>;
      const told = { ...rest, parentReference: reference, ...(service.habits.kind === "personal" ? { cTag } : {}) };
      return selected(told, query.get("$select"));
    });
    const more = page.next === undefined ? {} : { "@odata.nextLink": link(page.next) };
    const end = page.delta === undefined ? {} : { "@odata.deltaLink": link(page.delta) };
    return json(200, { value, ...more, ...end });
  } catch (error) {
    if (error instanceof Refusal && error.headers["Location"] === "fresh") {
      throw new Refusal(error.status, error.code, error.message, { Location: link("fresh") });
    }
    throw error;
  }
}
