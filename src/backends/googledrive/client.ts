import { auth, drive_v2, drive_v3 } from "googleapis/build/src/apis/drive/index.js";
import type { Clock } from "../../lib/clock.ts";
import type { HttpBody } from "../../lib/http-body.ts";
import type { HttpClient } from "../../lib/http-client.ts";
import { HttpError } from "../../lib/http-error.ts";
import { type HttpFetch, httpFetch } from "../../lib/http-fetch.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { BackendError } from "../errors.ts";
import { type Attempted, fromHttp, fromSource, notTheService } from "../http-trouble.ts";
import { type BatchAnswer, type BatchCall, formatBatch, parseBatch } from "./batch.ts";
import { fromRefusal, isSlowDown, type Refused } from "./errors.ts";
import { type DriveHosts, hostOf } from "./hosts.ts";
import type { DriveSession } from "./session.ts";

/** What every call of the SDK is given: our transport, our hosts, and none of its own retries. */
export interface SdkOptions {
  readonly rootUrl: string;
  readonly retry: false;
  readonly fetchImplementation: typeof fetch;
  readonly signal: AbortSignal | null;
}

export interface CallWhat {
  /** What is attempted, its subject quoted. */
  readonly what: string;
  /** True when it changes something, so that a lost answer leaves its outcome open. */
  readonly changes: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadRequest extends CallWhat {
  readonly method: "POST" | "PATCH" | "PUT";
  /** Whole address, or path and query at the upload host. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: HttpBody | Uint8Array | undefined;
  /** Statuses that are answers and no errors; 200 to 299 when left out. */
  readonly accept?: readonly number[];
}

export interface DriveClient {
  readonly v3: drive_v3.Drive;
  readonly v2: drive_v2.Drive;
  readonly hosts: DriveHosts;
  /** One call by the SDK; its data. Throws BackendError or the signal's reason. */
  call<T>(what: CallWhat, send: (options: SdkOptions) => Promise<{ readonly data: T }>): Promise<T>;
  /** Up to 100 calls in one request; what became of each, in order. */
  batch(calls: readonly BatchCall[], what: CallWhat, version?: 2 | 3): Promise<readonly (BatchAnswer | BackendError)[]>;
  /** A request with a body that streams: the SDK's own multipart never ends when its source fails, and it has no sessions. */
  upload(request: UploadRequest): Promise<HttpResponse>;
  /** The server's clock in its last answer, milliseconds since 1970. */
  serverTimeMs(): number | undefined;
  close(): void;
}

export interface ClientOptions {
  readonly http: HttpClient;
  readonly hosts: DriveHosts;
  readonly session: DriveSession;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Copies, batches and the end of an upload may take long (decision 24). */
const LONG_ANSWER_MS = 10 * 60 * 1000;
const MOST_ERROR_TEXT = 64 * 1024;

export function createClient(options: ClientOptions): DriveClient {
  const { http, hosts, session, clock } = options;
  const signer = new auth.OAuth2();
  const v3 = new drive_v3.Drive({ auth: signer });
  const v2 = new drive_v2.Drive({ auth: signer });
  const slowness = createSlowness(options);
  let serverTime: number | undefined;
  const noteTime = (response: HttpResponse): void => {
    const time = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(time)) serverTime = time;
  };
  const fetchImplementation = plainFetch(
    httpFetch({
      http,
      answerMs: (url, method) => (method === "POST" && /\/copy\?|\/batch\//.test(url) ? LONG_ANSWER_MS : undefined),
      onResponse: noteTime,
    }),
  );
  const attempted = (what: CallWhat, url: string): Attempted => ({
    what: what.what,
    host: hostOf(url),
    changes: what.changes,
  });
  const refusal = (refused: Refused, what: CallWhat, url: string): BackendError =>
    fromRefusal(refused, attempted(what, url), {
      nowMs: clock.now(),
      pauseMs: isSlowDown(refused) ? slowness.pause() : 0,
    });

  /** Signs in, sends, and once more with a new token where the API does not take this one. */
  const signed = async <T>(what: CallWhat, url: string, send: (token: string) => Promise<T>): Promise<T> => {
    what.signal?.throwIfAborted();
    const token = await session.token(what.signal);
    try {
      const result = await send(token);
      slowness.over();
      return result;
    } catch (error) {
      const refused = refusedBy(error);
      if (refused?.status === 401) {
        const fresh = await session.renewed(token, what.signal);
        return await send(fresh).catch((again: unknown) => {
          throw thrown(again, what, url);
        });
      }
      throw thrown(error, what, url);
    }
  };
  const thrown = (error: unknown, what: CallWhat, url: string): unknown => {
    if (what.signal?.aborted) return what.signal.reason;
    const refused = refusedBy(error);
    if (refused !== undefined) return refusal(refused, what, url);
    const cause = causeOf(error);
    const found = "body" in what ? fromSource(cause, what.what) : fromSdk(cause, what);
    return fromHttp(found, attempted(what, url));
  };

  return {
    v3,
    v2,
    hosts,
    call: async (what, send) =>
      signed(what, hosts.api, async (token) => {
        signer.setCredentials({ access_token: token });
        const { data } = await send({
          rootUrl: `${hosts.api}/`,
          retry: false,
          fetchImplementation: fetchImplementation as typeof fetch,
          signal: what.signal ?? null,
        });
        // What is no JSON the SDK hands over as text.
        if (typeof data === "object" && data !== null) return data;
        throw notTheService(attempted(what, hosts.api), "Google Drive");
      }),
    async batch(calls, what, version = 3) {
      const { body, type } = formatBatch(calls);
      const url = `${hosts.api}/batch/drive/v${version}`;
      const text = await signed(what, url, async (token) => {
        const headers = { Authorization: `Bearer ${token}`, "Content-Type": type };
        const response = await http.request({
          method: "POST",
          url,
          headers,
          body,
          signal: what.signal,
          answerMs: LONG_ANSWER_MS,
        });
        noteTime(response);
        if (!response.ok) throw await refusedAnswer(response);
        return { type: response.headers.get("content-type") ?? "", body: await response.text(MOST_BATCH_TEXT) };
      });
      const answers = parseBatch(text.body, text.type);
      return calls.map((call, at) => {
        const answer = answers[at];
        if (answer === undefined) {
          const words = `Could not ${call.what}: the answer to a batch of ${calls.length} leaves it out`;
          return new BackendError(words, { class: "TRANSIENT", outcomeUnknown: what.changes });
        }
        return answer.status < 300 ? answer : refusal(answer, { ...what, what: call.what }, url);
      });
    },
    upload: (request) => {
      const url = request.url.startsWith("/") ? hosts.upload + request.url : request.url;
      return signed(request, url, async (token) => {
        const headers = { ...request.headers, Authorization: `Bearer ${token}` };
        const { method, body, signal } = request;
        const response = await http.request({ method, url, headers, body, signal, answerMs: LONG_ANSWER_MS });
        noteTime(response);
        if (response.ok || request.accept?.includes(response.status)) return response;
        throw await refusedAnswer(response);
      });
    },
    serverTimeMs: () => serverTime,
    close: () => http.close(),
  };
}

/** Answers to batches hold metadata only. */
const MOST_BATCH_TEXT = 16 * 1024 * 1024;

class RefusedAnswer extends Error {
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(`status ${refused.status}`);
    this.refused = refused;
  }
}

async function refusedAnswer(response: HttpResponse): Promise<RefusedAnswer> {
  const body = await response.text(MOST_ERROR_TEXT).catch(() => "");
  return new RefusedAnswer({ status: response.status, retryAfter: response.headers.get("retry-after"), body });
}

/** What the SDK or we were answered; undefined when no answer came. */
function refusedBy(error: unknown): Refused | undefined {
  if (error instanceof RefusedAnswer) return error.refused;
  if (!(error instanceof Error) || !("response" in error)) return undefined;
  const { response } = error as {
    readonly response?: { readonly status: number; readonly headers?: Headers; readonly data?: unknown };
  };
  if (response === undefined) return undefined;
  return { status: response.status, retryAfter: response.headers?.get?.("retry-after"), body: response.data };
}

/** The SDK wraps what its transport threw, in an error that bears no name of its own (gaxios 7). */
function causeOf(error: unknown): unknown {
  return error instanceof Error && "config" in error && error.cause !== undefined ? error.cause : error;
}

/** Whatever else the SDK throws is a fault of its or ours, in the only shape that a backend may throw. */
function fromSdk(error: unknown, { what, changes }: CallWhat): unknown {
  if (!(error instanceof Error) || error instanceof BackendError || error instanceof HttpError) return error;
  if (error.name === "AbortError") return error;
  return new BackendError(`Could not ${what}: ${error.message}`, {
    class: "UNKNOWN",
    outcomeUnknown: changes,
    cause: error,
  });
}

/** The SDK asks for gzip and leaves it to fetch to unpack. */
function plainFetch(send: HttpFetch): HttpFetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers);
    if (String(input).includes("alt=media")) headers.set("accept-encoding", "identity");
    const response = await send(input, { ...init, headers });
    if (response.headers.get("content-encoding") !== "gzip" || response.body === null) return response;
    const plain = new Headers(response.headers);
    plain.delete("content-encoding");
    plain.delete("content-length");
    const unpacked = response.body.pipeThrough(
      new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>,
    );
    return new Response(unpacked, { status: response.status, statusText: response.statusText, headers: plain });
  };
}

const LONGEST_PAUSE_MS = 64_000;

/** Truncated exponential back-off of the whole account, as Google asks for where it names no time. */
function createSlowness({ clock, random }: ClientOptions): { pause(): number; over(): void } {
  let times = 0;
  let until = 0;
  return {
    pause() {
      const now = clock.now();
      // Answers to calls that were under way when the pause began say nothing new.
      if (now < until) return until - now;
      const pause = Math.min(1000 * 2 ** times, LONGEST_PAUSE_MS) + random() * 1000;
      times++;
      until = now + pause;
      return pause;
    },
    over() {
      if (clock.now() >= until) times = 0;
    },
  };
}
