import type { ItemError } from "../../sync/model.ts";
import type { BackendState } from "../model.ts";
import type { Pending } from "./state.ts";

/** A passing failure that came so often for one content is none (reference 1.14). */
export const MAX_ATTEMPTS = 10;

/** What a failed attempt makes of a queued item: the seed's table of error classes, one row each. */
export function afterFailure(
  item: Pick<Pending, "path" | "wants" | "since">,
  before: Pending | undefined,
  error: ItemError,
  at: string,
): Pending {
  const attempts = before !== undefined && before.wants === item.wants ? before.attempts + 1 : 1;
  const state = isPassing(error, attempts) ? "pending_retry" : "failed_perm";
  return { ...item, state, attempts, error, at };
}

function isPassing(error: ItemError, attempts: number): boolean {
  // Throttling is never the file's fault (decision 24).
  if (error.throttled) return true;
  switch (error.class) {
    case "TRANSIENT":
    case "UNKNOWN":
      return attempts < MAX_ATTEMPTS;
    case "LOCAL":
      return true;
    case "AUTH":
    case "QUOTA":
    case "PERMISSION":
    case "FILE_REJECTED":
    case "STALE":
      return false;
  }
}

/** How a backend stands after these failures, the worst one counting. */
export function stateAfter(errors: readonly ItemError[], pending: number): BackendState {
  if (errors.some(needsPerson)) return "action-required";
  if (errors.some(({ class: kind }) => kind === "FILE_REJECTED" || kind === "STALE")) return "warning";
  return pending > 0 || errors.length > 0 ? "pending" : "ok";
}

export function needsPerson(error: ItemError): boolean {
  return !error.throttled && (error.class === "AUTH" || error.class === "QUOTA" || error.class === "PERMISSION");
}

/** The next step that the seed's table names. */
export function adviceFor(error: ItemError, mirror: { readonly name: string; readonly file: string }): string | null {
  const retry = `claude-mirror retry --backend ${mirror.name}`;
  if (error.throttled) return null;
  switch (error.class) {
    case "AUTH":
      return `Run claude-mirror auth --config ${mirror.file}, then ${retry}`;
    case "QUOTA":
      return `Free space on ${mirror.name} or wait for its quota to be reset, then run ${retry}`;
    case "PERMISSION":
      return `Restore access to the folder of ${mirror.name}, then run ${retry}`;
    case "STALE":
      return `To replace what is there (it is kept in the trash here), run ${retry} --overwrite`;
    default:
      return null;
  }
}
