import { Dropbox, DropboxAuth, type DropboxResponse, DropboxResponseError, type files } from "dropbox";
import type { Clock } from "../../lib/clock.ts";
import { createHttpClient, type HttpClient } from "../../lib/http-client.ts";
import { type HttpFetch, httpFetch, SENT_TWICE_HEADER } from "../../lib/http-fetch.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { type EndpointRole, endpointOverride } from "../endpoints.ts";
import { BackendError } from "../errors.ts";
import { type Attempted, notTheService } from "../http-trouble.ts";
import type { BackendDeps } from "../module.ts";
import { type DropboxToken, type Granted, openDropboxAccess } from "./access.ts";
import { fromCall, refusedToken, wantsNewToken } from "./errors.ts";

/** One call of the API, for messages and for what its failure means. */
export interface ApiCall {
  /** What was attempted, its subject quoted. */
  readonly what: string;
  /** True when a lost answer leaves the outcome open. */
  readonly changes?: boolean;
  /** True where Dropbox has nothing to say but that it is done. */
  readonly silent?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly result: T;
  /** The request went out twice: what it says may be about its own first success. */
  readonly repeated: boolean;
}

/** Signed requests to Dropbox. Everything that it throws a backend may throw. */
export interface DropboxClient {
  readonly clock: Clock;
  /** Calls the SDK, once more with a new token when the one used has run out. */
  call<T>(
    call: ApiCall,
    act: (sdk: Dropbox, options: { readonly signal?: AbortSignal }) => Promise<DropboxResponse<T>>,
  ): Promise<Answer<T>>;
  /** files/download, streamed, from a byte on: the SDK takes the whole file into memory. */
  download(
    path: string,
    call: ApiCall,
    from: number,
  ): Promise<{ readonly metadata: files.FileMetadata; readonly response: HttpResponse }>;
  /** What errors of reading an answer's body become. */
  explain(error: unknown, call: ApiCall): unknown;
  close(): void;
}

/** Answers that may take minutes: commits of many files, batches, finished uploads. Milliseconds. */
const SLOW_MS = 600_000;
const SLOW =
  /\/(upload_session\/(finish|finish_batch_v2|append_batch|append_v2|start)|upload|(copy|move|delete)_\w+|list_folder)$/;
/** A longpoll lasts its timeout and up to 90 s more (files.stone). Milliseconds. */
const LONGPOLL_MS = 240_000;

const HOSTS: readonly (readonly [string, EndpointRole])[] = [
  ["https://api.dropboxapi.com/oauth2/", "AUTH"],
  ["https://www.dropbox.com/", "AUTH"],
  ["https://api.dropboxapi.com/", "API"],
  ["https://content.dropboxapi.com/", "UPLOAD"],
  ["https://notify.dropboxapi.com/", "NOTIFY"],
];

/** Where an address of Dropbox's is reached: elsewhere where the environment says so. */
export function routeOf(env: BackendDeps["env"]): (url: string) => string {
  const places = HOSTS.map(([host, role]) => {
    const { origin } = new URL(host);
    return { host, origin, instead: endpointOverride(env, "DROPBOX", role) };
  });
  return (url) => {
    const place = places.find(({ host }) => url.startsWith(host));
    return place?.instead === undefined ? url : place.instead + url.slice(place.origin.length);
  };
}

/** `fetch` for the SDK, over our own HTTP client. */
export function sdkFetch(http: HttpClient, deps: Pick<BackendDeps, "env" | "signal">): HttpFetch {
  const answerMs = (url: string) => (url.endsWith("/longpoll") ? LONGPOLL_MS : SLOW.test(url) ? SLOW_MS : undefined);
  const send = httpFetch({ http, signal: deps.signal, route: routeOf(deps.env), answerMs });
  return async (input, init) => {
    const url = String(input);
    return url.startsWith("https://api.dropboxapi.com/oauth2/token?") ? send(...inBody(url, init)) : send(input, init);
  };
}

/** The SDK puts codes and tokens into the address, where proxies log them; the endpoint takes them in the body as well. */
function inBody(url: string, init: RequestInit | undefined): [string, RequestInit] {
  const at = url.indexOf("?");
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  return [url.slice(0, at), { ...init, headers, body: url.slice(at + 1) }];
}

export function createClient(deps: BackendDeps): DropboxClient {
  const { clock } = deps;
  const http = createHttpClient({ connections: 16 });
  const fetch = sdkFetch(http, deps);
  const access = openDropboxAccess({ ...deps, refresh: (token) => requestToken(fetch, token, clock) });
  // Without a refresh token of its own the SDK asks for no new access token: each call would ask for one.
  const auth = new DropboxAuth({ fetch });
  const sdk = new Dropbox({ auth, fetch });
  const route = routeOf(deps.env);
  const explain = (error: unknown, call: ApiCall): unknown => {
    if (call.signal?.aborted) return call.signal.reason;
    if (deps.signal?.aborted) return deps.signal.reason;
    return fromCall(error, attempted(call), clock.now());
  };

  async function signed<T>(call: ApiCall, act: (token: string) => Promise<T>): Promise<T> {
    try {
      call.signal?.throwIfAborted();
      const token = await access.token();
      call.signal?.throwIfAborted();
      try {
        return await act(token);
      } catch (error) {
        if (!wantsNewToken(error)) throw error;
        return await act(await access.renewed(token));
      }
    } catch (error) {
      throw explain(error, call);
    }
  }

  return {
    clock,
    call: (call, act) =>
      signed(call, async (token) => {
        auth.setAccessToken(token);
        const { result, headers } = await act(sdk, call.signal === undefined ? {} : { signal: call.signal });
        const isOurs = call.silent ? result === "" || typeof result === "object" : saysSomething(result);
        if (!isOurs) throw notTheService(attempted(call), "Dropbox");
        return { result, repeated: wasSentTwice(headers) };
      }),
    download: (path, call, from) =>
      signed(call, async (token) => {
        const response = await http.request({
          method: "POST",
          url: route("https://content.dropboxapi.com/2/files/download"),
          headers: {
            Authorization: `Bearer ${token}`,
            "Dropbox-API-Arg": headerJson({ path }),
            "Content-Type": "application/octet-stream",
            "Accept-Encoding": "identity",
            ...(from > 0 ? { Range: `bytes=${from}-` } : {}),
          },
          signal: joined(deps.signal, call.signal),
        });
        if (!response.ok) throw await refusal(response);
        const metadata = parseOr(response.headers.get("dropbox-api-result") ?? "");
        if (typeof metadata === "object" && metadata !== null) {
          return { metadata: metadata as files.FileMetadata, response };
        }
        await response.drain().catch(() => undefined);
        throw notTheService(attempted(call), "Dropbox");
      }),
    explain,
    close: () => http.close(),
  };
}

/** What is no JSON the SDK hands over as text; every answer of Dropbox's has a member. */
function saysSomething(result: unknown): boolean {
  return typeof result === "object" && result !== null && Object.keys(result).length > 0;
}

function attempted({ what, changes = false }: ApiCall): Attempted {
  return { what, changes, host: "Dropbox" };
}

/** Most bytes of an answer that refuses. */
const MOST_REFUSAL = 64 * 1024;

async function refusal(response: HttpResponse): Promise<DropboxResponseError<unknown>> {
  const text = await response.text(MOST_REFUSAL);
  return new DropboxResponseError(response.status, response.headers, parseOr(text));
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** JSON in a header: nothing beyond ASCII (https://www.dropbox.com/developers/reference/json-encoding). */
function headerJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function wasSentTwice(headers: unknown): boolean {
  return headers instanceof Headers && headers.get(SENT_TWICE_HEADER) !== null;
}

function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}

const TOKEN_URL = "https://api.dropboxapi.com/oauth2/token";

async function requestToken(send: HttpFetch, token: DropboxToken, clock: Clock): Promise<Granted> {
  const body = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: token.refreshToken,
    client_id: token.appKey,
  });
  const response = await send(TOKEN_URL, { method: "POST", body });
  const text = await response.text();
  const answer = parseOr(text) as Readonly<Record<string, unknown>>;
  if (!response.ok) throw refusedToken("refresh the sign-in to Dropbox", response, answer, clock.now());
  return grantedFrom(answer);
}

/** Reads an answer of the token endpoint. */
export function grantedFrom(answer: Readonly<Record<string, unknown>>): Granted {
  const { access_token: accessToken, expires_in: seconds, refresh_token: refreshToken } = answer;
  if (typeof accessToken !== "string") {
    throw new BackendError("Could not sign in to Dropbox: its answer holds no token", { class: "TRANSIENT" });
  }
  return {
    accessToken,
    lifeMs: (typeof seconds === "number" ? seconds : 14_400) * 1000,
    refreshToken: typeof refreshToken === "string" ? refreshToken : undefined,
  };
}
