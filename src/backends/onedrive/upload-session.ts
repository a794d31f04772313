import { createHash } from "node:crypto";
import { join } from "node:path";
import { faultPoint } from "../../lib/fault.ts";
import type { RelPath } from "../../lib/path.ts";
import { readSecret, writeSecret } from "../../lib/secrets.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { Source, WriteOptions } from "../types.ts";
import { type Json, textAt } from "./graph.ts";
import { type QuickXor, quickXor } from "./quick-xor.ts";
import { addressOf, inPlace, knownItem, lookUp, type Remote } from "./remote.ts";

/** A multiple of 320 KiB, as every fragment but the last has to be; this much is held in memory. */
const FRAGMENT = 16 * 320 * 1024;
/** Tries of one fragment before the error is given back. */
const TRIES = 3;

export interface Uploaded {
  readonly item: Json;
  /** The quickXorHash of what was sent. */
  readonly hash: string;
}

interface Session {
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly endsMs: number;
}

/**
 * A body in fragments, by a session that outlives this process: a later call for the same bytes, path and expectation
 * goes on where the server says. https://learn.microsoft.com/graph/api/driveitem-createuploadsession
 */
export async function uploadBySession(
  remote: Remote,
  path: RelPath,
  source: Source,
  options: WriteOptions,
): Promise<Uploaded> {
  const sessions = sessionFile(remote.stateFolder);
  const key = sessionKey(path, source, options);
  const kept = key === undefined ? undefined : sessions.get(key, remote.clock.now());
  const opened = kept ?? (await createSession(remote, path, source, options));
  if (key !== undefined && kept === undefined) sessions.set(key, opened);
  try {
    const start = kept === undefined ? 0 : await nextByte(remote, opened, path, options);
    if (start === undefined) {
      // The kept session has ended, or was finished when its answer got lost: what is there decides.
      throw new SessionEndedError(path, { unknown: true });
    }
    const uploaded = await sendFragments(remote, path, source, { ...options, session: opened, start });
    if (key !== undefined) sessions.drop(key);
    return uploaded;
  } catch (error) {
    const isOver =
      error instanceof SessionEndedError || (error instanceof BackendError && error.class === "FILE_REJECTED");
    if (key !== undefined && isOver) sessions.drop(key);
    throw error;
  }
}

async function createSession(
  remote: Remote,
  path: RelPath,
  source: Source,
  { expect, signal }: WriteOptions,
): Promise<Session> {
  const isUpdate = expect !== "absent" && expect !== "any";
  const item = {
    "@microsoft.graph.conflictBehavior": expect === "absent" ? "fail" : "replace",
    fileSize: source.size,
  };
  const id = isUpdate ? knownItem(remote, path, expect) : undefined;
  const { body } = await inPlace(remote, signal === undefined ? {} : { signal }, (place) =>
    remote.graph.call({
      method: "POST",
      path: `${id === undefined ? addressOf(place, path) : `${place.drive}/items/${id}`}/createUploadSession`,
      what: `write "${path}"`,
      headers: isUpdate ? { "If-Match": expect } : {},
      json: { item },
      signal,
    }),
  );
  const url = textAt(body, "uploadUrl");
  const endsMs = Date.parse(textAt(body, "expirationDateTime") ?? "");
  if (url !== undefined) return { url, endsMs: Number.isNaN(endsMs) ? 0 : endsMs };
  throw new BackendError(`Could not write "${path}": OneDrive names no address to send it to`, { class: "TRANSIENT" });
}

/** Where the server wants to go on; undefined when it does not know the session. */
async function nextByte(
  remote: Remote,
  session: Session,
  path: RelPath,
  { signal }: WriteOptions,
): Promise<number | undefined> {
  const request = { method: "GET", url: session.url, what: `write "${path}"`, signal } as const;
  const response = await remote.graph.signed(request);
  if (response.status === 404 || response.status === 410) {
    await response.drain().catch(() => {});
    return undefined;
  }
  if (!response.ok) throw await remote.graph.refusal(response, request);
  const ranges = (await remote.graph.json(response, request))?.["nextExpectedRanges"];
  const next = Array.isArray(ranges) ? Number.parseInt(String(ranges[0]), 10) : Number.NaN;
  return Number.isNaN(next) ? undefined : next;
}

interface SendOptions extends WriteOptions {
  readonly session: Session;
  readonly start: number;
}

async function sendFragments(remote: Remote, path: RelPath, source: Source, options: SendOptions): Promise<Uploaded> {
  let reading = openAt(path, source, options.start);
  let at = options.start;
  try {
    for (;;) {
      const bytes = await reading.take(Math.min(FRAGMENT, source.size - at));
      const isLast = at + bytes.length === source.size;
      if (isLast) {
        await reading.finish();
        await lookBeforeTheEnd(remote, path, options);
      }
      const reply = await sendFragment(remote, path, { ...options, at, bytes, total: source.size });
      if (reply.item !== undefined) return { item: reply.item, hash: reading.hash.base64() };
      if (reply.next !== at + bytes.length) {
        await reading.cancel();
        reading = openAt(path, source, reply.next);
      }
      at = reply.next;
      faultPoint("onedrive-fragment");
    }
  } finally {
    await reading.cancel();
  }
}

/**
 * The session compares versions when it is made, and replaces whatever is there when it ends: a version that came
 * meanwhile is looked for once more, which leaves a moment instead of the whole upload.
 */
async function lookBeforeTheEnd(remote: Remote, path: RelPath, options: SendOptions): Promise<void> {
  const { expect, signal } = options;
  if (expect === "any" || expect === "absent") return;
  const item = await lookUp(remote, path, signal === undefined ? {} : { signal });
  if (textAt(item, "eTag") === expect) return;
  throw new StaleError(`Could not write "${path}": it is another version by now`);
}

interface Fragment extends SendOptions {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly total: number;
}

interface FragmentReply {
  /** Where to go on. */
  readonly next: number;
  /** The finished file. */
  readonly item?: Json;
}

async function sendFragment(remote: Remote, path: RelPath, fragment: Fragment): Promise<FragmentReply> {
  const { at, bytes, total, session, signal } = fragment;
  const isLast = at + bytes.length === total;
  const request = {
    method: "PUT",
    url: session.url,
    what: `write "${path}"`,
    headers: { "Content-Range": `bytes ${at}-${at + bytes.length - 1}/${total}` },
    body: bytes,
    signal,
  } as const;
  for (let tries = 1; ; tries++) {
    let trouble: BackendError;
    try {
      const response = await remote.graph.signed(request);
      if (response.status === 200 || response.status === 201)
        return { next: total, item: await remote.graph.json(response, request) };
      if (response.status === 202) {
        await response.drain();
        return { next: at + bytes.length };
      }
      trouble = await remote.graph.refusal(response, request);
      if (trouble.status === 404 || trouble.status === 410) throw new SessionEndedError(path, { unknown: isLast });
      if (trouble.status !== 416 && trouble.class !== "TRANSIENT") throw trouble;
      if (trouble.pauseMs !== undefined) throw trouble;
    } catch (error) {
      if (!(error instanceof BackendError) || error.class !== "TRANSIENT" || error.pauseMs !== undefined) throw error;
      trouble = error;
    }
    if (tries >= TRIES) throw trouble;
    const next = await nextByte(remote, session, path, fragment);
    if (next === undefined) throw new SessionEndedError(path, { unknown: isLast });
    if (next !== at) return { next };
  }
}

class SessionEndedError extends BackendError {
  constructor(path: RelPath, outcome: { readonly unknown: boolean }) {
    super(`Could not write "${path}": the upload was cut off and its session has ended`, {
      class: "TRANSIENT",
      outcomeUnknown: outcome.unknown,
    });
    this.name = "SessionEndedError";
  }
}

interface Reading {
  readonly hash: QuickXor;
  take(count: number): Promise<Uint8Array>;
  /** Throws when the source has more than it announced. */
  finish(): Promise<void>;
  cancel(): Promise<void>;
}

/** Reads a source from byte `start`; what comes before is read for the hash alone. */
function openAt(path: RelPath, source: Source, start: number): Reading {
  const reader = source.open().getReader();
  const hash = quickXor();
  let left = start;
  let rest: Uint8Array = new Uint8Array();
  const changed = () =>
    new BackendError(`Could not write "${path}": the file changed while it was read`, { class: "FILE_REJECTED" });
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      hash.update(value);
      if (left >= value.length) {
        left -= value.length;
        continue;
      }
      const wanted = value.subarray(left);
      left = 0;
      return wanted;
    }
  };
  return {
    hash,
    async take(count) {
      const bytes = new Uint8Array(count);
      let filled = 0;
      while (filled < count) {
        if (rest.length === 0) {
          const more = await next();
          if (more === undefined) throw changed();
          rest = more;
        }
        const part = rest.subarray(0, count - filled);
        bytes.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
      }
      return bytes;
    },
    async finish() {
      if (rest.length > 0 || (await next()) !== undefined) throw changed();
    },
    async cancel() {
      await reader.cancel().catch(() => {});
    },
  };
}

/** Bodies whose digest is not known cannot be told from others of the same length. */
function sessionKey(path: RelPath, { size, sha256 }: Source, { expect }: WriteOptions): string | undefined {
  if (sha256 === undefined) return undefined;
  return createHash("sha256")
    .update(JSON.stringify([path, size, sha256, expect]))
    .digest("hex")
    .slice(0, 32);
}

/** Sessions that are not finished. Their addresses let everybody write: the file is readable by its owner alone. */
function sessionFile(stateFolder: string) {
  const file = join(stateFolder, "onedrive-uploads.json");
  const read = (): Record<string, Session> => {
    try {
      return JSON.parse(readSecret(file) ?? "{}") as Record<string, Session>;
    } catch {
      return {}; // Without it the upload begins again.
    }
  };
  return {
    get(key: string, nowMs: number): Session | undefined {
      const found = read()[key];
      return found !== undefined && typeof found.url === "string" && found.endsMs > nowMs ? found : undefined;
    },
    set(key: string, session: Session): void {
      writeSecret(file, JSON.stringify({ ...read(), [key]: session }));
    },
    drop(key: string): void {
      const { [key]: dropped, ...left } = read();
      if (dropped !== undefined) writeSecret(file, JSON.stringify(left));
    },
  };
}
