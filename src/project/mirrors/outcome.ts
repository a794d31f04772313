import { shortError } from "../../lib/redact.ts";
import type { ItemError } from "../../sync/model.ts";
import type { Announcement, BackendOutcome, MirrorItem, RunResult } from "../model.ts";
import type { MirrorDeps } from "./model.ts";
import { adviceFor, needsPerson, stateAfter } from "./reaction.ts";
import type { MirrorState, Pending } from "./state.ts";

export interface OutcomeFacts {
  readonly uploaded: readonly string[];
  readonly deleted: readonly string[];
  /** Files that were tried and failed. */
  readonly failed: readonly Pending[];
  /** What went wrong beside the files. */
  readonly trouble: ItemError | null;
  readonly unsent: number;
  readonly snapshots: readonly string[];
}

/** How a mirror stands, from what a run did there and what is left in its queue. */
export function mirrorOutcome(mirror: MirrorDeps, state: MirrorState, facts: OutcomeFacts): BackendOutcome {
  const { uploaded, deleted, failed, trouble, unsent, snapshots } = facts;
  const errors = [...(trouble ? [trouble] : []), ...failed.flatMap(({ error }) => error ?? [])];
  const pending = [...state.pending.values()].filter((item) => item.state === "pending_retry").length;
  const worst = errors.find(needsPerson) ?? errors[0];
  return {
    name: mirror.name,
    role: "mirror",
    state: stateAfter(errors, pending + state.snapshots.length),
    uploaded,
    deleted,
    failed: failed.map(itemOf),
    pending,
    unsent,
    snapshots,
    message: worst?.message ?? null,
    advice: worst === undefined ? null : (adviceFor(worst, mirror) ?? worst.hint ?? null),
  };
}

/** How all mirrors stand, in the order of the config: those that were open as given, the others for their configs. */
export function allOutcomes(
  mirrors: readonly MirrorDeps[],
  outcomes: readonly BackendOutcome[],
): readonly BackendOutcome[] {
  return mirrors.flatMap((mirror) => {
    if (mirror.config === undefined) return brokenOutcome(mirror);
    return outcomes.find(({ name }) => name === mirror.name) ?? [];
  });
}

function brokenOutcome(mirror: MirrorDeps): BackendOutcome {
  return {
    name: mirror.name,
    role: "mirror",
    state: "action-required",
    uploaded: [],
    deleted: [],
    failed: [],
    pending: 0,
    unsent: 0,
    snapshots: [],
    message: `the mirror's config ${mirror.file} cannot be used: ${mirror.problem ?? "it cannot be read"}`,
    advice: `Correct it, or take it out of mirror_config_paths; claude-mirror doctor explains.`,
  };
}

export function itemOf({ path, wants, state, error }: Pending): MirrorItem {
  return { path, action: wants === "" ? "delete" : "upload", state, error };
}

/** What the primary did, in the same words as the mirrors. */
export function primaryOutcome(name: string, result: Omit<RunResult, "backends" | "announcements">): BackendOutcome {
  const failed = result.failed.filter(({ action }) => action === "upload" || action === "delete-remote");
  const errors = failed.map(({ error }) => error);
  const worst = errors.find(needsPerson) ?? errors[0];
  const items = failed.map(
    ({ path, action, error }): MirrorItem => ({
      path,
      action: action === "upload" ? "upload" : "delete",
      state: "pending_retry",
      error,
    }),
  );
  return {
    name,
    role: "primary",
    state: stateAfter(errors, 0),
    uploaded: result.uploaded,
    deleted: result.deletedRemote,
    failed: items,
    pending: failed.length,
    unsent: 0,
    snapshots: result.snapshot === null ? [] : [result.snapshot.timestamp],
    message: worst?.message ?? null,
    advice: worst?.hint ?? null,
  };
}

/** What is to be announced of a run: troubles of mirrors, unless the config wants silence. */
export function announcementsOf(backends: readonly BackendOutcome[]): readonly Announcement[] {
  return backends.flatMap((one): readonly Announcement[] => {
    if (one.role === "primary" || one.state === "ok") return [];
    const level = one.state === "action-required" ? "action-required" : "warning";
    return [
      {
        level,
        backend: one.name,
        title: titleOf(one, level),
        lines: [one.message, one.advice].flatMap((line) => line ?? []),
      },
    ];
  });
}

function titleOf({ name, pending, state }: BackendOutcome, level: Announcement["level"]): string {
  if (level === "action-required") return `ACTION REQUIRED: ${name}`;
  return state === "pending" ? `${name} — ${pending} file(s) pending retry` : `${name} — some files are left alone`;
}

/** An error as it is kept in a file: one line, nothing secret, capped (reference 2.13). */
export function keptError(error: ItemError, home: string | undefined): ItemError {
  return { ...error, message: shortError(error.message, home === undefined ? {} : { home }) };
}
