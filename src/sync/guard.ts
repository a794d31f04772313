import type { GuardName, Plan, Refusal } from "./model.ts";

/** What the guards need to know beside the plan. Counts are of files in scope. */
export interface GuardFacts {
  readonly localFiles: number;
  readonly remoteFiles: number;
  /** Entries that both sides agreed on when the last run ended. */
  readonly baseEntries: number;
  readonly localRootExists: boolean;
  readonly remoteRootExists: boolean;
  /** The manifest has a shape that only a later version can have written. */
  readonly manifestFromFuture?: boolean;
}

/**
 * The reasons not to start (decision 11), empty when there are none. A plan that only forgets, or does nothing, is
 * let through, unless the remote folder is missing: a push to nowhere must not look done. `allow` lifts guards by name,
 * all but `future-manifest`: nothing may write over what it cannot read. Where a side has vanished, that guard speaks and
 * mass-delete does not repeat it.
 */
export function guard(plan: Plan, facts: GuardFacts, allow: ReadonlySet<GuardName>): Refusal[] {
  if (facts.manifestFromFuture) return [{ guard: "future-manifest", message: FUTURE_MANIFEST }];
  const remoteMissing = facts.baseEntries > 0 && !facts.remoteRootExists;
  if (!remoteMissing && !plan.actions.some((action) => action.kind !== "forget")) return [];
  const localGone = facts.baseEntries > 0 && (!facts.localRootExists || facts.localFiles === 0);
  const remoteGone = remoteMissing || (facts.baseEntries > 0 && facts.remoteFiles === 0);
  const refusals: Refusal[] = [];
  if (localGone) refusals.push({ guard: "empty-root", message: emptyRootMessage(facts) });
  if (remoteGone) refusals.push({ guard: "remote-gone", message: remoteGoneMessage(facts) });
  const doomedHere = plan.actions.filter((action) => action.kind === "delete-local").length;
  const doomedThere = plan.actions.filter((action) => action.kind === "delete-remote").length;
  const masses = [
    { doomed: doomedHere, files: facts.localFiles, where: "here", explained: remoteGone },
    { doomed: doomedThere, files: facts.remoteFiles, where: "on the remote", explained: localGone },
  ].filter((it) => !it.explained && isMassDelete(it.doomed, it.files));
  if (masses.length > 0) {
    const counts = masses.map((it) => `${it.doomed} of ${it.files} files ${it.where}`).join(" and ");
    refusals.push({
      guard: "mass-delete",
      message: `${counts} would be deleted. If that is meant, use --allow mass-delete.`,
    });
  }
  return refusals.filter((refusal) => !allow.has(refusal.guard));
}

/** More than 50 files and more than half of a side, or all (but one) of five or more. */
function isMassDelete(doomed: number, files: number): boolean {
  const most = doomed > MASS_DELETE_FILES && doomed * 2 > files;
  const nearlyAll = files >= SMALL_SIDE && doomed >= files - 1;
  return most || nearlyAll;
}

const MASS_DELETE_FILES = 50;
const SMALL_SIDE = 5;

const FUTURE_MANIFEST =
  '".claude_mirror_manifest.json" was written by a later version of claude-mirror and cannot be understood here: update claude-mirror. This guard cannot be lifted.';

function emptyRootMessage(facts: GuardFacts): string {
  const found = facts.localRootExists ? "The project folder holds none of" : "The project folder is missing, with";
  return `${found} the ${agreed(facts.baseEntries)} in sync. If its disk is not mounted, mount it; if that is meant, use --allow empty-root.`;
}

function remoteGoneMessage(facts: GuardFacts): string {
  const found = facts.remoteRootExists ? "The remote folder holds none of" : "The remote folder is missing, with";
  return `${found} the ${agreed(facts.baseEntries)} in sync. If it was moved or is not mounted, bring it back; if that is meant, use --allow remote-gone.`;
}

function agreed(count: number): string {
  return count === 1 ? "1 file that was" : `${count} files that were`;
}
