import { Readable } from "node:stream";
import { AuthType, createClient, getPatcher, type WebDAVClient } from "webdav";
import type { Clock } from "../../lib/clock.ts";
import { parseHttpDate } from "../../lib/http.ts";
import type { HttpBody } from "../../lib/http-body.ts";
import type { HttpClient } from "../../lib/http-client.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { BackendError } from "../errors.ts";
import { fromSource } from "../http-trouble.ts";
import type { Secret } from "../module.ts";
import type { DavRoot } from "./dav-path.ts";
import { type Attempted, fromStatus, fromThrown } from "./errors.ts";
import { type AuthScheme, chooseScheme, digestChallenge } from "./sign-in.ts";

export interface DavRequest {
  readonly method: string;
  readonly url: string;
  /** For messages: what is attempted, its subject quoted. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | HttpBody;
  readonly signal?: AbortSignal | undefined;
  /** True for requests whose answer may take minutes: COPY, MOVE, deep listings, uploads. */
  readonly slow?: boolean;
}

/** Signed requests to one server. */
export interface DavConnection {
  readonly root: DavRoot;
  /**
   * The answer, of whatever status but these: 401, 429, 503 and redirects that must not be followed throw, as does
   * everything that keeps an answer from coming. Answers from 400 on have their body drained already.
   */
  send(request: DavRequest): Promise<HttpResponse>;
  /** The BackendError for an answer that refuses. */
  refusal(response: HttpResponse, request: DavRequest): BackendError;
  /** What errors of reading an answer's body become. */
  broken(error: unknown, request: DavRequest): unknown;
  /** How requests are signed; undefined before the first answer. */
  scheme(): AuthScheme | undefined;
  /** The Server header of the latest answer. */
  server(): string;
  /** The Date header of the latest answer, milliseconds since 1970. */
  serverTimeMs(): number | undefined;
  close(): void;
}

export interface DavConnectionOptions {
  readonly root: DavRoot;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly secret: Secret | undefined;
  /** As found at an earlier time; saves the request that finds it out. */
  readonly scheme?: AuthScheme | undefined;
}

/** The spelling under which every challenge is seen; the package asks in lower case and gets the one it can read. */
const ALL_CHALLENGES = "WWW-Authenticate";

const CHANGING = new Set(["PUT", "DELETE", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"]);
const SLOW_MS = 600_000;
const REDIRECTS = 5;

/** Opens nothing: the first request does. */
export function createConnection(options: DavConnectionOptions): DavConnection {
  const { root, http, clock } = options;
  const host = new URL(root.origin).host;
  const signer = createSigner(options);
  let learning: Promise<void> | undefined;
  let server = "";
  let date = "";

  const attempted = (request: DavRequest): Attempted => ({
    what: request.what,
    host,
    changes: CHANGING.has(request.method),
    size: typeof request.body === "object" ? request.body.size : undefined,
  });
  const refusal = (response: HttpResponse, request: DavRequest) =>
    fromStatus(response, attempted(request), clock.now());
  const broken = (error: unknown, request: DavRequest) => fromThrown(error, attempted(request));

  async function exchange(request: DavRequest, url: string, through: WebDAVClient): Promise<HttpResponse> {
    const carry = signer.scheme() === "digest" ? viaPackage : direct;
    const response = await carry(through, http, request, url).catch((error: unknown) => {
      throw request.signal?.aborted ? request.signal.reason : broken(error, request);
    });
    server = response.headers.get("server") ?? server;
    date = response.headers.get("date") ?? "";
    return response;
  }

  /** Asks without a password, so that it is not shown to a server that wants Digest. */
  async function learn(signal: AbortSignal | undefined): Promise<void> {
    const url = `${root.url}/`;
    const request: DavRequest = { method: "PROPFIND", url, what: "sign in", headers: { Depth: "0" }, signal };
    const response = await exchange(request, request.url, createClient(root.url, { authType: AuthType.None }));
    await response.drain();
    if (response.status !== 401) return signer.use("none");
    const wanted = signer.wanted(response);
    if (wanted === undefined) throw unsigned(response, request);
    signer.use(wanted);
  }

  /** One request learns for all that wait; when its own caller gives up, another takes over. */
  async function learned(signal: AbortSignal | undefined): Promise<void> {
    while (signer.scheme() === undefined) {
      signal?.throwIfAborted();
      const others = learning;
      learning ??= learn(signal).finally(() => {
        learning = undefined;
      });
      try {
        await learning;
      } catch (error) {
        if (others === undefined || error instanceof BackendError) throw error;
      }
    }
  }

  function unsigned(response: HttpResponse, request: DavRequest): BackendError {
    if (options.secret === undefined) return refusal(response, request);
    const text = `Could not ${request.what}: "${host}" wants a way of signing in other than Basic or Digest`;
    return new BackendError(text, { class: "AUTH", status: 401 });
  }

  async function send(request: DavRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    if (signer.scheme() === undefined) await learned(request.signal);
    let url = request.url;
    for (let redirects = 0; ; redirects++) {
      const used = signer.scheme();
      let response = await exchange(request, url, signer.client());
      const wanted = response.status === 401 ? signer.wanted(response) : used;
      if (wanted !== undefined && wanted !== used) {
        signer.use(wanted);
        response = await exchange(request, url, signer.client());
      }
      const { status } = response;
      if (status === 401 || status === 429 || status === 503) throw refusal(response, request);
      if (status < 300 || status === 304 || status >= 400) return response;
      await response.drain();
      url = redirected(root, response, request, { url, redirects });
    }
  }

  return {
    root,
    send,
    refusal,
    broken,
    scheme: signer.scheme,
    server: () => server,
    serverTimeMs: () => parseHttpDate(date, clock.now()),
    close: () => http.close(),
  };
}

/** How requests are signed, and the package's client that signs them so. */
interface Signer {
  scheme(): AuthScheme | undefined;
  use(scheme: AuthScheme): void;
  /** The scheme that a 401 asks for; undefined when we cannot do it. */
  wanted(response: HttpResponse): AuthScheme | undefined;
  client(): WebDAVClient;
}

function createSigner(options: DavConnectionOptions): Signer {
  const { root, secret } = options;
  const { protocol } = new URL(root.url);
  let scheme = options.scheme;
  let client: WebDAVClient | undefined;
  return {
    scheme: () => scheme,
    use(next) {
      scheme = next;
      client = undefined;
    },
    wanted: (response) =>
      secret === undefined ? undefined : chooseScheme(response.headers.get(ALL_CHALLENGES), protocol),
    client() {
      client ??= createClient(root.url, {
        authType: scheme === "digest" ? AuthType.Digest : scheme === "basic" ? AuthType.Password : AuthType.None,
        ...(secret === undefined ? {} : inEncodingOf(scheme, secret)),
      });
      return client;
    },
  };
}

/** Where to go on after a redirect. Throws where credentials or a body would follow to a place that is not ours. */
function redirected(
  root: DavRoot,
  response: HttpResponse,
  request: DavRequest,
  from: { readonly url: string; readonly redirects: number },
): string {
  const target = locationOf(response, from.url);
  const safe = request.method === "GET" || request.method === "HEAD" || request.method === "PROPFIND";
  const inside = target !== undefined && (target === root.url || target.startsWith(`${root.url}/`));
  if (safe && inside && from.redirects < REDIRECTS) return target;
  const where = target === undefined ? "elsewhere" : `to "${target.replace(/[?#].*$/, "")}"`;
  const { host } = new URL(root.origin);
  throw new BackendError(`Could not ${request.what}: "${host}" redirects ${where} (${response.status})`, {
    class: "FILE_REJECTED",
    status: response.status,
    hint: "Set webdav_url to the address that serves WebDAV itself; passwords are never sent on to another one.",
  });
}

/** The package encodes Basic credentials as Latin-1 where servers expect UTF-8 (RFC 7617); Digest ones it hashes as UTF-8. */
function inEncodingOf(scheme: AuthScheme | undefined, secret: Secret): Secret {
  if (scheme !== "basic") return { username: secret.username, password: secret.password };
  const bytes = (text: string) => Buffer.from(text, "utf8").toString("latin1");
  return { username: bytes(secret.username), password: bytes(secret.password) };
}

function locationOf(response: HttpResponse, from: string): string | undefined {
  const location = response.headers.get("location");
  if (location === null) return undefined;
  try {
    const url = new URL(location, from);
    url.username = "";
    url.password = "";
    return url.href;
  } catch {
    return undefined;
  }
}

/**
 * One call as the webdav package carries it: a stream in its eyes, in ours a request that can be sent again, because
 * Digest sends it twice.
 */
class Carried extends Readable {
  readonly run: (url: string, headers: Readonly<Record<string, string>>) => Promise<HttpResponse>;

  constructor(run: (url: string, headers: Readonly<Record<string, string>>) => Promise<HttpResponse>) {
    super();
    this.run = run;
  }
}

interface PackageOptions {
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

let patched = false;

function patchPackage(): void {
  if (patched) return;
  patched = true;
  getPatcher().patch("fetch", (...args: unknown[]): unknown => {
    const [url, options] = args as [string, PackageOptions];
    if (!(options.body instanceof Carried)) throw new TypeError("a request that is none of ours");
    return options.body.run(url, options.headers);
  });
}

async function viaPackage(
  client: WebDAVClient,
  http: HttpClient,
  request: DavRequest,
  url: string,
): Promise<HttpResponse> {
  patchPackage();
  const carried = new Carried((target, headers) => overHttp(http, request, target, headers));
  try {
    const headers = headersOf(request);
    const response: unknown = await client.customRequest("/", { url, method: request.method, headers, data: carried });
    return response as HttpResponse;
  } catch (error) {
    // The package throws for every status from 400 on, with the answer attached.
    const response = error instanceof Error && "response" in error ? error.response : undefined;
    if (response !== undefined) return response as HttpResponse;
    throw error;
  }
}

/** With the package's headers alone, for what needs no answer to be signed: its way costs as much as the request. */
function direct(client: WebDAVClient, http: HttpClient, request: DavRequest, url: string): Promise<HttpResponse> {
  return overHttp(http, request, url, { ...client.getHeaders(), ...headersOf(request) });
}

function headersOf(request: DavRequest): Record<string, string> {
  return {
    ...(request.body === undefined ? {} : { "Content-Type": contentType(request) }),
    ...request.headers,
  };
}

function contentType(request: DavRequest): string {
  return typeof request.body === "string" ? "application/xml; charset=utf-8" : "application/octet-stream";
}

async function overHttp(
  http: HttpClient,
  request: DavRequest,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<HttpResponse> {
  const identity = request.method === "GET" || request.method === "HEAD";
  const { body } = request;
  const response = await http
    .request({
      method: request.method,
      url,
      headers: identity ? { ...headers, "Accept-Encoding": "identity" } : headers,
      body: typeof body === "string" ? Buffer.from(body) : body,
      signal: request.signal,
      ...(request.slow ? { answerMs: SLOW_MS } : {}),
    })
    .catch((error: unknown) => {
      throw request.signal?.aborted ? request.signal.reason : fromSource(error, request.what);
    });
  if (response.status < 400) return response;
  // The package drops the first 401 of a Digest exchange unread, which would keep its connection.
  await response.drain().catch(() => {});
  return response.status === 401 ? withDigestFirst(response) : response;
}

function withDigestFirst(response: HttpResponse): HttpResponse {
  const digest = digestChallenge(response.headers.get("www-authenticate"));
  if (digest === null) return response;
  const all = response.headers;
  return {
    ...response,
    headers: {
      entries: () => all.entries(),
      get: (name) => (name.toLowerCase() === "www-authenticate" && name !== ALL_CHALLENGES ? digest : all.get(name)),
    },
  };
}
