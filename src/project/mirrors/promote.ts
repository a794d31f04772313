import * as fs from "node:fs";
import { join } from "node:path";
import { MOVED_PATH } from "../../backends/layout.ts";
import type { RemoteFile } from "../../backends/types.ts";
import { RefusedError, UsageError } from "../../lib/errors.ts";
import { comparePaths, type RelPath } from "../../lib/path.ts";
import { manifestStat } from "../../sync/file-stat.ts";
import { syncFiles } from "../../sync/files.ts";
import { describeItemError } from "../../sync/item-error.ts";
import { rewriteManifest } from "../../sync/manifest-file.ts";
import type { BaseEntry } from "../../sync/model.ts";
import { recordRemotes } from "../../sync/record-remotes.ts";
import type { RemoteRecord } from "../../sync/remote-record.ts";
import type { IndexRow, StateIndex } from "../../sync/state-index.ts";
import { writeIndex } from "../../sync/write-index.ts";
import { withProjectLock } from "../lock.ts";
import type { MirrorFileState, PromotionResult } from "../model.ts";
import type { Parts } from "../parts.ts";
import { chooseMirrors } from "../place.ts";
import { backendNames } from "./fan-out.ts";
import type { OpenMirror } from "./model.ts";
import { isPromoted, type Moved, movedNow, writeMarker } from "./moved.ts";
import { openMirrors } from "./run.ts";
import { mirrorFiles, openMirrorState } from "./state.ts";
import { type Standing, standingOf } from "./status.ts";

export interface PromoteRequest {
  readonly backend: string;
  readonly dryRun: boolean;
}

/**
 * Makes a mirror the primary and the primary a mirror. First every agreed file is verified there by content; where
 * another machine has made it the primary already, what differs there is what has happened since. Then word is left on
 * both remotes, the records are turned over, and both configs are swapped. Asks the old primary for nothing: it may be
 * lost. Throws RefusedError "mirror-incomplete", and what the mirror throws.
 */
export async function promoteMirror(parts: Parts, request: PromoteRequest): Promise<PromotionResult> {
  const [chosen] = chooseMirrors(parts, request.backend);
  const { swapConfigs } = parts.deps;
  if (chosen?.config === undefined || swapConfigs === undefined) {
    throw new UsageError(
      `cannot promote "${request.backend}": its config cannot be used: ${chosen?.problem ?? "unknown"}`,
    );
  }
  const promote = async (): Promise<PromotionResult> => {
    const one = openMirrors(parts).find(({ mirror }) => mirror.name === chosen.name) as OpenMirror;
    const agreed = await parts.sync.agreedIndex({ cache: !request.dryRun });
    const { signal } = parts.deps;
    const backend = await chosen.backend();
    const already = await isPromoted(backend, signal);
    const standing = await standingOf(parts, one, agreed);
    const lacks = lacking(one, standing, already);
    const verified = [...standing.states.values()].filter((state) => state === "ok").length;
    const result = { from: parts.deps.name ?? parts.deps.config.backend, to: chosen.name, verified, already };
    if (lacks.length > 0) throw incomplete(chosen.name, lacks);
    if (request.dryRun) return { ...result, dryRun: true, told: false, notice: null };
    const moved = movedNow(parts, chosen.name, chosen.root);
    await backend.remove(MOVED_PATH, { expect: "any", signal });
    await writeMarker(backend, "promoted", moved, signal);
    const notice = await tellOldPrimary(parts, moved);
    swapConfigs(chosen.file, () =>
      turnOver(parts, one, { agreed, standing, untold: notice === null ? undefined : moved }),
    );
    return { ...result, dryRun: false, told: notice === null, notice };
  };
  return request.dryRun ? promote() : withProjectLock(parts, "promote", promote);
}

/** What a mirror must not lack: every agreed content, and no deletion that has not reached it. */
function lacking(
  { state }: OpenMirror,
  { states }: Standing,
  already: boolean,
): readonly (readonly [string, string])[] {
  if (already) return [];
  const bad: ReadonlySet<MirrorFileState> = new Set<MirrorFileState>(["behind", "missing", "differs", "not sent"]);
  const files = [...states].filter(([, word]) => bad.has(word));
  const undeleted = [...state.pending.values()]
    .filter(({ wants }) => wants === "")
    .map(({ path }) => [path, "to be deleted"] as const);
  return [...files, ...undeleted].sort(([a], [b]) => comparePaths(a, b));
}

function incomplete(name: string, lacks: readonly (readonly [string, string])[]): RefusedError {
  const shown = lacks.slice(0, 5).map(([path, state]) => `${path} (${state})`);
  const more = lacks.length > shown.length ? ` and ${lacks.length - shown.length} more` : "";
  return new RefusedError(
    "mirror-incomplete",
    `cannot promote ${name}: ${lacks.length} file(s) there are not what is agreed: ${shown.join(", ")}${more}. Run claude-mirror seed-mirror --backend ${name} first, with --overwrite for what others have changed there.`,
  );
}

/** Null when the old primary has taken the word. */
async function tellOldPrimary(parts: Parts, moved: Moved): Promise<string | null> {
  try {
    await writeMarker(await parts.backend(), "moved", moved, parts.deps.signal);
    return null;
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    return `The old primary could not be told: ${describeItemError(error).message}`;
  }
}

interface Turned {
  readonly agreed: StateIndex;
  readonly standing: Standing;
  /** What the old primary still is to be told. */
  readonly untold: Moved | undefined;
}

/**
 * The records as the new primary's: what is agreed stays what it was, under the versions that the new primary has. A file
 * that is another one there by now keeps its old version and so shows as changed; one that is not there is new here.
 */
function turnOver(parts: Parts, { mirror }: OpenMirror, { agreed, standing, untold }: Turned): void {
  const { deps, root } = parts;
  const kind = mirror.config?.backend ?? deps.config.backend;
  const oldFiles = syncFiles(root, deps.stateFolder);
  const newFiles = syncFiles(root, mirror.stateFolder);
  const changes = new Map<RelPath, BaseEntry | undefined>();
  const records = new Map<RelPath, Map<string, RemoteRecord>>();
  const rows: IndexRow[] = [];
  const oldRows: IndexRow[] = [];
  const oldName = deps.name ?? deps.config.backend;
  for (let row = 0; row < agreed.length; row++) {
    const { path, base, local } = agreed.rowAt(row);
    if (base === undefined) continue;
    const file = standing.there.get(path);
    const isSame = standing.states.get(path) === "ok";
    const entry = file === undefined ? undefined : isSame ? underVersion(base, file) : base;
    changes.set(path, entry);
    oldRows.push({ path, base });
    if (entry === undefined) continue;
    rows.push({ path, base: entry, ...(local && { local }) });
    records.set(path, new Map([[oldName, recordOf(base)]]));
  }
  rewriteManifest(oldFiles.manifest, changes, { backend: kind });
  recordRemotes(oldFiles, { names: backendNames(parts), records }, kind);
  fs.mkdirSync(mirror.stateFolder, { recursive: true, mode: 0o700 });
  const manifest = manifestStat(newFiles.manifest);
  writeIndex(newFiles.index, rows, { hashedSinceMs: agreed.hashedSinceMs, meta: "", ...(manifest && { manifest }) });
  for (const stale of [newFiles.journal, newFiles.marker, newFiles.listing]) fs.rmSync(stale, { force: true });
  const own = mirrorFiles(deps.stateFolder);
  writeIndex(own.index, oldRows, { hashedSinceMs: 0, meta: "" });
  for (const stale of [own.queue, own.journal]) fs.rmSync(stale, { force: true });
  const left = openMirrorState(deps.stateFolder, () => ({ records: [], pending: [] }));
  left.setUntold(untold);
  left.saveQueue();
  moveTrash(deps.trashFolder, mirror.trashFolder);
  const gone = mirrorFiles(mirror.stateFolder);
  for (const stale of [gone.index, gone.queue, gone.journal]) fs.rmSync(stale, { force: true });
}

/** The trash goes with the primary: what is in it must still be found. */
function moveTrash(from: string, to: string): void {
  if (!fs.existsSync(from)) return;
  fs.mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of fs.readdirSync(from)) {
    if (!fs.existsSync(join(to, name))) fs.renameSync(join(from, name), join(to, name));
  }
}

function underVersion(base: BaseEntry, { rev, racy, id, nativeHash, size }: RemoteFile): BaseEntry {
  return { ...base, rev, racy, remoteId: id, nativeHash, size };
}

function recordOf({ remoteId, nativeHash, syncedAt, md5 }: BaseEntry): RemoteRecord {
  return {
    remoteFileId: remoteId,
    syncedRemoteHash: nativeHash,
    state: "ok",
    lastError: "",
    lastAttempt: syncedAt,
    intendedHash: md5,
    attempts: 0,
  };
}
