import type { Hasher } from "./hash.ts";

export type ByteStream = ReadableStream<Uint8Array>;

/** A body was longer than its reader allows. */
export class TooLongError extends Error {
  constructor(limit: number) {
    super(`cannot take the whole body into memory: it is longer than ${limit} bytes`);
    this.name = "TooLongError";
  }
}

/** The bytes of streams that are here whole and that nobody has begun to read: each step of reading costs more than they. */
const untouched = new WeakMap<ByteStream, Uint8Array>();

/** A stream of one chunk (of none for empty bytes). A string is encoded as UTF-8. */
export function fromBytes(bytes: Uint8Array | string): ByteStream {
  const chunk = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  const stream: ByteStream = new ReadableStream(
    {
      pull(controller) {
        untouched.delete(stream);
        if (chunk.length > 0) controller.enqueue(chunk);
        controller.close();
      },
      cancel: () => void untouched.delete(stream),
    },
    { highWaterMark: 0 },
  );
  untouched.set(stream, chunk);
  return stream;
}

/** All that the stream will give where that is here already and nobody has taken any of it; the stream stays as it is. */
export function wholeOf(stream: ByteStream): Uint8Array | undefined {
  return stream.locked ? undefined : untouched.get(stream);
}

/** A stream that gives nothing but this error. */
export function failing(error: unknown): ByteStream {
  return new ReadableStream({ pull: (controller) => controller.error(error) }, { highWaterMark: 0 });
}

/** A stream of these chunks, each handed out when it is asked for. */
export function fromPieces(pieces: readonly Uint8Array[]): ByteStream {
  let next = 0;
  return new ReadableStream(
    {
      pull(controller) {
        const piece = pieces[next++];
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
}

export interface CollectOptions {
  /** Bytes; a longer body is cancelled and TooLongError is thrown. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/** The whole stream in memory: for what is known to be small. */
export async function toBytes(stream: ByteStream, options: CollectOptions): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  await drain(
    stream,
    (chunk) => {
      length += chunk.length;
      if (length > options.limit) throw new TooLongError(options.limit);
      chunks.push(chunk);
    },
    options,
  );
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Like {@link toBytes}, as text. Throws TypeError for bytes that are not UTF-8; a byte order mark is dropped. */
export async function toText(stream: ByteStream, options: CollectOptions): Promise<string> {
  return new TextDecoder("utf-8", { fatal: true }).decode(await toBytes(stream, options));
}

export interface DrainOptions {
  readonly signal?: AbortSignal;
}

/** Hands every chunk to `sink` and waits for it. When `sink` throws or the signal fires the stream is cancelled. */
export async function drain(
  stream: ByteStream,
  sink: (chunk: Uint8Array) => void | Promise<void>,
  options: DrainOptions = {},
): Promise<void> {
  const { signal } = options;
  const whole = wholeOf(stream);
  if (whole !== undefined) {
    untouched.delete(stream);
    void stream.cancel();
    signal?.throwIfAborted();
    if (whole.length > 0) await sink(whole);
    return;
  }
  const reader = stream.getReader();
  const stop = () => void reader.cancel(signal?.reason).catch(() => undefined);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      signal?.throwIfAborted();
      const step = await reader.read();
      signal?.throwIfAborted();
      if (step.done) return;
      const waited = sink(step.value);
      if (waited) await waited;
    }
  } catch (error) {
    await reader.cancel(error).catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    reader.releaseLock();
  }
}

/**
 * The same stream; `see` is called with every chunk as it passes and `ended` before the stream ends well. What they throw
 * fails the stream.
 */
export function tapped(stream: ByteStream, see: (chunk: Uint8Array) => void, ended?: () => void): ByteStream {
  const whole = wholeOf(stream);
  if (whole !== undefined) {
    try {
      if (whole.length > 0) see(whole);
      ended?.();
      return stream;
    } catch (error) {
      void stream.cancel();
      return failing(error);
    }
  }
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const step = await reader.read();
        if (step.done) {
          ended?.();
          return controller.close();
        }
        try {
          see(step.value);
        } catch (error) {
          await reader.cancel(error).catch(() => undefined);
          throw error;
        }
        controller.enqueue(step.value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** The same stream without its first `count` bytes; an empty one when it has no more than those. */
export function skipping(stream: ByteStream, count: number): ByteStream {
  if (count === 0) return stream;
  const whole = wholeOf(stream);
  if (whole !== undefined) {
    void stream.cancel();
    return fromBytes(whole.subarray(count));
  }
  const reader = stream.getReader();
  let left = count;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          const skip = Math.min(left, value.length);
          left -= skip;
          if (skip < value.length) return controller.enqueue(value.subarray(skip));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** The same stream, digested as it passes: ask the hashers for `hex()` once it has ended. */
export function hashing(stream: ByteStream, hashers: readonly Hasher[]): ByteStream {
  return tapped(stream, (chunk) => {
    for (const hasher of hashers) hasher.update(chunk);
  });
}
