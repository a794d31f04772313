import type { Backend, RemoteFile, Source } from "../backends/types.ts";
import { type Clock, pythonIso } from "../lib/clock.ts";
import { fsyncFolderAsync } from "../lib/fs.ts";
import type { HashKind } from "../lib/hash.ts";
import type { Limiter } from "../lib/limits.ts";
import type { RelPath } from "../lib/path.ts";
import type { ResumedFiles } from "../lib/resumed-file.ts";
import type { JournalRecord, SentFile } from "./journal.ts";
import { asLocalError, type LocalRoot } from "./local-file.ts";
import type { BaseEntry, ContentHash } from "./model.ts";
import type { Trash } from "./trash.ts";

/** A body whose digests are known. */
export type KnownSource = Source & ContentHash;

/**
 * Makes a content durable elsewhere (in a snapshot's blob store) before it goes live, and returns where on the remote,
 * or undefined when nothing is kept. Throws what a backend throws.
 */
export type BeforeUpload = (content: KnownSource, signal?: AbortSignal) => Promise<RelPath | undefined>;

/** What every step of one run works with. */
export interface RunContext {
  readonly root: LocalRoot;
  readonly backend: Backend;
  /** Bodies that are fetched at a time; a body that is being read is no call any more. */
  readonly fetching: Limiter;
  readonly trash: Trash;
  /** Where large downloads go on that broke off before; they begin anew without it. */
  readonly resumed?: ResumedFiles;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly beforeUpload?: BeforeUpload;
  /** Told each upload that the remote has acknowledged. */
  readonly onSent?: (file: SentFile) => void;
  /** Whether a snapshot surely keeps this content. */
  readonly heldBySnapshot: (sha256: string | undefined) => Promise<boolean>;
  /** Makes renames and creates in an absolute folder durable; calls for one folder share an fsync. */
  readonly syncFolder: (folder: string) => Promise<void>;
  /** Writes one confirmed step down at once. */
  readonly record: (record: JournalRecord) => void;
}

/** Told the bytes moved so far for one item; may go back when a transfer begins anew. */
export type Progress = (bytes: number) => void;

/** Options of a backend call, the signal in them when there is one. */
export function callOptions(run: Pick<RunContext, "signal">): { readonly signal?: AbortSignal } {
  return run.signal === undefined ? {} : { signal: run.signal };
}

/** The base entry of a path whose content is `hash` on both sides now. */
export function agreedBase(run: RunContext, file: RemoteFile, hash: ContentHash): BaseEntry {
  return {
    path: file.path,
    md5: hash.md5,
    sha256: hash.sha256,
    size: file.size,
    remoteId: file.id,
    nativeHash: file.nativeHash,
    rev: file.rev,
    racy: file.racy,
    syncedAt: pythonIso(run.clock.now()),
  };
}

/** What the server says about a content, against what it is. `equal` only where a checksum of both kinds is known. */
export function compareRemote(
  file: RemoteFile,
  content: ContentHash & { readonly size: number; readonly sha1?: string },
): "equal" | "different" | "unknown" {
  if (file.size !== content.size) return "different";
  let verdict: "equal" | "unknown" = "unknown";
  for (const { kind, value } of file.checksums ?? []) {
    const known = content[kind as Extract<HashKind, "md5" | "sha1" | "sha256">];
    if (known === undefined) continue;
    if (known !== value) return "different";
    verdict = "equal";
  }
  return verdict;
}

/**
 * Whether a look at the remote shows the upload itself: right content, and not modified after the server took it.
 * `likely`: modified while the request was under way, for all that its answer tells; somebody else can have done that.
 */
export function judgeSent(
  sent: SentFile,
  file: RemoteFile | undefined,
): "confirmed" | "likely" | "damaged" | "unclear" {
  if (file === undefined) return "unclear";
  const compared = compareRemote(file, sent);
  if (compared === "equal") return "confirmed";
  const { serverTimeMs, tookMs = 0 } = sent;
  if (serverTimeMs === undefined || file.modifiedMs === undefined) return "unclear";
  const lateMs = file.modifiedMs - serverTimeMs - CLOCK_GRAIN_MS;
  if (lateMs <= 0) return compared === "different" ? "damaged" : "confirmed";
  return lateMs <= tookMs && compared !== "different" ? "likely" : "unclear";
}

/** HTTP dates count whole seconds. */
const CLOCK_GRAIN_MS = 1000;

/** Folder fsyncs that share work: a call made while one is under way waits for one more, which serves all such calls. */
export function folderSyncer(): (folder: string) => Promise<void> {
  const running = new Map<string, Promise<void>>();
  const queued = new Map<string, Promise<void>>();
  const start = (folder: string): Promise<void> => {
    const done = fsyncPath(folder).finally(() => running.delete(folder));
    running.set(folder, done);
    return done;
  };
  return (folder) => {
    const current = running.get(folder);
    if (current === undefined) return start(folder);
    let next = queued.get(folder);
    if (next === undefined) {
      next = current
        .catch(() => undefined)
        .then(() => {
          queued.delete(folder);
          return start(folder);
        });
      queued.set(folder, next);
    }
    return next;
  };
}

async function fsyncPath(folder: string): Promise<void> {
  try {
    await fsyncFolderAsync(folder);
  } catch (error) {
    throw asLocalError(error, `could not make the folder "${folder}" durable`);
  }
}
