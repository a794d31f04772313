import { afterAll, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as bugs from "./engine-bugs.ts";
import type { PlantedBug } from "./engine-model.ts";
import { liveThrough } from "./engine-world.ts";

/** `CLAUDE_MIRROR_TEST_SEED` moves the whole search elsewhere; `CLAUDE_MIRROR_TEST_SCALE=10` searches ten times longer. */
const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);
const SEARCH_MS = 30_000 * SCALE;
/** Worlds that are lived through however slow the machine is. */
const LEAST_WORLDS = 40 * SCALE;
/** A planted bug must show within so many worlds. */
const PLANTED_WORLDS = 150;
const SHRINK_MS = 30_000;

/** On a RAM disk, where there is one: the durability of a real disk is not what is tested here. */
const folder = fs.mkdtempSync(join(fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "claude-mirror-sim-"));

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const live = (seed: number, more: { readonly steps?: readonly number[]; readonly bug?: PlantedBug } = {}) =>
  liveThrough({ seed, folder, ...more });

/** Leaves out steps as long as the world still fails, and tells what is left. */
async function shrunk(seed: number, problem: string, bug?: PlantedBug): Promise<string> {
  const fault = bug === undefined ? {} : { bug };
  const { steps: all } = await live(seed, fault);
  const end = performance.now() + SHRINK_MS;
  let steps = all.map((_, at) => at);
  let told = problem;
  for (let size = Math.ceil(steps.length / 2); size >= 1 && performance.now() < end; ) {
    let smaller = false;
    for (let at = 0; at < steps.length && performance.now() < end; ) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      const { problem: still } = await live(seed, { steps: fewer, ...fault });
      if (still === undefined) at += size;
      else {
        steps = fewer;
        told = still;
        smaller = true;
      }
    }
    size = size === 1 && !smaller ? 0 : Math.max(1, Math.floor(size / 2));
  }
  const { trace } = await live(seed, { steps, ...fault });
  return [`seed ${seed}, steps [${steps.join(", ")}]: ${told}`, ...trace].join("\n");
}

test(
  "engine: no world of edits, faults and damage breaks a promise, and all come to rest",
  async () => {
    const end = performance.now() + SEARCH_MS;
    let [worlds, runs] = [0, 0];
    for (let seed = SEED; worlds < LEAST_WORLDS || performance.now() < end; seed++) {
      const { problem, runs: more } = await live(seed);
      if (problem !== undefined) throw new Error(await shrunk(seed, problem));
      worlds++;
      runs += more;
    }
    console.info(`engine simulation: ${worlds} worlds with ${runs} runs from seed ${SEED}`);
  },
  SEARCH_MS * 20 + SHRINK_MS,
);

/** Worlds that once broke a promise. */
const FOUND: Readonly<Record<number, string>> = {
  13: "an empty folder kept the file of its name from coming",
  36: "a path below a local file ended the run with a system error, and a damaged manifest was believed after a look",
  206: "a path below a remote file, named alone",
  223: "a turned bit in the listing cache ended the run",
  254: "a glob below a local file ended the run with a system error",
  1606: "a folder needed where a file is, named alone",
  900175:
    "another machine's upload of equal size in the same tick of the revs was not seen where a checksum had vouched",
  7000137: "a copy that could not be looked at stayed in a full snapshot that did not count it",
  20261146: "a snapshot whose claim could not be taken back was filled anew although it was finished",
};

for (const [seed, story] of Object.entries(FOUND)) {
  test(`engine: ${story}, and no longer does harm`, async () => {
    expect((await live(Number(seed))).problem).toBeUndefined();
  }, 60_000);
}

/** What the oracle must say of each, somewhere in its first worlds. */
const PLANTED: readonly { readonly name: string; readonly bug: PlantedBug; readonly says: RegExp }[] = [
  { name: "a remote that ignores guards", bug: bugs.ignoresGuards, says: /^I1:/ },
  { name: "an engine that keeps no trash", bug: bugs.keepsNoTrash, says: /^I1:/ },
  { name: "a remote that loses blobs", bug: bugs.losesBlobs, says: /^I30:/ },
  { name: "a remote that loses a copy of a full snapshot", bug: bugs.losesCopies, says: /^I30:.*says that it has/ },
  { name: "a remote that copies other bytes", bug: bugs.miscopies, says: /^I30:.*holds what nobody wrote/ },
  { name: "a claim that nobody takes back", bug: bugs.keepsClaims, says: /^I8: left unfinished/ },
  { name: "a remote that turns bits", bug: bugs.turnsBits, says: /^I4:/ },
  { name: "a remote that hides files", bug: bugs.hidesFiles, says: /^I20:/ },
  { name: "a result that hides an upload", bug: bugs.hidesUploads, says: /^truth:.*is not told/ },
  { name: "a result that boasts", bug: bugs.boasts, says: /^truth:.*differs after download/ },
  { name: "a dry run that writes", bug: bugs.dryRunsForReal, says: /^(I41|truth:.*untold|truth:.*differs)/ },
  { name: "an engine that never rests", bug: bugs.neverRests, says: /^I15:/ },
  { name: "an engine that never settles", bug: bugs.neverSettles, says: /^I14:/ },
];

for (const { name, bug, says } of PLANTED) {
  test(`engine: the oracle catches ${name}`, async () => {
    const heard: string[] = [];
    for (let seed = SEED; seed < SEED + PLANTED_WORLDS; seed++) {
      const { problem } = await live(seed, { bug });
      if (problem !== undefined) heard.push(problem.split("\n")[0] ?? "");
      if (problem !== undefined && says.test(problem)) return;
    }
    throw new Error(`nothing like ${says} was said in ${PLANTED_WORLDS} worlds: ${[...new Set(heard)].join("\n")}`);
  }, 120_000);
}

test("engine: the same seed is the same world", async () => {
  const [one, two] = [await live(SEED + 3), await live(SEED + 3)];
  expect(two.steps).toEqual(one.steps);
  expect(two.runs).toBe(one.runs);
});

test("engine: a failing world is told by the few steps that matter", async () => {
  const bug = bugs.ignoresGuards;
  let seed = SEED;
  while ((await live(seed, { bug })).problem === undefined) seed++;
  const told = await shrunk(seed, "", bug);
  const [, steps = ""] = /^seed \d+, steps \[([\d, ]+)\]: I1:/.exec(told) ?? [];
  expect(steps.split(", ").length).toBeWithin(1, 10);
}, 120_000);
