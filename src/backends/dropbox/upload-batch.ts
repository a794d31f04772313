import type { files } from "dropbox";
import { type Coalesced, coalesce, type Settled } from "../../lib/coalesce.ts";
import type { RelPath } from "../../lib/path.ts";
import type { ByteStream } from "../../lib/streams.ts";
import { BackendError } from "../errors.ts";
import { fromSource } from "../http-trouble.ts";
import type { Source, Written } from "../types.ts";
import { contentHash } from "./content-hash.ts";
import { doubtful, fromTags, tagsOf } from "./errors.ts";
import { answeredFile } from "./files.ts";
import { resolveLost } from "./lost.ts";
import type { DropboxPlace } from "./place.ts";

/** Files up to this size are sent together with others. Bytes. */
export const SMALL = 4 * 1024 * 1024;
/** Most bytes of one request; Dropbox takes 150 MiB. */
const BATCH_BYTES = 32 * 1024 * 1024;
/** Most entries of one batch (files.stone). */
export const BATCH_COUNT = 1000;
/** Up to so many files are cheaper one by one: a batch takes three requests. */
const FEW = 2;

/** One small file on its way. */
export interface SmallUpload {
  readonly path: RelPath;
  readonly source: Source;
  readonly mode: files.WriteMode;
}

/** A file's bytes with what Dropbox will call them. */
export interface ReadUpload extends SmallUpload {
  readonly chunks: readonly Uint8Array[];
  readonly hash: string;
}

/** Sends small files, those under way at once in three requests for a thousand. */
export function smallUploads(place: DropboxPlace): Coalesced<SmallUpload, Written> {
  let count = BATCH_COUNT;
  return coalesce({
    clock: place.client.clock,
    count: BATCH_COUNT,
    weight: BATCH_BYTES,
    weigh: ({ source }) => source.size,
    async send(items, signal) {
      const results: Settled<Written>[] = items.map(() => LOST);
      const ready: { readonly at: number; readonly item: ReadUpload }[] = [];
      for (const [at, item] of items.entries()) {
        const read = await readWhole(item);
        if ("error" in read) results[at] = read;
        else ready.push({ at, item: read.ok });
      }
      for (let done = 0; done < ready.length; ) {
        const part = ready.slice(done, done + count);
        const uploads = part.map(({ item }) => item);
        const sent =
          part.length <= FEW ? await oneByOne(uploads, place, signal) : await together(uploads, place, signal);
        if (sent === "too many") {
          // Their list stands in a header, and what is in between may take no long ones.
          count = Math.ceil(part.length / 2);
          continue;
        }
        for (const [i, { at }] of part.entries()) results[at] = sent[i] ?? LOST;
        done += part.length;
      }
      return results;
    },
  });
}

const LOST: Settled<Written> = { error: new Error("a batch answered fewer items than it was given") };

/** Before anything is sent: a file that cannot be read is its own failure, and the others go on. */
async function readWhole(item: SmallUpload): Promise<Settled<ReadUpload>> {
  const { path, source } = item;
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const reader = (source.open() as ByteStream).getReader();
    try {
      for (let step = await reader.read(); !step.done; step = await reader.read()) {
        length += step.value.length;
        if (length > source.size) break;
        chunks.push(step.value);
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  } catch (error) {
    return { error: fromSource(error, `write "${path}"`) };
  }
  if (length !== source.size) return { error: changedMeanwhile(path) };
  return { ok: { ...item, chunks, hash: contentHash(chunks) } };
}

/** The body is not as long as the file was said to be. */
export function changedMeanwhile(path: RelPath): BackendError {
  return new BackendError(`Could not write "${path}": the file changed while it was read`, { class: "FILE_REJECTED" });
}

async function oneByOne(
  items: readonly ReadUpload[],
  place: DropboxPlace,
  signal: AbortSignal,
): Promise<Settled<Written>[]> {
  const results: Settled<Written>[] = [];
  for (const item of items) {
    results.push(
      await place
        .changing(() => uploadOne(item, place, signal))
        .then(
          (ok): Settled<Written> => ({ ok }),
          (error: unknown): Settled<Written> => ({ error }),
        ),
    );
  }
  return results;
}

async function uploadOne(item: ReadUpload, place: DropboxPlace, signal: AbortSignal): Promise<Written> {
  const { client, root } = place;
  const { path, mode, hash, source } = item;
  const what = `write "${path}"`;
  const contents = bodyOf([item]);
  try {
    const { result } = await client.call({ what, changes: true, signal }, (sdk, options) =>
      sdk.filesUpload({ ...commitTo(root, path, mode), content_hash: hash, contents }, options),
    );
    return { file: checkedFile(root, { path, hash, size: source.size }, result) };
  } catch (error) {
    const [settled] = await resolveLost([{ path, mode, hash, error }], place, signal);
    if (settled && "ok" in settled) return settled.ok;
    throw settled?.error ?? error;
  }
}

/** Three requests: sessions, bodies, commits. */
async function together(
  items: readonly ReadUpload[],
  place: DropboxPlace,
  signal: AbortSignal,
): Promise<Settled<Written>[] | "too many"> {
  const { client } = place;
  const what = `write ${items.length} files ("${items[0]?.path}" ...)`;
  const started = await client.call({ what, signal }, (sdk, options) =>
    sdk.filesUploadSessionStartBatch({ num_sessions: items.length }, options),
  );
  const sessions = started.result.session_ids;
  const contents = bodyOf(items);
  const entries = items.map(({ source }, at) => ({
    cursor: { session_id: sessions[at] ?? "", offset: 0 },
    length: source.size,
    close: true,
  }));
  const whole = contentHash(items.flatMap(({ chunks }) => chunks));
  let appended: files.UploadSessionAppendBatchResult;
  try {
    const answer = await client.call({ what, signal }, (sdk, options) =>
      sdk.filesUploadSessionAppendBatch({ entries, content_hash: whole, contents }, options),
    );
    // What a second sending finds closed the first one has brought.
    appended = answer.repeated ? { entries: items.map(() => ({ ".tag": "success" })) } : answer.result;
  } catch (error) {
    if (items.length > FEW && isTooMuchHeader(error)) return "too many";
    throw error;
  }
  return place.changing(() => commitAll({ items, sessions, appended: appended.entries }, place, signal));
}

/** Servers and what stands before them answer so to a header that is too long. */
function isTooMuchHeader(error: unknown): boolean {
  return error instanceof BackendError && (error.status === 431 || error.status === 413 || error.status === 400);
}

interface Appended {
  readonly items: readonly ReadUpload[];
  readonly sessions: readonly string[];
  readonly appended: readonly files.UploadSessionAppendBatchResultEntry[];
}

async function commitAll(
  { items, sessions, appended }: Appended,
  place: DropboxPlace,
  signal: AbortSignal,
): Promise<Settled<Written>[]> {
  const { client, root } = place;
  const what = `write ${items.length} files ("${items[0]?.path}" ...)`;
  const settled: (Settled<Written> | undefined)[] = items.map((item, at) => {
    const entry = appended[at];
    if (entry?.[".tag"] === "success") return undefined;
    return { error: failedItem(item, entry?.[".tag"] === "failure" ? entry.failure : undefined) };
  });
  const due = items.map((item, at) => ({ item, at })).filter(({ at }) => settled[at] === undefined);
  if (due.length === 0) return settled as Settled<Written>[];
  try {
    const entries = due.map(({ item, at }) => ({
      cursor: { session_id: sessions[at] ?? "", offset: item.source.size },
      commit: commitTo(root, item.path, item.mode),
    }));
    const { result, repeated } = await client.call({ what, changes: true, signal }, (sdk, options) =>
      sdk.filesUploadSessionFinishBatchV2({ entries }, options),
    );
    due.forEach(({ item, at }, i) => {
      settled[at] = committed(item, result.entries[i], { root, repeated });
    });
  } catch (error) {
    for (const { at } of due) settled[at] = { error };
  }
  const inDoubt = due.flatMap(({ item, at }) => {
    const each = settled[at];
    return each !== undefined && "error" in each ? [{ ...item, at, error: each.error }] : [];
  });
  const resolved = await resolveLost(inDoubt, place, signal);
  inDoubt.forEach(({ at }, i) => {
    settled[at] = resolved[i] ?? settled[at];
  });
  return settled as Settled<Written>[];
}

function committed(
  item: ReadUpload,
  entry: files.UploadSessionFinishBatchResultEntry | undefined,
  { root, repeated }: { readonly root: string; readonly repeated: boolean },
): Settled<Written> {
  const { path, hash, source } = item;
  try {
    if (entry?.[".tag"] === "success")
      return { ok: { file: checkedFile(root, { path, hash, size: source.size }, entry) } };
    const error = failedItem(item, entry?.[".tag"] === "failure" ? entry.failure : undefined);
    return { error: repeated ? doubtful(error) : error };
  } catch (error) {
    return { error };
  }
}

/** A session that is not known any more has to be sent again; all else is as the tags say. */
function failedItem({ path }: SmallUpload, failure: unknown): BackendError {
  const what = `write "${path}"`;
  const tags = tagsOf(failure);
  if (tags[0] === "path" || tags[0] === "too_many_write_operations")
    return fromTags(tags, { what, changes: true, host: "Dropbox" });
  return new BackendError(`Could not ${what}: Dropbox lost what was sent (${tags.join("/") || "no answer"})`, {
    class: "TRANSIENT",
  });
}

export function commitTo(root: string, path: RelPath, mode: files.WriteMode): files.CommitInfo {
  const strict = mode[".tag"] !== "overwrite";
  return { path: `${root}/${path}`, mode, autorename: false, mute: true, strict_conflict: strict };
}

/** What was sent, to hold the server's word against. */
export interface SentBody {
  readonly path: RelPath;
  readonly hash: string;
  readonly size: number;
}

/** Throws when the server holds other bytes than were sent. */
export function checkedFile(root: string, { path, hash, size }: SentBody, metadata: files.FileMetadata) {
  if ((metadata.content_hash ?? hash) === hash && metadata.size === size) return answeredFile(root, path, metadata);
  throw new BackendError(`Could not write "${path}": Dropbox holds other bytes than were sent`, {
    class: "UNKNOWN",
    outcomeUnknown: true,
  });
}

/** The bodies one after the other, as often as they are wanted. */
function bodyOf(items: readonly ReadUpload[]): object {
  const size = items.reduce((sum, { source }) => sum + source.size, 0);
  return {
    size,
    open() {
      const chunks = items.flatMap((item) => item.chunks);
      let at = 0;
      return new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            const chunk = chunks[at++];
            if (chunk === undefined) controller.close();
            else controller.enqueue(chunk);
          },
        },
        { highWaterMark: 0 },
      );
    },
  };
}
