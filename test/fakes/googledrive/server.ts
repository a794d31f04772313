import { type FakeHttp, type FakeReply, type FakeRequest, startFakeHttp } from "../fake-http.ts";
import { answerBatch } from "./batch.ts";
import { type Call, callOf, type Route, refusalReply, routeOf } from "./calls.ts";
import { createOauth, type FakeOauth } from "./oauth.ts";
import { createStore, type DriveStore, Refusal } from "./store.ts";
import { createSessions, type Sessions } from "./uploads.ts";

/**
 * Google Drive, v3 and the parts of v2 that guard a write and make a file, with Google's sign-in, as its documents describe them:
 * https://developers.google.com/drive/api/reference/rest/v3. Where document and SDK, or document and service, disagree:
 * - The SDK retries GET, PUT and DELETE up to three times by itself unless `retry: false` is given.
 * - The SDK ignores the client's `rootUrl` for uploads and downloads; a `rootUrl` given with the call holds for both.
 * - The SDK knows no resumable sessions and no batch endpoint; both are served here after the documents alone.
 * - The SDK's multipart body never ends when its source fails; a request like that is left open until it is cut.
 * - `name = 'x'` ignores case on the service, which the document does not say.
 * - `changes.list` is documented to show a change of every file; a trashed or moved folder shows alone, without what is in
 *   it, since clients have seen both.
 * - v3 has no `etag` field (asking for it is a 400); If-Match works on v2 only.
 */
export interface FakeDrive extends FakeHttp {
  readonly store: DriveStore;
  readonly oauth: FakeOauth;
  readonly sessions: Sessions;
  /** API calls by method, those inside a batch included. */
  readonly calls: ReadonlyMap<string, number>;
  /** Whether v2 honours If-Match. */
  honoursIfMatch: boolean;
  /** Whether listings over several drives say that they are incomplete. */
  incomplete: boolean;
  /** Page tokens of listings given so far stop working. */
  expirePages(): void;
  /** Queues a refusal for the next calls of a method, alone or inside a batch. */
  refuse(
    method: string,
    refusal: {
      readonly status: number;
      readonly reason: string;
      readonly times?: number;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): void;
}

export interface FakeDriveOptions {
  readonly tls?: { readonly key: string; readonly cert: string; readonly host?: string };
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export async function startFakeDrive(options: FakeDriveOptions = {}): Promise<FakeDrive> {
  const now = options.now ?? (() => Date.now());
  const store = createStore(now);
  const oauth = createOauth(now);
  const sessions = createSessions(now);
  const calls = new Map<string, number>();
  const refusals: {
    readonly method: string;
    readonly refusal: Refusal;
    readonly headers: Readonly<Record<string, string>>;
    left: number;
  }[] = [];
  const state = { honoursIfMatch: true, incomplete: false, pageGeneration: 0 };

  /** One call of the API, by itself or out of a batch. */
  const perform = async (request: FakeRequest, route: Route, user: string): Promise<FakeReply> => {
    calls.set(route.method, (calls.get(route.method) ?? 0) + 1);
    const planned = refusals.find(({ method, left }) => left > 0 && (method === route.method || method === "*"));
    if (planned !== undefined) {
      planned.left--;
      await request.body();
      return { ...refusalReply(planned.refusal), headers: { "Content-Type": "application/json", ...planned.headers } };
    }
    try {
      const call: Call = { request, user, store, sessions, state };
      return await callOf(route, call);
    } catch (error) {
      if (error instanceof Refusal) return refusalReply(error);
      throw error;
    }
  };
  const http = await startFakeHttp({
    tls: options.tls,
    now,
    name: (request) => routeOf(request)?.method ?? "unknown",
    async handle(request) {
      const route = routeOf(request);
      if (route === undefined) return { status: 404, body: "Not Found" };
      if (route.method === "authorize") return oauth.authorize(request);
      if (route.method === "token") return oauth.token(request);
      const bearer = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1];
      // A session's address is its own authorisation.
      const user =
        route.method === "upload.chunk" ? "session" : bearer === undefined ? undefined : oauth.userOf(bearer);
      if (user === undefined) {
        await request.body();
        return refusalReply(new Refusal(401, "authError", "Invalid Credentials"));
      }
      if (route.method === "batch")
        return answerBatch(request, (inner) => {
          const innerRoute = routeOf(inner);
          if (innerRoute === undefined || innerRoute.method.startsWith("upload")) {
            return Promise.resolve(refusalReply(new Refusal(404, "notFound", "Not Found")));
          }
          return perform(inner, innerRoute, user);
        });
      return perform(request, route, user);
    },
  });
  return {
    ...http,
    store,
    oauth,
    sessions,
    calls,
    get honoursIfMatch() {
      return state.honoursIfMatch;
    },
    set honoursIfMatch(value) {
      state.honoursIfMatch = value;
    },
    get incomplete() {
      return state.incomplete;
    },
    set incomplete(value) {
      state.incomplete = value;
    },
    expirePages: () => void state.pageGeneration++,
    refuse(method, { status, reason, times, headers }) {
      refusals.push({
        method,
        refusal: new Refusal(status, reason, `planned: ${reason}`),
        headers: headers ?? {},
        left: times ?? 1,
      });
    },
    endFaults() {
      http.endFaults();
      refusals.length = 0;
    },
    reset() {
      http.reset();
      calls.clear();
    },
  };
}
