import { join } from "node:path";
import { BackendError, NotFoundError, StaleError } from "../backends/errors.ts";
import { BLOBS_FOLDER, blobPath } from "../backends/layout.ts";
import type { Backend, Expect, RemoteFile, Source } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { type Hasher, hasher } from "../lib/hash.ts";
import type { RelPath } from "../lib/path.ts";
import { type ByteStream, tapped } from "../lib/streams.ts";
import { openHashLog } from "./hash-log.ts";
import { hashSet } from "./hash-set.ts";
import { isSha256 } from "./manifest-codec.ts";

/** Bodies from this size on are looked for before they are sent. Bytes. */
const LOOK_FIRST_BYTES = 4 * 1024 * 1024;
const MAX_TRIES = 4;
/** A blob that no snapshot of ours names is used again as it is while it is this young: half of what a collector waits. */
const REUSE_MS = 12 * 60 * 60 * 1000;
/** How far a server's clock may be ahead of ours before ages are not believed. */
const AHEAD_MS = 60 * 60 * 1000;

export interface SnapshotOptions {
  readonly signal?: AbortSignal;
}

/** A body with the digest that names it. */
export interface BlobSource extends Source {
  readonly sha256: string;
}

export interface StoredBlob {
  readonly path: RelPath;
  /** True when this call sent the body, false when it was there already. */
  readonly sent: boolean;
}

export interface BlobBody {
  /** Bytes. */
  readonly size: number;
  /** Fails at its end with {@link DamagedBlobError} when the bytes are not those that the digest names. */
  readonly body: ReadableStream<Uint8Array>;
  /** Gives that body up and opens instead what follows its first `from` bytes, which `seen` has digested. */
  rest(from: number, seen: Hasher): Promise<ReadableStream<Uint8Array>>;
}

/** A blob whose bytes do not have the digest that is its name. */
export class DamagedBlobError extends BackendError {
  constructor(path: RelPath, found: string) {
    super(`cannot use "${path}": its content has the SHA-256 ${found}`, {
      class: "FILE_REJECTED",
      hint: "The stored copy is damaged; another snapshot may hold another version of the file.",
    });
    this.name = "DamagedBlobError";
  }
}

/**
 * The content-addressed bodies of the remote (reference 1.6) and what this machine knows about them. A digest is *present*
 * when we stored the blob or looked at it, *referenced* when a snapshot that we have seen names it. A blob that no
 * snapshot names may be collected by any machine, so presence alone is checked again before it is relied on, and an old
 * one is written again: a collector that has it on its list then finds another version, and a young one.
 */
export interface BlobStore {
  /** True when a snapshot may name this digest without another look. */
  isStored(sha256: string): boolean;
  /** True when the content is surely kept: present, and named by a snapshot that we have seen. */
  holds(sha256: string): boolean;
  /** True when it is only stored because a snapshot that we have seen names it. */
  isReferenced(sha256: string): boolean;
  /** True when a snapshot that we have seen names any digest. */
  knowsReferenced(): boolean;
  /** True when nothing is known, as on a new machine. */
  isBlank(): boolean;
  /** Makes the body durable on the remote, with no request at all when that is known. Throws BackendError. */
  store(source: BlobSource, options?: SnapshotOptions): Promise<StoredBlob>;
  /** One request that tells the backend which of the 256 folders exist, where it does not know. */
  warmFolders(options?: SnapshotOptions): Promise<void>;
  /** Opens a body. A missing one is forgotten and throws NotFoundError. */
  read(sha256: string, options?: SnapshotOptions): Promise<BlobBody>;
  /** One request that finds out whether a blob is there, of this size. */
  lookAt(sha256: string, size: number, options?: SnapshotOptions): Promise<void>;
  /** Learns that a snapshot names these digests. */
  reference(sha256s: Iterable<string>): void;
  /** Drops what is known about these digests. */
  forget(sha256s: ReadonlySet<string>): void;
  /** Snapshots have vanished: only digests that a remaining one names stay known. */
  retain(remaining: ReadonlySet<string>): void;
  /** Drops everything that is known. */
  distrust(): void;
}

/** Opens the store with its knowledge in `folder`. */
export function openBlobStore(backend: Backend, folder: string, { clock }: { readonly clock: Clock }): BlobStore {
  const present = openHashLog(join(folder, "blobs-present"));
  const referenced = openHashLog(join(folder, "blobs-referenced"));
  // Stored by this process and not yet named by a snapshot: too young for any collector.
  let sentNow = hashSet();
  const running = new Map<string, Promise<StoredBlob>>();
  const isStored = (sha256: string): boolean => referenced.has(sha256) || sentNow.has(sha256);
  function* noLongerSent(sha256s: Iterable<string>): Iterable<string> {
    for (const sha256 of sha256s) {
      sentNow.delete(sha256);
      yield sha256;
    }
  }
  const forget = (sha256s: ReadonlySet<string>): void => {
    for (const sha256 of sha256s) sentNow.delete(sha256);
    present.retain((other) => !sha256s.has(other));
    referenced.retain((other) => !sha256s.has(other));
  };
  const send = async (source: BlobSource, options: SnapshotOptions): Promise<StoredBlob> => {
    const isUsable = (found: RemoteFile): boolean => isWhole(found, source) && isYoung(found, clock.now());
    const stored = await ensureBlob(backend, source, { isUsable, lookFirst: present.has(source.sha256) }, options);
    sentNow.add(source.sha256);
    present.add([source.sha256]);
    return stored;
  };
  return {
    isStored,
    holds: (sha256) => present.has(sha256) && referenced.has(sha256),
    isReferenced: (sha256) => referenced.has(sha256) && !sentNow.has(sha256),
    knowsReferenced: () => referenced.size() > 0,
    isBlank: () => present.size() === 0 && referenced.size() === 0,
    async store(source, options = {}) {
      const { sha256 } = source;
      if (!isSha256(sha256))
        throw new RangeError(`cannot store a body under "${sha256}": not a SHA-256 in lower-case hex`);
      // Equal files go once; when the first one fails the next sends its own.
      for (let other = running.get(sha256); other; other = running.get(sha256)) await other.catch(() => undefined);
      if (isStored(sha256)) return { path: blobPath(sha256), sent: false };
      const sending = send(source, options).finally(() => running.delete(sha256));
      running.set(sha256, sending);
      return sending;
    },
    async warmFolders(options = {}) {
      if (backend.can.knowsFolders) return;
      await backend.list(BLOBS_FOLDER, { shallow: true, ...options });
    },
    async read(sha256, options = {}) {
      try {
        return await openBlob(backend, sha256, options);
      } catch (error) {
        if (error instanceof NotFoundError) forget(new Set([sha256]));
        throw error;
      }
    },
    async lookAt(sha256, size, options = {}) {
      const found = await backend.stat(blobPath(sha256), options);
      if (found !== undefined && isWhole(found, { sha256, size })) present.add([sha256]);
    },
    reference(sha256s) {
      referenced.add(noLongerSent(sha256s));
    },
    forget,
    retain(remaining) {
      present.retain((sha256) => remaining.has(sha256) || sentNow.has(sha256));
      referenced.retain((sha256) => remaining.has(sha256));
    },
    distrust() {
      sentNow = hashSet();
      if (present.size() === 0 && referenced.size() === 0) return;
      present.retain(() => false);
      referenced.retain(() => false);
    },
  };
}

interface EnsureOptions {
  readonly isUsable: (found: RemoteFile) => boolean;
  readonly lookFirst: boolean;
}

/** Creates the blob, or looks at the one that is there and writes it again when it was cut short (reference 5.2 row 21). */
async function ensureBlob(
  backend: Backend,
  source: BlobSource,
  { isUsable, lookFirst }: EnsureOptions,
  options: SnapshotOptions,
): Promise<StoredBlob> {
  const path = blobPath(source.sha256);
  let found = lookFirst || source.size >= LOOK_FIRST_BYTES ? await backend.stat(path, options) : undefined;
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    if (found && isUsable(found)) return { path, sent: false };
    faultPoint("blob-write");
    try {
      await backend.write(path, source, { expect: blobExpectation(backend, found), ...options });
      return { path, sent: true };
    } catch (error) {
      if (!(error instanceof StaleError)) throw error;
    }
    found = await backend.stat(path, options);
  }
  throw new BackendError(`cannot store "${path}": it changed ${MAX_TRIES} times meanwhile`, { class: "TRANSIENT" });
}

/**
 * The name stands for the bytes, so that replacing a blob whole is harmless and a guard that costs requests of its own
 * is left out, except where a write could leave a part.
 */
function blobExpectation({ can }: Backend, found: RemoteFile | undefined): Expect {
  if (can.atomicWrite && can.createCostsMore === true) return "any";
  return found?.rev ?? "absent";
}

function isWhole(found: RemoteFile, source: Pick<BlobSource, "sha256" | "size">): boolean {
  if (found.size !== source.size) return false;
  const checksum = found.checksums?.find((other) => other.kind === "sha256");
  return checksum === undefined || checksum.value === source.sha256;
}

/** True when no collector takes it soon. Where a server does not tell ages none takes it at all. */
function isYoung({ modifiedMs }: RemoteFile, nowMs: number): boolean {
  return modifiedMs === undefined || (modifiedMs > nowMs - REUSE_MS && modifiedMs < nowMs + AHEAD_MS);
}

async function openBlob(backend: Backend, sha256: string, options: SnapshotOptions): Promise<BlobBody> {
  const path = blobPath(sha256);
  const { body: sent, file } = await backend.read(path, options);
  const body = proven(path, sha256, sent, hasher("sha256"));
  return {
    size: file.size,
    body,
    async rest(from, seen) {
      await body.cancel();
      const opened = await backend.read(path, { ...options, expect: file.rev, from });
      return proven(path, sha256, opened.body, seen);
    },
  };
}

/** The same bytes, failing at their end unless the digest of the whole is the name. */
function proven(path: RelPath, sha256: string, body: ByteStream, digest: Hasher): ByteStream {
  return tapped(
    body,
    (chunk) => digest.update(chunk),
    () => {
      const found = digest.hex();
      if (found !== sha256) throw new DamagedBlobError(path, found);
    },
  );
}
