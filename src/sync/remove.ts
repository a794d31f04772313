import { dirname } from "node:path";
import { NotFoundError, StaleError } from "../backends/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { asLocalError, lookAt, requireUnchanged, StalePlanError } from "./local-file.ts";
import type { Action } from "./model.ts";
import { callOptions, type RunContext } from "./run-context.ts";
import { keepRemote } from "./upload.ts";

export type DeleteLocalAction = Extract<Action, { readonly kind: "delete-local" }>;
export type DeleteRemoteAction = Extract<Action, { readonly kind: "delete-remote" }>;

/**
 * Moves a local file that still is what the plan saw to the trash, and removes the folders that this empties, after a
 * lookup of its own that the remote file really is absent. One that is gone already counts as removed. Throws
 * StalePlanError when it has changed or the remote has it.
 */
export async function removeLocal(action: DeleteLocalAction, run: RunContext): Promise<void> {
  const { path, local } = action;
  // A remote that ignores case answers with the file that has taken this one's name in other letters.
  if (!action.withRemote && (await run.backend.stat(path, callOptions(run)))?.path === path) {
    throw new StalePlanError(`left "${path}" alone: it is on the remote although a listing lacked it; run again`);
  }
  run.root.requireRoot();
  const absolute = run.root.file(path);
  try {
    if (lookAt(absolute) !== "absent") {
      requireUnchanged(absolute, path, local);
      run.trash.putFile(absolute, { path, reason: "deleted on the remote" }, { expect: local });
      await syncIfThere(dirname(absolute), run);
      if (lookAt(absolute) !== "absent") throw new StalePlanError(`left "${path}" alone: it has appeared; run again`);
    }
  } catch (error) {
    throw asLocalError(error, `could not move "${path}" to the trash`);
  }
  run.record({ kind: "gone", path });
  faultPoint("prune-folders");
  run.root.pruneFolders(path);
}

/**
 * Removes the remote version that the plan saw, after its content is safe in a snapshot or the trash and a last look
 * that the local file really is absent. One that is gone already counts as removed.
 * Throws StalePlanError when the local file is back, StaleError when the remote one is another version.
 */
export async function removeRemote(action: DeleteRemoteAction, run: RunContext): Promise<void> {
  const { path, remote } = action;
  try {
    await keepRemote(remote, action.sha256, "deleted by push", run);
    requireGone(action, run);
    faultPoint("remove-remote");
    await run.backend.remove(path, { expect: remote.rev, ...callOptions(run) });
  } catch (error) {
    const missing = error instanceof NotFoundError || error instanceof StaleError;
    if (!missing || (await run.backend.stat(path, callOptions(run))) !== undefined) throw error;
    requireGone(action, run);
  }
  run.record({ kind: "gone", path });
}

/** Another delete may have emptied and removed the folder meanwhile. */
async function syncIfThere(folder: string, run: RunContext): Promise<void> {
  try {
    await run.syncFolder(folder);
  } catch (error) {
    if (lookAt(folder) !== "absent") throw error;
  }
}

/** A folder of that name means that the file is gone. */
function requireGone({ path, localStays }: DeleteRemoteAction, run: RunContext): void {
  run.root.requireRoot();
  if (localStays) return;
  try {
    const found = lookAt(run.root.file(path));
    if (found === "absent" || found === "folder") return;
  } catch (error) {
    throw asLocalError(error, `could not make sure that "${path}" is gone here`);
  }
  throw new StalePlanError(`left the remote "${path}" alone: it has appeared here since this run looked; run again`);
}
