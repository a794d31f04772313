import type { Rev } from "../backends/types.ts";
import type { RelPath } from "../lib/path.ts";

export type SnapshotFormat = "blobs" | "full";

/** One line of `snapshots`. */
export interface SnapshotInfo {
  /** Also its name: `2026-11-20T17-40-26Z`. */
  readonly timestamp: string;
  readonly format: SnapshotFormat;
  readonly triggeredBy: string;
  readonly action: string;
  readonly filesChanged: readonly string[];
  readonly totalFiles: number;
  readonly tag: string | null;
  readonly message: string | null;
  /** Set when the manifest could not be read or the folder has no completion marker. */
  readonly problem?: string;
}

/** A blobs manifest (reference 1.8). */
export interface BlobsManifest extends SnapshotInfo {
  readonly format: "blobs";
  /** Path to SHA-256 of its body. */
  readonly files: ReadonlyMap<RelPath, string>;
  readonly migratedFrom?: string;
  /** True when the file carries the keys `message` and `tag`, which 0.5.31 does not write. */
  readonly labelled?: boolean;
}

/** The marker of a full snapshot (reference 1.9). */
export interface FullMeta extends SnapshotInfo {
  readonly format: "full";
  readonly migratedFrom?: string;
  /** True when the file carries the keys `tag` and `message`, which 0.5.31 does not write. */
  readonly labelled?: boolean;
}

export interface SnapshotFile {
  readonly path: RelPath;
  /** Null for the full format. */
  readonly sha256: string | null;
  /** Bytes; null where the format does not say. */
  readonly size: number | null;
}

export interface Inspection {
  readonly info: SnapshotInfo;
  /** Sorted by path, only those that match. */
  readonly files: readonly SnapshotFile[];
}

export interface HistoryVersion {
  readonly timestamp: string;
  readonly sha256: string | null;
  /** `v1`, `v2` ... by first appearance of the content, oldest first; `?` for the full format. */
  readonly version: string;
  readonly format: SnapshotFormat;
  /** True where the content differs from the next older row's. */
  readonly changed: boolean;
}

export interface History {
  readonly path: RelPath;
  /** Newest first. */
  readonly versions: readonly HistoryVersion[];
  readonly distinctVersions: number;
  readonly totalAppearances: number;
  /** Snapshots that could not be looked into, each with its reason: the file may have been in them. */
  readonly problems?: readonly string[];
}

/** What became of one file between two snapshots. */
export interface SnapshotChange {
  readonly path: RelPath;
  readonly kind: "added" | "removed" | "modified" | "unchanged";
}

export interface SnapshotComparison {
  readonly from: string;
  readonly to: string;
  /** Sorted by path, unchanged files included. */
  readonly changes: readonly SnapshotChange[];
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
}

export type RestoreKind = "create" | "overwrite" | "same";

export interface RestoreItem {
  readonly path: RelPath;
  /** Null for the full format. */
  readonly sha256: string | null;
  readonly kind: RestoreKind;
  /** Bytes; left out where the format does not say. */
  readonly size?: number;
  /** Stamp of the file that lay there when the plan was made; left out when there was none. */
  readonly found?: string;
  /** Why it cannot be written; the restore then reports it as failed. */
  readonly problem?: string;
}

/** What a restore would do to `target`. */
export interface RestorePlan {
  readonly timestamp: string;
  readonly format: SnapshotFormat;
  readonly target: string;
  readonly items: readonly RestoreItem[];
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
  /** Why the snapshot is not to be trusted. */
  readonly problem?: string;
}

export interface RestoreOutcome {
  readonly path: RelPath;
  readonly status: "restored" | "same" | "failed";
  readonly bytes?: number;
  readonly error?: string;
  /** Somebody has to sign in, make room or give a right before it can work. */
  readonly needsPerson?: boolean;
}

export interface RestoreReport {
  /** One for every item of the plan that was dealt with, in the plan's order. */
  readonly outcomes: readonly RestoreOutcome[];
  /** True when the signal fired; items that were not begun are then missing from `outcomes`. */
  readonly interrupted: boolean;
}

/** Told while a restore runs. */
export type RestoreEvent =
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "item"; readonly outcome: RestoreOutcome; readonly done: number; readonly total: number };

/** What both formats say about a new snapshot. */
export interface SnapshotFacts {
  readonly action: "push" | "sync" | "manual" | "migrated";
  readonly user: string;
  readonly machine: string;
  readonly filesChanged: readonly string[];
  readonly tag?: string | null;
  readonly message?: string | null;
  /** When it was begun, milliseconds since 1970; now when left out. */
  readonly atMs?: number;
}

export interface NewSnapshot extends SnapshotFacts {
  /** Every agreed file: path to SHA-256. */
  readonly files: ReadonlyMap<RelPath, string>;
}

/** A version of a file that both sides agreed on, and how to know it again on the remote. */
export interface AgreedFile {
  readonly path: RelPath;
  /** `""` when it is not known. */
  readonly md5: string;
  readonly sha256?: string;
  /** Its version there; without one `nativeHash` tells. */
  readonly rev?: Rev;
  readonly nativeHash: string;
  /** Another content could have the same version. */
  readonly racy: boolean;
}

export interface NewFullSnapshot extends SnapshotFacts {
  /** Every agreed file, sorted by path. */
  readonly files: Iterable<AgreedFile>;
}

/** Which snapshots `forget` is asked to delete. */
export type ForgetSelector =
  | { readonly kind: "timestamps"; readonly timestamps: readonly string[] }
  /** Older than this moment, milliseconds since 1970. */
  | { readonly kind: "before"; readonly beforeMs: number }
  | { readonly kind: "keep-last"; readonly count: number }
  /** Those of the last so many times 24 hours stay. */
  | { readonly kind: "keep-days"; readonly days: number };

/** What `prune` keeps: the union of all rules given. */
export interface PrunePolicy {
  readonly keepLast?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  /** Tagged snapshots are treated like the others instead of being kept whatever the rules say. */
  readonly includeTagged?: boolean;
}

/** Which snapshots would go. Every list is newest first. */
export interface RetentionPlan {
  readonly remove: readonly SnapshotInfo[];
  readonly keep: readonly SnapshotInfo[];
  /** Those of `keep` that only their tag protects. */
  readonly tagged: readonly SnapshotInfo[];
  /** Those of `keep` that cannot be judged: their manifest is unreadable or their marker is missing. */
  readonly unreadable: readonly SnapshotInfo[];
}

/** A retention plan with what it saw of the remote. */
export interface ForgetPlan extends RetentionPlan {
  /** Version of each blobs manifest in `remove`, by timestamp: another one is not deleted. */
  readonly revs: ReadonlyMap<string, Rev>;
  /** Those of `remove` whose deletion an earlier run began. */
  readonly unfinished: readonly string[];
}

export interface ForgetOutcome {
  readonly timestamp: string;
  readonly format: SnapshotFormat;
  /** `gone`: somebody else had deleted it. */
  readonly status: "forgotten" | "gone" | "failed";
  readonly error?: string;
  /** Somebody has to make room or give a right before it can work. */
  readonly needsPerson?: boolean;
}

/** A blob that no snapshot names. */
export interface UnusedBlob {
  readonly sha256: string;
  readonly rev: Rev;
  /** Bytes. */
  readonly size: number;
}

/** What `gc` would delete. */
export interface GcPlan {
  readonly graceMs: number;
  /** Unused and old enough. */
  readonly candidates: readonly UnusedBlob[];
  /** Unused, and kept for now. */
  readonly held: readonly UnusedBlob[];
  /** When the last of `held` is old enough, milliseconds since 1970; null when there is none or an age is unknown. */
  readonly heldUntilMs: number | null;
  readonly manifests: number;
  /** Blobs in the store. */
  readonly blobs: number;
}

export interface GcReport {
  readonly deleted: readonly UnusedBlob[];
  /** Candidates that a snapshot came to name, or that were written again, since the plan was made. */
  readonly spared: readonly UnusedBlob[];
  readonly failed: readonly { readonly sha256: string; readonly error: string; readonly needsPerson?: boolean }[];
}

/** What `verify` looks at, in this order. */
export type VerifyPhase = "manifests" | "blobs" | "full" | "files";

export type FindingKind =
  /** The bytes are not those that a name or a record says. */
  | "corrupted"
  /** Something needs it and it is not there. */
  | "missing"
  /** It was changed by somebody since it was agreed on: an ordinary difference. */
  | "drift"
  /** It can be read, and nothing tells what it should hold. */
  | "unverified"
  /** It could not be looked at. */
  | "failed";

/** One thing that is not as it should be. */
export interface Finding {
  /** The remote it is on. */
  readonly place: string;
  readonly phase: VerifyPhase;
  readonly kind: FindingKind;
  /** Below the root of that remote. */
  readonly path: RelPath;
  /** The state found, for a person. */
  readonly detail: string;
  /** What it should hold, where that is known. */
  readonly sha256?: string;
  /** The MD5 of what it should hold, where only that is known. */
  readonly md5?: string;
  /** Version of what is there; left out where nothing is. */
  readonly rev?: Rev;
  /** Snapshots that need it, oldest first. */
  readonly snapshots?: readonly string[];
  /** Names of files that have this content, some of them. */
  readonly files?: readonly RelPath[];
  /** How many things this stands for; one when left out. */
  readonly count?: number;
}

/** What one phase came to on one remote. */
export interface PhaseTally extends Readonly<Record<FindingKind, number>> {
  readonly place: string;
  readonly name: VerifyPhase;
  readonly checked: number;
  readonly verified: number;
}

export interface Verification {
  readonly phases: readonly PhaseTally[];
  readonly findings: readonly Finding[];
}

/** Told while a verification runs. */
export type VerifyEvent =
  | { readonly kind: "begin"; readonly items: number; readonly bytes: number }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "item" };

/** What becomes of one snapshot when all are to have one format. */
export interface MigrationStep {
  readonly timestamp: string;
  /** `clean`: it has both forms already, and what is left of the old one goes once the new one is verified. */
  readonly kind: "convert" | "clean" | "skip";
  /** Why it is skipped. */
  readonly reason?: string;
}

export interface MigrationPlan {
  readonly to: SnapshotFormat;
  /** Oldest first, what is to be cleaned before what is to be converted. */
  readonly steps: readonly MigrationStep[];
  /** How many have the format already. */
  readonly already: number;
}

export interface MigrationOutcome {
  readonly timestamp: string;
  /** `converted`: the new form is verified; the old one is gone unless it was to be kept or `error` says otherwise. */
  readonly status: "converted" | "cleaned" | "skipped" | "failed";
  readonly error?: string;
}

/** What came in one day or month. */
export interface Growth {
  /** `2026-03-05` or `2026-03`. */
  readonly period: string;
  readonly snapshots: number;
  /** Contents that no older snapshot has. */
  readonly contents: number;
  /** Of these contents; null where a size is not known. */
  readonly bytes: number | null;
}

/** What the snapshots of one remote hold and what that takes. Names are snapshots' names; sizes are null where not known. */
export interface SnapshotStatistics {
  /** Both formats, those that cannot be used left out. */
  readonly snapshots: number;
  readonly unusable: number;
  readonly full: number;
  readonly first: string | null;
  readonly last: string | null;
  /** Files of all blobs snapshots, each counted in every one that has it, and their bytes. */
  readonly files: number;
  readonly bytes: number | null;
  /** Different contents among them, and what each once takes. */
  readonly contents: number;
  readonly contentBytes: number | null;
  /** Stored contents on the remote, needed or not; null where nobody was asked. */
  readonly stored: { readonly count: number; readonly bytes: number } | null;
  /** `bytes` to `contentBytes`. */
  readonly dedupRatio: number | null;
  /** Oldest first. */
  readonly growth: readonly Growth[];
  /** Files with more than one version, the most first. */
  readonly versions: readonly { readonly path: string; readonly count: number }[];
}
