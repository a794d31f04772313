import type { HttpBody } from "./http-body.ts";
import type { HttpClient } from "./http-client.ts";
import type { HttpResponse } from "./http-response.ts";
import { fromBytes, toBytes } from "./streams.ts";

/** What a library may hand over as a body: what fetch takes, and our own bodies, which can be sent again. */
type FetchBody =
  | string
  | URLSearchParams
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | HttpBody;

interface FetchInit {
  readonly method?: string | undefined;
  readonly headers?: HeadersInit | undefined;
  readonly body?: FetchBody | null | undefined;
  readonly signal?: AbortSignal | null | undefined;
}

export interface HttpFetchOptions {
  readonly http: HttpClient;
  /** Fires for all requests; a request's own signal counts as well. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the answer to this request may take once it is sent; the client's own limit when undefined. */
  readonly answerMs?: (url: string, method: string) => number | undefined;
  /** Where the request goes instead. */
  readonly route?: (url: string) => string;
  /** Sees every answer before the library does. */
  readonly onResponse?: (response: HttpResponse, url: string) => void;
}

/** Set on an answer to a request that went out twice (`HttpResponse.repeated`). */
export const SENT_TWICE_HEADER = "x-sent-twice";

export type HttpFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Bodies of unknown length are read into memory up to this size: a request of ours always says its length. Bytes. */
const MOST_UNSIZED = 16 * 1024 * 1024;

/**
 * Our HTTP client in the shape of `fetch`, for libraries: the same timeouts, kept connections, one repetition on a
 * stale connection, exact Content-Length. Redirects are answers. Throws what the client throws (HttpError, the signal's
 * reason), not TypeError.
 */
export function httpFetch(options: HttpFetchOptions): HttpFetch {
  const { http, route = (url) => url, answerMs, onResponse } = options;
  return async (input, init = {}) => {
    const asked = input instanceof Request ? input : undefined;
    const given = init as unknown as FetchInit;
    const url = route(asked ? asked.url : String(input));
    const method = (given.method ?? asked?.method ?? "GET").toUpperCase();
    const headers = headersFrom(given.headers ?? asked?.headers);
    const own = given.signal ?? asked?.signal ?? undefined;
    const body = await bodyOf(given.body ?? asked?.body ?? undefined, headers);
    const wait = answerMs?.(url, method);
    const response = await http.request({
      method,
      url,
      headers,
      body,
      signal: joined(own, options.signal),
      ...(wait === undefined ? {} : { answerMs: wait }),
    });
    onResponse?.(response, url);
    return asResponse(response, method, url);
  };
}

function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}

/** Lower-case names; the length is the client's to say. */
function headersFrom(given: HeadersInit | undefined): Record<string, string> {
  const headers = Object.fromEntries(new Headers(given).entries());
  delete headers["transfer-encoding"];
  return headers;
}

async function bodyOf(
  body: FetchBody | undefined,
  headers: Record<string, string>,
): Promise<Uint8Array | HttpBody | undefined> {
  const length = headers["content-length"];
  delete headers["content-length"];
  if (body === undefined) return undefined;
  const typed = (type: string) => {
    headers["content-type"] ??= type;
  };
  if (typeof body === "string") {
    typed("text/plain;charset=UTF-8");
    return Buffer.from(body, "utf8");
  }
  if (body instanceof URLSearchParams) {
    typed("application/x-www-form-urlencoded;charset=UTF-8");
    return Buffer.from(body.toString(), "utf8");
  }
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof Blob) {
    if (body.type) typed(body.type);
    return { size: body.size, open: () => body.stream() as ReadableStream<Uint8Array> };
  }
  if ("open" in body) return body;
  const stream = body instanceof ReadableStream ? body : streamOf(body);
  if (length !== undefined && /^\d+$/.test(length)) return { size: Number(length), open: once(stream) };
  return toBytes(stream, { limit: MOST_UNSIZED });
}

/** A body that a library streams can be sent once only; a second time fails as a body that ended early. */
function once(stream: ReadableStream<Uint8Array>): () => ReadableStream<Uint8Array> {
  let opened = false;
  return () => {
    if (opened) return fromBytes("");
    opened = true;
    return stream;
  };
}

function streamOf(chunks: AsyncIterable<Uint8Array | string>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(typeof value === "string" ? Buffer.from(value, "utf8") : value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Statuses whose answers have no body, by the Fetch standard. */
const EMPTY = new Set([101, 204, 205, 304]);

function asResponse(response: HttpResponse, method: string, url: string): Response {
  const { status, statusText } = response;
  const bare = EMPTY.has(status) || method === "HEAD";
  if (bare) void response.drain().catch(() => {});
  const made = new Response(bare ? null : response.stream(), {
    status: Math.max(status, 200),
    statusText,
    headers: [...response.headers.entries(), ...(response.repeated ? [[SENT_TWICE_HEADER, "1"] as const] : [])].map(
      ([name, value]): [string, string] => [name, value],
    ),
  });
  Object.defineProperty(made, "url", { value: url });
  return made;
}
