import type { RelPath } from "../../lib/path.ts";
import type { BaseEntry, FileStat } from "../../sync/model.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import { type MirrorState, merged, type Pending } from "./state.ts";

/** How many files a push tries again on each mirror (reference 1.14). */
export const MAX_RETRIES = 200;

/** A file that a mirror is to hold. */
export interface Wanted {
  /** What both sides of the primary agree on. */
  readonly agreed: BaseEntry;
  /** What this machine has put on the mirror. */
  readonly record?: BaseEntry;
  readonly pending?: Pending;
  /** The project's own file, just sent to the primary with that content. */
  readonly local?: FileStat;
}

/** What one mirror lacks. */
export interface MirrorGap {
  /** Sent before or queued, and not there as it should be. */
  readonly behind: readonly Wanted[];
  /** Never sent and not queued. */
  readonly unsent: readonly Wanted[];
  /** To be removed there. */
  readonly doomed: readonly Pending[];
  /** Queued and no longer wanted. */
  readonly settled: readonly RelPath[];
}

/**
 * What separates a mirror from what is agreed on, by content. A file that is not agreed on any more is removed only where
 * a run noted that it was deleted: what left the scope, and what a lost manifest does not tell, stays.
 */
export function mirrorGap(agreed: StateIndex, state: MirrorState): MirrorGap {
  const behind: Wanted[] = [];
  const unsent: Wanted[] = [];
  const settled: RelPath[] = [];
  const known = new Set<RelPath>();
  const records = merged(state.index, state.overlay);
  let record = records.next();
  for (let row = 0; row < agreed.length; row++) {
    const base = agreed.baseAt(row);
    if (base === undefined) continue;
    while (!record.done && record.value.path < base.path) record = records.next();
    const there = record.done || record.value.path !== base.path ? undefined : record.value.base;
    const pending = state.pending.get(base.path);
    if (pending !== undefined) known.add(base.path);
    if (there !== undefined && sameContent(base, there)) {
      if (pending !== undefined) settled.push(base.path);
      continue;
    }
    const wanted = { agreed: base, ...(there && { record: there }), ...(pending && { pending }) };
    (there !== undefined || pending !== undefined ? behind : unsent).push(wanted);
  }
  const rest = [...state.pending.values()].filter(({ path }) => !known.has(path));
  return {
    behind,
    unsent,
    doomed: rest.filter(({ wants }) => wants === ""),
    settled: [...settled, ...rest.filter(({ wants }) => wants !== "").map(({ path }) => path)],
  };
}

/** Whether two records speak of one content; one whose content nobody knows equals nothing. */
export function sameContent(a: BaseEntry, b: BaseEntry): boolean {
  if (a.sha256 !== undefined && b.sha256 !== undefined) return a.sha256 === b.sha256;
  return a.md5 !== "" && a.md5 === b.md5;
}

export interface Choice {
  /** Changed by the run itself: always tried. */
  readonly fresh: ReadonlySet<RelPath>;
  /** Whether what an earlier run left is tried, and whether that holds for what failed for good, too. */
  readonly retry: "none" | "pending" | "all";
  /** Whether files that were never sent are. */
  readonly seed: boolean;
  /** At most so many of what is not fresh. */
  readonly most: number;
}

export interface Chosen {
  readonly uploads: readonly Wanted[];
  readonly deletes: readonly Pending[];
}

/** What one run tries, the longest waiting first where not all can be. */
export function chooseWork(gap: MirrorGap, choice: Choice): Chosen {
  const { fresh } = choice;
  const isFresh = ({ agreed }: Wanted) => fresh.has(agreed.path);
  const now = [...gap.behind.filter(isFresh), ...gap.unsent.filter(isFresh)];
  const later = [
    ...gap.behind.filter((wanted) => !isFresh(wanted) && mayRetry(wanted.pending, wanted.agreed.md5, choice)),
    ...(choice.seed ? gap.unsent.filter((wanted) => !isFresh(wanted)) : []),
  ];
  const freshDeletes = gap.doomed.filter(({ path }) => fresh.has(path));
  const laterDeletes = gap.doomed.filter((item) => !fresh.has(item.path) && mayRetry(item, "", choice));
  const queue = [
    ...later.map((wanted) => ({ since: wanted.pending?.since ?? wanted.agreed.syncedAt, wanted, item: undefined })),
    ...laterDeletes.map((item) => ({ since: item.since, wanted: undefined, item })),
  ];
  const taken = queue.sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0)).slice(0, choice.most);
  return {
    uploads: [...now, ...taken.flatMap(({ wanted }) => wanted ?? [])],
    deletes: [...freshDeletes, ...taken.flatMap(({ item }) => item ?? [])],
  };
}

/** What failed for good waits for a person, unless another content is wanted since. */
function mayRetry(pending: Pending | undefined, wants: string, { retry }: Choice): boolean {
  if (retry === "none") return false;
  return retry === "all" || pending?.state !== "failed_perm" || pending.wants !== wants;
}
