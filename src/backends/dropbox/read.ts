import type { files } from "dropbox";
import type { RelPath } from "../../lib/path.ts";
import { fromBytes } from "../../lib/streams.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Opened, ReadOptions, RemoteFile } from "../types.ts";
import type { ApiCall, DropboxClient } from "./client.ts";
import { contentHasher } from "./content-hash.ts";
import { answeredFile } from "./files.ts";
import { metadataAt } from "./lost.ts";
import type { DropboxPlace } from "./place.ts";

/** Opens the present version, from the byte that is wanted. A whole body is held against Dropbox's hash. */
export async function readFile(place: DropboxPlace, path: RelPath, options: ReadOptions): Promise<Opened> {
  const { client, root } = place;
  const { signal, expect, from = 0 } = options;
  const call = { what: `read "${path}"`, signal };
  let answer: Awaited<ReturnType<DropboxClient["download"]>>;
  try {
    answer = await client.download(`${root}/${path}`, call, from);
  } catch (error) {
    if (error instanceof BackendError && error.status === 416) return readNothing(place, path, options);
    throw error instanceof NotFoundError ? missing(path) : error;
  }
  const { metadata, response } = answer;
  const file = answeredFile(root, path, metadata);
  const body = response.stream();
  try {
    requireVersion(file, expect);
  } catch (error) {
    await body.cancel().catch(() => undefined);
    throw error;
  }
  const skip = response.status === 206 ? 0 : from;
  return { file, body: checkedBody(body, { metadata, call, client, from, skip }) };
}

/** The file ends before the byte that is wanted: nothing is left of it, if it is that version. */
async function readNothing(place: DropboxPlace, path: RelPath, { expect, signal }: ReadOptions): Promise<Opened> {
  const found = await metadataAt(path, place, signal);
  if (found?.[".tag"] !== "file") throw missing(path);
  const file = answeredFile(place.root, path, found);
  requireVersion(file, expect);
  return { file, body: fromBytes("") };
}

function missing(path: RelPath): NotFoundError {
  return new NotFoundError(`Could not read "${path}": it is not there`);
}

function requireVersion({ path, rev }: RemoteFile, expect: ReadOptions["expect"]): void {
  if (expect !== undefined && rev !== expect) throw new StaleError(`Could not read "${path}": it is another version`);
}

interface Checked {
  readonly metadata: files.FileMetadata;
  readonly call: ApiCall;
  readonly client: DropboxClient;
  /** Where the caller wants it to begin. */
  readonly from: number;
  /** Bytes of what comes that lie before that. */
  readonly skip: number;
}

/** The same bytes, failing where they are not those that Dropbox says the file has. */
function checkedBody(body: ReadableStream<Uint8Array>, checked: Checked): ReadableStream<Uint8Array> {
  const { metadata, call, client, from } = checked;
  const { size, content_hash: wanted } = metadata;
  const reader = body.getReader();
  const hash = from === 0 ? contentHasher() : undefined;
  let skip = checked.skip;
  let at = from - skip;
  const wrong = (state: string) => new BackendError(`Could not ${call.what}: ${state}`, { class: "TRANSIENT" });
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      at += value.length;
      hash?.update(value);
      if (at > size) throw wrong(`more than ${size} bytes came`);
      const rest = value.subarray(skip);
      skip -= value.length - rest.length;
      if (rest.length > 0) return rest;
    }
    if (at !== size) throw wrong(`${at} of ${size} bytes came`);
    if (wanted !== undefined && hash !== undefined && hash.hex() !== wanted)
      throw wrong("the bytes that came do not match Dropbox's hash");
    return undefined;
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const chunk = await next();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        } catch (error) {
          await reader.cancel().catch(() => undefined);
          controller.error(client.explain(error, call));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
