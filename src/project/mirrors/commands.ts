import { RESERVED_FOLDERS } from "../../backends/layout.ts";
import type { RelPath } from "../../lib/path.ts";
import { describeItemError } from "../../sync/item-error.ts";
import type { BaseEntry } from "../../sync/model.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import { withProjectLock } from "../lock.ts";
import type { MirrorRunResult } from "../model.ts";
import type { Parts } from "../parts.ts";
import { chooseMirrors } from "../place.ts";
import { isVersion } from "./examine.ts";
import { type FanOut, fanOut } from "./fan-out.ts";
import type { OpenMirror } from "./model.ts";
import { allOutcomes, announcementsOf, itemOf } from "./outcome.ts";
import { chooseWork, mirrorGap, sameContent } from "./plan.ts";
import { openMirrors } from "./run.ts";
import { mirrorsSnapshots } from "./snapshots.ts";
import { merged } from "./state.ts";

export interface MirrorRequest {
  /** All mirrors when left out. */
  readonly backend: string | undefined;
  readonly dryRun: boolean;
  /** Replace what somebody else has changed there; it goes to the trash here. */
  readonly overwrite: boolean;
}

/** Tries again what waits on mirrors and what failed there for good. Asks the primary only for what is nowhere here. */
export function retryMirrors(parts: Parts, request: MirrorRequest): Promise<MirrorRunResult> {
  return runMirrors(parts, "retry", request);
}

/** Brings mirrors to hold every agreed file and the newest snapshot. */
export function seedMirrors(parts: Parts, request: MirrorRequest): Promise<MirrorRunResult> {
  return runMirrors(parts, "seed-mirror", request);
}

async function runMirrors(
  parts: Parts,
  command: MirrorRunResult["command"],
  request: MirrorRequest,
): Promise<MirrorRunResult> {
  const chosen = chooseMirrors(parts, request.backend);
  const seed = command === "seed-mirror";
  const choice = { fresh: new Set<RelPath>(), retry: "all", seed, most: Number.POSITIVE_INFINITY } as const;
  const opened = () => openMirrors(parts).filter(({ mirror }) => chosen.some(({ name }) => name === mirror.name));
  if (request.dryRun) {
    const open = opened();
    // What is found missing is noted in memory only: nothing is saved.
    const agreed = await parts.sync.agreedIndex({ cache: false });
    if (seed) await listed(open, agreed, parts.deps.signal);
    const planned = open.map(({ mirror, state }) => {
      const { uploads, deletes } = chooseWork(mirrorGap(agreed, state), choice);
      const upload = uploads.map(({ agreed: { path } }) => ({ path, action: "upload" as const }));
      return {
        backend: mirror.name,
        files: [...upload, ...deletes.map(itemOf).map(({ path }) => ({ path, action: "delete" as const }))],
        snapshots: state.snapshots,
      };
    });
    return { command, dryRun: true, planned, backends: allOutcomes(chosen, []), announcements: [], notices: [] };
  }
  return withProjectLock(parts, command, async () => {
    const open = opened();
    const notices = seed ? await queueNewest(parts, open) : [];
    const agreed = await parts.sync.agreedIndex();
    const likelyThere = seed ? await listed(open, agreed, parts.deps.signal) : new Set<RelPath>();
    const work: FanOut = {
      ...choice,
      likelyThere,
      overwrite: request.overwrite,
      isCurrent: () => false,
      snapshotMade: Promise.resolve(undefined),
    };
    const backends = allOutcomes(chosen, await fanOut(parts, open, work));
    const announcements = parts.deps.config.notifyFailures ? announcementsOf(backends) : [];
    return { command, dryRun: false, planned: [], backends, announcements, notices };
  });
}

/** The newest snapshot of the primary, where it can be asked: a mirror is no copy without one. */
async function queueNewest(parts: Parts, open: readonly OpenMirror[]): Promise<readonly string[]> {
  if (!mirrorsSnapshots(parts.deps.config)) return [];
  try {
    const { signal } = parts.deps;
    const newest = (await (await parts.snapshots()).list({ signal })).find(
      ({ format, problem }) => format === parts.deps.config.snapshotFormat && problem === undefined,
    );
    if (newest === undefined) return [];
    for (const { state } of open) state.setSnapshots([...state.snapshots, newest.timestamp]);
    return [];
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    return [`The newest snapshot is not sent along: ${describeItemError(error).message}`];
  }
}

/**
 * What stands on the mirrors already, so that it is looked at before anything is sent. What was sent and is not there any
 * more, or is another version there, counts as never sent. A mirror that cannot be listed shows its trouble later.
 */
async function listed(
  open: readonly OpenMirror[],
  agreed: StateIndex,
  signal: AbortSignal,
): Promise<ReadonlySet<RelPath>> {
  const paths = new Set<RelPath>();
  for (const { mirror, state } of open) {
    try {
      const backend = await mirror.backend();
      const { files, exists } = await backend.list("", { skip: RESERVED_FOLDERS, signal });
      const there = new Map(files.map((file) => [file.path, file]));
      for (const path of there.keys()) paths.add(path);
      if (!exists) continue;
      for (const { path, base } of [...merged(state.index, state.overlay)]) {
        const file = there.get(path);
        if (file === undefined || (!isVersion(backend, file, base) && isAgreed(agreed, base)))
          state.note(path, undefined);
      }
    } catch {
      signal.throwIfAborted();
    }
  }
  return paths;
}

/** Otherwise the file is looked at anyway, and the record tells which of its versions is ours. */
function isAgreed(agreed: StateIndex, record: BaseEntry): boolean {
  const row = agreed.find(record.path);
  const base = row < 0 ? undefined : agreed.baseAt(row);
  return base !== undefined && sameContent(base, record);
}
