import type { Look } from "../sync/look.ts";
import type { Action, Conflict, Plan, Row } from "../sync/model.ts";
import type { RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import { runTransfer } from "./run.ts";
import type { DeleteOptions } from "./service.ts";

/**
 * Deletes files on the remote, and with `local` here too (into the trash). A file that somebody changed on the remote
 * since the last sync is a conflict and stays.
 */
export function deleteFiles(parts: Parts, options: DeleteOptions): Promise<RunResult> {
  const { local, ...rest } = options;
  const replan = (look: Look, plan: Plan): Plan => deletePlan(look, plan, local);
  return runTransfer(parts, { ...rest, command: "delete", mode: { kind: "status" }, replan });
}

function deletePlan(look: Look, plan: Plan, withLocal: boolean): Plan {
  const remote: Action[] = [];
  const local: Action[] = [];
  const conflicts: Conflict[] = [];
  for (const row of look.everything()) {
    if (!row.inScope || look.selection?.matches(row.path) === false) continue;
    if (isChangedThere(row)) {
      conflicts.push({
        path: row.path,
        kind: row.local.kind === "file" && row.local.changed ? "edit/edit" : "delete/edit",
        row,
      });
      continue;
    }
    if (row.remote.kind === "file") {
      const { base } = row;
      const sha256 = base?.sha256 === undefined ? {} : { sha256: base.sha256 };
      remote.push({ kind: "delete-remote", path: row.path, remote: row.remote.file, ...sha256, localStays: true });
    }
    if (withLocal && row.local.kind === "file")
      local.push({ kind: "delete-local", path: row.path, local: row.local.stat, withRemote: true });
  }
  return { ...plan, actions: [...remote, ...local], conflicts };
}

function isChangedThere({ base, remote, equal }: Row): boolean {
  return base !== undefined && remote.kind === "file" && remote.changed && equal !== true;
}
