import { join } from "node:path";
import type { Backend } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import type { RelPath } from "../lib/path.ts";
import { createResumedFiles } from "../lib/resumed-file.ts";
import { type BlobBody, type BlobSource, openBlobStore, type SnapshotOptions, type StoredBlob } from "./blob-store.ts";
import { compareSnapshots, readInSnapshot } from "./compare.ts";
import { knownManifest } from "./copy.ts";
import {
  type CreatedSnapshot,
  type CreateOptions,
  copySnapshot,
  createSnapshot,
  type HeldContent,
  learnHeld,
  prepareToStore,
  surelyHolds,
  unstoredBlobs,
} from "./create.ts";
import { type FindOptions, findContent, type WantedContent } from "./find-content.ts";
import { executeForget, surveyForget } from "./forget.ts";
import type { FillOptions } from "./full-copy.ts";
import { type CreatedFull, createFull } from "./full-create.ts";
import { openFullKnowledge } from "./full-known.ts";
import { executeGc, type GcOptions, planGc } from "./gc.ts";
import { fileHistory } from "./history.ts";
import { inspectSnapshot } from "./inspect.ts";
import { fetchManifest, listSnapshots, type SnapshotRoom } from "./list.ts";
import { manifestCacheFolder, openManifestCache } from "./manifest-cache.ts";
import { formatManifest } from "./manifest-codec.ts";
import { executeMigration, planMigration } from "./migrate.ts";
import type { MigrateOptions } from "./migrate-run.ts";
import type {
  BlobsManifest,
  ForgetOutcome,
  ForgetPlan,
  GcPlan,
  GcReport,
  History,
  Inspection,
  MigrationOutcome,
  MigrationPlan,
  NewFullSnapshot,
  NewSnapshot,
  RestorePlan,
  RestoreReport,
  RetentionPlan,
  SnapshotComparison,
  SnapshotFormat,
  SnapshotInfo,
  SnapshotStatistics,
  Verification,
} from "./model.ts";
import { executeRestore, type RestoreOptions } from "./restore.ts";
import { planRestore } from "./restore-plan.ts";
import { type StatisticsOptions, snapshotStatistics } from "./statistics.ts";
import { verifySnapshots } from "./verify.ts";
import type { VerifyOptions } from "./verify-run.ts";

export interface SnapshotDeps {
  readonly backend: Backend;
  /** Absolute folder for what this machine knows about the project; losing it costs time only. */
  readonly stateFolder: string;
  readonly clock: Clock;
  /** How many requests run at once. */
  readonly workers: number;
}

/** The snapshots of one project on one remote. Methods throw BackendErrors, and the signal's reason when it fires. */
export interface SnapshotService {
  /** True when a snapshot surely keeps this content, so that replacing a local file that has it loses nothing. */
  holds(sha256: string): boolean;
  /** `holds` for all of these, with a look at the remote: nobody has deleted the snapshots meanwhile. */
  surelyHolds(sha256s: Iterable<string>, options?: SnapshotOptions): Promise<boolean>;
  /**
   * Where many of these contents, or much, are not known to be held, asks the remote which snapshots hold them, so that
   * `holds` knows. Two requests and one for each of them.
   */
  learnHeld(contents: readonly HeldContent[], options?: SnapshotOptions): Promise<void>;
  /** A small content that was agreed on; undefined when no snapshot that was looked into has it. */
  findContent(wanted: WantedContent, options: FindOptions): Promise<Uint8Array | undefined>;
  /** Which of these digests must be given to `store` before `create` may name them. Usually without a request. */
  unstored(sha256s: Iterable<string>, options?: SnapshotOptions): Promise<readonly string[]>;
  /** Worth its two or three requests before some 16 bodies or more go to `store`. */
  prepareToStore(options?: SnapshotOptions): Promise<void>;
  /** Before many bodies are stored: one request that tells which folders they need not make. */
  warm(options?: SnapshotOptions): Promise<void>;
  /** Makes one body durable on the remote; no request when that is known. */
  store(source: BlobSource, options?: SnapshotOptions): Promise<StoredBlob>;
  /** Opens one stored body, verified as it is read. */
  read(sha256: string, options?: SnapshotOptions): Promise<BlobBody>;
  /** Writes the manifest. Throws Error when a digest in it was neither stored nor known. */
  create(snapshot: NewSnapshot, options?: CreateOptions): Promise<CreatedSnapshot>;
  /** Writes a snapshot of the full format. */
  createFull(snapshot: NewFullSnapshot, options: FillOptions): Promise<CreatedFull>;
  /** Makes a snapshot of another remote here, under its own name. Throws as `create`. */
  copy(manifest: BlobsManifest, options?: CreateOptions): Promise<void>;
  /** A blobs manifest, from what is known of it where that is all of it. */
  manifest(timestamp: string, options?: SnapshotOptions): Promise<BlobsManifest>;
  /** Newest first. */
  list(options?: SnapshotOptions): Promise<readonly SnapshotInfo[]>;
  /** What they hold and what that takes. */
  statistics(options: StatisticsOptions): Promise<SnapshotStatistics>;
  inspect(timestamp: string, patterns: readonly string[], options?: SnapshotOptions): Promise<Inspection>;
  history(path: RelPath, options?: SnapshotOptions): Promise<History>;
  /** What changed between two snapshots, by content. */
  compare(
    request: { readonly from: string; readonly to: string; readonly patterns: readonly string[] },
    options?: SnapshotOptions,
  ): Promise<SnapshotComparison>;
  /** One file's content; undefined when the snapshot lacks it. */
  readFile(
    request: { readonly timestamp: string; readonly path: RelPath; readonly limit: number },
    options?: SnapshotOptions,
  ): Promise<Uint8Array | "large" | undefined>;
  /** `target` is a folder, made when the plan is executed. */
  planRestore(
    timestamp: string,
    patterns: readonly string[],
    target: string,
    options?: SnapshotOptions,
  ): Promise<RestorePlan>;
  executeRestore(plan: RestorePlan, options: RestoreOptions): Promise<RestoreReport>;
  /** What `select` chooses to delete of all snapshots, with the versions that it saw. */
  planForget(
    select: (snapshots: readonly SnapshotInfo[]) => RetentionPlan,
    options?: SnapshotOptions,
  ): Promise<ForgetPlan>;
  /** Deletes snapshots; their blobs stay for `gc`. */
  forget(plan: ForgetPlan, options?: SnapshotOptions): Promise<readonly ForgetOutcome[]>;
  /** Throws RefusedError "gc" when what is used cannot be told. */
  planGc(options: GcOptions): Promise<GcPlan>;
  gc(plan: GcPlan, options?: SnapshotOptions): Promise<GcReport>;
  /** Reads everything and tells what is wrong; see `verifySnapshots`. */
  verify(options: VerifyOptions): Promise<Verification>;
  /** What it takes to give all snapshots one format. */
  planMigration(to: SnapshotFormat, options?: SnapshotOptions): Promise<MigrationPlan>;
  migrate(plan: MigrationPlan, options: MigrateOptions): Promise<readonly MigrationOutcome[]>;
  /** A manifest's text as this machine last saw it whole; undefined when it has not. */
  knownManifest(timestamp: string): string | undefined;
  /** A manifest's text as it is on the remote; undefined when it cannot be used whole. */
  readManifest(timestamp: string, options?: SnapshotOptions): Promise<string | undefined>;
  /** Forgets what is known of a remote that was emptied or replaced. */
  distrust(what: "blobs" | "full snapshots"): void;
}

/** Where this room keeps its own files below the state folder. */
export function snapshotFolders(stateFolder: string): readonly string[] {
  return [join(stateFolder, "snapshots"), manifestCacheFolder(stateFolder)];
}

/** Opens the room. Nothing is read or asked until it is needed. */
export function openSnapshots(deps: SnapshotDeps): SnapshotService {
  const folder = join(deps.stateFolder, "snapshots");
  const room: SnapshotRoom = {
    backend: deps.backend,
    clock: deps.clock,
    workers: deps.workers,
    resumed: createResumedFiles({ notes: join(folder, "parts.jsonl"), scope: deps.stateFolder, clock: deps.clock }),
    blobs: openBlobStore(deps.backend, folder, { clock: deps.clock }),
    cache: openManifestCache(manifestCacheFolder(deps.stateFolder)),
    full: openFullKnowledge(folder),
  };
  return {
    holds: (sha256) => room.blobs.holds(sha256) || room.full.holds(sha256),
    surelyHolds: (sha256s, options) => surelyHolds(room, sha256s, options),
    learnHeld: (contents, options) => learnHeld(room, contents, options),
    findContent: (wanted, options) => findContent(room, wanted, options),
    prepareToStore: (options) => prepareToStore(room, options),
    warm: (options) => room.blobs.warmFolders(options),
    store: (source, options) => room.blobs.store(source, options),
    read: (sha256, options) => room.blobs.read(sha256, options),
    unstored: (sha256s, options) => unstoredBlobs(room, sha256s, options),
    create: (snapshot, options) => createSnapshot(room, snapshot, options),
    createFull: (snapshot, options) => createFull(room, snapshot, options),
    copy: (manifest, options) => copySnapshot(room, manifest, options),
    manifest: (timestamp, options) => knownManifest(room, timestamp, options),
    list: (options) => listSnapshots(room, options),
    statistics: (options) => snapshotStatistics(room, options),
    inspect: (timestamp, patterns, options) => inspectSnapshot(room, timestamp, patterns, options),
    history: (path, options) => fileHistory(room, path, options),
    compare: (request, options) => compareSnapshots(room, request, options),
    readFile: (request, options) => readInSnapshot(room, request, options),
    planRestore: (timestamp, patterns, target, options) => planRestore(room, timestamp, patterns, target, options),
    executeRestore: (plan, options) => executeRestore(room, plan, options),
    planForget: (select, options) => surveyForget(room, select, options),
    forget: (plan, options) => executeForget(room, plan, options),
    planGc: (options) => planGc(room, options),
    gc: (plan, options) => executeGc(room, plan, options),
    verify: (options) => verifySnapshots(room, options),
    planMigration: (to, options) => planMigration(room, to, options),
    migrate: (plan, options) => executeMigration(room, plan, options),
    knownManifest(timestamp) {
      const manifest = room.cache.manifest(timestamp);
      return manifest === undefined || manifest.problem !== undefined ? undefined : formatManifest(manifest);
    },
    async readManifest(timestamp, options) {
      const parsed = await fetchManifest(room, timestamp, options);
      return parsed.kind === "ok" && parsed.manifest.problem === undefined
        ? formatManifest(parsed.manifest)
        : undefined;
    },
    distrust: (what) => (what === "blobs" ? room.blobs.distrust() : room.full.retain(new Set())),
  };
}
