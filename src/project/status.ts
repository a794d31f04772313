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
  const fileOf = (row: Row): StatusFile => statusFile(row, statuses.get(row.path) ?? "in_sync");
  const differing: StatusFile[] = [];
  let uploadBytes = 0;
  let downloadBytes = 0;
  for (const { path, status } of plan.statuses) {
    const row = look.rows.at(look.rows.find(path));
    differing.push(statusFile(row, status));
    if ((status === "local_ahead" || status === "new_local") && row.local.kind === "file")
      uploadBytes += row.local.stat.size;
    if ((status === "remote_ahead" || status === "new_remote") && row.remote.kind === "file") {
      downloadBytes += row.remote.file.size;
    }
  }
  return {
    configFile: parts.deps.config.file,
    counts: plan.counts,
    differing,
    held: plan.held,
    notices: [...look.notices, ...troubles(parts, plan, look)],
    files: function* () {
      for (const row of look.everything()) if (row.inScope) yield fileOf(row);
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
  const { rows } = look;
  const hash = async (at: number): Promise<void> => {
    const row = rows.at(at);
    if (row.local.kind !== "file" || !row.local.changed || row.local.hash !== undefined) return;
    try {
      const read = await sync.tools.hashLocal(row.path);
      look.learned.local.set(row.path, read);
      rows.set(at, { ...row, local: { ...row.local, ...read } });
    } catch (error) {
      if (!(error instanceof LocalFileError)) throw error;
    }
  };
  await forEachLimit(Array.from({ length: rows.length }).keys(), deps.config.parallelWorkers, hash, {
    signal: deps.signal,
  });
}
