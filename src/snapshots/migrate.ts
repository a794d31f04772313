import { BackendError } from "../backends/errors.ts";
import { SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import { comparePaths } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fullFolder, metaPath } from "./full-folder.ts";
import { hashSet } from "./hash-set.ts";
import { formsIn, fullInfo, listNames, requireRemoteFolder, type SnapshotForms, type SnapshotRoom } from "./list.ts";
import { migrateToBlobs } from "./migrate-blobs.ts";
import { migrateToFull } from "./migrate-full.ts";
import type { MigrateOptions, MigrateRun } from "./migrate-run.ts";
import type { MigrationOutcome, MigrationPlan, MigrationStep, SnapshotFormat } from "./model.ts";

/**
 * What it takes to give all snapshots one format. One listing, and a request for each folder whose marker this machine has
 * not seen. Throws BackendError.
 */
export async function planMigration(
  room: SnapshotRoom,
  to: SnapshotFormat,
  options: SnapshotOptions = {},
): Promise<MigrationPlan> {
  const listing = await room.backend.list(SNAPSHOTS_FOLDER, { shallow: true, ...options });
  if (!listing.exists) await requireRemoteFolder(room, options);
  const steps: MigrationStep[] = [];
  let already = 0;
  const forms = [...formsIn(listing)].sort(([one], [other]) => comparePaths(one, other));
  for (const [timestamp, form] of forms) {
    const step = await stepOf(room, { timestamp, form, to }, options);
    if (step === undefined) already++;
    else steps.push(step);
  }
  const cleaning = steps.filter(({ kind }) => kind === "clean");
  return { to, steps: [...cleaning, ...steps.filter(({ kind }) => kind !== "clean")], already };
}

interface Named {
  readonly timestamp: string;
  readonly form: SnapshotForms;
  readonly to: SnapshotFormat;
}

/** Undefined for one that has the format. */
async function stepOf(
  room: SnapshotRoom,
  { timestamp, form, to }: Named,
  options: SnapshotOptions,
): Promise<MigrationStep | undefined> {
  if (form.manifest && form.folder) {
    if (to === "blobs" && (await isEmptyForGood(room, timestamp, options))) return undefined;
    // A folder without its marker is no snapshot: it is filled, never taken for the whole (reference 5.2 row 20).
    const isWhole = to === "blobs" || (await room.backend.stat(metaPath(timestamp), options)) !== undefined;
    return { timestamp, kind: isWhole ? "clean" : "convert" };
  }
  if (form.manifest) return to === "full" ? { timestamp, kind: "convert" } : undefined;
  const { problem } = await fullInfo(room, timestamp, options);
  if (problem !== undefined) return { timestamp, kind: "skip", reason: problem };
  return to === "blobs" ? { timestamp, kind: "convert" } : undefined;
}

/** Where folders cannot be removed one stays, with nothing in it. */
async function isEmptyForGood(
  { backend }: SnapshotRoom,
  timestamp: string,
  options: SnapshotOptions,
): Promise<boolean> {
  if (backend.removeFolder) return false;
  const { files, unusable } = await backend.list(fullFolder(timestamp), options);
  return files.length + unusable.length === 0;
}

/**
 * Carries a plan out, one snapshot after the other. Each new form is read back and every digest of it compared before it
 * is declared complete, and only then the old form is removed, in the very versions that were read. So at every
 * instant a snapshot is whole in at least one form, and a run that was killed is taken up by the next one. A snapshot
 * that fails is reported, keeps all it has, and stops nothing else.
 */
export async function executeMigration(
  room: SnapshotRoom,
  plan: MigrationPlan,
  options: MigrateOptions,
): Promise<readonly MigrationOutcome[]> {
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const run: MigrateRun = { room, options, call, verified: hashSet() };
  const outcomes: MigrationOutcome[] = [];
  for (const step of plan.steps) {
    call.signal?.throwIfAborted();
    outcomes.push(await migrateOne(run, plan.to, step));
  }
  // Learns which bodies no manifest names any more.
  if (outcomes.length > 0) await listNames(room, call);
  return outcomes;
}

async function migrateOne(run: MigrateRun, to: SnapshotFormat, step: MigrationStep): Promise<MigrationOutcome> {
  const { timestamp, kind, reason } = step;
  if (kind === "skip") return { timestamp, status: "skipped", ...(reason === undefined ? {} : { error: reason }) };
  try {
    const left = await (to === "blobs" ? migrateToBlobs(run, timestamp) : migrateToFull(run, timestamp));
    const status = kind === "clean" ? "cleaned" : "converted";
    return { timestamp, status, ...(left === undefined ? {} : { error: left }) };
  } catch (error) {
    // Without space or permission the others would fail as well.
    const isFatal = !(error instanceof BackendError) || ["AUTH", "QUOTA", "PERMISSION"].includes(error.class);
    if (isFatal) throw error;
    return { timestamp, status: "failed", error: error.message };
  }
}
