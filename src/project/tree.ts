import type { Row } from "../sync/model.ts";
import type { TreeFile, TreeResult } from "./model.ts";
import type { Parts } from "./parts.ts";

export interface TreeRequest {
  /** As typed, a file, folder or glob; everything when left out. */
  readonly path?: string | undefined;
  /** Only what is on the remote, with its sizes and times there. */
  readonly remoteOnly: boolean;
}

/**
 * Every file of the mirrored tree with the sides that have it. Looks at both sides and changes nothing but caches. Throws
 * UsageError for a path that matches nothing.
 */
export async function projectTree(parts: Parts, { path, remoteOnly }: TreeRequest): Promise<TreeResult> {
  const look = await parts.sync.look({ files: path === undefined ? [] : [path], cache: true });
  const plan = await parts.sync.plan(look, { mode: { kind: "status" } });
  parts.sync.remember(look);
  const statuses = new Map(plan.statuses.map((one) => [one.path, one.status]));
  const files: TreeFile[] = [];
  for (const row of look.everything()) {
    if (!row.inScope || look.selection?.matches(row.path) === false) continue;
    const file = treeFile(row, remoteOnly);
    if (file !== undefined) files.push({ ...file, status: statuses.get(row.path) ?? "in_sync" });
  }
  return { root: parts.root, files, held: plan.held, notices: look.notices };
}

/** Undefined where neither side that counts has a file. */
function treeFile({ path, local, remote }: Row, remoteOnly: boolean): Omit<TreeFile, "status"> | undefined {
  const here =
    local.kind === "file" ? { size: local.stat.size, modifiedMs: Number(local.stat.mtimeNs / 1_000_000n) } : undefined;
  const there =
    remote.kind === "file" ? { size: remote.file.size, modifiedMs: remote.file.modifiedMs ?? null } : undefined;
  const shown = remoteOnly ? there : (here ?? there);
  if (shown === undefined) return undefined;
  const where = here === undefined ? "remote" : there === undefined ? "local" : "both";
  return { path, where, ...shown };
}
