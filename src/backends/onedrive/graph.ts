import type { Clock } from "../../lib/clock.ts";
import type { HttpBody } from "../../lib/http-body.ts";
import { createHttpClient } from "../../lib/http-client.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import type { Access } from "../access-token.ts";
import { endpointOverride } from "../endpoints.ts";
import { BackendError } from "../errors.ts";
import { type Attempted, fromHttp, fromSource, notTheService } from "../http-trouble.ts";
import type { BackendDeps } from "../module.ts";
import { refused } from "./errors.ts";

export interface GraphRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the version: `/me/drive/root`. Everything in it encoded. */
  readonly path: string;
  /** What is attempted, with its subject quoted: `write "notes/a.md"`. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: HttpBody;
  readonly signal?: AbortSignal | undefined;
}

/** A request to an address that Graph gave out and that carries its own authorisation. */
export interface SignedRequest extends Omit<GraphRequest, "path" | "json" | "body"> {
  readonly url: string;
  readonly body?: Uint8Array;
}

export interface GraphReply {
  readonly status: number;
  /** What JSON was answered; undefined for an empty answer. */
  readonly body: Json;
  header(name: string): string | null;
}

/** Anything that was parsed: looked at field by field. */
export type Json = Readonly<Record<string, unknown>> | undefined;

export interface Graph {
  /** Throws what {@link refused} makes of every answer but 2xx. */
  call(request: GraphRequest): Promise<GraphReply>;
  /** Any answer, its body unread. Sends no token. */
  signed(request: SignedRequest): Promise<HttpResponse>;
  /** What an answer to `signed` holds. Throws where it is none of OneDrive's. */
  json(response: HttpResponse, request: SignedRequest): Promise<Json>;
  /** The error for an answer to `signed`; reads its body. */
  refusal(response: HttpResponse, request: SignedRequest): Promise<BackendError>;
  /** Turns what a body's stream threw into what a backend may throw. */
  broken(error: unknown, request: SignedRequest): unknown;
  /** The part of a link of Graph's below the version: whatever host it names, it is asked of the one that we use. */
  pathOf(link: string): string;
  /** The server's clock in its last answer, milliseconds since 1970. */
  serverTimeMs(): number | undefined;
  close(): void;
}

const SERVICE = "https://graph.microsoft.com";
const VERSION = "/v1.0";
const MOST_JSON = 16 * 1024 * 1024;
/** The answer to a finished upload and to copies may take long (decision 24), milliseconds. */
const SLOW_MS = 600_000;

export function createGraph(access: Access, deps: BackendDeps): Graph {
  const api = (endpointOverride(deps.env, "ONEDRIVE", "API") ?? SERVICE) + VERSION;
  const upload = endpointOverride(deps.env, "ONEDRIVE", "UPLOAD");
  const http = createHttpClient();
  let serverTimeMs: number | undefined;

  async function exchange(request: Omit<SignedRequest, "body"> & { readonly body?: Uint8Array | HttpBody }) {
    const attempted = attemptedBy(request, request.url);
    try {
      const response = await http.request({
        method: request.method,
        url: request.url,
        headers: { "Accept-Encoding": "identity", ...request.headers },
        body: request.body,
        signal: request.signal,
        ...(request.method === "GET" ? {} : { answerMs: SLOW_MS }),
      });
      const date = Date.parse(response.headers.get("date") ?? "");
      if (!Number.isNaN(date)) serverTimeMs = date;
      return response;
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      throw fromHttp(fromSource(error, request.what), attempted);
    }
  }

  async function call(request: GraphRequest): Promise<GraphReply> {
    const url = api + request.path;
    const json = request.json === undefined ? undefined : Buffer.from(JSON.stringify(request.json));
    const send = (token: string) =>
      exchange({
        ...request,
        url,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(json === undefined ? {} : { "Content-Type": "application/json" }),
          ...request.headers,
        },
        ...(json === undefined ? {} : { body: json }),
      });
    const token = await access.token();
    let response = await send(token);
    if (response.status === 401) {
      // Tokens end, and can be ended, while a run goes on.
      await response.drain().catch(() => {});
      response = await send(await access.renewed(token));
    }
    const body = await parsed(response, request, url);
    if (!response.ok) throw refusalOf(response, body, attemptedBy(request, url), deps.clock);
    if (body === undefined && request.method === "GET") throw notTheService(attemptedBy(request, url), "OneDrive");
    return { status: response.status, body, header: (name) => response.headers.get(name) };
  }

  return {
    call,
    signed: (request) => exchange({ ...request, url: usable(request.url, upload, request.what) }),
    json: (response, request) => parsed(response, request, request.url),
    async refusal(response, request) {
      const body = await parsed(response, request, request.url).catch(() => undefined);
      return refusalOf(response, body, attemptedBy(request, request.url), deps.clock);
    },
    broken: (error, request) =>
      request.signal?.aborted ? request.signal.reason : fromHttp(error, attemptedBy(request, request.url)),
    pathOf(link) {
      const url = URL.canParse(link) ? new URL(link) : undefined;
      const below = url?.pathname.indexOf(`${VERSION}/`) ?? -1;
      if (url !== undefined && below >= 0) return url.pathname.slice(below + VERSION.length) + url.search;
      throw new BackendError("Could not list OneDrive: it names a next page that is none of Graph's", {
        class: "TRANSIENT",
      });
    },
    serverTimeMs: () => serverTimeMs,
    close: () => http.close(),
  };
}

function attemptedBy({ method, what }: Pick<GraphRequest, "method" | "what">, url: string): Attempted {
  return { what, host: new URL(url).host, changes: method !== "GET" };
}

/** An address that carries its own authorisation goes to https alone, or to where a variable leads it. */
function usable(link: string, upload: string | undefined, what: string): string {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  if (url !== undefined && upload !== undefined) return upload + url.pathname + url.search;
  const isLoopback = url?.hostname === "127.0.0.1" || url?.hostname === "localhost";
  if (url !== undefined && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback))) return url.href;
  throw new BackendError(`Could not ${what}: OneDrive names an address that is not https`, { class: "TRANSIENT" });
}

async function parsed(
  response: HttpResponse,
  request: Pick<GraphRequest, "method" | "what" | "signal">,
  url: string,
): Promise<Json> {
  const attempted = attemptedBy(request, url);
  let text: string;
  try {
    text = await response.text(MOST_JSON);
  } catch (error) {
    throw request.signal?.aborted ? request.signal.reason : fromHttp(error, attempted);
  }
  if (text === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Json) : undefined;
  } catch {
    if (!response.ok) return undefined;
    throw notTheService(attempted, "OneDrive");
  }
}

function refusalOf(response: HttpResponse, body: Json, attempted: Attempted, clock: Clock): BackendError {
  const { status, headers, repeated } = response;
  const retryAfter = headers.get("retry-after");
  return refused({ status, code: codeOf(body), retryAfter, repeated }, attempted, clock.now());
}

/** Graph's word for what went wrong. */
export function codeOf(body: Json): string {
  const code = objectAt(body, "error")?.["code"];
  return typeof code === "string" ? code : "";
}

export function objectAt(value: Json, key: string): Json {
  const found = value?.[key];
  return typeof found === "object" && found !== null ? (found as Json) : undefined;
}

export function textAt(value: Json, key: string): string | undefined {
  const found = value?.[key];
  return typeof found === "string" ? found : undefined;
}
