import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { faultPoint } from "../lib/fault.ts";
import { tempPathFor, writeAll } from "../lib/fs.ts";
import type { RelPath } from "../lib/path.ts";
import { drain } from "../lib/streams.ts";
import { fileStat } from "../sync/file-stat.ts";
import { localContent } from "../sync/local-content.ts";
import { asLocalError } from "../sync/local-file.ts";
import type { KnownSource } from "../sync/run-context.ts";
import type { Parts } from "./parts.ts";

/** A local file as it is now, to be sent. Throws as `localContent`. */
export async function fileContent(absolute: string, path: RelPath, signal: AbortSignal): Promise<KnownSource> {
  const planned = fileStat(fs.statSync(absolute, { bigint: true }));
  return (await localContent(absolute, path, { planned, onProgress: () => undefined, signal })).source;
}

/** Hands over a body as a file on this disk, which is gone afterwards; after a kill with the next run. */
export async function withLocalCopy<T>(
  { deps: { stateFolder, signal } }: Parts,
  path: RelPath,
  body: ReadableStream<Uint8Array>,
  use: (content: KnownSource) => Promise<T>,
): Promise<T> {
  const file = tempPathFor(join(stateFolder, "copy"));
  faultPoint("copy-body");
  try {
    await writeBody(file, body, signal).catch((error) => {
      throw asLocalError(error, `could not keep a copy of "${path}" in "${stateFolder}"`);
    });
    return await use(await fileContent(file, path, signal));
  } finally {
    fs.rmSync(file, { force: true });
  }
}

async function writeBody(file: string, body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
  fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fd = fs.openSync(file, "wx", 0o600);
  try {
    await drain(body, (chunk) => writeAll(fd, chunk), { signal });
  } finally {
    fs.closeSync(fd);
  }
}
