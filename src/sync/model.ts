import type { ErrorClass } from "../backends/errors.ts";
import type { RemoteFile, Rev } from "../backends/types.ts";
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
    }
  | {
      readonly kind: "download";
      readonly path: RelPath;
      readonly remote: RemoteFile;
      readonly local: FileStat | "absent";
      readonly localSha256?: string;
    }
  | { readonly kind: "delete-remote"; readonly path: RelPath; readonly remote: RemoteFile; readonly sha256?: string }
  | { readonly kind: "delete-local"; readonly path: RelPath; readonly local: FileStat; readonly localSha256?: string }
  /** Both sides hold the same bytes: write it down. */
  | {
      readonly kind: "adopt";
      readonly path: RelPath;
      readonly remote: RemoteFile;
      readonly local: FileStat;
      readonly hash?: ContentHash;
    }
  /** Drop the base entry: both sides are gone, or the path left the scope. */
  | { readonly kind: "forget"; readonly path: RelPath };

export type ActionKind = Action["kind"];

export interface PathStatus {
  readonly path: RelPath;
  readonly status: Exclude<Status, "in_sync">;
  readonly row: Row;
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
}

export type GuardName = "mass-delete" | "empty-root" | "remote-gone" | "future-manifest";

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
}

/** Told while a run goes on, for progress display only. */
export type SyncEvent =
  | { readonly kind: "scan"; readonly files: number; readonly done: boolean }
  | { readonly kind: "list"; readonly files: number; readonly done: boolean }
  | { readonly kind: "begin"; readonly items: number; readonly bytes: number }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "item"; readonly outcome: ItemOutcome }
  | { readonly kind: "notice"; readonly message: string };
