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
}

export type RestoreKind = "create" | "overwrite" | "same";

export interface RestoreItem {
  readonly path: RelPath;
  readonly sha256: string;
  readonly kind: RestoreKind;
}

/** What a restore would do to `target`. */
export interface RestorePlan {
  readonly timestamp: string;
  readonly format: SnapshotFormat;
  readonly target: string;
  readonly items: readonly RestoreItem[];
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
}

export interface RestoreOutcome {
  readonly path: RelPath;
  readonly status: "restored" | "same" | "failed";
  readonly bytes?: number;
  readonly error?: string;
}

export interface NewSnapshot {
  readonly action: "push" | "sync" | "manual" | "migrated";
  readonly user: string;
  readonly machine: string;
  /** Every agreed file: path to SHA-256. */
  readonly files: ReadonlyMap<RelPath, string>;
  readonly filesChanged: readonly string[];
  readonly tag?: string | null;
  readonly message?: string | null;
}
