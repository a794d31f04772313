import { type FakeHttp, type FakeReply, type FakeRequest, startFakeHttp } from "../fake-http.ts";
import { answerBatch } from "./batch.ts";
import { callOf, type Habits, monitor, type Service } from "./calls.ts";
import { describe } from "./facets.ts";
import { ALICE, createIdentity, type FakeIdentity, type FakeUser, json } from "./identity.ts";
import { type Route, routeOf } from "./route.ts";
import { createDrive, type Drive, Refusal } from "./store.ts";
import { createUploads, type Uploads } from "./uploads.ts";

/**
 * OneDrive by Microsoft Graph v1.0 with Microsoft's sign-in, as the documents describe them:
 * https://learn.microsoft.com/graph/api/resources/onedrive. Where documents disagree with one another or with what
 * clients have seen:
 * - PUT of a content names no If-Match in its document, yet clients rely on it: `honoursIfMatch`.
 * - PUT of a content takes 4 MB in its older document and 250 MB in its newer one; 4 MB here.
 * - A finished copy is told by 202, by 200 or by a redirection, by document and account; 200 here.
 * - The document of copy says that conflicts are reported by default; personal accounts accept and fail later.
 * - Delta is documented for a drive's root alone, and works on folders of personal accounts: `folderDelta`.
 */
export interface FakeOneDrive extends FakeHttp {
  readonly identity: FakeIdentity;
  readonly drive: Drive;
  readonly habits: Habits;
  readonly uploads: Uploads;
  /** Graph's calls by name, those inside a batch included. */
  readonly calls: ReadonlyMap<string, number>;
  /** Another person with a drive. */
  addUser(user: FakeUser): Drive;
  /** Delta's tokens given so far stop working. */
  expireDelta(code?: "resyncChangesApplyDifferences" | "resyncChangesUploadDifferences"): void;
  /** From now on delta tells nothing newer, until called with false. */
  holdDelta(hold: boolean): void;
  /** Largest page of delta. */
  pageSize: number;
  /** Queues a refusal for the next calls of a name, alone or inside a batch. */
  refuse(
    name: string,
    refusal: {
      readonly status: number;
      readonly code: string;
      readonly times?: number;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): void;
}

export interface FakeOneDriveOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export async function startFakeOneDrive(options: FakeOneDriveOptions = {}): Promise<FakeOneDrive> {
  const now = options.now ?? (() => Date.now());
  const identity = createIdentity(now);
  const drive = createDrive("d1", now);
  const drives = new Map([[drive.id, drive]]);
  const owned = new Map([[ALICE.username, drive]]);
  const calls = new Map<string, number>();
  const refusals: { readonly name: string; readonly error: Refusal; left: number }[] = [];
  const habits: Habits = {
    kind: "personal",
    honoursIfMatch: true,
    hashes: true,
    folderDelta: true,
    copyPolls: 1,
    copyFails: undefined,
    shared: new Set(),
  };
  let http: FakeHttp | undefined;
  const origin = (): string => http?.origin ?? "";
  const uploads = createUploads(now, origin);
  const delta: Service["delta"] = {
    era: 1,
    resync: "resyncChangesApplyDifferences",
    page: 200,
    heldAt: undefined,
    streams: new Map(),
  };
  const service: Service = { origin, drives, owned, habits, delta, uploads, jobs: new Map() };

  const perform = async (request: FakeRequest, route: Route, user: FakeUser): Promise<FakeReply> => {
    calls.set(route.name, (calls.get(route.name) ?? 0) + 1);
    const planned = refusals.find(({ name, left }) => left > 0 && (name === route.name || name === "*"));
    if (planned !== undefined) {
      planned.left--;
      await request.body();
      return refusalReply(planned.error);
    }
    return callOf({ service, request, route, user }).catch(asReply);
  };

  const answer = async (request: FakeRequest): Promise<FakeReply> => {
    const route = routeOf(request);
    if (route.name === "token" || route.name === "authorize") return identity.handle(request);
    if (route.name === "monitor") return monitor(service, request);
    if (route.name === "download") return download(service, request);
    if (route.name === "fragment" || route.name === "session") {
      return uploads.handle(request, (where, item) =>
        describe(item, {
          drive: where,
          origin: origin(),
          kind: habits.kind,
          hashes: habits.hashes,
          download: () => `${origin()}/dl/${where.id}/${item.id}?tempauth=v1.secret`,
        }),
      );
    }
    const user = identity.userOf(/^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1] ?? "");
    if (user === undefined) {
      await request.body();
      throw new Refusal(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.");
    }
    if (route.name !== "batch") return perform(request, route, user);
    return answerBatch(request, (inner) => perform(inner, routeOf(inner), user));
  };

  http = await startFakeHttp({
    tls: options.tls,
    name: (request) => routeOf(request).name,
    handle: (request) => answer(request).catch(asReply),
  });
  const running = http;
  return {
    ...running,
    identity,
    drive,
    habits,
    uploads,
    calls,
    addUser(user) {
      const own = createDrive(`d${drives.size + 1}`, now);
      drives.set(own.id, own);
      owned.set(user.username, own);
      return own;
    },
    expireDelta(code = "resyncChangesApplyDifferences") {
      delta.era++;
      delta.resync = code;
    },
    holdDelta(hold) {
      delta.heldAt = hold ? drive.seq() : undefined;
    },
    get pageSize() {
      return delta.page;
    },
    set pageSize(count) {
      delta.page = count;
    },
    refuse(name, { status, code, times = 1, headers = {} }) {
      refusals.push({ name, error: new Refusal(status, code, `planned: ${code}`, headers), left: times });
    },
    endFaults() {
      running.endFaults();
      refusals.length = 0;
    },
    reset() {
      running.reset();
      calls.clear();
    },
  };
}

function asReply(error: unknown): FakeReply {
  if (error instanceof Refusal) return refusalReply(error);
  throw error;
}

/** https://learn.microsoft.com/graph/errors */
function refusalReply({ status, code, message, headers }: Refusal): FakeReply {
  const innerError = { date: "2026-01-01T00:00:00", "request-id": "0", "client-request-id": "0" };
  return json(status, { error: { code, message, innerError } }, headers);
}

/** A short-lived address that needs no token, and refuses one. */
function download(service: Service, request: FakeRequest): FakeReply {
  const [, , drive = "", item = ""] = request.url.pathname.split("/").map(decodeURIComponent);
  const found = service.drives.get(drive)?.items.get(item);
  if (found === undefined || request.url.searchParams.get("tempauth") !== "v1.secret") {
    throw new Refusal(404, "itemNotFound", "The resource could not be found.");
  }
  if (request.headers["authorization"] !== undefined) {
    throw new Refusal(401, "unauthenticated", "The address is its own authorisation.");
  }
  const headers = { "Content-Type": "application/octet-stream" };
  const range = /^bytes=(\d+)-$/.exec(request.headers["range"] ?? "");
  if (range === null) return { status: 200, headers, body: found.bytes };
  const from = Number(range[1]);
  if (from >= found.bytes.length) throw new Refusal(416, "invalidRange", "Out of range.");
  const end = `bytes ${from}-${found.bytes.length - 1}/${found.bytes.length}`;
  return { status: 206, headers: { ...headers, "Content-Range": end }, body: found.bytes.subarray(from) };
}
