import { BackendError } from "../../backends/errors.ts";
import { RESERVED_FOLDERS } from "../../backends/layout.ts";
import type { RemoteFile } from "../../backends/types.ts";
import { forEachLimit } from "../../lib/limits.ts";
import { comparePaths, type RelPath } from "../../lib/path.ts";
import { remoteHash, sameByChecksum } from "../../sync/contents.ts";
import { describeItemError } from "../../sync/item-error.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import type { BackendColumn, MirrorFileState, PendingResult } from "../model.ts";
import type { Parts } from "../parts.ts";
import type { Mirror, OpenMirror } from "./model.ts";
import { mirrorGap, sameContent } from "./plan.ts";
import { openMirrors } from "./run.ts";

/** What waits or has failed on every mirror, from this machine's records alone: nothing is asked. */
export async function pendingStatus(parts: Parts): Promise<PendingResult> {
  const agreed = await parts.sync.agreedIndex();
  const rows: PendingResult["rows"][number][] = [];
  const unsent: { backend: string; files: number }[] = [];
  const snapshots: { backend: string; timestamps: readonly string[] }[] = [];
  for (const { mirror, state } of openMirrors(parts)) {
    const gap = mirrorGap(agreed, state);
    const backend = mirror.name;
    for (const { agreed: entry, pending } of gap.behind) {
      const { path } = entry;
      if (pending !== undefined && pending.wants === entry.md5) {
        rows.push({
          path,
          backend,
          action: "upload",
          state: pending.state,
          error: pending.error,
          attempts: pending.attempts,
        });
      } else rows.push({ path, backend, action: "upload", state: "pending_retry", error: null, attempts: 0 });
    }
    for (const item of gap.doomed) {
      rows.push({
        path: item.path,
        backend,
        action: "delete",
        state: item.state,
        error: item.error,
        attempts: item.attempts,
      });
    }
    if (gap.unsent.length > 0) unsent.push({ backend, files: gap.unsent.length });
    if (state.snapshots.length > 0) snapshots.push({ backend, timestamps: state.snapshots });
  }
  rows.sort((a, b) => comparePaths(a.path, b.path) || comparePaths(a.backend, b.backend));
  const broken = parts.mirrors.filter(({ config }) => config === undefined);
  return {
    rows,
    unsent,
    snapshots,
    broken: broken.map(({ name, problem }) => ({ backend: name, problem: problem ?? "" })),
  };
}

/** How every mirror really stands, file by file, from a listing of each; contents are read where versions do not tell. */
export async function mirrorColumns(parts: Parts): Promise<readonly BackendColumn[]> {
  const agreed = await parts.sync.agreedIndex();
  const open = openMirrors(parts);
  return Promise.all(
    parts.mirrors.map(async (mirror): Promise<BackendColumn> => {
      const one = open.find(({ mirror: { name } }) => name === mirror.name);
      if (one === undefined) return { name: mirror.name, error: mirror.problem ?? "", files: new Map() };
      try {
        const { states } = await standingOf(parts, one, agreed);
        return { name: mirror.name, error: null, files: states };
      } catch (error) {
        parts.deps.signal.throwIfAborted();
        return { name: mirror.name, error: describeItemError(error).message, files: new Map() };
      }
    }),
  );
}

/** A folder that is gone says nothing of what was in it. */
export function rootGone({ name, root }: Mirror): BackendError {
  return new BackendError(`cannot look at the mirror ${name}: its folder (${root}) is missing`, {
    class: "TRANSIENT",
    hint: "If it was moved or its disk is not mounted, bring it back; to begin anew, run claude-mirror auth for its config.",
  });
}

/** How the files of one mirror stand, and the versions that a listing of it showed. */
export interface Standing {
  readonly states: Map<RelPath, MirrorFileState>;
  readonly there: ReadonlyMap<RelPath, RemoteFile>;
}

/** Lists one mirror and holds it against what is agreed. Throws what the backend throws. */
export async function standingOf(parts: Parts, { mirror, state }: OpenMirror, agreed: StateIndex): Promise<Standing> {
  const { signal, config } = parts.deps;
  const backend = await mirror.backend();
  const { files, exists } = await backend.list("", { skip: RESERVED_FOLDERS, signal });
  if (!exists && state.index.length + state.overlay.size > 0) throw rootGone(mirror);
  const there = new Map(files.map((file) => [file.path, file]));
  const states = new Map<RelPath, MirrorFileState>();
  for (const path of there.keys()) {
    const row = agreed.find(path);
    if ((row < 0 || !agreed.hasBase(row)) && parts.sync.scope.includes(path)) states.set(path, "extra");
  }
  const rows: number[] = [];
  for (let row = 0; row < agreed.length; row++) if (agreed.hasBase(row)) rows.push(row);
  const judge = async (row: number): Promise<void> => {
    const base = agreed.baseAt(row);
    if (base === undefined) return;
    const file = there.get(base.path);
    const record = state.recordOf(base.path);
    const isRecorded = file !== undefined && record !== undefined && record.rev === file.rev && !file.racy;
    if (file === undefined) states.set(base.path, record === undefined ? "not sent" : "missing");
    else if (isRecorded && sameContent(base, record)) states.set(base.path, "ok");
    else if (isRecorded) states.set(base.path, "behind");
    else states.set(base.path, (await holds(file)) ? "ok" : "differs");
    async function holds(found: RemoteFile): Promise<boolean> {
      if (base === undefined || (base.size !== undefined && base.size !== found.size)) return false;
      const known =
        base.sha256 === undefined ? undefined : sameByChecksum(found, { md5: base.md5, sha256: base.sha256 });
      return known ?? (await remoteHash(backend, found, { signal })).md5 === base.md5;
    }
  };
  await forEachLimit(rows, config.parallelWorkers, judge, { signal });
  return { states, there };
}
