import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { BackendError, LocalFileError, StaleError } from "../backends/errors.ts";
import type { RemoteFile } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { TEMP_PREFIX, tempPathFor, writeAll } from "../lib/fs.ts";
import { type Hasher, hasher } from "../lib/hash.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { drain } from "../lib/streams.ts";
import { digestFile } from "./local-content.ts";
import {
  asLocalError,
  errorCode,
  fileStat,
  lookAt,
  removeEmptyFolder,
  requireUnchanged,
  StalePlanError,
  sameContentStat,
} from "./local-file.ts";
import type { Action, ContentHash, FileStat } from "./model.ts";
import { agreedBase, callOptions, compareRemote, type Progress, type RunContext } from "./run-context.ts";

export type DownloadAction = Extract<Action, { readonly kind: "download" }>;

/** A remote content in a durable temporary file next to its target. The caller places or removes it. */
export interface Fetched {
  readonly temp: string;
  readonly hash: ContentHash;
}

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 500;

/**
 * Brings one file: guarded read, temporary file, size and checksums verified, fsync, then into place if the target still
 * is what the plan saw. What it replaces is kept in the trash unless a snapshot holds it; its mode is kept. Content that
 * is here already is recorded and not rewritten. Recorded in the journal once the folder is durable.
 * Throws StalePlanError or StaleError when either side is not what the plan saw; the target is then untouched.
 */
export async function download(action: DownloadAction, run: RunContext, onProgress: Progress): Promise<void> {
  const { path, remote, local } = action;
  const near = local === "absent" ? run.root.fileToCreate(path) : run.root.fileToReplace(path);
  if (local === "absent") clearWay(near, path);
  requireUnchanged(near, path, local);
  const fetched = await fetchRemote(remote, near, run, onProgress);
  try {
    const stat = await settle(action, fetched, run);
    const known = stat === undefined ? {} : { local: { stat, hash: fetched.hash } };
    run.record({ kind: "set", base: agreedBase(run, remote, fetched.hash), ...known });
  } catch (error) {
    throw asLocalError(error, `could not write "${path}"`);
  } finally {
    fs.rmSync(fetched.temp, { force: true });
  }
}

/** An empty folder of that name, a leftover of moved files, is nothing that anybody could lose. */
function clearWay(target: string, path: RelPath): void {
  try {
    removeEmptyFolder(target);
  } catch (error) {
    throw asLocalError(error, `could not remove the empty folder "${path}"`);
  }
}

/** Reads one remote version into a temporary file next to `target`, anew when the body breaks off or is damaged. */
export async function fetchRemote(
  remote: RemoteFile,
  target: string,
  run: RunContext,
  onProgress: Progress,
): Promise<Fetched> {
  for (let attempt = 1; ; attempt++) {
    const temp = tempPathFor(target);
    try {
      return { temp, hash: await fetchOnce(remote, temp, run, onProgress) };
    } catch (error) {
      fs.rmSync(temp, { force: true });
      const again = error instanceof BackendError && error.class === "TRANSIENT" && attempt < ATTEMPTS;
      if (!again || run.signal?.aborted) throw asLocalError(error, `could not write "${remote.path}"`);
      await run.clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), run.signal);
    }
  }
}

/** Puts a temporary file where nothing may be yet. Throws StalePlanError when something is. */
export function placeNew(temp: string, target: string, path: RelPath): void {
  faultPoint("place-new");
  try {
    fs.linkSync(temp, target);
    return;
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw new StalePlanError(`left "${path}" alone: it has appeared; run again`);
    if (!NO_LINKS.has(errorCode(error) ?? "")) throw error;
  }
  requireUnchanged(target, path, "absent");
  fs.renameSync(temp, target);
}

/** The stat of a file that was just put into place; undefined when somebody has touched it already. */
export function statPlaced(target: string, placed: FileStat): FileStat | undefined {
  const now = lookAt(target);
  return typeof now === "object" && sameContentStat(now, placed) ? now : undefined;
}

/** Removes what an interrupted run left in these folders below the root, links to other places not followed. */
export function cleanTemps(root: string, folders: Iterable<RelPath | "">): void {
  for (const folder of folders) {
    const absolute = folder === "" ? root : joinUnder(root, folder);
    let names: string[];
    try {
      names = fs.readdirSync(absolute);
    } catch {
      continue; // Not there, or not readable: then the transfer itself says so.
    }
    for (const name of names) if (name.startsWith(TEMP_PREFIX)) fs.rmSync(join(absolute, name), { force: true });
  }
}

/** File systems without hard links answer so. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Puts the fetched file into place unless the same bytes are there, and makes it durable. Answers the file's stat. */
async function settle(action: DownloadAction, fetched: Fetched, run: RunContext): Promise<FileStat | undefined> {
  const { path, local } = action;
  if (local === "absent") {
    const target = run.root.file(path);
    const placed = statOf(fetched.temp);
    placeNew(fetched.temp, target, path);
    faultPoint("place-unlink-temp");
    fs.rmSync(fetched.temp, { force: true });
    await run.syncFolder(dirname(target));
    return statPlaced(target, placed);
  }
  const target = run.root.fileToReplace(path);
  if (await holdsAlready(action, local, target, fetched, run)) return local;
  const held = await run.heldBySnapshot(action.localSha256);
  const placed = replace(target, path, { planned: local, temp: fetched.temp, held }, run);
  await run.syncFolder(dirname(target));
  return statPlaced(target, placed);
}

async function holdsAlready(
  action: DownloadAction,
  local: FileStat,
  target: string,
  fetched: Fetched,
  run: RunContext,
): Promise<boolean> {
  const { path } = action;
  if (local.size !== action.remote.size) return false;
  const sha256 = action.localSha256 ?? (await digestFile(target, path, { planned: local, ...callOptions(run) })).sha256;
  requireUnchanged(target, path, local);
  return sha256 === fetched.hash.sha256;
}

interface Replacement {
  readonly planned: FileStat;
  readonly temp: string;
  /** A snapshot keeps the old content. */
  readonly held: boolean;
}

/** Without a pause between the last look and the rename. Keeping the old content by a link moves its ctime. */
function replace(target: string, path: RelPath, replacement: Replacement, run: RunContext): FileStat {
  const { planned, temp, held } = replacement;
  fs.chmodSync(temp, fs.statSync(target).mode & 0o7777);
  const placed = statOf(temp);
  requireUnchanged(target, path, planned);
  if (held) {
    faultPoint("replace");
    fs.renameSync(temp, target);
    return placed;
  }
  const kept = run.trash.keepCopy(target, { path, reason: "replaced by pull" });
  try {
    const now = lookAt(target);
    if (typeof now !== "object" || !sameContentStat(now, planned)) {
      throw new StalePlanError(`left "${path}" alone: it has changed since this run looked at it; run again`);
    }
    faultPoint("replace");
    fs.renameSync(temp, target);
    return placed;
  } catch (error) {
    run.trash.discard(kept);
    throw error;
  }
}

async function fetchOnce(
  remote: RemoteFile,
  temp: string,
  run: RunContext,
  onProgress: Progress,
): Promise<ContentHash> {
  const { body } = await run.backend.read(remote.path, { expect: remote.rev, ...callOptions(run) });
  faultPoint("fetch");
  const sha1 = remote.checksums?.some(({ kind }) => kind === "sha1") ? hasher("sha1") : undefined;
  const [md5, sha256] = [hasher("md5"), hasher("sha256")];
  const size = await writeTemp(remote, temp, body, {
    hashers: [md5, sha256, ...(sha1 ? [sha1] : [])],
    run,
    onProgress,
  });
  const hash = { md5: md5.hex(), sha256: sha256.hex() };
  const verdict = compareRemote(remote, { ...hash, size, ...(sha1 && { sha1: sha1.hex() }) });
  if (verdict === "different") throw transient(remote.path, "the bytes that came do not match the server's checksum");
  if (verdict === "unknown" && (remote.racy || !run.backend.can.atomicWrite)) await requireSameRev(remote, run);
  return hash;
}

/** A server whose writes are not atomic can hand out a mixture of the right length: then look once more. */
async function requireSameRev(remote: RemoteFile, run: RunContext): Promise<void> {
  const now = await run.backend.stat(remote.path, callOptions(run));
  if (now?.rev === remote.rev) return;
  throw new StaleError(`did not take "${remote.path}": it changed on the remote while it was read; run again`);
}

interface Sink {
  readonly hashers: readonly Hasher[];
  readonly run: RunContext;
  readonly onProgress: Progress;
}

async function writeTemp(
  remote: RemoteFile,
  temp: string,
  body: ReadableStream<Uint8Array>,
  { hashers, run, onProgress }: Sink,
): Promise<number> {
  const fd = openTemp(temp, remote.path, body);
  let size = 0;
  const write = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > remote.size) throw transient(remote.path, `more than ${remote.size} bytes came`);
    for (const each of hashers) each.update(chunk);
    try {
      faultPoint("fetch-write");
      writeAll(fd, chunk);
    } catch (error) {
      throw asLocalError(error, `could not write "${remote.path}"`);
    }
    onProgress(size);
  };
  try {
    await drain(body, write, callOptions(run)).catch((error: unknown) => {
      throw bodyError(error, remote.path, run);
    });
    if (size !== remote.size) throw transient(remote.path, `${size} of ${remote.size} bytes came`);
    faultPoint("fetch-sync");
    await fsync(fd);
  } finally {
    fs.closeSync(fd);
  }
  return size;
}

function openTemp(temp: string, path: RelPath, body: ReadableStream<Uint8Array>): number {
  try {
    return fs.openSync(temp, "wx", 0o666);
  } catch (error) {
    void body.cancel().catch(() => undefined);
    throw asLocalError(error, `could not write "${path}"`);
  }
}

/** What a broken body throws is the runtime's own; it is the network's fault, never a file's. */
function bodyError(error: unknown, path: RelPath, run: RunContext): unknown {
  if (run.signal?.aborted || error instanceof BackendError || error instanceof LocalFileError) return error;
  return transient(path, error instanceof Error ? error.message : String(error), error);
}

function transient(path: RelPath, reason: string, cause?: unknown): BackendError {
  return new BackendError(`could not read the remote "${path}": ${reason}`, { class: "TRANSIENT", cause });
}

function fsync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(fd, (error) => (error ? reject(error) : resolve()));
  });
}

function statOf(file: string): FileStat {
  return fileStat(fs.statSync(file, { bigint: true }));
}
