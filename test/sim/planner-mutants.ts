import type { RemoteFile } from "../../src/backends/types.ts";
import { relPath } from "../../src/lib/path.ts";
import type { Action, LocalState, Plan, PlanRequest, RemoteState, Row } from "../../src/sync/model.ts";
import { plan } from "../../src/sync/plan.ts";
import type { Planner } from "./tree-model.ts";

/** A planner that sees each row through `change` first. */
export function seeing(change: (row: Row) => Row): Planner {
  return (rows, request) => plan([...rows].map(change), request);
}

/** A planner whose plan goes through `change` before anybody sees it. */
export function planning(change: (plan: Plan, rows: readonly Row[], request: PlanRequest) => Plan): Planner {
  return (rows, request) => {
    const list = [...rows];
    return change(plan(list, request), list, request);
  };
}

export const ignoresScope = seeing((row) => ({ ...row, inScope: true }));

export const takesExcludedForDeleted = seeing((row) =>
  row.inScope ? row : { ...row, inScope: true, local: { kind: "absent" } },
);

export const takesUnreadableForAbsent = seeing((row) =>
  row.local.kind === "unreadable" ? { ...row, local: { kind: "absent" } } : row,
);

export const takesUnusableForAbsent = seeing((row) =>
  row.remote.kind === "unusable" ? { ...row, remote: { kind: "absent" } } : row,
);

export const missesRemoteEdits = seeing((row) =>
  row.base === undefined ? row : { ...row, remote: unchanged(row.remote) },
);

export const missesLocalEdits = seeing((row) =>
  row.base === undefined ? row : { ...row, local: unchanged(row.local) },
);

export const forcesConflicts: Planner = (rows, request) =>
  plan(rows, request.mode.kind === "sync" ? { ...request, settle: () => "keep-local" } : request);

export const neverCompares = planning((planned, rows, request) => {
  const uncompared = new Set<string>(planned.compare);
  const told = rows.map((row) => (uncompared.has(row.path) ? { ...row, equal: false } : row));
  return plan(told, request);
});

/** Sees no path but one at a time, and so no clash. */
export const seesOneRowAtATime = planning((planned, rows, request) => {
  const parts = rows.map((row) => plan([row], request));
  return {
    ...planned,
    actions: parts.flatMap((it) => it.actions),
    conflicts: parts.flatMap((it) => it.conflicts),
    held: parts.flatMap((it) => it.held),
    statuses: parts.flatMap((it) => it.statuses),
    compare: parts.flatMap((it) => it.compare),
  };
});

export const deletesLast = planning((planned) => ({
  ...planned,
  actions: [...planned.actions].sort((a, b) => rank(a) - rank(b)),
}));

export const leavesRemoteDeletes = planning((planned) => ({
  ...planned,
  actions: planned.actions.filter((it) => it.kind !== "delete-local"),
}));

export const forgetsWhatItKnew = seeing((row) => {
  const { base: _, ...rest } = row;
  return { ...rest, local: changed(row.local), remote: changed(row.remote) };
});

export const letsLocalWin = mapKeepBoth((it) => ({
  ...it,
  winner: "local",
  copy: relPath(`${it.path}.conflict-${it.remoteSha256.slice(0, 8)}`),
  copySha256: it.remoteSha256,
}));

export const namesCopiesByTime = mapKeepBoth((it) => ({
  ...it,
  copy: relPath(`${it.path}.conflict-${it.local.mtimeNs.toString(16).padStart(8, "0")}`),
}));

export const copiesCopies = mapKeepBoth((it) => ({
  ...it,
  copy: relPath(`${it.path}.conflict-${it.copySha256.slice(0, 8)}`),
}));

export const overwritesWithoutCopy = planning((planned, rows) => ({
  ...planned,
  actions: planned.actions.map((it) => (it.kind === "keep-both" ? downloadInstead(it) : it)),
  statuses: rows.length === 0 ? [] : planned.statuses,
}));

type KeepBoth = Extract<Action, { kind: "keep-both" }>;

function mapKeepBoth(change: (action: KeepBoth) => KeepBoth): Planner {
  return planning((planned) => ({
    ...planned,
    actions: planned.actions.map((it) => (it.kind === "keep-both" ? change(it) : it)),
  }));
}

function downloadInstead(it: KeepBoth): Action {
  const remote: RemoteFile = it.remote;
  return { kind: "download", path: it.path, remote, local: it.local };
}

function unchanged<State extends LocalState | RemoteState>(state: State): State {
  return state.kind === "file" ? { ...state, changed: false } : state;
}

function changed<State extends LocalState | RemoteState>(state: State): State {
  return state.kind === "file" ? { ...state, changed: true } : state;
}

function rank(action: Action): number {
  return action.kind === "delete-local" || action.kind === "delete-remote" ? 1 : 0;
}

export const ignoresLimits: Planner = (rows, { names: _, maxFileSize: __, ...request }) => plan(rows, request);

export const listsBackwards = planning((planned) => ({ ...planned, statuses: [...planned.statuses].reverse() }));
