import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { snapshotName, snapshotTime } from "../../../src/lib/clock.ts";
import { UsageError } from "../../../src/lib/errors.ts";
import type { PrunePolicy, RetentionPlan, SnapshotInfo } from "../../../src/snapshots/model.ts";
import { isoWeek, planForget, planPrune } from "../../../src/snapshots/retention.ts";

const NOW = Date.UTC(2026, 10, 20, 12);
const DAY = 86_400_000;

function info(timestamp: string, extra: Partial<SnapshotInfo> = {}): SnapshotInfo {
  const facts = {
    triggeredBy: "alice@desk",
    action: "push",
    filesChanged: [],
    totalFiles: 1,
    tag: null,
    message: null,
  };
  return { timestamp, format: "blobs", ...facts, ...extra };
}

const ago = (days: number, extra: Partial<SnapshotInfo> = {}) => info(snapshotName(NOW - days * DAY), extra);
const names = (infos: readonly SnapshotInfo[]) => infos.map(({ timestamp }) => timestamp);
const BROKEN = { problem: "unreadable: it is empty" };

describe("planForget", () => {
  const all = [ago(0), ago(1), ago(10), ago(40), ago(400)];

  test("planForget: named snapshots go, in any order given", () => {
    const [a, , c] = all as [SnapshotInfo, SnapshotInfo, SnapshotInfo];
    const plan = planForget(all, { kind: "timestamps", timestamps: [c.timestamp, a.timestamp] }, NOW);
    expect(names(plan.remove)).toEqual([a.timestamp, c.timestamp]);
    expect(plan.keep).toHaveLength(3);
  });

  test("planForget: names that are not there are all told, and nothing is planned", () => {
    const timestamps = ["2020-01-01T00-00-00Z", names(all)[0] as string, "nonsense"];
    expect(() => planForget(all, { kind: "timestamps", timestamps }, NOW)).toThrow(
      'cannot forget "2020-01-01T00-00-00Z", "nonsense": there is no snapshot of that name',
    );
    expect(() => planForget(all, { kind: "timestamps", timestamps }, NOW)).toThrow(UsageError);
  });

  test("planForget: before is strict, and so is the edge of keep-days", () => {
    const beforeMs = snapshotTime(names(all)[2] as string) as number;
    expect(names(planForget(all, { kind: "before", beforeMs }, NOW).remove)).toEqual(names(all).slice(3));
    expect(names(planForget(all, { kind: "keep-days", days: 10 }, NOW).remove)).toEqual(names(all).slice(3));
    expect(names(planForget(all, { kind: "keep-days", days: 9 }, NOW).remove)).toEqual(names(all).slice(2));
  });

  test("planForget: keep-last keeps the newest ones that can be read", () => {
    const broken = ago(-1, BROKEN);
    const plan = planForget([...all, broken], { kind: "keep-last", count: 2 }, NOW);
    expect(names(plan.remove)).toEqual(names(all).slice(2));
    expect(names(plan.unreadable)).toEqual([broken.timestamp]);
    expect(names(planForget(all, { kind: "keep-last", count: 9 }, NOW).remove)).toEqual([]);
  });

  test("planForget: a snapshot that cannot be read goes by its own name only", () => {
    const broken = ago(999, BROKEN);
    for (const selector of [
      { kind: "before", beforeMs: NOW },
      { kind: "keep-last", count: 1 },
      { kind: "keep-days", days: 1 },
    ] as const) {
      const plan = planForget([...all, broken], selector, NOW);
      expect(names(plan.remove)).not.toContain(broken.timestamp);
      expect(names(plan.unreadable)).toEqual([broken.timestamp]);
    }
    const named = planForget([...all, broken], { kind: "timestamps", timestamps: [broken.timestamp] }, NOW);
    expect(names(named.remove)).toEqual([broken.timestamp]);
  });

  test("planForget: a rule that keeps nothing is refused", () => {
    expect(() => planForget(all, { kind: "keep-last", count: 0 }, NOW)).toThrow(UsageError);
    expect(() => planForget(all, { kind: "keep-days", days: 0 }, NOW)).toThrow(UsageError);
    expect(() => planForget(all, { kind: "keep-days", days: Number.NaN }, NOW)).toThrow(UsageError);
  });
});

describe("planPrune", () => {
  const at = (text: string, extra: Partial<SnapshotInfo> = {}) => info(`${text}Z`, extra);

  test("planPrune: the newest of each day that has one, however long ago", () => {
    const all = ["2026-11-20T09-00-00", "2026-11-20T23-59-59", "2026-11-19T00-00-00", "2026-10-01T10-00-00"].map((it) =>
      at(it),
    );
    expect(names(planPrune(all, { keepDaily: 3 }).remove)).toEqual(["2026-11-20T09-00-00Z"]);
    expect(names(planPrune(all, { keepDaily: 1 }).keep)).toEqual(["2026-11-20T23-59-59Z"]);
  });

  test("planPrune: weeks begin on Monday and belong to the year of their Thursday", () => {
    const all = ["2026-12-28T10-00-00", "2027-01-03T10-00-00", "2027-01-04T10-00-00"].map((it) => at(it));
    expect(names(planPrune(all, { keepWeekly: 5 }).remove)).toEqual(["2026-12-28T10-00-00Z"]);
    const weeks = ["2026-12-31", "2027-01-01", "2021-01-03", "2020-12-31", "2024-12-30", "1969-12-29", "2018-12-31"];
    expect(weeks.map((day) => isoWeek(Date.parse(day)))).toEqual([
      "2026-W53",
      "2026-W53",
      "2020-W53",
      "2020-W53",
      "2025-W01",
      "1970-W01",
      "2019-W01",
    ]);
  });

  test("planPrune: what one rule keeps stays", () => {
    const all = ["2026-11-20T10-00-00", "2026-11-20T09-00-00", "2026-10-05T10-00-00", "2025-03-01T10-00-00"].map((it) =>
      at(it),
    );
    expect(names(planPrune(all, { keepLast: 2, keepYearly: 2 }).remove)).toEqual(["2026-10-05T10-00-00Z"]);
    expect(names(planPrune(all, { keepMonthly: 2 }).keep)).toEqual(["2026-11-20T10-00-00Z", "2026-10-05T10-00-00Z"]);
  });

  test("planPrune: tagged snapshots stay and take no place, unless they are included", () => {
    const all = [at("2026-11-20T10-00-00", { tag: "v2" }), at("2026-11-19T10-00-00"), at("2026-11-18T10-00-00")];
    const plan = planPrune(all, { keepLast: 1 });
    expect(names(plan.remove)).toEqual(["2026-11-18T10-00-00Z"]);
    expect(names(plan.tagged)).toEqual(["2026-11-20T10-00-00Z"]);
    expect(names(planPrune(all, { keepLast: 1, includeTagged: true }).keep)).toEqual(["2026-11-20T10-00-00Z"]);
  });

  test("planPrune: one that cannot be read is never selected and takes no place, whatever it says of its tag", () => {
    const all = [at("2026-11-20T10-00-00", BROKEN), at("2026-11-19T10-00-00"), at("2026-11-18T10-00-00", BROKEN)];
    const plan = planPrune(all, { keepLast: 1, includeTagged: true });
    expect(names(plan.remove)).toEqual([]);
    expect(names(plan.unreadable)).toEqual(["2026-11-20T10-00-00Z", "2026-11-18T10-00-00Z"]);
  });

  test("planPrune: without a rule it is refused", () => {
    expect(() => planPrune([], {})).toThrow(UsageError);
    expect(() => planPrune([], { keepLast: 0, keepDaily: 0, includeTagged: true })).toThrow(
      "no rule says what to keep",
    );
  });
});

type Planner = (all: readonly SnapshotInfo[], policy: PrunePolicy) => RetentionPlan;

const KEYS = ["keepLast", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly"] as const;

/** What stays, told from the single snapshot: fewer than N later buckets lie after its own, and it is its bucket's newest. */
function staysBy(
  one: SnapshotInfo,
  judged: readonly SnapshotInfo[],
  key: (typeof KEYS)[number],
  count: number,
): boolean {
  const bucket = ({ timestamp }: SnapshotInfo): string => {
    if (key === "keepLast") return timestamp;
    if (key === "keepDaily") return timestamp.slice(0, 10);
    if (key === "keepMonthly") return timestamp.slice(0, 7);
    if (key === "keepYearly") return timestamp.slice(0, 4);
    const day = new Date(Math.floor((snapshotTime(timestamp) as number) / DAY) * DAY);
    return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * DAY).toISOString();
  };
  const later = judged.filter((other) => other.timestamp > one.timestamp);
  if (later.some((other) => bucket(other) === bucket(one))) return false;
  return new Set(later.map(bucket)).size < count;
}

function isRight(plan: Planner, all: readonly SnapshotInfo[], policy: PrunePolicy): boolean {
  const { remove, keep } = plan(all, policy);
  if (remove.length + keep.length !== all.length) return false;
  const judged = all.filter((one) => one.problem === undefined && (one.tag === null || policy.includeTagged === true));
  const gone = new Set(names(remove));
  return all.every((one) => {
    const stays = !judged.includes(one) || KEYS.some((key) => staysBy(one, judged, key, policy[key] ?? 0));
    return stays === !gone.has(one.timestamp);
  });
}

const snapshot = fc
  .tuple(fc.integer({ min: 0, max: 900 * 24 }), fc.constantFrom("", "", "", "tag", "broken"))
  .map(([hours, kind]) =>
    info(snapshotName(NOW - hours * 3_600_000), {
      tag: kind === "tag" ? "v1" : null,
      ...(kind === "broken" ? BROKEN : {}),
    }),
  );
const snapshots = fc.uniqueArray(snapshot, { selector: ({ timestamp }) => timestamp, maxLength: 25 });
const count = fc.integer({ min: 0, max: 4 });
const policies = fc
  .record({
    keepLast: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    includeTagged: fc.boolean(),
  })
  .filter((policy) => KEYS.some((key) => policy[key] > 0));

const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);

/** True when the planner passes. */
function passes(plan: Planner): boolean {
  const property = fc.property(snapshots, policies, (all, policy) => isRight(plan, all, policy));
  return !fc.check(property, { seed: SEED, numRuns: 2000, endOnFailure: true }).failed;
}

describe("planPrune, in general", () => {
  test("planPrune: deletes exactly what no rule, tag or doubt keeps", () => {
    expect(passes(planPrune)).toBe(true);
  });

  const withInfos = (change: (one: SnapshotInfo) => SnapshotInfo): Planner => {
    return (all, policy) => planPrune(all.map(change), policy);
  };
  const bugs: Readonly<Record<string, Planner>> = {
    "trusts what cannot be read": withInfos(({ problem: _, ...one }) => one),
    "takes an unreadable tag for none": withInfos((one) => ({ ...one, tag: null })),
    "keeps the oldest of a bucket": (all, policy) => {
      const plan = planPrune(all, policy);
      const swapped = plan.remove.at(-1);
      if (!swapped || (policy.keepDaily ?? 0) === 0) return plan;
      return { ...plan, remove: [...plan.remove.slice(0, -1)], keep: [...plan.keep, swapped] };
    },
    "needs every rule to keep it": (all, policy) => {
      const [first] = KEYS.filter((key) => (policy[key] ?? 0) > 0);
      return planPrune(all, {
        includeTagged: policy.includeTagged ?? false,
        ...(first ? { [first]: policy[first] ?? 0 } : {}),
      });
    },
    "keeps one more": (all, policy) => planPrune(all, { ...policy, keepLast: (policy.keepLast ?? 0) + 1 }),
    "takes seven days for a week": (all, { keepWeekly = 0, ...policy }) =>
      planPrune(all, { ...policy, keepDaily: Math.max(policy.keepDaily ?? 0, keepWeekly * 7) }),
  };

  test.each(Object.entries(bugs))("planPrune: a planner that %s is caught", (_, planted) => {
    expect(passes(planted)).toBe(false);
  });
});
