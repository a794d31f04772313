import { BackendError } from "../backends/errors.ts";
import { NeedsActionError, RefusedError } from "../lib/errors.ts";
import type { RelPath } from "../lib/path.ts";
import type { Look } from "../sync/look.ts";
import type { Action, GuardName, ItemOutcome, Outcome, Plan, PlanMode, Strategy } from "../sync/model.ts";
import type { SyncService } from "../sync/service.ts";
import { TRASH_KEEP_MS } from "../sync/trash.ts";
import { reportRun } from "./activity.ts";
import { settleConflicts } from "./conflicts.ts";
import { holdMarked } from "./hold-marked.ts";
import { noteLeftConflicts } from "./left-conflicts.ts";
import { withProjectLock } from "./lock.ts";
import type { AheadRun } from "./mirrors/ahead.ts";
import { refuseWhereMoved } from "./mirrors/moved.ts";
import { allOutcomes, announcementsOf, primaryOutcome } from "./mirrors/outcome.ts";
import { type MirrorRun, openMirrorRun, previewMirrors } from "./mirrors/run.ts";
import type { BackendOutcome, ConflictAnswer, ConflictQuestion, RunCommand, RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import { snapshotAfter, snapshotBefore } from "./snapshot-run.ts";

/** What one run is asked to do. */
export interface RunRequest {
  readonly command: RunCommand;
  readonly mode: PlanMode;
  readonly files: readonly string[];
  readonly dryRun: boolean;
  readonly allow: ReadonlySet<GuardName>;
  /** "merge": clean merges are done, other conflicts are left. */
  readonly strategy?: Strategy | "merge";
  readonly ask?: (question: ConflictQuestion) => Promise<ConflictAnswer>;
  /** Told what the primary's part came to, before mirrors are waited for. */
  readonly onPrimary?: (result: RunResult) => void;
  /** Replaces the plan by the steps of another command over the same look. */
  readonly replan?: (look: Look, plan: Plan) => Plan;
}

/**
 * observe, plan, guard, execute, record, in that order (design 2). A dry run holds no lock and no writer: it ends
 * before the first effect. Throws RefusedError when a guard says no, NeedsActionError when the remote folder is missing.
 */
export async function runTransfer(parts: Parts, request: RunRequest): Promise<RunResult> {
  if (request.dryRun) return dryRun(parts, request);
  return withProjectLock(parts, request.command, async () => {
    const mirrors = await openMirrorRun(parts);
    const earlier = await recover(parts, mirrors);
    const { plan, look } = await planRun(parts, request);
    await requirePrimary(parts, request, look);
    const mended = await mend(parts);
    const settled = await settleConflicts(parts, request, { plan, look });
    refuse(parts.sync, settled, look, request.allow);
    const result = await finish(parts, request, { plan: settled, look, earlier, mirrors });
    if (request.command === "delete") return result;
    const notices = await noteLeftConflicts(parts, { plan: settled, look, result });
    return { ...result, notices: [...mended, ...result.notices, ...notices] };
  });
}

/** Lets the storage put right what only it can get wrong; what that meets is for a later run. */
async function mend(parts: Parts): Promise<readonly string[]> {
  const backend = await parts.backend();
  try {
    return (await backend.mend?.({ signal: parts.deps.signal })) ?? [];
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    if (!(error instanceof BackendError)) throw error;
    return [error.message];
  }
}

/** Takes up what an interrupted run left, its snapshot and its log entry first when only these were missing. */
async function recover(parts: Parts, mirrors: MirrorRun | undefined): Promise<Pick<Done, "snapshot" | "notices">> {
  const due = await parts.sync.recover();
  const notices: string[] = [];
  if (due === undefined || !parts.sync.isClosing()) return { snapshot: null, notices };
  const { snapshot } = await closeRun(parts, notices, mirrors);
  return { snapshot, notices };
}

async function dryRun(parts: Parts, request: RunRequest): Promise<RunResult> {
  const { plan, look } = await planRun(parts, request);
  await requirePrimary(parts, request, look);
  refuse(parts.sync, plan, look, request.allow);
  const notices = retriesIn(request) ? await previewMirrors(parts) : [];
  return resultOf(parts, request, { plan, look }, { ...NOTHING_DONE, notices });
}

interface Planned {
  readonly plan: Plan;
  readonly look: Look;
}

/**
 * A push looks at no more than it needs. Before it deletes anything, and where something is missing on the remote, it looks
 * at all: how much is left decides whether it may go on.
 */
async function planRun(parts: Parts, request: RunRequest): Promise<Planned> {
  const sends = request.command === "push" && request.files.length === 0 && (parts.deps.mirrors ?? []).length === 0;
  const planned = await planAfterLook(parts, request, sends);
  return planned.look.assumes && lessIsThere(planned.plan) ? planAfterLook(parts, request, false) : planned;
}

function lessIsThere({ actions, counts, conflicts }: Plan): boolean {
  if (counts.deleted_remote > 0 || conflicts.some(({ kind }) => kind === "edit/delete")) return true;
  return actions.some(({ kind }) => kind === "delete-remote" || kind === "delete-local");
}

async function planAfterLook(parts: Parts, request: RunRequest, sends: boolean): Promise<Planned> {
  const look = await parts.sync.look({
    files: request.files,
    cache: !request.dryRun,
    forWrite: request.command === "push" && !request.dryRun,
    sends,
  });
  const { strategy } = request;
  const settle = strategy === undefined || strategy === "merge" ? {} : { settle: () => strategy };
  const plan = await parts.sync.plan(look, { mode: request.mode, ...settle });
  return { plan: holdMarked(parts, request.replan?.(look, plan) ?? plan, look), look };
}

function refuse(sync: SyncService, plan: Plan, look: Look, allow: ReadonlySet<GuardName>): void {
  const [first, ...more] = sync.guard(plan, look, allow);
  if (first !== undefined) {
    throw new RefusedError(first.guard, [first, ...more].map((refusal) => refusal.message).join("\n"));
  }
  // Only setup makes the remote folder, so no file of the plan could be sent.
  const sends = plan.actions.some((action) => action.kind === "upload" || action.kind === "keep-both");
  if (sends && !look.facts.remoteRootExists) {
    throw new NeedsActionError("The remote folder is not there yet.", { hint: "Run claude-mirror auth: it makes it." });
  }
}

async function requirePrimary(parts: Parts, { command, allow }: RunRequest, look: Look): Promise<void> {
  if (command !== "pull" && !allow.has("old-primary")) await refuseWhereMoved(parts, look);
}

interface Done {
  readonly items: readonly ItemOutcome[];
  readonly interrupted: boolean;
  readonly notices: readonly string[];
  readonly snapshot: RunResult["snapshot"];
  readonly snapshotFailed?: ItemOutcome;
}

const NOTHING_DONE: Done = { items: [], interrupted: false, notices: [], snapshot: null };

interface Settled {
  readonly plan: Plan;
  readonly look: Look;
  /** Of what an interrupted run left. */
  readonly earlier: Pick<Done, "snapshot" | "notices">;
  readonly mirrors: MirrorRun | undefined;
}

async function finish(parts: Parts, request: RunRequest, settled: Settled): Promise<RunResult> {
  const { plan, look, earlier, mirrors } = settled;
  if (plan.actions.length > 0 || parts.sync.due() !== undefined) return carryOut(parts, request, settled);
  parts.sync.remember(look);
  const result = resultOf(parts, request, settled, { ...NOTHING_DONE, ...earlier });
  if (mirrors === undefined) return result;
  const retries = retriesIn(request) && (await mirrors.hasWork());
  if (retries) request.onPrimary?.(result);
  return withBackends(
    parts,
    result,
    await mirrors.start({ due: undefined, plan, look, retries }, Promise.resolve(undefined)),
  );
}

async function carryOut(parts: Parts, request: RunRequest, settled: Settled): Promise<RunResult> {
  const { plan, look, earlier, mirrors } = settled;
  const notices = [...earlier.notices];
  if (look.blobsMissing) (await parts.snapshots()).distrust("blobs");
  if (look.snapshotsMissing) (await parts.snapshots()).distrust("full snapshots");
  const steps = stepsOf(plan);
  const changes = plan.actions.some((action) => action.kind !== "adopt" && action.kind !== "forget");
  mirrors?.doom(plan, look);
  if (changes) {
    await warmBlobs(parts, plan);
    await learnReplaced(parts, plan);
    const before = await snapshotBefore(parts, request.command, plan);
    notices.push(...before.notices);
    if (before.snapshot !== null) mirrors?.queueSnapshot(before.snapshot.timestamp);
    parts.sync.begin(request.command, plan);
  }
  const ahead = mirrors?.ahead(plan, look);
  const outcome = await executePlan(parts, plan, ahead);
  parts.sync.record(look);
  parts.trash.empty({ olderThanMs: TRASH_KEEP_MS });
  notices.push(...(outcome.notices ?? []));
  const done: Done = { items: outcome.items, interrupted: outcome.interrupted, notices, snapshot: null };
  if (outcome.interrupted) return resultOf(parts, request, settled, done, steps);
  const due = parts.sync.due();
  if (due !== undefined) await mirrors?.queue(due);
  const closing = closeRun(parts, notices, mirrors);
  const made = closing.then(({ snapshot }) => snapshot?.timestamp);
  // Told by whoever awaits the closing itself.
  made.catch(() => undefined);
  const mirrored = mirrors?.start({ due, plan, look, retries: retriesIn(request), ...(ahead && { ahead }) }, made);
  mirrored?.catch(() => undefined);
  const result = resultOf(parts, request, settled, { ...done, ...(await closing) }, steps);
  if (mirrored === undefined) return result;
  request.onPrimary?.(result);
  return withBackends(parts, result, await mirrored);
}

/** When the primary cannot be written or somebody stops the run, nothing goes on at the mirrors. */
async function executePlan(parts: Parts, plan: Plan, ahead: AheadRun | undefined): Promise<Outcome> {
  try {
    const hooks = await parts.snapshotHooks();
    if (ahead === undefined) return await parts.sync.execute(plan, { ...hooks, takesActions: true });
    // Mirrors ask for the plan once more.
    const outcome = await parts.sync.execute(plan, { ...hooks, onSent: ahead.onSent });
    ahead.end();
    if (outcome.interrupted) await ahead.settled();
    return outcome;
  } catch (error) {
    ahead?.end();
    await ahead?.settled();
    throw error;
  }
}

/** What earlier runs left undone on mirrors is tried when something is sent. */
function retriesIn({ command }: RunRequest): boolean {
  return command === "push" || command === "sync";
}

/** From this many bodies on it pays to find out first which blob folders exist. */
const MANY = 16;

async function warmBlobs(parts: Parts, plan: Plan): Promise<void> {
  const uploads = plan.actions.filter((action) => action.kind === "upload").length;
  if (uploads < MANY || parts.deps.config.snapshotFormat !== "blobs") return;
  if ((await parts.backend()).can.makesFolders === true) return;
  await (await parts.snapshots()).warm({ signal: parts.deps.signal });
}

/** What is replaced on the remote need not be fetched where a snapshot holds it. */
async function learnReplaced(parts: Parts, plan: Plan): Promise<void> {
  const contents = plan.actions.flatMap((action) => {
    if (action.kind !== "upload" || action.replaced?.sha256 === undefined) return [];
    return [{ sha256: action.replaced.sha256, size: action.replaced.remote.size }];
  });
  if (contents.length === 0) return;
  await (await parts.snapshots()).learnHeld(contents, { signal: parts.deps.signal });
}

/** Snapshot and log entry of all that has changed since the last run that got this far. */
async function closeRun(
  parts: Parts,
  notices: string[],
  mirrors: MirrorRun | undefined,
): Promise<Pick<Done, "snapshot" | "snapshotFailed">> {
  const due = parts.sync.due();
  if (due === undefined) return { snapshot: null };
  await mirrors?.queue(due);
  const atMs = parts.sync.close();
  const after = await snapshotAfter(parts, due, atMs);
  const reported = await reportRun(parts, due, atMs);
  notices.push(...reported.notices.filter((notice) => !notices.includes(notice)));
  if (after.kind === "made") notices.push(...after.notices);
  if (after.kind === "failed") return { snapshot: null, snapshotFailed: after.outcome };
  if (after.snapshot !== null) mirrors?.queueSnapshot(after.snapshot.timestamp);
  // Others hear of it by the next run, which takes it up as after a crash.
  if (!reported.again) parts.sync.end();
  return { snapshot: after.snapshot };
}

interface Steps {
  readonly planned: RunResult["planned"];
  readonly copies: ReadonlyMap<RelPath, RelPath>;
}

/** What the result tells of the actions, which a plan is without once it is carried out. */
function stepsOf({ actions }: Plan): Steps {
  const copies = new Map<RelPath, RelPath>();
  for (const action of actions) if (action.kind === "keep-both") copies.set(action.path, action.copy);
  return { planned: actions.map(({ path, kind }) => ({ path, action: kind })), copies };
}

function resultOf(
  parts: Parts,
  request: RunRequest,
  { plan, look }: Pick<Settled, "plan" | "look">,
  done: Done,
  { planned, copies } = stepsOf(plan),
): RunResult {
  const ok = done.items.filter((item) => item.status === "done");
  const paths = (kind: Action["kind"]): string[] =>
    [...new Set(ok.filter((item) => item.action === kind).map((item) => item.path as string))].sort();
  const failed = [
    ...done.items.filter((item) => item.status === "failed"),
    ...(done.snapshotFailed ? [done.snapshotFailed] : []),
  ];
  const result = {
    command: request.command,
    dryRun: request.dryRun,
    planned,
    uploaded: paths("upload"),
    downloaded: paths("download"),
    deletedRemote: paths("delete-remote"),
    deletedLocal: paths("delete-local"),
    adopted: paths("adopt"),
    copies: paths("keep-both").map((path) => copies.get(path as RelPath) ?? path),
    failed: failed.map(({ path, action, error }) => ({
      path,
      action,
      error: error ?? { class: "UNKNOWN", message: "failed" },
    })),
    conflicts: plan.conflicts.map(({ path, kind }) => ({ path, kind })),
    held: plan.held,
    inSync: plan.counts.in_sync,
    bytes: ok.reduce((sum, item) => sum + (item.bytes ?? 0), 0),
    snapshot: done.snapshot,
    output: null,
    notices: [...look.notices, ...done.notices],
    interrupted: done.interrupted,
  };
  return withBackends(parts, result, []);
}

/** The result with how each backend stands after it. */
function withBackends(
  { deps }: Parts,
  result: Omit<RunResult, "backends" | "announcements">,
  mirrors: readonly BackendOutcome[],
): RunResult {
  const backends = [
    primaryOutcome(deps.name ?? deps.config.backend, result),
    ...allOutcomes(deps.mirrors ?? [], mirrors),
  ];
  const announcements = deps.config.notifyFailures ? announcementsOf(backends) : [];
  // Ctrl-C while mirrors were waited for is one, too: what was not sent waits for the next run.
  const interrupted = result.interrupted || deps.signal.aborted;
  return { ...result, interrupted, backends, announcements };
}
