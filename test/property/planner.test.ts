import { expect, test } from "bun:test";
import fc from "fast-check";
import { type GuardFacts, guard } from "../../src/sync/guard.ts";
import { plan } from "../../src/sync/plan.ts";
import * as mutant from "../sim/planner-mutants.ts";
import type { Planner } from "../sim/tree-model.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { rowOf } from "../support/rows.ts";
import * as the from "./planner-properties.ts";

/** `CLAUDE_MIRROR_TEST_SEED` moves the whole search elsewhere; `CLAUDE_MIRROR_TEST_SCALE=10` searches ten times longer. */
const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);
/** A planted bug must show within this many cases. */
const PLANTED_CASES = 20_000;
const SHRINK_RUNS = 300;

interface Checked {
  readonly name: string;
  readonly holds: the.Property;
  readonly cases: number;
  readonly bugs: Readonly<Record<string, Planner>>;
}

const PROPERTIES: readonly Checked[] = [
  {
    name: "I1 no content is lost",
    holds: the.nothingIsLost,
    cases: 20_000,
    bugs: {
      "does not see remote edits": mutant.missesRemoteEdits,
      "does not see local edits": mutant.missesLocalEdits,
      "settles conflicts by what is here": mutant.forcesConflicts,
      "forgets the copy of the loser": mutant.overwritesWithoutCopy,
    },
  },
  {
    name: "I2 only agreed content is replaced",
    holds: the.onlyAgreedContentIsReplaced,
    cases: 25_000,
    bugs: {
      "settles conflicts by what is here": mutant.forcesConflicts,
      "forgets the copy of the loser": mutant.overwritesWithoutCopy,
    },
  },
  {
    name: "I3 equal content is left alone",
    holds: the.equalContentIsLeftAlone,
    cases: 20_000,
    bugs: { "never compares": mutant.neverCompares },
  },
  {
    name: "I14 three rounds converge",
    holds: the.threeRoundsConverge,
    cases: 12_000,
    bugs: { "leaves remote deletes": mutant.leavesRemoteDeletes },
  },
  {
    name: "I15 the next run does nothing",
    holds: the.nextRunDoesNothing,
    cases: 10_000,
    bugs: { "forgets what both sides agreed on": mutant.forgetsWhatItKnew },
  },
  {
    name: "I16 the order of clients does not matter",
    holds: the.orderDoesNotMatter,
    cases: 10_000,
    bugs: { "lets the local side win": mutant.letsLocalWin },
  },
  {
    name: "I17 both sides agree on the winner",
    holds: the.bothSidesAgreeOnTheWinner,
    cases: 20_000,
    bugs: { "lets the local side win": mutant.letsLocalWin },
  },
  {
    name: "I18 conflict copies converge",
    holds: the.copiesConverge,
    cases: 10_000,
    bugs: { "names copies by time": mutant.namesCopiesByTime, "makes copies of copies": mutant.copiesCopies },
  },
  {
    name: "I20 and I23 deletes have proof",
    holds: the.deletesHaveProof,
    cases: 30_000,
    bugs: {
      "takes an excluded file for a deleted one": mutant.takesExcludedForDeleted,
      "takes an unreadable file for an absent one": mutant.takesUnreadableForAbsent,
      "takes an unusable name for an absent one": mutant.takesUnusableForAbsent,
      "does not see remote edits": mutant.missesRemoteEdits,
    },
  },
  {
    name: "I21 edits survive deletes",
    holds: the.editsSurviveDeletes,
    cases: 10_000,
    bugs: {
      "does not see remote edits": mutant.missesRemoteEdits,
      "does not see local edits": mutant.missesLocalEdits,
    },
  },
  {
    name: "I24 what is not managed is not touched",
    holds: the.unmanagedIsNotTouched,
    cases: 25_000,
    bugs: {
      "ignores the scope": mutant.ignoresScope,
      "takes an unreadable file for an absent one": mutant.takesUnreadableForAbsent,
      "asks nobody what fits": mutant.ignoresLimits,
    },
  },
  {
    name: "I36 twins are not merged",
    holds: the.twinsAreNotMerged,
    cases: 15_000,
    bugs: { "sees one row at a time": mutant.seesOneRowAtATime },
  },
  {
    name: "F21 plans can be carried out",
    holds: the.plansCanBeCarriedOut,
    cases: 20_000,
    bugs: { "sees one row at a time": mutant.seesOneRowAtATime, "deletes last": mutant.deletesLast },
  },
  {
    name: "plans are in order",
    holds: the.plansAreInOrder,
    cases: 15_000,
    bugs: { "lists backwards": mutant.listsBackwards },
  },
];

/** The first failing case, with the seed that repeats it. */
function hunt(property: the.Property, planner: Planner, cases: number, seed: number): string | undefined {
  for (let i = 0; i < cases; i++) {
    const problem = property(seededRandom(seed + i), planner);
    if (problem !== undefined) return `seed ${seed + i}: ${problem}`;
  }
  return undefined;
}

/** Chance that fast-check can shrink: fewer and smaller numbers make a smaller world. */
function scriptedRandom(script: readonly number[]): Random {
  let at = 0;
  const next = () => (script[at++] ?? 0) / 1024;
  const below = (limit: number) => Math.floor(next() * limit);
  return { next, below, pick: (items) => items[below(items.length)] as never, bytes: (count) => new Uint8Array(count) };
}

test("planner: the properties are checked on at least 200,000 cases", () => {
  const cases = PROPERTIES.reduce((sum, it) => sum + it.cases, 0);
  console.info(`planner properties: ${cases * SCALE} cases from seed ${SEED}`);
  expect(cases).toBeGreaterThanOrEqual(200_000);
});

for (const { name, holds, cases, bugs } of PROPERTIES) {
  test(`property ${name}: holds for the planner`, () => {
    expect(hunt(holds, plan, cases * SCALE, SEED)).toBeUndefined();
  });

  test(`property ${name}: holds for small worlds, shrunk when it does not`, () => {
    const script = fc.array(fc.integer({ min: 0, max: 1023 }), { maxLength: 80 });
    const checked = fc.property(script, (numbers) => {
      const problem = holds(scriptedRandom(numbers), plan);
      if (problem !== undefined) throw new Error(problem);
    });
    fc.assert(checked, { numRuns: SHRINK_RUNS * SCALE, seed: SEED });
  });

  for (const [bug, planner] of Object.entries(bugs)) {
    test(`property ${name}: catches the planner that ${bug}`, () => {
      expect(hunt(holds, planner, PLANTED_CASES, SEED)).toBeString();
    });
  }
}

type Guard = typeof guard;

/** I22: a run that would delete more than the limits, or all of a side, is refused; the limits restated. */
function massDeletesStop(random: Random, guarded: Guard): string | undefined {
  const counts = () => random.pick([0, 1, 3, 4, 5, 40, 50, 51, 60, 110]) + random.below(2);
  const [kept, goneHere, goneThere] = [counts(), counts(), counts()];
  const rows = [
    ...many(goneHere, "a", { base: "x", remote: "x" }),
    ...many(goneThere, "b", { base: "x", local: "x" }),
    ...many(kept, "c", { base: "x", local: "x", remote: "x" }),
  ];
  const facts: GuardFacts = {
    localFiles: kept + goneThere,
    remoteFiles: kept + goneHere,
    baseEntries: rows.length,
    localRootExists: true,
    remoteRootExists: true,
  };
  const refused = guarded(plan(rows, { mode: { kind: "sync" } }), facts, new Set()).length > 0;
  const tooMany = [
    [goneThere, facts.localFiles],
    [goneHere, facts.remoteFiles],
  ].some(([gone = 0, all = 0]) => gone > 0 && ((gone > 50 && gone > all / 2) || (all >= 5 && gone >= all - 1)));
  const emptied = goneHere + goneThere > 0 && (facts.localFiles === 0 || facts.remoteFiles === 0);
  if (refused === (tooMany || emptied)) return undefined;
  return `${goneHere} deleted here, ${goneThere} there, ${kept} kept: ${refused ? "refused" : "let through"}`;
}

function many(count: number, prefix: string, spec: Parameters<typeof rowOf>[1]) {
  return Array.from({ length: count }, (_, i) => rowOf(`${prefix}${String(i).padStart(3, "0")}`, spec));
}

function huntGuard(guarded: Guard, cases: number): string | undefined {
  for (let i = 0; i < cases; i++) {
    const problem = massDeletesStop(seededRandom(SEED + i), guarded);
    if (problem !== undefined) return `seed ${SEED + i}: ${problem}`;
  }
  return undefined;
}

test("property I22 mass deletes stop: holds for the guard", () => {
  expect(huntGuard(guard, 2_000 * SCALE)).toBeUndefined();
});

test("property I22 mass deletes stop: catches the guard that looks at one side only", () => {
  const blind: Guard = (planned, facts, allow) => {
    const actions = planned.actions.filter((it) => it.kind !== "delete-local");
    return guard({ ...planned, actions }, facts, allow);
  };
  expect(huntGuard(blind, 2_000)).toBeString();
});

test("property I22 mass deletes stop: catches the guard that knows no emptied side", () => {
  const blind: Guard = (planned, facts, allow) => guard(planned, { ...facts, baseEntries: 0 }, allow);
  expect(huntGuard(blind, 2_000)).toBeString();
});
