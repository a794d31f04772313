import { LocalFileError } from "../backends/errors.ts";
import { forEachLimit } from "../lib/limits.ts";
import type { Look } from "../sync/look.ts";
import type { Plan, Row, Status } from "../sync/model.ts";
import type { StatusFile, StatusResult } from "./model.ts";
import type { Parts } from "./parts.ts";

/** Looks at both sides and changes nothing but caches. */
export async function projectStatus(parts: Parts, options: { readonly hashes?: boolean } = {}): Promise<StatusResult> {
  const look = await parts.sync.look({ files: [], cache: true });
  const plan = await parts.sync.plan(look, { mode: { kind: "status" } });
  if (options.hashes) await hashChanged(parts, look);
  parts.sync.remember(look);
  const statuses = new Map(plan.statuses.map(({ path, status }) => [path, status]));
  const rows = new Map(look.rows.map((row) => [row.path, row]));
  const fileOf = (row: Row): StatusFile => statusFile(row, statuses.get(row.path) ?? "in_sync");
  let uploadBytes = 0;
  let downloadBytes = 0;
  for (const { path, status } of plan.statuses) {
    const row = rows.get(path);
    if ((status === "local_ahead" || status === "new_local") && row?.local.kind === "file")
      uploadBytes += row.local.stat.size;
    if ((status === "remote_ahead" || status === "new_remote") && row?.remote.kind === "file") {
      downloadBytes += row.remote.file.size;
    }
  }
  return {
    configFile: parts.deps.config.file,
    counts: plan.counts,
    differing: plan.statuses.map(({ row }) => fileOf(rows.get(row.path) ?? row)),
    held: plan.held,
    notices: [...look.notices, ...troubles(parts, plan, look)],
    files: function* () {
      for (const row of look.everything()) if (row.inScope) yield fileOf(rows.get(row.path) ?? row);
    },
    uploadBytes,
    downloadBytes,
  };
}

/** Why push, pull and sync would refuse now. */
function troubles({ sync }: Parts, plan: Plan, look: Look): string[] {
  return sync.guard(plan, look, new Set(["mass-delete"])).map((refusal) => refusal.message);
}

function statusFile({ path, local, remote, base }: Row, status: Status): StatusFile {
  const unchanged = local.kind === "file" && !local.changed ? base?.md5 : undefined;
  return {
    path,
    status,
    local_hash: local.kind === "file" ? (local.hash?.md5 ?? unchanged ?? null) : null,
    remote_hash: remote.kind === "file" ? remote.file.nativeHash : null,
    manifest_hash: base?.md5 ?? null,
  };
}

/** Reads the local files that differ and were not read yet. One that cannot be read stays without its hash. */
async function hashChanged({ sync, deps }: Parts, look: Look): Promise<void> {
  const hash = async ([row, at]: readonly [Row, number]): Promise<void> => {
    if (row.local.kind !== "file" || !row.local.changed || row.local.hash !== undefined) return;
    try {
      const read = await sync.tools.hashLocal(row.path);
      look.learned.local.set(row.path, read);
      look.rows[at] = { ...row, local: { ...row.local, ...read } };
    } catch (error) {
      if (!(error instanceof LocalFileError)) throw error;
    }
  };
  const rows = look.rows.map((row, at) => [row, at] as const);
  await forEachLimit(rows, deps.config.parallelWorkers, hash, { signal: deps.signal });
}
