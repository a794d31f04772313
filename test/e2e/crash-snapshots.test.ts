import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { brokenStore, changedSnapshots } from "../support/crash-check.ts";
import { crashAt, everyPoint, type Rehearsed, rehearse } from "../support/crash-run.ts";
import { type CrashScenario, FORGET, GC, PRUNE, REPAIR, TO_BLOBS, TO_FULL } from "../support/crash-scenarios.ts";
import { put } from "../support/crash-world.ts";

const TIMEOUT = 600_000;
const rehearsals = new Map<CrashScenario, Promise<Rehearsed>>();

/** Each scenario is prepared once on the local folder. */
function rehearsed(scenario: CrashScenario): Promise<Rehearsed> {
  const known = rehearsals.get(scenario) ?? rehearse(scenario);
  rehearsals.set(scenario, known);
  return known;
}

describe("killed at every I/O step on a local folder", () => {
  for (const scenario of [FORGET, PRUNE, GC, TO_BLOBS, TO_FULL, REPAIR]) {
    test(
      `${scenario.name}: every snapshot that is left can be restored then, and the next run ends where an undisturbed one would`,
      async () => {
        const run = await rehearsed(scenario);
        expect(
          await crashAt(
            run,
            everyPoint(run).map((number) => [number]),
          ),
        ).toEqual([]);
      },
      TIMEOUT,
    );
  }
});

test(
  "migrate-snapshots: killed again while it recovers, the run after that ends where an undisturbed one would",
  async () => {
    for (const scenario of [TO_BLOBS, TO_FULL]) {
      const run = await rehearsed(scenario);
      const { length } = run.points;
      const pairs = [2, 5, 9, 14].map((second, at) => [Math.round(((at + 1) * length) / 5), second]);
      expect(await crashAt(run, pairs)).toEqual([]);
    }
  },
  TIMEOUT,
);

describe("fault points", () => {
  const STEPS: readonly [CrashScenario, readonly string[]][] = [
    [FORGET, ["forget-intent", "forget-manifest", "forget-marker", "forget-file", "forget-folder"]],
    [GC, ["gc-remove"]],
    [TO_BLOBS, ["copy-body", "blob-write", "manifest-write", "migrate-remove", "migrate-remove-folder"]],
    [TO_FULL, ["full-copy", "full-marker", "migrate-remove-manifest", "migrate-settings"]],
    [REPAIR, ["trash-begin", "repair-write", "atomic-rename .claude_mirror_manifest.json"]],
  ];
  for (const [scenario, steps] of STEPS) {
    test(`${scenario.name}: every durable step has one`, async () => {
      const { points } = await rehearsed(scenario);
      for (const step of steps) expect(points).toContain(step);
    });
  }
});

describe("the check itself finds what is damaged", () => {
  test("changedSnapshots: a half-filled folder without its manifest, and a folder that lacks a file", async () => {
    const { prepared, scenario, wanted } = await rehearsed(TO_FULL);
    const world = prepared.copy();
    expect(changedSnapshots(world, wanted.snapshots)).toEqual([]);
    await world.run(scenario.words(world));
    expect(changedSnapshots(world, wanted.snapshots)).toEqual([]);
    const [name] = (await world.run(["snapshots", "--json"])).stdout.match(/\d{4}-\d\d-\d\dT[\d-]+Z/) ?? [];
    const folder = join(world.remote, "_claude_mirror_snapshots", name ?? "");
    rmSync(join(folder, "notes.md"));
    expect(() => changedSnapshots(world, wanted.snapshots)).toThrow("holds 1 of 2 files");
    rmSync(join(folder, "_snapshot_meta.json"));
    expect(changedSnapshots(world, wanted.snapshots)).toHaveLength(1);
    world.remove();
  });

  test("brokenStore: a good file that was overwritten, and damaged bytes that were thrown away", async () => {
    const { prepared, storeBefore, storeAfter } = await rehearsed(REPAIR);
    const world = prepared.copy();
    expect(brokenStore(world, storeBefore, storeAfter)).toEqual([]);
    put(world.remote, "notes.md", "overwritten");
    expect(brokenStore(world, storeBefore, storeAfter)).toContain(
      "remote notes.md holds neither the old nor the new content",
    );
    rmSync(join(world.remote, "sub/keep.md"));
    expect(brokenStore(world, storeBefore, storeAfter)).toContain("what sub/keep.md held is nowhere any more");
    world.remove();
  });
});
