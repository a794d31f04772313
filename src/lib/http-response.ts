import type { HttpHeaders, ResponseHead } from "./http-head.ts";
import type { IncomingBody } from "./http-incoming.ts";
import { fromBytes } from "./streams.ts";

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

const DRAIN_BYTES = 64 * 1024;

export function httpResponse(head: ResponseHead, body: IncomingBody, repeated: boolean): HttpResponse {
  const { status, statusText, headers } = head;
  let collected: Promise<string> | undefined;
  const text = (limit: number) => {
    collected ??= collect(body, limit);
    return collected;
  };
  return {
    status,
    statusText,
    ok: status >= 200 && status < 300,
    headers,
    repeated,
    stream() {
      const whole = body.whole();
      return whole === undefined ? bodyStream(body) : fromBytes(whole);
    },
    text,
    async drain() {
      await text(DRAIN_BYTES);
    },
  };
}

function bodyStream(body: IncomingBody): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.receive({
          onData(chunk) {
            controller.enqueue(chunk);
            if ((controller.desiredSize ?? 0) <= 0) body.pause();
          },
          onEnd: () => controller.close(),
          onError: (error) => controller.error(error),
        });
      },
      pull: () => body.resume(),
      cancel: () => body.drop(),
    },
    { highWaterMark: 4 },
  );
}

function collect(body: IncomingBody, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const done = () => resolve(Buffer.concat(chunks).subarray(0, limit).toString("utf8"));
    body.receive({
      onData(chunk) {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= limit) return;
        done();
        body.drop();
      },
      onEnd: done,
      onError: reject,
    });
  });
}
