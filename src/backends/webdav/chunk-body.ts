import { type Hasher, hasher } from "../../lib/hash.ts";
import type { HttpBody } from "../../lib/http-body.ts";
import type { ByteStream } from "../../lib/streams.ts";
import type { Source } from "../types.ts";

/** A body cut into chunks that are asked for in order, each read once from one pass over the source. */
export interface ChunkBodies {
  /** The SHA-256 of a chunk, read through and not sent. */
  digest(chunk: Chunk): Promise<string>;
  /** A chunk to send; the pass goes on after it. Sent again, or after `digest`, it costs reading up to it anew. */
  body(chunk: Chunk): HttpBody;
  /** The SHA-256 of what was sent last of the chunk that `body` gave last. */
  sent(): string;
  close(): Promise<void>;
}

export interface Chunk {
  readonly start: number;
  readonly size: number;
}

/** One pass over the source, at one place in it. */
interface Pass {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  at: number;
  /** What was read and belongs to the next chunk. */
  rest: Uint8Array | undefined;
}

export function chunkBodies(source: Source): ChunkBodies {
  let pass: Pass | undefined;
  let digest: Hasher = hasher("sha256");

  async function reach(start: number): Promise<Pass> {
    if (pass !== undefined && pass.at > start) await close();
    pass ??= { reader: source.open().getReader(), at: 0, rest: undefined };
    while (pass.at < start && (await take(pass, start - pass.at)) !== undefined);
    return pass;
  }

  async function close(): Promise<void> {
    const old = pass;
    pass = undefined;
    await old?.reader.cancel().catch(() => {});
  }

  function stream({ start, size }: Chunk): ByteStream {
    digest = hasher("sha256");
    const mine = digest;
    let left = size;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const bytes = left === 0 ? undefined : await take(await reach(start + size - left), left);
          // The source says at its end whether it was what it should be: the last chunk waits for that.
          if (bytes === undefined || left === bytes.length) await ended(start + size);
          if (bytes === undefined) return controller.close();
          left -= bytes.length;
          mine.update(bytes);
          controller.enqueue(bytes);
          if (left === 0) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async function ended(at: number): Promise<void> {
    if (at < source.size || pass === undefined || pass.rest !== undefined) return;
    const { done, value } = await pass.reader.read();
    if (!done && value.length > 0) throw new Error(`the body is longer than ${source.size} bytes`);
  }

  return {
    async digest({ start, size }) {
      const sum = hasher("sha256");
      const at = await reach(start);
      for (let left = size; left > 0; ) {
        const bytes = await take(at, left);
        if (bytes === undefined) break;
        sum.update(bytes);
        left -= bytes.length;
      }
      return sum.hex();
    },
    body: (chunk) => ({ size: chunk.size, open: () => stream(chunk) }),
    sent: () => digest.hex(),
    close,
  };
}

/** The next bytes, at most so many; undefined at the end. */
async function take(pass: Pass, most: number): Promise<Uint8Array | undefined> {
  let bytes = pass.rest;
  while (bytes === undefined || bytes.length === 0) {
    const { done, value } = await pass.reader.read();
    if (done) return undefined;
    bytes = value;
  }
  pass.rest = bytes.length > most ? bytes.subarray(most) : undefined;
  const taken = bytes.subarray(0, most);
  pass.at += taken.length;
  return taken;
}
