import * as http from "node:http";
import * as https from "node:https";
import { clearTimeout, setTimeout } from "node:timers";
import { USER_AGENT } from "./http.ts";
import { HttpError, httpErrorFrom } from "./http-error.ts";
import { type HttpResponse, httpResponse } from "./http-response.ts";

/** A body that can be opened again. `size` is sent as Content-Length; a body of another length fails the request. */
export interface HttpBody {
  readonly size: number;
  open(): ReadableStream<Uint8Array>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | HttpBody | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the answer may take once the request is sent. */
  readonly answerMs?: number;
}

export interface HttpTimeouts {
  /** Until the connection stands, handshake included. */
  readonly connectMs: number;
  /** Without a byte in either direction while bytes are due. */
  readonly idleMs: number;
}

export interface HttpClientOptions {
  readonly timeouts?: HttpTimeouts;
  /** Most connections at a time to one host and port. */
  readonly connections?: number;
}

/**
 * HTTP/1.1 over kept-alive connections. Redirects are answers: the caller decides, since credentials and body must
 * not follow blindly. Bodies carry an exact Content-Length and are never chunked (mod_dav and nginx refuse that).
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

/** Bodies up to this size are read before anything is sent: one write, and a wrong length is known in time. */
const WHOLE_BODY_BYTES = 256 * 1024;

export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const timeouts = options.timeouts ?? TIMEOUTS;
  const maxSockets = options.connections ?? 16;
  const agents = {
    "http:": new http.Agent({ keepAlive: true, maxSockets }),
    "https:": new https.Agent({ keepAlive: true, maxSockets }),
  };
  return {
    async request(request) {
      request.signal?.throwIfAborted();
      const url = new URL(request.url);
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        throw new HttpError(`not a web address: ${url.protocol}`, { failure: "protocol", reached: false });
      }
      const body = await readyBody(request.body);
      request.signal?.throwIfAborted();
      const first = await attempt(request, { url, body, timeouts, agent: agents[url.protocol] });
      if (first !== "stale") return first;
      const again = await attempt(request, { url, body, timeouts, agent: freshAgent(url.protocol), repeated: true });
      if (again === "stale") throw new HttpError("the connection broke", { failure: "cut", reached: true });
      return again;
    },
    close() {
      agents["http:"].destroy();
      agents["https:"].destroy();
    },
  };
}

function freshAgent(protocol: "http:" | "https:"): http.Agent {
  return protocol === "http:" ? new http.Agent() : new https.Agent();
}

async function readyBody(body: HttpRequest["body"]): Promise<Uint8Array | HttpBody | undefined> {
  if (body === undefined || body instanceof Uint8Array || body.size > WHOLE_BODY_BYTES) return body;
  const whole = new Uint8Array(body.size);
  let at = 0;
  for await (const chunk of exactly(body)) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The body's bytes, failing where they are more or fewer than announced. */
async function* exactly(body: HttpBody): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.open().getReader();
  let seen = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen += value.length;
      if (seen > body.size) throw new BodyLengthError(body.size, seen);
      if (value.length > 0) yield value;
    }
    if (seen !== body.size) throw new BodyLengthError(body.size, seen);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The body to send was not as long as announced: it changed while it was read. */
export class BodyLengthError extends Error {
  constructor(announced: number, seen: number) {
    super(seen > announced ? `more than the announced ${announced} bytes` : `${seen} bytes instead of ${announced}`);
    this.name = "BodyLengthError";
  }
}

interface Attempt {
  readonly url: URL;
  readonly body: Uint8Array | HttpBody | undefined;
  readonly timeouts: HttpTimeouts;
  readonly agent: http.Agent;
  readonly repeated?: boolean;
}

function attempt(request: HttpRequest, attempt: Attempt): Promise<HttpResponse | "stale"> {
  const { url, body, timeouts } = attempt;
  const { signal } = request;
  const send = url.protocol === "https:" ? https.request : http.request;
  return new Promise((resolve, reject) => {
    const outgoing = send({
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? undefined : Number(url.port),
      path: url.pathname + url.search,
      method: request.method,
      agent: attempt.agent,
      headers: headersOf(request, body),
    });
    let sockets = 0;
    // Not every runtime reports the end of a request that has no socket yet: the answer to the caller never waits for it.
    const fail = (error: unknown) => {
      settled();
      reject(signal?.aborted ? signal.reason : error);
      outgoing.destroy(asError(error));
    };
    const watch = watchdog(timeouts, request.answerMs ?? timeouts.idleMs, fail);
    const stop = () => fail(signal?.reason);
    const settled = () => {
      watch.stop();
      signal?.removeEventListener("abort", stop);
    };
    signal?.addEventListener("abort", stop, { once: true });
    outgoing.on("socket", (socket) => {
      sockets++;
      if (outgoing.destroyed) socket.destroy();
      else watch.connecting(socket, url.protocol === "https:" ? "secureConnect" : "connect");
    });
    outgoing.on("response", (incoming) => {
      watch.stop();
      // A runtime that repeated the request by itself shows a second socket.
      const repeated = attempt.repeated === true || sockets > 1;
      resolve(httpResponse(incoming, { idleMs: timeouts.idleMs, repeated, signal, onEnd: settled }));
    });
    outgoing.on("error", (error) => {
      settled();
      if (outgoing.reusedSocket && !attempt.repeated && sockets === 1 && !signal?.aborted) resolve("stale");
      else reject(signal?.aborted ? signal.reason : httpErrorFrom(error, true));
    });
    sendBody(outgoing, body, watch.sent, watch.progress).catch(fail);
  });
}

function headersOf(request: HttpRequest, body: Uint8Array | HttpBody | undefined): Record<string, string> {
  const headers: Record<string, string> = { "User-Agent": USER_AGENT, ...request.headers };
  if (body !== undefined) headers["Content-Length"] = String(body instanceof Uint8Array ? body.length : body.size);
  else if (request.method === "PUT") headers["Content-Length"] = "0";
  return headers;
}

async function sendBody(
  outgoing: http.ClientRequest,
  body: Uint8Array | HttpBody | undefined,
  sent: () => void,
  progress: () => void,
): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    if (body === undefined || body.length === 0) outgoing.end();
    else outgoing.end(body);
    return sent();
  }
  for await (const chunk of exactly(body)) {
    if (outgoing.destroyed || outgoing.writableEnded) return;
    if (!outgoing.write(chunk)) await drained(outgoing);
    progress();
  }
  if (!outgoing.destroyed) outgoing.end();
  sent();
}

function drained(outgoing: http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      outgoing.off("drain", go);
      outgoing.off("close", go);
      outgoing.off("response", go);
      resolve();
    };
    outgoing.once("drain", go);
    outgoing.once("close", go);
    outgoing.once("response", go);
  });
}

interface Watchdog {
  connecting(socket: import("node:net").Socket, event: string): void;
  readonly progress: () => void;
  /** Everything is sent: from now on the answer is due. */
  readonly sent: () => void;
  stop(): void;
}

function watchdog(timeouts: HttpTimeouts, answerMs: number, fail: (error: HttpError) => void): Watchdog {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let connected = false;
  let allSent = false;
  let stopped = false;
  const arm = (ms: number, what: string) => {
    clearTimeout(timer);
    if (stopped) return;
    const text = `${what} within ${Math.round(ms / 100) / 10} s`;
    timer = setTimeout(() => fail(new HttpError(text, { failure: "timeout", reached: connected })), ms);
  };
  const due = () =>
    allSent ? arm(answerMs, "no answer came") : arm(timeouts.idleMs, "the server took none of the data");
  return {
    connecting(socket, event) {
      connected = !socket.connecting;
      if (connected) return due();
      arm(timeouts.connectMs, "no connection came about");
      socket.once(event, () => {
        connected = true;
        due();
      });
    },
    progress: () => {
      if (connected) due();
    },
    sent: () => {
      allSent = true;
      if (connected) due();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
