import { snapshotTime } from "../lib/clock.ts";
import { DAY_MS } from "../lib/durations.ts";
import { UsageError } from "../lib/errors.ts";
import { comparePaths } from "../lib/path.ts";
import type { ForgetSelector, PrunePolicy, RetentionPlan, SnapshotInfo } from "./model.ts";

/**
 * What `forget` would delete of all these snapshots, given in any order. One that cannot be read is never selected by a
 * rule and takes no place in one; only its own name selects it. Throws UsageError for names that are not there.
 */
export function planForget(snapshots: readonly SnapshotInfo[], selector: ForgetSelector, nowMs: number): RetentionPlan {
  const readable = newestFirst(snapshots).filter(isReadable);
  switch (selector.kind) {
    case "timestamps":
      return planOf(snapshots, known(snapshots, selector.timestamps));
    case "before":
      return planOf(snapshots, olderThan(readable, selector.beforeMs));
    case "keep-last":
      return planOf(snapshots, namesOf(readable.slice(atLeastOne(selector.count))));
    case "keep-days":
      return planOf(snapshots, olderThan(readable, nowMs - atLeastOne(selector.days) * DAY_MS));
  }
}

/**
 * What `prune` would delete. The rules are those of restic: `keepDaily: 7` keeps the newest snapshot of each of the last
 * seven days that have one, in UTC; weeks are ISO weeks; a snapshot that one rule keeps stays. Tagged snapshots stay and
 * take no place in a rule, unless `includeTagged`; one that cannot be read stays too. Throws UsageError without a rule.
 */
export function planPrune(snapshots: readonly SnapshotInfo[], policy: PrunePolicy): RetentionPlan {
  const rules = rulesOf(policy);
  if (rules.length === 0) {
    throw new UsageError("cannot prune: no rule says what to keep", {
      hint: "Give --keep-last, --keep-daily, --keep-weekly, --keep-monthly or --keep-yearly, or set keep_* in the config and use --from-config.",
    });
  }
  const isTagged = (info: SnapshotInfo): boolean => info.tag !== null && policy.includeTagged !== true;
  const judged = newestFirst(snapshots).filter((info) => isReadable(info) && !isTagged(info));
  const kept = new Set<string>();
  for (const { count, bucketOf } of rules) {
    const seen = new Set<string>();
    for (const { timestamp } of judged) {
      const bucket = bucketOf(timestamp);
      if (seen.has(bucket)) continue;
      if (seen.size === count) break;
      seen.add(bucket);
      kept.add(timestamp);
    }
  }
  const remove = judged.filter(({ timestamp }) => !kept.has(timestamp));
  return { ...planOf(snapshots, namesOf(remove)), tagged: newestFirst(snapshots).filter(isTagged) };
}

/** The ISO 8601 week of a moment in UTC: `2026-W47`. The year is the one that holds the week's Thursday. */
export function isoWeek(ms: number): string {
  const day = Math.floor(ms / DAY_MS);
  // 1970-01-01 was a Thursday; Monday counts as 0.
  const thursday = day - ((((day + 3) % 7) + 7) % 7) + 3;
  const year = new Date(thursday * DAY_MS).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1) / DAY_MS) / 7) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}

interface Rule {
  readonly count: number;
  /** Of the snapshots in one bucket the newest counts. */
  readonly bucketOf: (timestamp: string) => string;
}

function rulesOf(policy: PrunePolicy): readonly Rule[] {
  const rules: Rule[] = [
    { count: policy.keepLast ?? 0, bucketOf: (timestamp) => timestamp },
    { count: policy.keepDaily ?? 0, bucketOf: (timestamp) => timestamp.slice(0, 10) },
    { count: policy.keepWeekly ?? 0, bucketOf: (timestamp) => isoWeek(timeOf(timestamp)) },
    { count: policy.keepMonthly ?? 0, bucketOf: (timestamp) => timestamp.slice(0, 7) },
    { count: policy.keepYearly ?? 0, bucketOf: (timestamp) => timestamp.slice(0, 4) },
  ];
  return rules.filter(({ count }) => count > 0);
}

function planOf(snapshots: readonly SnapshotInfo[], remove: ReadonlySet<string>): RetentionPlan {
  const all = newestFirst(snapshots);
  const keep = all.filter(({ timestamp }) => !remove.has(timestamp));
  return {
    remove: all.filter(({ timestamp }) => remove.has(timestamp)),
    keep,
    tagged: [],
    unreadable: keep.filter((info) => !isReadable(info)),
  };
}

function known(snapshots: readonly SnapshotInfo[], timestamps: readonly string[]): ReadonlySet<string> {
  const names = namesOf(snapshots);
  const unknown = timestamps.filter((timestamp) => !names.has(timestamp));
  if (unknown.length === 0) return new Set(timestamps);
  const listed = unknown.map((timestamp) => `"${timestamp}"`).join(", ");
  throw new UsageError(`cannot forget ${listed}: there is no snapshot of that name`, {
    hint: "claude-mirror snapshots lists them.",
  });
}

function olderThan(snapshots: readonly SnapshotInfo[], ms: number): ReadonlySet<string> {
  return namesOf(snapshots.filter(({ timestamp }) => timeOf(timestamp) < ms));
}

function atLeastOne(count: number): number {
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new UsageError(`cannot forget snapshots: a rule that keeps ${count} is not accepted, 1 is the least`);
}

function isReadable(info: SnapshotInfo): boolean {
  return info.problem === undefined && snapshotTime(info.timestamp) !== undefined;
}

function timeOf(timestamp: string): number {
  return snapshotTime(timestamp) ?? Number.NaN;
}

function newestFirst(snapshots: readonly SnapshotInfo[]): readonly SnapshotInfo[] {
  return [...snapshots].sort((a, b) => comparePaths(b.timestamp, a.timestamp));
}

function namesOf(snapshots: readonly SnapshotInfo[]): ReadonlySet<string> {
  return new Set(snapshots.map(({ timestamp }) => timestamp));
}
