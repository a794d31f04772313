import { USER_AGENT } from "./http.ts";
import { type HttpBody, readyBody } from "./http-body.ts";
import { HttpError } from "./http-error.ts";
import type { Asked, HttpTimeouts } from "./http-exchange.ts";
import { requestHead } from "./http-head.ts";
import { HttpPool } from "./http-pool.ts";
import type { HttpResponse } from "./http-response.ts";

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | HttpBody | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the answer may take once the request is sent. */
  readonly answerMs?: number;
}

export interface HttpClientOptions {
  readonly timeouts?: HttpTimeouts;
  /** Most connections at a time to one host and port. */
  readonly connections?: number;
}

/**
 * HTTP/1.1 (RFC 9112) over kept-alive connections, straight on sockets: the clients of the runtimes cost five times as
 * much for a small file, and tell less about what a request that failed has reached. Redirects are answers: the caller
 * decides, since credentials and body must not follow blindly. Bodies carry an exact Content-Length and are never chunked
 * (mod_dav and nginx refuse that); what comes is never unpacked.
 *
 * A kept connection that the server has closed meanwhile is noticed only by its failing; such a request is sent once
 * more on a new connection, its body opened again, and the answer is marked `repeated`: the first may have been
 * carried out. `request` throws HttpError, the signal's reason, or what the body's stream threw.
 */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

const TIMEOUTS: HttpTimeouts = { connectMs: 10_000, idleMs: 30_000 };

export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { timeouts = TIMEOUTS, connections = 16 } = options;
  const pools = new Map<string, HttpPool>();
  let tls: typeof import("node:tls") | undefined;
  const poolOf = (url: URL): HttpPool => {
    const known = pools.get(url.origin);
    if (known !== undefined) return known;
    const pool = new HttpPool(url, { most: connections, tls: url.protocol === "https:" ? tls : undefined });
    pools.set(url.origin, pool);
    return pool;
  };
  return {
    async request(request) {
      const { signal } = request;
      signal?.throwIfAborted();
      const url = new URL(request.url);
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        throw new HttpError(`not a web address: ${url.protocol}`, { failure: "protocol", reached: false });
      }
      const body = request.body === undefined ? undefined : await readyBody(request.body);
      const asked = askedOf(request, { url, body, timeouts });
      if (url.protocol === "https:") tls ??= await import("node:tls");
      const pool = poolOf(url);
      const taken = pool.take(signal);
      const connection = taken instanceof Promise ? await taken : taken;
      if (signal?.aborted) {
        connection.close();
        throw signal.reason;
      }
      const first = await connection.exchange(asked);
      if (first !== "stale") return first;
      const again = await pool.open().exchange({ ...asked, repeated: true });
      if (again === "stale") throw new HttpError("the connection broke", { failure: "cut", reached: true });
      return again;
    },
    close() {
      for (const pool of pools.values()) pool.close();
      pools.clear();
    },
  };
}

interface Readied {
  readonly url: URL;
  readonly body: Uint8Array | HttpBody | undefined;
  readonly timeouts: HttpTimeouts;
}

function askedOf(request: HttpRequest, { url, body, timeouts }: Readied): Asked {
  const { method, signal, answerMs = timeouts.idleMs } = request;
  const headers: Record<string, string> = { "User-Agent": USER_AGENT, ...request.headers };
  if (body !== undefined) headers["Content-Length"] = String(body instanceof Uint8Array ? body.length : body.size);
  else if (method === "PUT") headers["Content-Length"] = "0";
  return { method, head: requestHead(method, url, headers), body, signal, answerMs, timeouts, repeated: false };
}
