import { pythonIso } from "../../lib/clock.ts";
import type { RelPath } from "../../lib/path.ts";
import type { Look } from "../../sync/look.ts";
import type { Due } from "../../sync/marker.ts";
import type { Plan, Status } from "../../sync/model.ts";
import type { BackendOutcome } from "../model.ts";
import type { Parts } from "../parts.ts";
import { type AheadRun, sendAhead } from "./ahead.ts";
import { fanOut } from "./fan-out.ts";
import type { OpenMirror } from "./model.ts";
import { chooseWork, MAX_RETRIES, mirrorGap, sameContent } from "./plan.ts";
import { stateOf } from "./recover.ts";
import { mirrorsSnapshots } from "./snapshots.ts";

/** What a run tells the mirrors, step by step, so that nothing is forgotten wherever it ends. */
export interface MirrorRun {
  /** Before anything is deleted: notes durably what may have to go from the mirrors. */
  doom(plan: Plan, look: Look): void;
  /** Once the primary's steps are recorded: notes durably what mirrors are to get. */
  queue(due: Due): Promise<void>;
  /** Once a snapshot is made on the primary: notes durably that mirrors are to get it. */
  queueSnapshot(timestamp: string): void;
  /** Whether there is anything to do for a run that changed nothing itself. */
  hasWork(): Promise<boolean>;
  /** Before the primary is written: sends mirrors what it has acknowledged, while it is sent the rest. */
  ahead(plan: Plan, look: Look): AheadRun;
  /** Brings the mirrors to what is agreed. */
  start(seen: Seen, snapshotMade: Promise<string | undefined>): Promise<readonly BackendOutcome[]>;
}

export interface Seen {
  readonly due: Due | undefined;
  readonly plan: Plan;
  readonly look: Look;
  /** Whether what earlier runs left is tried, too. */
  readonly retries: boolean;
  readonly ahead?: AheadRun;
}

/** Undefined where the project has no mirrors. Needs the project's lock, and what an interrupted run left taken up. */
export async function openMirrorRun(parts: Parts): Promise<MirrorRun | undefined> {
  if (parts.mirrors.length === 0) return undefined;
  const open = openMirrors(parts);
  await dropUndone(parts, open);
  const now = () => pythonIso(parts.deps.clock.now());
  const retry = parts.deps.config.retryOnPush ? ("pending" as const) : ("none" as const);
  const save = () => {
    for (const { state } of open) state.saveQueue();
  };
  return {
    doom(plan, look) {
      const doomed = doomedBy(plan, look);
      const row = { state: "pending_retry", attempts: 0, error: null, since: now(), at: "", wants: "" } as const;
      for (const { state } of open) for (const [path, was] of doomed) state.queue({ ...row, path, was });
      save();
    },
    async queue(due) {
      await dropUndone(parts, open);
      const agreed = await parts.sync.agreedIndex();
      const row = { state: "pending_retry", attempts: 0, error: null, since: now(), at: "" } as const;
      for (const path of [...due.uploaded, ...due.downloaded]) {
        const at = agreed.find(path);
        const base = at < 0 ? undefined : agreed.baseAt(at);
        if (base === undefined) continue;
        for (const { state } of open) {
          const record = state.recordOf(path);
          const isThere = record !== undefined && sameContent(base, record);
          if (!isThere && state.pending.get(path)?.wants !== base.md5) state.queue({ ...row, path, wants: base.md5 });
        }
      }
      save();
    },
    queueSnapshot(timestamp) {
      if (!mirrorsSnapshots(parts.deps.config)) return;
      for (const { state } of open) state.setSnapshots([...state.snapshots, timestamp]);
      save();
    },
    async hasWork() {
      if (retry === "none") return false;
      const agreed = await parts.sync.agreedIndex();
      return open.some(({ state }) => {
        const gap = mirrorGap(agreed, state);
        const { uploads, deletes } = chooseWork(gap, { fresh: NOBODY, retry, seed: false, most: MAX_RETRIES });
        return (
          uploads.length + deletes.length + gap.settled.length + state.snapshots.length > 0 ||
          state.untold !== undefined
        );
      });
    },
    ahead(plan, look) {
      const uploads = new Set(plan.actions.flatMap(({ kind, path }) => (kind === "upload" ? path : [])));
      const doomed = doomedBy(plan, look).keys();
      return sendAhead(parts, open, { uploads, doomed, agreed: look.base.index, isCurrent: currentBy(plan, look) });
    },
    start({ due, plan, look, retries, ahead }, snapshotMade) {
      return fanOut(parts, open, {
        ...(ahead && { ahead }),
        fresh: new Set([...(due?.uploaded ?? []), ...(due?.downloaded ?? []), ...doomedBy(plan, look).keys()]),
        likelyThere: new Set(due?.downloaded),
        retry: retries ? retry : "none",
        seed: false,
        most: MAX_RETRIES,
        overwrite: false,
        isCurrent: currentBy(plan, look),
        snapshotMade,
      });
    },
  };
}

/** What a run would do on mirrors beside sending them what it changes; changes nothing. */
export async function previewMirrors(parts: Parts): Promise<readonly string[]> {
  if (parts.mirrors.length === 0) return [];
  const agreed = await parts.sync.agreedIndex({ cache: false });
  const retry = parts.deps.config.retryOnPush ? ("pending" as const) : ("none" as const);
  return openMirrors(parts).map(({ mirror, state }) => {
    const work = chooseWork(mirrorGap(agreed, state), { fresh: NOBODY, retry, seed: false, most: MAX_RETRIES });
    const waiting = work.uploads.length + work.deletes.length;
    const rest = waiting === 0 ? "" : `, and ${waiting} file(s) that wait for it would be tried again`;
    return `The mirror ${mirror.name} would get the same${rest}.`;
  });
}

const NOBODY: ReadonlySet<RelPath> = new Set();

/** Every mirror that can be used with what is known of it. */
export function openMirrors(parts: Parts): readonly OpenMirror[] {
  const usable = parts.mirrors.filter(({ config }) => config !== undefined);
  return usable.map((mirror) => ({ mirror, state: stateOf(parts, mirror) }));
}

/** Deletions that were noted and did not come to be. */
async function dropUndone(parts: Parts, open: readonly OpenMirror[]): Promise<void> {
  const doomed = open.flatMap(({ state }) =>
    [...state.pending.values()].filter(({ wants }) => wants === "").map((item) => ({ item, state })),
  );
  if (doomed.length === 0) return;
  const agreed = await parts.sync.agreedIndex();
  for (const { item, state } of doomed) {
    const row = agreed.find(item.path);
    if (row >= 0 && agreed.hasBase(row)) state.settle(item.path);
  }
}

/** What the plan deletes on either side, or finds deleted on both, with the MD5 of what was agreed. */
function doomedBy(plan: Plan, look: Look): ReadonlyMap<RelPath, string> {
  const doomed = new Map<RelPath, string>();
  for (const { kind, path } of plan.actions) {
    const deletes = kind === "delete-remote" || kind === "delete-local" || (kind === "forget" && isGone(look, path));
    if (!deletes) continue;
    const row = look.base.index.find(path);
    doomed.set(path, (row < 0 ? undefined : look.base.index.baseAt(row)?.md5) ?? "");
  }
  return doomed;
}

/** Deleted on both sides, as opposed to out of scope. */
function isGone({ rows }: Look, path: RelPath): boolean {
  const at = rows.find(path);
  if (at < 0) return false;
  const { local, remote, inScope } = rows.at(at);
  return inScope && local.kind === "absent" && remote.kind === "absent";
}

const BEHIND: ReadonlySet<Status> = new Set<Status>([
  "conflict",
  "remote_ahead",
  "new_remote",
  "deleted_remote",
  "held",
]);

/** Whether this run saw that the primary still holds what is agreed on for a file, or made it so. */
function currentBy(plan: Plan, look: Look): (path: RelPath) => boolean {
  const behind = new Set(plan.statuses.filter(({ status }) => BEHIND.has(status)).map(({ path }) => path));
  const done = new Set(plan.actions.map(({ path }) => path));
  return (path) => done.has(path) || (look.selection === undefined && !behind.has(path));
}
