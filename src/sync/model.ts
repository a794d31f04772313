import type { ErrorClass } from "../backends/errors.ts";
import type { NameRules, RemoteFile, Rev } from "../backends/types.ts";
import type { RelPath } from "../lib/path.ts";

/** What tells one version of a local file from another without reading it. */
export interface FileStat {
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}

/** Hex digests of one content. `md5` is what the shared manifest is keyed on, `sha256` names blobs. */
export interface ContentHash {
  readonly md5: string;
  readonly sha256: string;
}

/** The last state of a path that both sides agreed on: the merge base. */
export interface BaseEntry {
  readonly path: RelPath;
  /** MD5 of the agreed content; `""` when the manifest has none to trust (reference 1.4). */
  readonly md5: string;
  /** Unknown for entries that only the Python tool has written. */
  readonly sha256?: string;
  readonly size?: number;
  readonly remoteId: string;
  /** `synced_remote_hash` in the backend's canonical form. */
  readonly nativeHash: string;
  /** Known from our own state only; without it `nativeHash` is compared. */
  readonly rev?: Rev;
  /** The rev was recorded while it could still cover another content: compare the content before trusting it. */
  readonly racy: boolean;
  /** Python isoformat, UTC, microseconds. */
  readonly syncedAt: string;
}

/** The content of an agreed version. */
export type AgreedContent = Pick<BaseEntry, "path" | "md5" | "sha256">;

export type LocalState =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly changed: boolean; readonly stat: FileStat; readonly hash?: ContentHash }
  /** There is something, and we cannot tell what: never a delete, never an overwrite. */
  | { readonly kind: "unreadable"; readonly reason: string };

export type RemoteState =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly changed: boolean; readonly file: RemoteFile; readonly sha256?: string }
  | { readonly kind: "unusable"; readonly reason: string };

/** All that the planner knows about one path. Without a base, `changed` is true on the sides that hold a file. */
export interface Row {
  readonly path: RelPath;
  readonly inScope: boolean;
  readonly base?: BaseEntry;
  readonly local: LocalState;
  readonly remote: RemoteState;
  /** Whether both files hold the same bytes; left out when nobody has compared. */
  readonly equal?: boolean;
}

/** JSON keys of the summary, in display order (reference 2.3, decision 1). */
export type Status =
  | "conflict"
  | "local_ahead"
  | "remote_ahead"
  | "new_local"
  | "new_remote"
  | "deleted_local"
  | "deleted_remote"
  | "held"
  | "in_sync";

export type ConflictKind = "edit/edit" | "new/new" | "edit/delete" | "delete/edit";

export interface Conflict {
  readonly path: RelPath;
  /** Local side first: `edit/delete` was edited here and deleted there. */
  readonly kind: ConflictKind;
  readonly row: Row;
}

export interface Held {
  readonly path: string;
  /** One sentence for a person. */
  readonly reason: string;
}

/** What is to be done to one path. Every variant carries what must still be true when it is done. */
export type Action =
  | {
      readonly kind: "upload";
      readonly path: RelPath;
      readonly local: FileStat;
      readonly expect: Rev | "absent";
      readonly hash?: ContentHash;
      /** Remote content that this replaces: into the trash first, unless a snapshot has it. */
      readonly replaced?: { readonly remote: RemoteFile; readonly sha256?: string };
    }
  /** When the bytes turn out to be those already here, nothing is rewritten and the path is recorded as agreed. */
  | {
      readonly kind: "download";
      readonly path: RelPath;
      readonly remote: RemoteFile;
      readonly local: FileStat | "absent";
      readonly localSha256?: string;
    }
  | {
      readonly kind: "delete-remote";
      readonly path: RelPath;
      readonly remote: RemoteFile;
      readonly sha256?: string;
      /** The local file stays, or is removed by a step of its own; without it the local file must be absent. */
      readonly localStays?: true;
    }
  | {
      readonly kind: "delete-local";
      readonly path: RelPath;
      readonly local: FileStat;
      readonly localSha256?: string;
      /** The remote file is removed by a step of its own; without it the remote file must be absent. */
      readonly withRemote?: true;
    }
  /** Both sides hold the same bytes: write it down. */
  | {
      readonly kind: "adopt";
      readonly path: RelPath;
      readonly remote: RemoteFile;
      readonly local: FileStat;
      readonly hash?: ContentHash;
    }
  /** Drop the base entry: both sides are gone, or the path left the scope. */
  | { readonly kind: "forget"; readonly path: RelPath }
  /**
   * Settles a conflict by keeping both contents. In this order, each step only after the one before it is confirmed:
   * 1. `copy` gets the loser's bytes here (exclusive create; from the local `path`, or read from `remote` at its rev);
   * 2. `copy` is uploaded expecting "absent";
   * 3. `path` gets the winner: "remote" downloads it over `local`, "local" uploads it expecting `remote.rev`.
   * In 1 and 2 a `copy` that already holds `copySha256` counts as done; one that holds anything else fails the action
   * as STALE before `path` is touched. Both `path` and `copy` are recorded as agreed.
   */
  | {
      readonly kind: "keep-both";
      readonly path: RelPath;
      readonly winner: "local" | "remote";
      readonly local: FileStat;
      readonly localSha256: string;
      readonly remote: RemoteFile;
      readonly remoteSha256: string;
      readonly copy: RelPath;
      /** The loser's digest: `localSha256` or `remoteSha256`. */
      readonly copySha256: string;
    };

export type ActionKind = Action["kind"];

export interface PathStatus {
  readonly path: RelPath;
  readonly status: Exclude<Status, "in_sync">;
}

/** What a run would do. Sorted by path within each list; serialisable; holds no handle. */
export interface Plan {
  /** Deletes that make room for a transfer (a file where a folder is needed) stand first, other deletes last. */
  readonly actions: readonly Action[];
  readonly conflicts: readonly Conflict[];
  readonly held: readonly Held[];
  /** Every path that is not in sync, whatever the mode will do about it. */
  readonly statuses: readonly PathStatus[];
  readonly counts: Readonly<Record<Status, number>>;
  /**
   * Paths whose contents must be read (both sides) before they can be settled: hash them, set `equal` and both digests
   * in their rows, and plan again. Until then they count as conflicts and get no action.
   */
  readonly compare: readonly RelPath[];
}

export type Strategy = "keep-local" | "keep-remote" | "keep-both" | "skip";

export type PlanMode =
  | { readonly kind: "status" }
  /** `forceLocal`: conflicts are settled by what is here. */
  | { readonly kind: "push"; readonly forceLocal: boolean }
  | { readonly kind: "pull" }
  | { readonly kind: "sync" };

export interface PlanRequest {
  readonly mode: PlanMode;
  /** Only these paths (already resolved from FILES); all when left out. */
  readonly only?: (path: RelPath) => boolean;
  /** How conflicts are settled; asked in mode `sync` only. Left out: all are skipped. */
  readonly settle?: (conflict: Conflict) => Strategy;
  /** Whether a conflict copy of that name would be synced; one that would not is refused. All are when left out. */
  readonly inScope?: (path: RelPath) => boolean;
  /** What the remote can hold; an upload that does not fit is held. */
  readonly names?: NameRules;
  /** Bytes; larger uploads are held. */
  readonly maxFileSize?: number;
  /** Names that this platform cannot hold are not downloaded. `posix` when left out. */
  readonly localPlatform?: LocalPlatform;
  /** Rows known to be in sync that are not among `rows`; they are counted, and new names are checked against them. */
  readonly inSync?: { readonly count: number; readonly paths: () => Iterable<RelPath> };
}

export type LocalPlatform = "posix" | "windows";

export type GuardName = "mass-delete" | "empty-root" | "remote-gone" | "future-manifest" | "old-primary";

/** A reason not to start. */
export interface Refusal {
  readonly guard: GuardName;
  /** What was found and what lifts the guard, in one or two sentences. */
  readonly message: string;
}

export interface ItemError {
  readonly class: ErrorClass | "LOCAL" | "STALE";
  readonly message: string;
  readonly hint?: string;
  /** The server asked for a pause that the run did not wait for. */
  readonly throttled?: true;
}

export interface ItemOutcome {
  readonly path: RelPath;
  readonly action: ActionKind;
  readonly status: "done" | "failed";
  readonly bytes?: number;
  readonly error?: ItemError;
}

/** What really happened. */
export interface Outcome {
  readonly items: readonly ItemOutcome[];
  /** True when a signal stopped the run before all was tried. */
  readonly interrupted: boolean;
  /** What to tell the user beside the items. */
  readonly notices?: readonly string[];
}

/** Told while a run goes on, for progress display only. */
export type SyncEvent =
  | { readonly kind: "scan"; readonly files: number; readonly done: boolean }
  | { readonly kind: "list"; readonly files: number; readonly done: boolean }
  | { readonly kind: "begin"; readonly items: number; readonly bytes: number }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "item"; readonly outcome?: ItemOutcome }
  | { readonly kind: "notice"; readonly message: string };
