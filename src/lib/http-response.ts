import type { IncomingMessage } from "node:http";
import { clearTimeout, setTimeout } from "node:timers";
import { HttpError, httpErrorFrom } from "./http-error.ts";

export interface HttpHeaders {
  /** The value of a header, whatever the case of its name; several of one name joined with `, `. */
  get(name: string): string | null;
  /** Every header, its name in lower case; several of one name one after the other. */
  entries(): Iterable<[string, string]>;
}

/** An answer. Its body must be read, drained or dropped, or its connection stays taken. */
export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  /** True for 200 to 299. */
  readonly ok: boolean;
  readonly headers: HttpHeaders;
  /** True when the request went out twice, so that the first sending may have been carried out. */
  readonly repeated: boolean;
  /** The body, opened once. It fails with HttpError when the connection ends before the body does. */
  stream(): ReadableStream<Uint8Array>;
  /** Up to `limit` bytes of the body as text, kept for the next call; the rest is dropped with its connection. */
  text(limit: number): Promise<string>;
  /** Reads and forgets a short body, so that the connection can be used again. */
  drain(): Promise<void>;
}

export interface HttpResponseOptions {
  readonly idleMs: number;
  readonly repeated: boolean;
  readonly signal: AbortSignal | undefined;
  /** Called once when the body has ended in whatever way. */
  onEnd(): void;
}

const DRAIN_BYTES = 64 * 1024;

/** Wraps what node:http received. */
export function httpResponse(incoming: IncomingMessage, options: HttpResponseOptions): HttpResponse {
  const status = incoming.statusCode ?? 0;
  const headers: HttpHeaders = {
    get(name) {
      const value = incoming.headers[name.toLowerCase()];
      return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
    },
    *entries() {
      for (const [name, value] of Object.entries(incoming.headers)) {
        for (const each of Array.isArray(value) ? value : [value ?? ""]) yield [name, each];
      }
    },
  };
  incoming.once("close", options.onEnd);
  // An answer nobody reads must not bring the process down when its connection breaks.
  incoming.on("error", () => {});
  let collected: Promise<string> | undefined;
  const text = (limit: number) => {
    collected ??= collect(incoming, limit, options);
    return collected;
  };
  return {
    status,
    statusText: incoming.statusMessage ?? "",
    ok: status >= 200 && status < 300,
    headers,
    repeated: options.repeated,
    stream: () => bodyStream(incoming, options),
    text,
    async drain() {
      await text(DRAIN_BYTES);
    },
  };
}

interface Receiver {
  onData(chunk: Uint8Array): void;
  onEnd(): void;
  onError(error: unknown): void;
}

interface Receiving {
  /** Says whether bytes are due, so that silence is a failure. */
  due(wanted: boolean): void;
  /** Nothing more is wanted; the receiver is left alone from now on. */
  stop(): void;
}

/** Feeds `receiver`, watching for silence and for a body that ends early. */
function receive(incoming: IncomingMessage, options: HttpResponseOptions, receiver: Receiver): Receiving {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const finish = (act: () => void) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    act();
  };
  const silent = () => {
    const error = new HttpError(`no data came for ${options.idleMs / 1000} s`, { failure: "timeout", reached: true });
    finish(() => receiver.onError(error));
    incoming.destroy();
  };
  const due = (wanted: boolean) => {
    clearTimeout(timer);
    if (wanted && !over) timer = setTimeout(silent, options.idleMs);
  };
  const broken = (error: unknown) =>
    finish(() => receiver.onError(options.signal?.aborted ? options.signal.reason : httpErrorFrom(error, true)));
  incoming.on("data", (chunk: Uint8Array) => {
    if (over) return;
    due(true);
    receiver.onData(chunk);
  });
  incoming.on("end", () => (incoming.complete ? finish(receiver.onEnd) : broken(new Error(CUT))));
  incoming.on("error", broken);
  incoming.on("close", () => (incoming.complete ? finish(receiver.onEnd) : broken(new Error(CUT))));
  due(true);
  return { due, stop: () => finish(() => {}) };
}

const CUT = "the connection ended in the middle of the answer";

function bodyStream(incoming: IncomingMessage, options: HttpResponseOptions): ReadableStream<Uint8Array> {
  let receiving: Receiving | undefined;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        receiving = receive(incoming, options, {
          onData(chunk) {
            controller.enqueue(chunk);
            if ((controller.desiredSize ?? 0) > 0) return;
            incoming.pause();
            receiving?.due(false);
          },
          onEnd: () => controller.close(),
          onError: (error) => controller.error(error),
        });
      },
      pull() {
        receiving?.due(true);
        incoming.resume();
      },
      cancel() {
        receiving?.stop();
        incoming.destroy();
      },
    },
    { highWaterMark: 4 },
  );
}

function collect(incoming: IncomingMessage, limit: number, options: HttpResponseOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const done = () => resolve(Buffer.concat(chunks).subarray(0, limit).toString("utf8"));
    receive(incoming, options, {
      onData(chunk) {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= limit) return;
        done();
        incoming.destroy();
      },
      onEnd: done,
      onError: reject,
    });
  });
}
