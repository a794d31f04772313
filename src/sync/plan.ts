import type { RelPath } from "../lib/path.ts";
import { type Clashes, findClashes, ON_LOCAL, ON_REMOTE, type SidePath } from "./clashes.ts";
import { classify, conflictKind, type Verdict } from "./classify.ts";
import type { Action, Conflict, Held, PathStatus, Plan, PlanMode, PlanRequest, Row, Status } from "./model.ts";
import { localNameProblem, remoteNameProblem } from "./names.ts";
import { adoptOf, deleteLocalOf, deleteRemoteOf, downloadOf, resolve, uploadOf } from "./resolve.ts";

/**
 * Decides what a run does. Pure: the same rows and request give the same plan. `rows` come sorted by path, one per
 * path, and are read once. Push sends what is clear and leaves conflicts, pull applies remote deletions and leaves
 * conflicts, sync does both and settles what `settle` says; `status` holds no action and is otherwise sync's plan.
 */
export function plan(rows: Iterable<Row>, request: PlanRequest): Plan {
  const seen = survey(rows, request);
  const drafts = seen.rows.map((it) => draft(it.row, it.verdict, request));
  holdUnfit(drafts, request);
  holdTakenCopies(drafts, request);
  const clashes = holdClashes(drafts, seen, request);
  return assemble(drafts, clashes, seen.inSync, request);
}

/** Takes the actions out of a plan: it is without them, and without the statuses that they come from, afterwards. */
export function takeActions(plan: Pick<Plan, "actions"> & Partial<Pick<Plan, "statuses">>): Action[] {
  (plan.statuses as PathStatus[] | undefined)?.splice(0);
  return (plan.actions as Action[]).splice(0);
}

interface Draft {
  readonly row: Row;
  verdict: Verdict;
  action?: Action;
  conflict?: Conflict;
  compare?: boolean;
  /** Why the action (or any) is not taken. */
  reason?: string;
}

interface Survey {
  /** Rows to decide about. */
  readonly rows: readonly { readonly row: Row; readonly verdict: Verdict }[];
  readonly inSync: number;
  /** Every path that a side holds, whether or not it is decided about. */
  readonly paths: RelPath[];
  readonly sides: number[];
}

function survey(rows: Iterable<Row>, request: PlanRequest): Survey {
  const open: { row: Row; verdict: Verdict }[] = [];
  const paths: RelPath[] = [];
  const sides: number[] = [];
  const { only } = request;
  let inSync = countSynced(request);
  for (const row of rows) {
    const here = (row.local.kind === "absent" ? 0 : ON_LOCAL) | (row.remote.kind === "absent" ? 0 : ON_REMOTE);
    if (here !== 0) {
      paths.push(row.path);
      sides.push(here);
    }
    const verdict = classify(row);
    if (verdict === "nothing" || (only !== undefined && !only(row.path))) continue;
    if (verdict === "in_sync") inSync++;
    else open.push({ row, verdict });
  }
  return { rows: open, inSync, paths, sides };
}

function countSynced({ only, inSync }: PlanRequest): number {
  if (inSync === undefined) return 0;
  if (only === undefined) return inSync.count;
  let count = 0;
  for (const path of inSync.paths()) if (only(path)) count++;
  return count;
}

function draft(row: Row, verdict: Verdict, request: PlanRequest): Draft {
  if (verdict === "held") return { row, verdict, reason: unknownReason(row) };
  if (verdict !== "conflict" && verdict !== "compare")
    return withAction(row, verdict, clearAction(row, verdict, request.mode));
  const conflict: Conflict = { path: row.path, kind: conflictKind(row), row };
  if (verdict === "compare") return { row, verdict, conflict, compare: true };
  const settled = settle(conflict, request);
  switch (settled.kind) {
    case "action":
      return { row, verdict, conflict, action: settled.action };
    case "skip":
      return { row, verdict, conflict };
    case "compare":
      return { row, verdict, conflict, compare: true };
    case "impossible":
      return { row, verdict, conflict, reason: settled.reason };
  }
}

function withAction(row: Row, verdict: Verdict, action: Action | undefined): Draft {
  return action === undefined ? { row, verdict } : { row, verdict, action };
}

function settle(conflict: Conflict, request: PlanRequest): ReturnType<typeof resolve> {
  const { mode } = request;
  if (mode.kind === "push" && mode.forceLocal) return resolve(conflict, "keep-local");
  if (mode.kind === "sync" && request.settle !== undefined) return resolve(conflict, request.settle(conflict));
  return { kind: "skip" };
}

function clearAction(row: Row, verdict: Exclude<Verdict, "held" | "conflict" | "compare">, mode: PlanMode) {
  switch (verdict) {
    case "new_local":
    case "local_ahead":
      return sends(mode) ? uploadOf(row) : undefined;
    case "deleted_local":
      return sends(mode) ? deleteRemoteOf(row) : undefined;
    case "new_remote":
    case "remote_ahead":
      return fetches(mode) ? downloadOf(row) : undefined;
    case "deleted_remote":
      return fetches(mode) ? deleteLocalOf(row) : undefined;
    case "adopt":
      return adoptOf(row);
    case "forget":
      return { kind: "forget", path: row.path } as const;
    case "in_sync":
    case "nothing":
      return undefined;
  }
}

function sends(mode: PlanMode): boolean {
  return mode.kind !== "pull";
}

function fetches(mode: PlanMode): boolean {
  return mode.kind !== "push";
}

function unknownReason(row: Row): string {
  if (row.local.kind === "unreadable") return row.local.reason;
  return row.remote.kind === "unusable" ? row.remote.reason : "its state is unknown";
}

/** Names and sizes that the target cannot take. What already exists there evidently fits. */
function holdUnfit(drafts: readonly Draft[], request: PlanRequest): void {
  for (const it of drafts) {
    const reason = it.action === undefined ? undefined : unfitReason(it.action, request);
    if (reason !== undefined) hold(it, reason);
  }
}

function unfitReason(action: Action, request: PlanRequest): string | undefined {
  switch (action.kind) {
    case "upload":
      return (
        sizeProblem(action.local.size, request) ??
        (action.expect === "absent" ? sentName(action.path, request) : undefined)
      );
    case "download":
      return action.local === "absent" ? fetchedName(action.path, request) : undefined;
    case "keep-both":
      return sizeProblem(action.local.size, request) ?? copyProblem(action.copy, request);
    case "delete-remote":
    case "delete-local":
    case "adopt":
    case "forget":
      return undefined;
  }
}

function copyProblem(copy: RelPath, request: PlanRequest): string | undefined {
  if (request.inScope !== undefined && !request.inScope(copy)) {
    return `its conflict copy ${JSON.stringify(copy)} would not be synced: include that name or keep one side`;
  }
  return sentName(copy, request) ?? fetchedName(copy, request);
}

function sentName(path: RelPath, request: PlanRequest): string | undefined {
  return request.names === undefined ? undefined : remoteNameProblem(path, request.names);
}

function fetchedName(path: RelPath, request: PlanRequest): string | undefined {
  return localNameProblem(path, request.localPlatform ?? "posix");
}

function sizeProblem(size: number, request: PlanRequest): string | undefined {
  const { maxFileSize } = request;
  if (maxFileSize === undefined || size <= maxFileSize) return undefined;
  return `its ${size} bytes are more than the remote takes (${maxFileSize})`;
}

/**
 * A conflict whose copy has something of its own to settle waits for the next run, unless the copy is just what the
 * conflict would make of it: an interrupted run or another machine has begun the same.
 */
function holdTakenCopies(drafts: readonly Draft[], request: PlanRequest): void {
  if (request.settle === undefined) return;
  const moving = new Map(drafts.map((it) => [it.row.path, it]));
  for (const it of drafts) {
    if (it.action?.kind !== "keep-both") continue;
    const copy = moving.get(it.action.copy);
    if (copy === undefined) continue;
    const begun = isBegun(copy.row, it.action.copySha256);
    if (begun === true) delete copy.action;
    else {
      if (begun === undefined) copy.compare = true;
      hold(it, `its conflict copy ${JSON.stringify(it.action.copy)} has to be settled first: run again`);
    }
  }
}

/** Whether a new file holds this content on each side that has it; undefined while nobody has read it. */
function isBegun({ base, local, remote }: Row, sha256: string): boolean | undefined {
  if (base !== undefined || local.kind === "unreadable" || remote.kind === "unusable") return false;
  const known: (string | undefined)[] = [];
  if (local.kind === "file") known.push(local.hash?.sha256);
  if (remote.kind === "file") known.push(remote.sha256);
  if (known.some((found) => found !== undefined && found !== sha256)) return false;
  return known.includes(undefined) ? undefined : true;
}

function holdClashes(drafts: readonly Draft[], seen: Survey, request: PlanRequest): Clashes {
  const creations: SidePath[] = [];
  const deletions: SidePath[] = [];
  for (const { action } of drafts) {
    if (action?.kind === "upload" && action.expect === "absent") creations.push({ side: "remote", path: action.path });
    if (action?.kind === "download" && action.local === "absent") creations.push({ side: "local", path: action.path });
    if (action?.kind === "keep-both") creations.push(...bothSides(action.copy));
    if (action?.kind === "delete-remote") deletions.push({ side: "remote", path: action.path });
    if (action?.kind === "delete-local") deletions.push({ side: "local", path: action.path });
  }
  const inSync = request.inSync && { inSync: request.inSync.paths };
  const clashes = findClashes({ presence: seen, ...inSync, creations, deletions });
  for (const it of drafts) {
    const reason = it.action === undefined ? undefined : clashReason(it.action, clashes);
    if (reason !== undefined) hold(it, reason);
  }
  return clashes;
}

function bothSides(path: RelPath): SidePath[] {
  return [
    { side: "local", path },
    { side: "remote", path },
  ];
}

function clashReason(action: Action, clashes: Clashes): string | undefined {
  const { local, remote } = clashes.held;
  if (action.kind === "upload" && action.expect === "absent") return remote.get(action.path);
  if (action.kind === "download" && action.local === "absent") return local.get(action.path);
  return action.kind === "keep-both" ? (local.get(action.copy) ?? remote.get(action.copy)) : undefined;
}

/** A held conflict stays a conflict, with a reason; anything else becomes held. */
function hold(it: Draft, reason: string): void {
  delete it.action;
  it.reason = reason;
  if (it.conflict === undefined) it.verdict = "held";
}

function assemble(drafts: readonly Draft[], clashes: Clashes, inSync: number, request: PlanRequest): Plan {
  const counts = { ...NO_COUNTS, in_sync: inSync };
  const conflicts: Conflict[] = [];
  const held: Held[] = [];
  const statuses: PathStatus[] = [];
  const compare: RelPath[] = [];
  const phases: [first: Action[], middle: Action[], last: Action[]] = [[], [], []];
  for (const it of drafts) {
    const status = statusOf(it.verdict);
    if (status !== undefined) counts[status]++;
    if (status !== undefined && status !== "in_sync") statuses.push({ path: it.row.path, status });
    if (it.conflict !== undefined && it.action === undefined) conflicts.push(it.conflict);
    if (it.reason !== undefined) held.push({ path: it.row.path, reason: it.reason });
    if (it.compare) compare.push(it.row.path);
    if (it.action !== undefined && request.mode.kind !== "status") phases[phaseOf(it.action, clashes)].push(it.action);
  }
  return { actions: phases.flat(), conflicts, held, statuses, counts, compare };
}

function phaseOf(action: Action, clashes: Clashes): 0 | 1 | 2 {
  if (action.kind === "delete-remote") return clashes.room.remote.has(action.path) ? 0 : 2;
  if (action.kind === "delete-local") return clashes.room.local.has(action.path) ? 0 : 2;
  return 1;
}

function statusOf(verdict: Verdict): Status | undefined {
  switch (verdict) {
    case "adopt":
      return "in_sync";
    case "compare":
      return "conflict";
    case "forget":
    case "nothing":
      return undefined;
    default:
      return verdict;
  }
}

const NO_COUNTS: Readonly<Record<Status, number>> = {
  conflict: 0,
  local_ahead: 0,
  remote_ahead: 0,
  new_local: 0,
  new_remote: 0,
  deleted_local: 0,
  deleted_remote: 0,
  held: 0,
  in_sync: 0,
};
