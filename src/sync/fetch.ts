import * as fs from "node:fs";
import { BackendError, LocalFileError, NotFoundError, StaleError } from "../backends/errors.ts";
import type { RemoteFile } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { fsyncFile, tempPathFor, writeAll } from "../lib/fs.ts";
import { hasher } from "../lib/hash.ts";
import type { RelPath } from "../lib/path.ts";
import { drain } from "../lib/streams.ts";
import { asLocalError } from "./local-file.ts";
import type { ContentHash } from "./model.ts";
import { callOptions, compareRemote, type Progress, type RunContext } from "./run-context.ts";

/** A remote content in a durable temporary file next to its target. The caller places or removes it. */
export interface Fetched {
  readonly temp: string;
  readonly hash: ContentHash;
}

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 500;

/**
 * Reads one remote version into a temporary file next to `target`; once more when the body breaks off or is damaged. What
 * came of a large one before it broke off is kept, for the next try and for the next run.
 */
export async function fetchRemote(
  remote: RemoteFile,
  target: string,
  run: RunContext,
  onProgress: Progress,
): Promise<Fetched> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetchOnce(remote, target, run, onProgress);
    } catch (error) {
      const again = error instanceof BackendError && error.class === "TRANSIENT" && attempt < ATTEMPTS;
      if (!again || run.signal?.aborted) throw asLocalError(error, `could not write "${remote.path}"`);
      await run.clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), run.signal);
    }
  }
}

/** The digests of what came so far, fed in order. */
interface Digests {
  update(bytes: Uint8Array): void;
  end(): ContentHash & { readonly sha1?: string };
}

function digestsFor(remote: RemoteFile): Digests {
  const sha1 = remote.checksums?.some(({ kind }) => kind === "sha1") ? hasher("sha1") : undefined;
  const [md5, sha256] = [hasher("md5"), hasher("sha256")];
  return {
    update(bytes) {
      md5.update(bytes);
      sha256.update(bytes);
      sha1?.update(bytes);
    },
    end: () => ({ md5: md5.hex(), sha256: sha256.hex(), ...(sha1 && { sha1: sha1.hex() }) }),
  };
}

/** Where a body goes. `settle` ends it: with nothing when it is whole, else with what went wrong. */
interface Destination {
  readonly file: string;
  /** Bytes that are there already. */
  readonly from: number;
  write(chunk: Uint8Array): void;
  finish(): Promise<void>;
  giveUp(error: unknown): void;
}

/** The bytes that came are not the version's: nothing of them may be kept. */
class DamagedBodyError extends BackendError {}

async function fetchOnce(remote: RemoteFile, target: string, run: RunContext, onProgress: Progress): Promise<Fetched> {
  return (await run.fetching(() => fetchBody(remote, target, run, onProgress)))();
}

/** Answers what makes the body durable: others can be fetched meanwhile. */
async function fetchBody(
  remote: RemoteFile,
  target: string,
  run: RunContext,
  onProgress: Progress,
): Promise<() => Promise<Fetched>> {
  run.signal?.throwIfAborted();
  const digests = digestsFor(remote);
  const to = openDestination(remote, target, run, digests);
  const orGiveUp = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      to.giveUp(error);
      throw error;
    }
  };
  const hash = await orGiveUp(() => receiveWhole(remote, to, { digests, run, onProgress }));
  return () =>
    orGiveUp(async () => {
      faultPoint("fetch-sync");
      await to.finish();
      return { temp: to.file, hash };
    });
}

async function receiveWhole(remote: RemoteFile, to: Destination, sink: Sink): Promise<ContentHash> {
  const { run } = sink;
  const from = to.from > 0 ? { from: to.from } : {};
  const { body } = await run.backend.read(remote.path, { expect: remote.rev, ...from, ...callOptions(run) });
  faultPoint("fetch");
  const size = await receive(remote, to, body, sink);
  const hash = sink.digests.end();
  const verdict = compareRemote(remote, { ...hash, size });
  if (verdict === "different") throw damaged(remote.path, "the bytes that came do not match the server's checksum");
  if (verdict === "unknown" && (remote.racy || !run.backend.can.atomicWrite)) await requireSameRev(remote, run);
  return { md5: hash.md5, sha256: hash.sha256 };
}

/** A version whose content could still change under the same rev cannot be gone on with. */
function openDestination(remote: RemoteFile, target: string, run: RunContext, digests: Digests): Destination {
  try {
    const version = JSON.stringify([remote.path, remote.rev, remote.nativeHash]);
    const what = { version, size: remote.size, onKnown: digests.update };
    const part = remote.racy ? undefined : run.resumed?.open(target, what);
    if (part === undefined) return plainTemp(target);
    const giveUp = (error: unknown) => (isWorthKeeping(error, run) ? part.leave() : part.drop());
    return { ...part, giveUp };
  } catch (error) {
    throw asLocalError(error, `could not write "${remote.path}"`);
  }
}

/** Kept is what broke off on the way; not what is of the wrong version, damaged, or in the way on a full disk. */
function isWorthKeeping(error: unknown, run: RunContext): boolean {
  if (run.signal?.aborted) return true;
  if (!(error instanceof BackendError) || error instanceof DamagedBodyError) return false;
  return !(error instanceof StaleError) && !(error instanceof NotFoundError);
}

function plainTemp(target: string): Destination {
  const file = tempPathFor(target);
  const fd = fs.openSync(file, "wx", 0o666);
  return {
    file,
    from: 0,
    write: (chunk) => writeAll(fd, chunk),
    async finish() {
      await fsyncFile(fd);
      fs.closeSync(fd);
    },
    giveUp() {
      closeQuietly(fd);
      fs.rmSync(file, { force: true });
    },
  };
}

function closeQuietly(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // It was closed before something else failed.
  }
}

/** A server whose writes are not atomic can hand out a mixture of the right length: then look once more. */
async function requireSameRev(remote: RemoteFile, run: RunContext): Promise<void> {
  const now = await run.backend.stat(remote.path, callOptions(run));
  if (now?.rev === remote.rev) return;
  throw new StaleError(`did not take "${remote.path}": it changed on the remote while it was read; run again`);
}

interface Sink {
  readonly digests: Digests;
  readonly run: RunContext;
  readonly onProgress: Progress;
}

async function receive(
  remote: RemoteFile,
  to: Destination,
  body: ReadableStream<Uint8Array>,
  { digests, run, onProgress }: Sink,
): Promise<number> {
  let size = to.from;
  const write = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > remote.size) throw damaged(remote.path, `more than ${remote.size} bytes came`);
    digests.update(chunk);
    try {
      faultPoint("fetch-write");
      to.write(chunk);
    } catch (error) {
      throw asLocalError(error, `could not write "${remote.path}"`);
    }
    onProgress(size);
  };
  await drain(body, write, callOptions(run)).catch((error: unknown) => {
    throw bodyError(error, remote.path, run);
  });
  if (size !== remote.size) throw transient(remote.path, `${size} of ${remote.size} bytes came`);
  return size;
}

/** What a broken body throws is the runtime's own; it is the network's fault, never a file's. */
function bodyError(error: unknown, path: RelPath, run: RunContext): unknown {
  if (run.signal?.aborted || error instanceof BackendError || error instanceof LocalFileError) return error;
  return transient(path, error instanceof Error ? error.message : String(error), error);
}

function transient(path: RelPath, reason: string, cause?: unknown): BackendError {
  return new BackendError(`could not read the remote "${path}": ${reason}`, { class: "TRANSIENT", cause });
}

function damaged(path: RelPath, reason: string): BackendError {
  return new DamagedBodyError(`could not read the remote "${path}": ${reason}`, { class: "TRANSIENT" });
}
