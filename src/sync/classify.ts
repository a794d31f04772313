import type { ConflictKind, Row, Status } from "./model.ts";

/**
 * What a row is: a status for people, or one of
 * - `adopt`: both sides hold the same bytes and the base does not say so;
 * - `forget`: the base entry has outlived its use (both sides gone, or out of scope);
 * - `compare`: the contents decide and nobody has read them;
 * - `nothing`: not ours.
 */
export type Verdict = Status | "adopt" | "forget" | "compare" | "nothing";

/** The corrected decision table of reference 2.3. Scope comes first: what left it is forgotten, never deleted. */
export function classify(row: Row): Verdict {
  const { base, local, remote } = row;
  if (!row.inScope) return base === undefined ? "nothing" : "forget";
  if (local.kind === "unreadable" || remote.kind === "unusable") return "held";
  if (local.kind === "file" && remote.kind === "file") return classifyBoth(row, local.changed, remote.changed);
  if (local.kind === "file") {
    if (base === undefined) return "new_local";
    return local.changed ? "conflict" : "deleted_remote";
  }
  if (remote.kind === "file") {
    if (base === undefined) return "new_remote";
    return remote.changed ? "conflict" : "deleted_local";
  }
  return base === undefined ? "nothing" : "forget";
}

/** Which conflict a row is that {@link classify} called one (or wants compared). */
export function conflictKind(row: Row): ConflictKind {
  if (row.remote.kind !== "file") return "edit/delete";
  if (row.local.kind !== "file") return "delete/edit";
  return row.base === undefined ? "new/new" : "edit/edit";
}

/** True or false when it is known whether both files hold the same bytes. */
export function sameContent(row: Row): boolean | undefined {
  const { local, remote } = row;
  if (local.kind !== "file" || remote.kind !== "file") return false;
  if (local.stat.size !== remote.file.size) return false;
  if (row.equal !== undefined) return row.equal;
  if (local.hash === undefined || remote.sha256 === undefined) return undefined;
  return local.hash.sha256 === remote.sha256;
}

function classifyBoth(row: Row, localChanged: boolean, remoteChanged: boolean): Verdict {
  const agreed = row.base !== undefined;
  if (agreed && !localChanged && !remoteChanged) return "in_sync";
  const same = sameContent(row);
  if (same === true) return "adopt";
  if (agreed && !remoteChanged) return "local_ahead";
  if (agreed && !localChanged) return same === undefined && isForeign(row.base) ? "compare" : "remote_ahead";
  return same === false ? "conflict" : "compare";
}

/** What only a shared manifest says about the remote may be spelled otherwise by this server, the content the same. */
function isForeign(base: Row["base"]): boolean {
  return base !== undefined && base.rev === undefined;
}
