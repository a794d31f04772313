import type { Clock } from "../../lib/clock.ts";
import type { ByteStream } from "../../lib/streams.ts";
import type { Backend, Source } from "../types.ts";

/** What all uploads of one run may send together. */
export interface Bandwidth {
  /** Bytes that one body may send at once, so that several share it evenly. */
  readonly piece: number;
  /** Resolves when so many bytes may go out. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** What was not used in the time before counts for so long. */
const BURST_MS = 1000;
const PIECES_PER_SECOND = 4;

/** `kbps` kilobits of 1024 bits per second (reference 1.2, `max_upload_kbps`), as a bucket of tokens on the clock given. */
export function createBandwidth({ clock, kbps }: { readonly clock: Clock; readonly kbps: number }): Bandwidth {
  const bytesPerMs = (kbps * 1024) / 8 / 1000;
  /** When all that was promised will have gone out, milliseconds since 1970. */
  let spentUntil = Number.NEGATIVE_INFINITY;
  return {
    piece: Math.max(1, Math.floor((bytesPerMs * 1000) / PIECES_PER_SECOND)),
    async take(bytes, signal) {
      const now = clock.now();
      spentUntil = Math.max(spentUntil, now - BURST_MS) + bytes / bytesPerMs;
      if (spentUntil > now) await clock.sleep(spentUntil - now, signal);
    },
  };
}

/** Every body that is sent waits for its bytes; what a server copies by itself costs nothing. */
export function paceUploads(backend: Backend, bandwidth: Bandwidth): Backend {
  const { edit } = backend;
  return {
    ...backend,
    write: (path, source, options) => backend.write(path, paced(source, bandwidth, options.signal), options),
    ...(edit && {
      edit: (path, change, options) =>
        edit.call(
          backend,
          path,
          async (opened) => {
            const source = await change(opened);
            return source && paced(source, bandwidth, options?.signal);
          },
          options,
        ),
    }),
  };
}

function paced(source: Source, bandwidth: Bandwidth, signal: AbortSignal | undefined): Source {
  return { ...source, open: () => pacedStream(source.open(), bandwidth, signal) };
}

function pacedStream(stream: ByteStream, bandwidth: Bandwidth, signal: AbortSignal | undefined): ByteStream {
  const reader = stream.getReader();
  let rest: Uint8Array = new Uint8Array(0);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (rest.length === 0) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          rest = value;
        }
        const piece = rest.subarray(0, bandwidth.piece);
        rest = rest.subarray(piece.length);
        await bandwidth.take(piece.length, signal);
        controller.enqueue(piece);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
