import type { Channel } from "../backends/channel.ts";
import type { Backend } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import type { ProjectConfig } from "../settings/model.ts";
import type {
  ForgetOutcome,
  ForgetPlan,
  ForgetSelector,
  GcPlan,
  GcReport,
  History,
  Inspection,
  MigrationOutcome,
  MigrationPlan,
  PrunePolicy,
  RestoreOutcome,
  RestorePlan,
  SnapshotFormat,
  SnapshotInfo,
} from "../snapshots/model.ts";
import type { GuardName, Strategy, SyncEvent } from "../sync/model.ts";
import type { Trash } from "../sync/trash.ts";
import type { Announcer } from "./announce.ts";
import type { Extra, ExtraOutcome } from "./extras.ts";
import type { LocalHealth, MirrorBacklog, Waiting } from "./health.ts";
import type { SnapshotRequest, TakenSnapshot } from "./manual-snapshot.ts";
import type { MirrorRequest } from "./mirrors/commands.ts";
import type { Consent, Fallback } from "./mirrors/fallback.ts";
import type { MirrorDeps } from "./mirrors/model.ts";
import type { PromoteRequest } from "./mirrors/promote.ts";
import type {
  BackendColumn,
  ConflictAnswer,
  ConflictEnvelope,
  ConflictQuestion,
  ConflictView,
  DiffResult,
  LogResult,
  MirrorRunResult,
  PendingResult,
  Presence,
  PromotionResult,
  RunResult,
  StatsResult,
  StatusResult,
  TreeResult,
  VerifyResult,
} from "./model.ts";
import type { CountedComparison, SnapshotFileDiff } from "./snapshot-diff.ts";
import type { StatsGroup, StatsRequest } from "./stats.ts";
import type { TreeRequest } from "./tree.ts";

export type { Consent, Fallback, MirrorRequest, StatsGroup };

/** What a project is made of; `app.ts` puts it together. */
export interface ProjectDeps {
  readonly config: ProjectConfig;
  /** Opens the remote, wrapped in retry, pause, limit and log. Called at most once, when first needed. */
  readonly openBackend: () => Promise<Backend>;
  /** Absolute path of the folder for what this machine knows about the project. Losing it costs time only. */
  readonly stateFolder: string;
  readonly trashFolder: string;
  /** Absolute folder for the conflicts that are left; one in the state folder when left out. */
  readonly conflictFolder?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Where FILES are relative to. */
  readonly cwd: string;
  readonly onEvent: (event: SyncEvent) => void;
  /** What tells other machines at once; answers undefined, or is left out, where they find out by looking. */
  readonly openChannel?: () => Promise<Channel | undefined>;
  /** Left out: nobody is told. */
  readonly announcer?: Announcer;
  /** In the order of the config; none when left out. */
  readonly mirrors?: readonly MirrorDeps[];
  /** What `--backend` calls the primary; its kind when left out. */
  readonly name?: string;
  /** Swaps the configs of the primary and of a mirror, safely; calls `turnOver` before the first is changed. */
  readonly swapConfigs?: (mirrorFile: string, turnOver: () => void) => void;
  /** The home folder, which messages that are kept do not show. */
  readonly home?: string;
}

export interface RunOptions {
  /** As typed; empty means everything. */
  readonly files: readonly string[];
  readonly dryRun: boolean;
  /** Guards that were lifted. */
  readonly allow: ReadonlySet<GuardName>;
  /** Told what the primary's part came to, before mirrors are waited for. */
  readonly onPrimary?: (result: RunResult) => void;
}

export interface PushOptions extends RunOptions {
  readonly forceLocal: boolean;
}

export interface PullOptions extends RunOptions {
  /** Absolute folder to put copies in; project and manifest stay as they are. */
  readonly output?: string;
}

export interface SyncOptions extends RunOptions {
  /** "merge": clean merges are done, other conflicts are left. */
  readonly strategy?: Strategy | "merge";
  /** Asked for every conflict when there is no strategy. */
  readonly ask?: (question: ConflictQuestion) => Promise<ConflictAnswer>;
}

export interface DeleteOptions {
  readonly files: readonly string[];
  readonly dryRun: boolean;
  /** Also remove the local files (into the trash). */
  readonly local: boolean;
  readonly allow: ReadonlySet<GuardName>;
  readonly onPrimary?: (result: RunResult) => void;
}

/** A snapshot by its name or by its tag. */
export type SnapshotChoice = { readonly timestamp: string } | { readonly tag: string };

export type RestoreRequest = SnapshotChoice & RestoreDetails;

export interface RestoreDetails {
  readonly patterns: readonly string[];
  /** Absolute folder; the project itself when left out. */
  readonly output?: string;
  /** Files that the snapshot lacks go to the trash, of those that take part in sync and that the patterns mean. */
  readonly deleteExtra?: boolean;
}

/** Moments, milliseconds since 1970. */
export interface TimeWindow {
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

export interface RestoreSummary {
  readonly plan: RestorePlan;
  /** Files that the snapshot lacks. */
  readonly extras: readonly ExtraOutcome[];
  readonly items: readonly RestoreOutcome[];
  readonly interrupted: boolean;
}

/** A restore that was planned, and where its snapshot is. */
export interface RestoreChoice {
  readonly plan: RestorePlan;
  /** What would go to the trash. */
  readonly extras: readonly Extra[];
  /** Who has the snapshot. */
  readonly backend: string;
  /** What to tell when that is not the primary. */
  readonly warning: string | null;
  readonly run: () => Promise<RestoreSummary>;
}

export interface PruneRequest {
  /** Those of the config when left out. */
  readonly rules?: PrunePolicy;
  readonly includeTagged: boolean;
}

export interface VerifyRequest {
  /** One remote only: its type or its config's name. */
  readonly backend?: string;
  /** Live files. */
  readonly files: boolean;
  /** Snapshots of both formats and stored contents. */
  readonly snapshots: boolean;
  /** `plan` only tells what could be repaired from where. */
  readonly repair?: "plan" | "do";
}

export interface InspectionChoice extends Inspection {
  readonly backend: string;
  readonly warning: string | null;
}

/** The snapshots of one remote. */
export interface Snapshots {
  snapshots(): Promise<readonly SnapshotInfo[]>;
  history(file: string, window?: TimeWindow): Promise<History>;
  /** What changed from the first to the second; `latest` names the newest one. Throws NotFoundError. */
  compareSnapshots(from: string, to: string, patterns: readonly string[]): Promise<CountedComparison>;
  /** Both versions of one file. Throws MissingError when neither snapshot has it. */
  diffSnapshots(from: string, to: string, file: string): Promise<SnapshotFileDiff>;
  planForget(selector: ForgetSelector): Promise<ForgetPlan>;
  planPrune(request: PruneRequest): Promise<ForgetPlan>;
  /** Deletes the snapshots of a plan; their blobs stay until `gc`. */
  forget(plan: ForgetPlan): Promise<readonly ForgetOutcome[]>;
  /** Throws RefusedError "gc" when it cannot be told which blobs are used. */
  planGc(options: { readonly graceMs: number }): Promise<GcPlan>;
  gc(plan: GcPlan): Promise<GcReport>;
  /** What it takes to give all snapshots one format. */
  planMigration(to: SnapshotFormat): Promise<MigrationPlan>;
  migrateSnapshots(
    plan: MigrationPlan,
    options: { readonly keepSource: boolean },
  ): Promise<readonly MigrationOutcome[]>;
}

/** The use cases of one project. Each throws typed errors; `cli/exit.ts` knows them. */
export interface Project extends Snapshots {
  readonly config: ProjectConfig;
  /** What `--backend` calls the primary. */
  readonly name: string;
  readonly trash: Trash;
  /** `hashes`: new and changed local files are read, so that every file that is here comes with its MD5. */
  status(options?: { readonly hashes?: boolean }): Promise<StatusResult>;
  push(options: PushOptions): Promise<RunResult>;
  pull(options: PullOptions): Promise<RunResult>;
  sync(options: SyncOptions): Promise<RunResult>;
  delete(options: DeleteOptions): Promise<RunResult>;
  diff(file: string): Promise<DiffResult>;
  /** The conflicts between texts that runs have left, sorted by path. */
  conflicts(): readonly ConflictEnvelope[];
  /** Throws MissingError when none is noted for the file. */
  conflict(file: string): ConflictView;
  /** Makes `bytes` the file on both sides. Throws RefusedError "conflict-changed" when a side has moved on. */
  applyConflict(file: string, merge: { readonly bytes: Uint8Array; readonly dryRun: boolean }): Promise<RunResult>;
  /** Forgets one that was noted and answers its path. Throws MissingError. */
  dropConflict(file: string): string;
  /** Makes a snapshot by hand. Throws UsageError for a tag that cannot be given. */
  takeSnapshot(request: SnapshotRequest): Promise<TakenSnapshot>;
  /** The snapshots of the remote that `--backend` names; those of the primary without a name. Throws UsageError. */
  on(backend: string | undefined): Snapshots;
  /** From the primary, else from the first mirror that has the snapshot, or only from the one that is named. */
  inspect(timestamp: string, patterns: readonly string[], fallback?: Fallback): Promise<InspectionChoice>;
  planRestore(request: RestoreRequest, fallback?: Fallback): Promise<RestoreChoice>;
  restore(choice: RestoreChoice): Promise<RestoreSummary>;
  /** Reads all that is kept on the remotes. Throws BackendError where one cannot be read at all. */
  verify(request: VerifyRequest): Promise<VerifyResult>;
  /** What waits or failed on mirrors; asks nothing. */
  pending(): Promise<PendingResult>;
  /** How each mirror stands, looked at now. */
  mirrorColumns(): Promise<readonly BackendColumn[]>;
  /** Tries again what waits on mirrors or failed there for good. */
  retry(request: MirrorRequest): Promise<MirrorRunResult>;
  /** Sends mirrors every agreed file that they lack. */
  seedMirror(request: MirrorRequest): Promise<MirrorRunResult>;
  /** Makes a mirror the primary. */
  promote(request: PromoteRequest): Promise<PromotionResult>;
  log(limit: number): Promise<LogResult>;
  /** Who else was active lately, by the shared log. */
  presence(): Promise<{ readonly presence: readonly Presence[]; readonly notices: readonly string[] }>;
  /** Every mirrored file with the sides that have it. Throws UsageError for a path that matches nothing. */
  tree(request: TreeRequest): Promise<TreeResult>;
  /** Counts and sizes of the project and its snapshots, and who did how much. */
  stats(request: StatsRequest): Promise<StatsResult>;
  /** How it stands by its files and this machine's records; asks nobody. */
  localHealth(): Promise<LocalHealth>;
  /** What others have pushed or deleted and no run here has taken up. */
  waitingThere(): Promise<Waiting>;
  /** What each mirror lacks. */
  mirrorBacklogs(): Promise<readonly MirrorBacklog[]>;
  close(): Promise<void>;
}
