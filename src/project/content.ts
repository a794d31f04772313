import * as fs from "node:fs";
import type { RelPath } from "../lib/path.ts";
import { localContent } from "../sync/local-content.ts";
import { fileStat } from "../sync/local-file.ts";
import type { KnownSource } from "../sync/run-context.ts";
import type { Parts } from "./parts.ts";

/** A local file as it is now, to be sent. Throws as `localContent`. */
export async function fileContent(absolute: string, path: RelPath, signal: AbortSignal): Promise<KnownSource> {
  const planned = fileStat(fs.statSync(absolute, { bigint: true }));
  return (await localContent(absolute, path, { planned, onProgress: () => undefined, signal })).source;
}

/** Hands over a body as a file on this disk, which is gone afterwards. `path` and `reason` tell what it is. */
export async function withLocalCopy<T>(
  { trash, deps: { signal } }: Parts,
  body: ReadableStream<Uint8Array>,
  note: { readonly path: RelPath; readonly reason: string },
  use: (content: KnownSource) => Promise<T>,
): Promise<T> {
  const kept = await trash.putBytes(body, note, { signal });
  try {
    return await use(await fileContent(trash.contentOf(kept), note.path, signal));
  } finally {
    trash.discard(kept);
  }
}
