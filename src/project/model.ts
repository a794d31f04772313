import type { LogEvent } from "../activity/model.ts";
import type { GuardLevel } from "../backends/types.ts";
import type { Finding, SnapshotFormat, SnapshotStatistics, Verification } from "../snapshots/model.ts";
import type { ActionKind, ConflictKind, Held, ItemError, Status } from "../sync/model.ts";

export type RunCommand = "push" | "pull" | "sync" | "delete";

/** One path of `status`, in the shape of the `--json` result (reference 3.3). */
export interface StatusFile {
  readonly path: string;
  readonly status: Status;
  /** MD5 of the local file; null when it is absent or was not read. */
  readonly local_hash: string | null;
  /** The remote's own hash of the file. */
  readonly remote_hash: string | null;
  /** MD5 in the manifest. */
  readonly manifest_hash: string | null;
}

export interface StatusResult {
  readonly configFile: string;
  readonly counts: Readonly<Record<Status, number>>;
  /** What is not in sync, sorted by path. */
  readonly differing: readonly StatusFile[];
  readonly held: readonly Held[];
  readonly notices: readonly string[];
  /** Every path, in-sync ones included; computed only when iterated. */
  readonly files: () => Iterable<StatusFile>;
  /** Bytes still to go each way. */
  readonly uploadBytes: number;
  readonly downloadBytes: number;
}

/** One file of `tree`. */
export interface TreeFile {
  readonly path: string;
  /** Which sides have a file there. */
  readonly where: "both" | "local" | "remote";
  readonly status: Status;
  /** Bytes; of the local file where there is one, unless only the remote is looked at. */
  readonly size: number;
  /** When it was changed last, milliseconds since 1970; null where the remote does not tell. */
  readonly modifiedMs: number | null;
}

export interface TreeResult {
  /** Absolute path of the project folder. */
  readonly root: string;
  /** Sorted by path. */
  readonly files: readonly TreeFile[];
  readonly held: readonly Held[];
  readonly notices: readonly string[];
}

/** What the shared log tells of one user, machine, action, day or backend. */
export interface ActivityRow {
  readonly key: string;
  readonly events: number;
  /** Files named by them, each as often as it is. */
  readonly files: number;
}

/** What `stats` counts. */
export interface StatsResult {
  /** What both sides agree on; bytes is null where the size of a file is not known. */
  readonly files: number;
  readonly bytes: number | null;
  readonly snapshots: SnapshotStatistics;
  /** The time that `rows` and `totals` are about, milliseconds since 1970; null is open. */
  readonly since: number | null;
  readonly until: number | null;
  readonly by: string;
  /** The most active first; days the newest first. */
  readonly rows: readonly ActivityRow[];
  readonly totals: { readonly events: number; readonly files: number };
  readonly notices: readonly string[];
}

/** Somebody else who was active lately, in the shape of the `--json` result (reference 3.3). */
export interface Presence {
  readonly user: string;
  readonly machine: string;
  readonly last_action: string;
  /** Python isoformat, UTC. */
  readonly last_timestamp: string;
  /** At most 5, the newest first. */
  readonly recent_files: readonly string[];
}

export interface PlannedItem {
  readonly path: string;
  readonly action: ActionKind;
}

export interface FailedItem {
  readonly path: string;
  readonly action: ActionKind;
  readonly error: ItemError;
}

export interface ConflictItem {
  readonly path: string;
  readonly kind: ConflictKind;
}

/**
 * How one backend stands after a run. `warning`: some files are left alone there until a person looks; `pending`: tried
 * again by a later run; `action-required`: only a person can go on.
 */
export type BackendState = "ok" | "pending" | "warning" | "action-required";

/** A file that is not on a mirror as it should be. */
export interface MirrorItem {
  readonly path: string;
  readonly action: "upload" | "delete";
  readonly state: "pending_retry" | "failed_perm";
  readonly error: ItemError | null;
}

/** What a run did on one backend. */
export interface BackendOutcome {
  /** What `--backend` calls it. */
  readonly name: string;
  readonly role: "primary" | "mirror";
  readonly state: BackendState;
  readonly uploaded: readonly string[];
  readonly deleted: readonly string[];
  /** What was tried and did not succeed. */
  readonly failed: readonly MirrorItem[];
  /** How many files wait for a later run, those of `failed` included. */
  readonly pending: number;
  /** How many agreed files this mirror was never sent. */
  readonly unsent: number;
  /** Snapshots that were written there. */
  readonly snapshots: readonly string[];
  /** Why things are left undone. */
  readonly message: string | null;
  /** The exact next step for a person. */
  readonly advice: string | null;
}

/** What `retry` or `seed-mirror` did, or would do. */
export interface MirrorRunResult {
  readonly command: "retry" | "seed-mirror";
  readonly dryRun: boolean;
  /** With `dryRun`: what would be tried. */
  readonly planned: readonly {
    readonly backend: string;
    readonly files: readonly { readonly path: string; readonly action: "upload" | "delete" }[];
    readonly snapshots: readonly string[];
  }[];
  readonly backends: readonly BackendOutcome[];
  readonly announcements: readonly Announcement[];
  readonly notices: readonly string[];
}

/** What `promote` did, or would do. */
export interface PromotionResult {
  readonly dryRun: boolean;
  /** The old primary and the new one, by their names. */
  readonly from: string;
  readonly to: string;
  /** How many agreed files were found on the new primary in their very content. */
  readonly verified: number;
  /** Another machine had made it the primary before. */
  readonly already: boolean;
  /** Whether the old primary says of itself now that it is none. */
  readonly told: boolean;
  readonly notice: string | null;
}

/** What is not on mirrors as it should be, from this machine's records. */
export interface PendingResult {
  /** Sorted by path. */
  readonly rows: readonly (MirrorItem & { readonly backend: string; readonly attempts: number })[];
  /** How many agreed files were never sent. */
  readonly unsent: readonly { readonly backend: string; readonly files: number }[];
  /** Snapshots that wait. */
  readonly snapshots: readonly { readonly backend: string; readonly timestamps: readonly string[] }[];
  /** Mirrors whose config cannot be used. */
  readonly broken: readonly { readonly backend: string; readonly problem: string }[];
}

/**
 * One agreed file on one mirror: `behind` has an older version of ours, `differs` somebody else's content, `extra` is not
 * agreed on.
 */
export type MirrorFileState = "ok" | "behind" | "missing" | "differs" | "not sent" | "extra";

/** How one mirror stands, as a listing of it shows. */
export interface BackendColumn {
  readonly name: string;
  /** Why it could not be looked at. */
  readonly error: string | null;
  /** By path. */
  readonly files: ReadonlyMap<string, MirrorFileState>;
}

/** Something that a person should hear of even when nobody looks at the terminal. */
export interface Announcement {
  readonly level: "warning" | "action-required";
  readonly backend: string;
  readonly title: string;
  readonly lines: readonly string[];
}

/** What `push`, `pull`, `sync` or `delete` did, or would do. */
export interface RunResult {
  readonly command: RunCommand;
  readonly dryRun: boolean;
  /** The steps, in order; with `dryRun` that is all there is. */
  readonly planned: readonly PlannedItem[];
  readonly uploaded: readonly string[];
  readonly downloaded: readonly string[];
  readonly deletedRemote: readonly string[];
  readonly deletedLocal: readonly string[];
  readonly adopted: readonly string[];
  /** Conflict copies that were written. */
  readonly copies: readonly string[];
  readonly failed: readonly FailedItem[];
  /** Conflicts that are left. */
  readonly conflicts: readonly ConflictItem[];
  readonly held: readonly Held[];
  readonly inSync: number;
  /** Bytes sent and received. */
  readonly bytes: number;
  readonly snapshot: { readonly timestamp: string; readonly format: SnapshotFormat } | null;
  /** Where `pull --output` put the files. */
  readonly output: string | null;
  readonly notices: readonly string[];
  readonly interrupted: boolean;
  /** The primary first, then the mirrors in the order of the config. */
  readonly backends: readonly BackendOutcome[];
  readonly announcements: readonly Announcement[];
}

export type DiffResult =
  | { readonly kind: "text"; readonly path: string; readonly local: string; readonly remote: string }
  | { readonly kind: "binary"; readonly path: string; readonly localBytes: number; readonly remoteBytes: number }
  | { readonly kind: "one-sided"; readonly path: string; readonly side: "local" | "remote" }
  | { readonly kind: "equal"; readonly path: string };

export interface LogResult {
  /** Newest first. */
  readonly events: readonly LogEvent[];
  readonly notices: readonly string[];
}

export type CheckState = "ok" | "warning" | "failed";

/** One finding of `doctor`. */
export interface Check {
  readonly name: string;
  readonly state: CheckState;
  readonly detail: string;
  /** The exact next step, when there is one. */
  readonly advice?: string;
}

export interface DoctorResult {
  readonly configFile: string | null;
  readonly guard: GuardLevel | null;
  readonly checks: readonly Check[];
}

/** What `doctor` shows: one project or all of them, and the installation. */
export interface DoctorReport {
  readonly projects: readonly DoctorResult[];
  readonly installation: readonly Check[];
}

/** One finding of `health`, in the shape of the `--json` result (reference 3.3). */
export interface HealthCheck {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  /** The exact next step, when there is one. */
  readonly advice: string | null;
  /** How long a remote took to answer; null where none was asked. */
  readonly latency_ms: number | null;
}

export interface HealthResult {
  readonly overall: HealthCheck["status"];
  /** Python isoformat, UTC. */
  readonly generated_at: string;
  /** Null where no project was found. */
  readonly config: string | null;
  readonly checks: readonly HealthCheck[];
}

/** A conflict as it is put to a person: both contents, bytes end to end. */
export interface ConflictQuestion {
  readonly path: string;
  readonly kind: ConflictKind;
  /** Undefined where that side deleted the file. */
  readonly local: Uint8Array | undefined;
  readonly remote: Uint8Array | undefined;
  readonly binary: boolean;
  /** Both edits in one text, where both sides are text and what they agreed on last is known; "conflict": with markers. */
  readonly merge?: { readonly kind: "clean" | "conflict"; readonly text: string };
}

export type ConflictAnswer =
  | { readonly kind: "keep-local" }
  | { readonly kind: "keep-remote" }
  | { readonly kind: "keep-both" }
  /** What the editor left, or the merge: becomes the file on both sides. */
  | { readonly kind: "content"; readonly bytes: Uint8Array }
  | { readonly kind: "skip" };

/** A conflict between two texts that was left, as it stands in its file (reference 1.16, `base_hash` a SHA-256). */
export interface ConflictEnvelope {
  readonly path: string;
  readonly local_text: string;
  readonly remote_text: string;
  /** SHA-256 of the local file. */
  readonly local_hash: string;
  /** SHA-256 of the remote file. */
  readonly remote_hash: string;
  /** Python isoformat, UTC. */
  readonly created_at: string;
  readonly project_path: string;
  readonly backend: string;
  /** From the remote text to the local one. */
  readonly unified_diff: string;
  /** What both sides agreed on last, where that is known. */
  readonly base_text: string | null;
  readonly base_hash: string | null;
  readonly version: 1;
}

export interface ConflictView {
  readonly envelope: ConflictEnvelope;
  readonly merge: { readonly kind: "clean" | "conflict"; readonly text: string };
}

/** One thing that `verify --repair` is about. */
export interface Repair {
  readonly finding: Finding;
  /** `planned`: a dry run. `none`: nothing that can be reached holds the right bytes. `same`: it was right again by then. */
  readonly status: "planned" | "repaired" | "same" | "failed" | "none";
  /** Where the right bytes were found, for a person. */
  readonly from?: string;
  readonly error?: string;
}

/** What `verify` found. */
export interface VerifyResult extends Verification {
  /** Milliseconds since 1970. */
  readonly checkedAtMs: number;
  /** One for each damage, with `--repair`. */
  readonly repairs?: readonly Repair[];
  /** What is corrupted or missing and was not repaired. */
  readonly left: readonly Finding[];
  readonly dryRun: boolean;
}

export type { CountedChange, CountedComparison, SnapshotFileDiff } from "./snapshot-diff.ts";
