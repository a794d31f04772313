import type { Clock } from "../../lib/clock.ts";
import { faultPoint } from "../../lib/fault.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import type { DavConnection, DavRequest } from "./connection.ts";
import { fileUrl, folderUrl } from "./dav-path.ts";

const LOCK_BODY = `<?xml version="1.0" encoding="utf-8"?>
<d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope><d:locktype><d:write/></d:locktype><d:owner>claude-mirror</d:owner></d:lockinfo>`;

const DEFAULT_SECONDS = 60;

/**
 * The two ways of presenting a lock (RFC 4918 section 10.4). When a file is removed, Apache holds the folder above
 * against an untagged list too and refuses; nginx does not recognise a tag with percent-encoded characters.
 */
export interface HeldLock {
  readonly plain: Readonly<Record<string, string>>;
  readonly tagged: Readonly<Record<string, string>>;
  /** The server's clock when it gave the lock, milliseconds since 1970, to the second. */
  readonly dateMs: number | undefined;
}

export interface LockOptions extends CallOptions {
  readonly clock: Clock;
  /** The path is a folder: it is locked with all that is in it, and nobody can put anything there. */
  readonly folder?: boolean;
  /** How long the server may keep the lock of a client that vanished; 600 when left out. */
  readonly seconds?: number;
}

/** A lock until it is released. */
export interface TakenLock extends HeldLock {
  release(): Promise<void>;
}

/** Runs `use` while this client holds the lock that {@link takeLock} takes. */
export async function withLock<T>(
  connection: DavConnection,
  path: RelPath,
  options: LockOptions,
  use: (held: HeldLock) => Promise<T>,
): Promise<T> {
  const held = await takeLock(connection, path, options);
  try {
    return await use(held);
  } finally {
    await held.release();
  }
}

/**
 * Takes the exclusive write lock (RFC 4918 section 6) of a file that exists, refreshed until it is released. A lock on a
 * name without a file would make an empty one on most servers: what was made so is removed again under the lock
 * (StaleError).
 */
export async function takeLock(connection: DavConnection, path: RelPath, options: LockOptions): Promise<TakenLock> {
  const url = options.folder ? folderUrl(connection.root, path) : fileUrl(connection.root, path);
  const what = `lock "${path}"`;
  const wanted = `Second-${options.seconds ?? 600}`;
  const request: DavRequest = {
    method: "LOCK",
    url,
    what,
    headers: { Depth: options.folder ? "infinity" : "0", Timeout: wanted },
    body: LOCK_BODY,
    signal: options.signal,
  };
  faultPoint("webdav-lock");
  const response = await connection.send(request);
  const { status } = response;
  if (status !== 200 && status !== 201) {
    await response.drain();
    // The folder above it is gone, too (RFC 4918 section 9.10.6).
    if (status === 404 || status === 409 || status === 410) {
      throw new StaleError(`Could not ${what}: the file is gone`, { status });
    }
    throw connection.refusal(response, request);
  }
  const token = response.headers.get("lock-token")?.trim();
  const seconds = granted(await response.text(64 * 1024));
  if (token === undefined) throw new BackendError(`Could not ${what}: no lock token came`, { class: "UNKNOWN" });
  const date = Date.parse(response.headers.get("date") ?? "");
  const held: HeldLock = {
    plain: { If: `(${token})` },
    tagged: { If: `<${url}> (${token})` },
    dateMs: Number.isNaN(date) ? undefined : date,
  };
  const over = new AbortController();
  const refreshing = refresh(connection, request, held.plain, { clock: options.clock, seconds, signal: over.signal });
  const release = async () => {
    over.abort();
    await refreshing;
    await quietly(connection, { method: "UNLOCK", url, what: `unlock "${path}"`, headers: { "Lock-Token": token } });
  };
  if (status === 200) return { ...held, release };
  for (const headers of [held.plain, held.tagged]) await quietly(connection, { method: "DELETE", url, what, headers });
  await release();
  throw new StaleError(`Could not ${what}: the file is gone`);
}

interface Refreshing {
  readonly clock: Clock;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

async function refresh(
  connection: DavConnection,
  lock: DavRequest,
  headers: Readonly<Record<string, string>>,
  options: Refreshing,
): Promise<void> {
  const { clock, seconds, signal } = options;
  try {
    for (;;) {
      await clock.sleep(seconds * 500, signal);
      const { method, url, what } = lock;
      const timeout = lock.headers?.["Timeout"] ?? "Second-600";
      await quietly(connection, { method, url, what, headers: { ...headers, Timeout: timeout } });
    }
  } catch {
    // Only the signal ends the sleep.
  }
}

/** The lock ends by itself in the worst case, so that what goes wrong here is no failure of the write. */
async function quietly(connection: DavConnection, request: DavRequest): Promise<void> {
  try {
    await (await connection.send(request)).drain();
  } catch {
    // See above.
  }
}

function granted(body: string): number {
  const seconds = Number(/>\s*Second-(\d{1,10})\s*</.exec(body)?.[1]);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) : DEFAULT_SECONDS;
}
