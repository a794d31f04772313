import { randomUUID } from "node:crypto";
import type { HttpResponse } from "../../lib/http-response.ts";
import { type ByteStream, skipping } from "../../lib/streams.ts";
import { BackendError, LocalFileError } from "../errors.ts";
import type { CallOptions, Source } from "../types.ts";
import type { DriveClient } from "./client.ts";
import type { DriveFile } from "./nodes.ts";
import type { UploadSessions } from "./upload-sessions.ts";

export interface Transfer {
  /** `POST` creates, `PATCH` replaces, `PUT` replaces by v2. */
  readonly method: "POST" | "PATCH" | "PUT";
  /** Path at the upload host: `/upload/drive/v3/files`. */
  readonly path: string;
  /** Query without `uploadType`. */
  readonly query: string;
  /** Of a new file; none when only the bytes are replaced. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly mimeType: string;
  readonly source: Source;
  /** What is attempted, its subject quoted. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Tells this upload from every other one, for going on with it; left out where the content is not known. */
  readonly key?: string | undefined;
}

/** Simple and multipart uploads take up to 5 MB; above that a session is opened. */
const MOST_SIMPLE = 5 * 1000 * 1000;
const MOST_ANSWER = 256 * 1024;

export interface UploadTools {
  readonly client: DriveClient;
  readonly sessions: UploadSessions;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Sends a file's bytes; the resource that the answer describes. Nothing is changed unless every byte has arrived. */
export async function sendFile(transfer: Transfer, tools: UploadTools, call: CallOptions): Promise<unknown> {
  const response =
    transfer.source.size > MOST_SIMPLE ? await resumable(transfer, tools, call) : await simple(transfer, tools, call);
  return bodyOf(response, transfer.what);
}

async function simple(transfer: Transfer, { client }: UploadTools, call: CallOptions): Promise<HttpResponse> {
  const { method, path, query, metadata, mimeType, source, what, headers = {} } = transfer;
  if (metadata === undefined) {
    const url = `${path}?uploadType=media&${query}`;
    return client.upload({
      method,
      url,
      headers: { ...headers, "Content-Type": mimeType },
      body: source,
      what,
      changes: true,
      ...call,
    });
  }
  const boundary = randomUUID();
  const json = JSON.stringify(metadata);
  const before = `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${json}\r\n--${boundary}\r\nContent-Type: ${mimeType}\r\n\r\n`;
  const body = framed(source, before, `\r\n--${boundary}--\r\n`);
  const type = `multipart/related; boundary=${boundary}`;
  return client.upload({
    method,
    url: `${path}?uploadType=multipart&${query}`,
    headers: { ...headers, "Content-Type": type },
    body,
    what,
    changes: true,
    ...call,
  });
}

function framed(source: Source, before: string, after: string): { size: number; open(): ByteStream } {
  const [head, tail] = [Buffer.from(before), Buffer.from(after)];
  return {
    size: head.length + source.size + tail.length,
    open() {
      const reader = source.open().getReader();
      let state: "head" | "body" | "end" = "head";
      let seen = 0;
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            if (state === "head") {
              state = "body";
              return controller.enqueue(head);
            }
            const { done, value } = await reader.read();
            if (!done) {
              seen += value.length;
              // Longer than announced: more bytes than the whole make the client stop.
              return controller.enqueue(value);
            }
            state = "end";
            if (seen === source.size) controller.enqueue(tail);
            controller.close();
          },
          cancel: (reason) => reader.cancel(reason),
        },
        { highWaterMark: 0 },
      );
    },
  };
}

/** How often one call asks a session anew what has arrived there. */
const MOST_LOOKS = 3;

async function resumable(transfer: Transfer, tools: UploadTools, call: CallOptions): Promise<HttpResponse> {
  const { key, source } = transfer;
  const kept = key === undefined ? undefined : tools.sessions.get(key);
  let session = kept?.size === source.size ? kept.url : undefined;
  let state: SessionState = session === undefined ? { kind: "lost" } : await stateOf(session, transfer, tools, call);
  for (let looks = 1; ; looks++) {
    if (state.kind === "done") {
      if (key !== undefined) tools.sessions.drop(key);
      return state.response;
    }
    if (state.kind === "lost" || session === undefined) {
      session = await openSession(transfer, tools, call);
      state = { kind: "open", from: 0 };
      if (key !== undefined)
        tools.sessions.set(key, { url: session, atMs: Math.round(tools.now()), size: source.size });
    }
    try {
      return await sendRest(session, state.from, transfer, tools, call);
    } catch (error) {
      // A repeated request met its own first half: the session says what has arrived.
      const outOfStep =
        error instanceof BackendError && (error.status === 400 || error.status === 404 || error.status === 410);
      if (!outOfStep || looks >= MOST_LOOKS) throw error;
      state = await stateOf(session, transfer, tools, call);
    }
  }
}

async function openSession(transfer: Transfer, { client }: UploadTools, call: CallOptions): Promise<string> {
  const { method, path, query, metadata = {}, mimeType, source, what, headers = {} } = transfer;
  const response = await client.upload({
    method,
    url: `${path}?uploadType=resumable&${query}`,
    headers: {
      ...headers,
      "Content-Type": "application/json; charset=UTF-8",
      "X-Upload-Content-Type": mimeType,
      "X-Upload-Content-Length": String(source.size),
    },
    body: Buffer.from(JSON.stringify(metadata)),
    what,
    changes: false,
    ...call,
  });
  await response.drain();
  const location = response.headers.get("location");
  if (location === null)
    throw new BackendError(`Could not ${what}: Google Drive opened no upload session`, { class: "TRANSIENT" });
  return location;
}

type SessionState =
  | { readonly kind: "open"; readonly from: number }
  | { readonly kind: "done"; readonly response: HttpResponse }
  | { readonly kind: "lost" };

/** 308 names what has arrived; 404 or 410 is a session that has ended. */
async function stateOf(
  url: string,
  { what, source }: Transfer,
  { client }: UploadTools,
  call: CallOptions,
): Promise<SessionState> {
  const headers = { "Content-Range": `bytes */${source.size}` };
  try {
    const response = await client.upload({
      method: "PUT",
      url,
      headers,
      body: new Uint8Array(),
      what,
      changes: false,
      accept: [308],
      ...call,
    });
    if (response.status !== 308) return { kind: "done", response };
    const last = /^bytes=0-(\d+)$/.exec(response.headers.get("range") ?? "")?.[1];
    await response.drain();
    const from = last === undefined ? 0 : Number(last) + 1;
    return from < source.size ? { kind: "open", from } : { kind: "lost" };
  } catch (error) {
    if (
      error instanceof BackendError &&
      error.status !== undefined &&
      error.status >= 400 &&
      error.status < 500 &&
      error.pauseMs === undefined &&
      error.class !== "AUTH"
    ) {
      return { kind: "lost" };
    }
    throw error;
  }
}

async function sendRest(
  url: string,
  from: number,
  transfer: Transfer,
  tools: UploadTools,
  call: CallOptions,
): Promise<HttpResponse> {
  const { what, source, key } = transfer;
  const { size } = source;
  try {
    const response = await tools.client.upload({
      method: "PUT",
      url,
      headers: { "Content-Range": `bytes ${from}-${size - 1}/${size}` },
      body: { size: size - from, open: () => skipping(source.open(), from) },
      what,
      changes: true,
      accept: [308],
      ...call,
    });
    if (response.status === 308) {
      await response.drain();
      throw new BackendError(`Could not ${what}: Google Drive took a part of it only`, { class: "TRANSIENT" });
    }
    if (key !== undefined) tools.sessions.drop(key);
    return response;
  } catch (error) {
    // What stands in the session is of a file that has changed.
    const changed =
      error instanceof LocalFileError ||
      (error instanceof BackendError && error.status === undefined && error.class === "FILE_REJECTED");
    if (key !== undefined && changed) tools.sessions.drop(key);
    throw error;
  }
}

async function bodyOf(response: HttpResponse, what: string): Promise<DriveFile> {
  const text = await response.text(MOST_ANSWER).catch(() => "");
  try {
    return JSON.parse(text) as DriveFile;
  } catch {
    throw new BackendError(`Could not ${what}: the answer was cut off`, { class: "TRANSIENT", outcomeUnknown: true });
  }
}
