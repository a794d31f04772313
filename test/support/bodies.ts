import type { Backend, Source } from "../../src/backends/types.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import type { RelPath } from "../../src/lib/path.ts";

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A body that can be opened any number of times, with its digests. */
export function sourceOf(content: string | Uint8Array): Source {
  const bytes = typeof content === "string" ? utf8(content) : content;
  return {
    size: bytes.length,
    open: () => streamOf(bytes),
    sha256: hashBytes("sha256", bytes),
    md5: hashBytes("md5", bytes),
  };
}

/** A body that says it has `size` bytes, whatever it holds; no digests. */
export function lyingSource(content: string, size: number): Source {
  return { size, open: () => streamOf(utf8(content)) };
}

/** A body that gives `good` and then fails with `error`. */
export function failingSource(good: string, size: number, error: Error): Source {
  const open = () => {
    const parts: Uint8Array[] = [utf8(good)];
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.error(error);
        else controller.enqueue(part);
      },
    });
  };
  return { size, open };
}

/** The bytes in pieces of 64 KiB. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + 65536));
      at += 65536;
    },
  });
}

/** All of a stream. */
export async function drain(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** A remote file's whole content as text. */
export async function textAt(backend: Backend, path: RelPath): Promise<string> {
  return new TextDecoder().decode(await drain((await backend.read(path)).body));
}
