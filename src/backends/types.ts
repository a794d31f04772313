import type { RelPath } from "../lib/path.ts";

/** The kinds of storage that a project can be mirrored to. */
export type BackendKind = "local" | "webdav" | "googledrive" | "dropbox" | "onedrive";

/**
 * A version of one remote path, opaque outside its backend. Equal revs of one path mean equal content, unless the
 * file is `racy`. A backend spells every rev in one canonical form, so that `===` is the comparison.
 */
export type Rev = string & { readonly __brand: "Rev" };

/** What a write or remove requires to find: this version, nothing at all, or whatever is there. */
export type Expect = Rev | "absent" | "any";

export type ChecksumKind = "sha256" | "md5" | "sha1" | "dropbox" | "quickxor";

/** A content checksum that the server vouches for. `value` is lower-case hex (base64 for quickxor). */
export interface Checksum {
  readonly kind: ChecksumKind;
  readonly value: string;
}

/** One file as a listing or lookup saw it. */
export interface RemoteFile {
  readonly path: RelPath;
  /** Bytes. */
  readonly size: number;
  readonly rev: Rev;
  /** True while the content could still change without the rev changing (a clock tick too coarse, reference B: F27). */
  readonly racy: boolean;
  /** What the shared manifest keeps as `remote_file_id` (reference 1.21). */
  readonly id: string;
  /** What the shared manifest keeps as `synced_remote_hash` (reference 1.21). */
  readonly nativeHash: string;
  readonly checksums?: readonly Checksum[];
  /** Server's modification time, milliseconds since 1970. */
  readonly modifiedMs?: number;
}

/** A name the listing met and could not express as a path of ours. It is reported and held, never deleted. */
export interface UnusableName {
  readonly name: string;
  readonly reason: string;
}

/** A complete listing. A backend that could not see everything throws instead. */
export interface Listing {
  /** In no particular order. */
  readonly files: readonly RemoteFile[];
  /** Every folder seen below `under`, that one left out, skipped ones included by name only. */
  readonly folders: readonly RelPath[];
  readonly unusable: readonly UnusableName[];
  /** False when the folder listed does not exist (then there are no files). The caller decides what that means. */
  readonly exists: boolean;
  /** Hand to `changes` next time; present only where that verb is. */
  readonly cursor?: string;
}

/** A body that can be opened again, because a retry must. */
export interface Source {
  /** Bytes; a body that turns out shorter or longer makes the write fail. */
  readonly size: number;
  open(): ReadableStream<Uint8Array>;
  /** Hex digests, when known; sent along so that a server can verify. */
  readonly sha256?: string;
  readonly md5?: string;
}

export interface Written {
  /** The new version, when the server's answer names it. Otherwise look with `stat` or a closing `list`. */
  readonly file?: RemoteFile;
  /** The server's clock in its answer, milliseconds since 1970: a later modification is somebody else's. */
  readonly serverTimeMs?: number;
  /** How long the request took, milliseconds: some servers read their clock when it comes in, not when they answer. */
  readonly tookMs?: number;
}

export interface Opened {
  readonly file: RemoteFile;
  readonly body: ReadableStream<Uint8Array>;
}

/** Makes a file's new content of the present one. The body is consumed or cancelled when it ends. */
export type Change = (opened: Opened) => Promise<Source | undefined>;

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface ListOptions extends CallOptions {
  /** Folders directly below `under` that are not walked; their names still appear in `folders`. */
  readonly skip?: readonly RelPath[];
  /** Only what lies directly in `under`. */
  readonly shallow?: boolean;
  /**
   * Asked about folders that are met below `under`; one for which it says false is named in `folders`, and need not be
   * walked. A backend may do without.
   */
  readonly descend?: (folder: RelPath) => boolean;
  /** False for a run that leaves even caches alone. */
  readonly remember?: boolean;
  /** Called now and then with the number of files seen so far. */
  readonly onCount?: (files: number) => void;
  /**
   * Called whenever a walk begins anew; the function that it answers is asked about every file, and one for which it
   * says false is left out of the answer: the caller has noted all that it needs. A backend may do without.
   */
  readonly sift?: () => (file: RemoteFile) => boolean;
}

export interface StatOptions extends CallOptions {
  /**
   * The caller is about to write this file: where a lock is the guard it may be taken now, so that the write need not look
   * again. `close` gives back what no write used.
   */
  readonly forWrite?: boolean;
  /** False for a run that leaves even caches alone. */
  readonly remember?: boolean;
}

export interface ReadOptions extends CallOptions {
  /** Fail with StaleError when the file is another version. */
  readonly expect?: Rev;
  /**
   * The body begins at this byte, 0 to the file's size; never without `expect`, so that it cannot go on in another
   * version. A storage that cannot begin there reads on to it by itself. The file's facts stay those of the whole.
   */
  readonly from?: number;
}

export interface WriteOptions extends CallOptions {
  readonly expect: Expect;
}

export interface CopyOptions extends CallOptions {
  /** The version of the source; a copy of another version fails with StaleError. Left out for immutable sources. */
  readonly expectSource?: Rev;
}

/** How far a guarded write holds, from the setup probe (reference reliability B4). */
export type GuardLevel =
  /** The server itself compares and refuses. */
  | "native"
  /** We lock, look and write under the lock. */
  | "lock"
  /** We look just before writing; another writer can slip in between. The user is told. */
  | "look";

export interface NameRules {
  /** Characters that no component may hold. */
  readonly forbidden: string;
  /** Longest component in UTF-8 bytes. */
  readonly maxNameBytes: number;
  readonly caseSensitive: boolean;
  /** Listings leave out names that begin so: such files are held, and writing one is refused. */
  readonly hiddenPrefix?: string;
  /** Regular expressions, whatever the case, for components that are refused, each with the reason. */
  readonly reserved?: readonly { readonly pattern: string; readonly why: string }[];
  /** Longest whole path below the remote root in UTF-16 units. */
  readonly maxPathLength?: number;
}

/** Verbs that a backend may gather into few requests when many calls of them are under way at once. */
export type BatchedVerb = "write" | "remove" | "copy" | "move" | "stat" | "read";

/** Facts about a configured remote. Optional verbs say the rest by being there. */
export interface Capabilities {
  readonly guard: GuardLevel;
  /** Checksums that a listing carries for files that we wrote. */
  readonly checksums: readonly ChecksumKind[];
  /** True when the answer to a write names the new version. */
  readonly writeReturnsRev: boolean;
  /** Milliseconds after a write within which a second one of equal size could end up with the same rev; 0 when left out. */
  readonly revTickMs?: number;
  /** True when a write makes missing folders at no cost, so that it is no use to know which there are. */
  readonly makesFolders?: boolean;
  /** True when a whole tree is listed by a few requests, however many folders it has. */
  readonly listsDeep?: boolean;
  /** True when `waitForChange` misses nothing, so that looking besides is needed seldom. */
  readonly tellsSurely?: boolean;
  /** True when no reader ever sees a half-written file. */
  readonly atomicWrite: boolean;
  /** True when writing with "absent" costs requests that writing with "any" does not. */
  readonly createCostsMore?: boolean;
  /** True when it knows which folders exist: looking for them beforehand is not worth a request. */
  readonly knowsFolders?: boolean;
  /** How many calls of a verb at once serve this backend best, where that is more than a user's parallel_workers. */
  readonly inFlight?: Readonly<Partial<Record<BatchedVerb, number>>>;
  readonly names: NameRules;
  /** Bytes; larger files are held. */
  readonly maxFileSize?: number;
}

/** The answer to "what happened since this cursor?" */
export type Changes =
  | { readonly kind: "none" }
  /** The cursor is too old or the backend cannot tell: list again. */
  | { readonly kind: "relist" }
  | {
      readonly kind: "some";
      readonly changed: readonly RemoteFile[];
      readonly removed: readonly RelPath[];
      readonly cursor: string;
    };

/** The answer to "may this file have changed since?", with where to go on next time. */
export type Polled =
  | { readonly kind: "same"; readonly cursor: string }
  /** `opened`: what is there now, where the answer held it already; its body is consumed or cancelled. */
  | { readonly kind: "changed"; readonly cursor: string; readonly opened?: Opened };

/**
 * The storage contract. All paths are below the remote root. Every method throws a BackendError (or AbortError when
 * its signal fires) and nothing else.
 *
 * - `list` is complete or it throws. A folder that is missing is `exists: false`; one that cannot be read throws.
 * - `stat` answers undefined only for "surely not there".
 * - `write` creates missing folders, is all-or-nothing as far as `can.atomicWrite` goes, and fails with StaleError,
 *   leaving the remote untouched, when what it would replace is not what `expect` names.
 * - `remove` of something absent is StaleError for a Rev and success for "any".
 * - A lost reply is resolved by looking, never by blind repetition.
 */
export interface Backend {
  readonly kind: BackendKind | "memory";
  readonly can: Capabilities;
  list(under: RelPath | "", options?: ListOptions): Promise<Listing>;
  stat(path: RelPath, options?: StatOptions): Promise<RemoteFile | undefined>;
  read(path: RelPath, options?: ReadOptions): Promise<Opened>;
  write(path: RelPath, source: Source, options: WriteOptions): Promise<Written>;
  remove(path: RelPath, options: WriteOptions): Promise<void>;
  /** A write to `path` follows soon: what it needs may be made ready together with what others need. Never fails. */
  expectWrite?(path: RelPath, options?: CallOptions): void;
  /**
   * Replaces a file by what `change` makes of it, while nobody else can replace it. `change` may be called again after a
   * failure, and answers undefined to leave the file as it is. An absent file is NotFoundError or StaleError, and
   * stays absent. Only where this costs less than `read` and a guarded `write`.
   */
  edit?(path: RelPath, change: Change, options?: CallOptions): Promise<void>;
  /** Server-side copy onto a name that must not exist (else StaleError). */
  copy?(from: RelPath, to: RelPath, options?: CopyOptions): Promise<Written>;
  /** Server-side rename onto a name that must not exist (else StaleError). */
  move?(from: RelPath, to: RelPath, options?: CopyOptions): Promise<Written>;
  /**
   * Removes a folder in which there is no file any more, empty folders in it included; success when it is absent, FILE_REJECTED
   * while a file is in it.
   */
  removeFolder?(path: RelPath, options?: CallOptions): Promise<void>;
  /**
   * Puts right what this storage lets go wrong and others do not, such as two files of one name. Paths, contents and revs
   * of the listing before stay true, and nothing is removed for good. One line for a person about each thing done; no
   * request where the last listing shows nothing to do.
   */
  mend?(options?: CallOptions): Promise<readonly string[]>;
  changes?(cursor: string, options?: CallOptions): Promise<Changes>;
  /**
   * Waits until `path` may have changed since the last call (the first one: since it began), or for as long as the
   * service lets anybody wait; then it is `quiet`. A hint: what happened is for `stat` or `changes` to say, and where
   * nothing is told for long, looking tells. One call at a time. Only where the remote tells by itself.
   */
  waitForChange?(path: RelPath, options?: CallOptions): Promise<"changed" | "quiet">;
  /**
   * Whether `path` may have changed since the answer that gave `since`, without one: `changed`. One request where it has
   * not, whatever else the remote holds. A cursor outlives the process; one that is no longer known, or was never ours, is
   * answered with `changed` and another one. Where `stat` costs no more it is left out.
   */
  poll?(path: RelPath, since: string | undefined, options?: CallOptions): Promise<Polled>;
  /**
   * Whether a content is what the file holds, by a checksum that only this backend computes: no request. Undefined where
   * the file has none.
   */
  vouches?(file: RemoteFile, content: Pick<Source, "open">): Promise<boolean | undefined>;
  /** The canonical form of a `synced_remote_hash` found in a shared manifest, to compare with `nativeHash`. */
  canonicalHash(stored: string): string;
  close(): Promise<void>;
}
