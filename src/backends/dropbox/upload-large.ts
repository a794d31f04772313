import type { files } from "dropbox";
import { faultPoint } from "../../lib/fault.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import { fromSource } from "../http-trouble.ts";
import type { Source, Written } from "../types.ts";
import type { ApiCall } from "./client.ts";
import { contentHash, contentHasher } from "./content-hash.ts";
import { endpointTags } from "./errors.ts";
import { resolveLost } from "./lost.ts";
import type { DropboxPlace } from "./place.ts";
import { type SessionLog, sessionLog } from "./sessions.ts";
import { changedMeanwhile, checkedFile, commitTo } from "./upload-batch.ts";

/** Sent with one request; a multiple of 4 MiB, so that its hash is made of whole blocks. Bytes. */
const CHUNK = 8 * 1024 * 1024;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 500;

export interface LargeUpload {
  readonly path: RelPath;
  readonly source: Source;
  readonly mode: files.WriteMode;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a file by an upload session, chunk by chunk, each checked by its hash. Where the content's digest is known, a
 * killed run's session is taken up where it stopped.
 */
export async function uploadLarge(upload: LargeUpload, place: DropboxPlace): Promise<Written> {
  const { path, source, signal } = upload;
  const { client } = place;
  const log = sessionLog(place.stateFolder, client.clock);
  const content = source.sha256 === undefined ? undefined : `${source.sha256} ${source.size}`;
  const kept = content === undefined ? undefined : log.find(content);
  const run: Running = { ...upload, place, log, content, startedMs: kept?.startedMs ?? client.clock.now() };
  try {
    return await sendAll(run, kept);
  } catch (error) {
    // Seven days have passed, or Dropbox lost it: everything is sent once more.
    if (kept === undefined || !isSessionGone(error)) throw error;
    if (content !== undefined) log.drop(content);
    signal?.throwIfAborted();
    place.log?.(`dropbox: the upload session of "${path}" is gone, it is sent anew`);
    return sendAll({ ...run, startedMs: client.clock.now() }, undefined);
  }
}

interface Running extends LargeUpload {
  readonly place: DropboxPlace;
  readonly log: SessionLog;
  /** Names the content in the log; undefined where its digest is not known. */
  readonly content: string | undefined;
  readonly startedMs: number;
}

async function sendAll(
  run: Running,
  kept: { readonly id: string; readonly offset: number } | undefined,
): Promise<Written> {
  const { source, path } = run;
  const whole = contentHasher();
  let session = kept?.id;
  /** What the server has. */
  let offset = kept?.offset ?? 0;
  let at = 0;
  for await (const chunk of chunksOf(source, path)) {
    whole.update(chunk);
    const end = at + chunk.length;
    if (session === undefined) session = await start(run, chunk);
    else if (end > offset) offset = await append(run, session, { chunk, at });
    at = end;
    if (offset < at) offset = at;
    faultPoint("dropbox-chunk");
    if (run.content !== undefined) run.log.keep(run.content, { id: session, offset: at, startedMs: run.startedMs });
  }
  if (at !== source.size || session === undefined) throw changedMeanwhile(path);
  const written = await finish(run, session, whole.hex());
  if (run.content !== undefined) run.log.drop(run.content);
  return written;
}

/** The body in pieces of CHUNK bytes, the last one shorter. */
async function* chunksOf(source: Source, path: RelPath): AsyncGenerator<Uint8Array, void, void> {
  const reader = source.open().getReader();
  let buffer = Buffer.allocUnsafe(Math.min(CHUNK, source.size));
  let filled = 0;
  let total = 0;
  try {
    for (;;) {
      const step = await reader.read().catch((error: unknown) => {
        throw fromSource(error, `write "${path}"`);
      });
      if (step.done) break;
      total += step.value.length;
      if (total > source.size) throw changedMeanwhile(path);
      for (let from = 0; from < step.value.length; ) {
        const part = step.value.subarray(from, from + buffer.length - filled);
        buffer.set(part, filled);
        filled += part.length;
        from += part.length;
        if (filled < buffer.length) continue;
        yield buffer;
        buffer = Buffer.allocUnsafe(CHUNK);
        filled = 0;
      }
    }
    if (total !== source.size) throw changedMeanwhile(path);
    if (filled > 0) yield buffer.subarray(0, filled);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function callFor({ path, signal }: Running): ApiCall {
  return { what: `write "${path}"`, signal };
}

/** Sessions hold bytes and change no file: a lost answer costs a session that ends by itself. */
async function start(run: Running, chunk: Uint8Array): Promise<string> {
  return patiently(run, async () => {
    const { result } = await run.place.client.call(callFor(run), (sdk, options) =>
      sdk.filesUploadSessionStart({ close: false, content_hash: contentHash([chunk]), contents: chunk }, options),
    );
    return result.session_id;
  });
}

/** Brings one chunk, as much of it as the server lacks. Answers how far the server is then. */
async function append(
  run: Running,
  session: string,
  piece: { readonly chunk: Uint8Array; readonly at: number },
): Promise<number> {
  let from = piece.at;
  const end = piece.at + piece.chunk.length;
  return patiently(run, async () => {
    const chunk = piece.chunk.subarray(from - piece.at);
    const cursor = { session_id: session, offset: from };
    try {
      await run.place.client.call({ ...callFor(run), silent: true }, (sdk, options) =>
        sdk.filesUploadSessionAppendV2(
          { cursor, close: false, content_hash: contentHash([chunk]), contents: chunk },
          options,
        ),
      );
      return end;
    } catch (error) {
      const correct = correctOffset(error);
      // A sending whose answer was lost has arrived.
      if (correct === undefined || correct < piece.at) throw error;
      if (correct >= end) return end;
      from = correct;
      throw new BackendError(`Could not write "${run.path}": a part has to be sent again`, {
        class: "TRANSIENT",
        cause: error,
      });
    }
  });
}

async function finish(run: Running, session: string, hash: string): Promise<Written> {
  const { path, source, mode, signal, place } = run;
  const { client, root } = place;
  const cursor = { session_id: session, offset: source.size };
  return place.changing(async () => {
    try {
      const { result } = await client.call({ ...callFor(run), changes: true }, (sdk, options) =>
        sdk.filesUploadSessionFinish(
          { cursor, commit: commitTo(root, path, mode), contents: new Uint8Array(0) },
          options,
        ),
      );
      return { file: checkedFile(root, { path, hash, size: source.size }, result) };
    } catch (error) {
      const [settled] = await resolveLost([{ path, mode, hash, error }], place, signal);
      if (settled && "ok" in settled) return settled.ok;
      throw settled?.error ?? error;
    }
  });
}

/** Repeats one part of a large file: beginning the whole file anew would cost far more. Throttling is not waited for here. */
async function patiently<T>(run: Running, act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      const passing = error instanceof BackendError && error.class === "TRANSIENT" && error.pauseMs === undefined;
      if (!passing || attempt >= ATTEMPTS || run.signal?.aborted) throw error;
      await run.place.client.clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), run.signal);
    }
  }
}

function isSessionGone(error: unknown): boolean {
  const tags = tagsBehind(error);
  return tags.includes("not_found") || tags.includes("closed") || tags.includes("incorrect_offset");
}

function tagsBehind(error: unknown): readonly string[] {
  return error instanceof BackendError ? endpointTags(error.cause) : [];
}

function correctOffset(error: unknown): number | undefined {
  if (!tagsBehind(error).includes("incorrect_offset") || !(error instanceof BackendError)) return undefined;
  const found = /"correct_offset":(\d+)/.exec(JSON.stringify((error.cause as { error?: unknown }).error));
  return found ? Number(found[1]) : undefined;
}
