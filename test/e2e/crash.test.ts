import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { startApache } from "../support/apache.ts";
import { broken, differences, ending } from "../support/crash-check.ts";
import { crashAt, everyPoint, type Rehearsed, rehearse } from "../support/crash-run.ts";
import {
  type CrashScenario,
  FULL_PUSH,
  inPlace,
  KEEP_BOTH,
  PULL,
  PUSH,
  RESTORE,
  SMALL_PUSH,
} from "../support/crash-scenarios.ts";
import { put, type World } from "../support/crash-world.ts";
import { filesBelow } from "../support/tree.ts";

const TIMEOUT = 600_000;
const rehearsals = new Map<CrashScenario, Promise<Rehearsed>>();

/** Each scenario is prepared once on the local folder. */
function rehearsed(scenario: CrashScenario): Promise<Rehearsed> {
  const known = rehearsals.get(scenario) ?? rehearse(scenario);
  rehearsals.set(scenario, known);
  return known;
}

function single(numbers: readonly number[]): number[][] {
  return numbers.map((number) => [number]);
}

describe("killed at every I/O step on a local folder", () => {
  for (const scenario of [PUSH, PULL, KEEP_BOTH, RESTORE, FULL_PUSH]) {
    const name = `${scenario.name}: both sides are whole then, and the next run ends where an undisturbed one would`;
    test(
      name,
      async () => {
        const run = await rehearsed(scenario);
        expect(await crashAt(run, single(everyPoint(run)))).toEqual([]);
      },
      TIMEOUT,
    );
  }
});

describe("killed again while it recovers", () => {
  for (const scenario of [PUSH, PULL, KEEP_BOTH, RESTORE, FULL_PUSH]) {
    test(
      `${scenario.name}: the run after that ends where an undisturbed one would`,
      async () => {
        const run = await rehearsed(scenario);
        const pairs: number[][] = [];
        const { length } = run.points;
        for (let first = 2; first <= length - 4; first += Math.ceil(length / 6))
          for (let second = 2 + (first % 3); second <= length - first; second += Math.ceil(length / 5))
            pairs.push([first, second]);
        pairs.push([length, 2], [length, 4], [length, 5]);
        expect(pairs.length).toBeGreaterThan(9);
        expect(await crashAt(run, pairs)).toEqual([]);
      },
      TIMEOUT,
    );
  }
});

describe("killed with several transfers under way", () => {
  for (const scenario of [PUSH, PULL]) {
    test(
      `${scenario.name}: the next run ends where an undisturbed one would`,
      async () => {
        const run = await rehearse(scenario, { settings: { parallel_workers: 5 } });
        const sample = everyPoint(run).filter((number) => number % 6 === 1);
        expect(await crashAt(run, single(sample))).toEqual([]);
      },
      TIMEOUT,
    );
  }
});

test(
  "push to Apache: killed at every I/O step, the next run ends where an undisturbed one would",
  async () => {
    const server = await startApache();
    try {
      const run = await rehearse(SMALL_PUSH, { server });
      expect(run.points).toContain("webdav-put");
      expect(await crashAt(run, single(everyPoint(run)))).toEqual([]);
    } finally {
      await server.stop();
    }
  },
  TIMEOUT,
);

describe("fault points", () => {
  const STEPS: readonly [CrashScenario, readonly RegExp[]][] = [
    [
      PUSH,
      [
        /^lock-temp lock$/,
        /^lock-create lock$/,
        /^lock-remove lock$/,
        /^atomic-(temp|rename) run\.json$/,
        /^journal-open$/,
        /^journal-set$/,
        /^journal-gone$/,
        /^journal-clear$/,
        /^upload-blob$/,
        /^blob-write$/,
        /^upload-live$/,
        /^remove-remote$/,
        /^local-(mkdir|temp|write|fsync|link|unlink-temp|lock|rename|unlock|unlink|copy)$/,
        /^hash-log-append$/,
        /^manifest-temp$/,
        /^atomic-rename \.claude_mirror_manifest\.json$/,
        /^atomic-(temp|rename) index\.bin$/,
        /^hash-cache-(temp|rename)$/,
        /^manifest-write$/,
        /^manifest-cache$/,
        /^log-write$/,
        /^marker-clear$/,
      ],
    ],
    [
      PULL,
      [
        /^fetch$/,
        /^fetch-(write|sync)$/,
        /^make-folder$/,
        /^place-(new|unlink-temp)$/,
        /^replace$/,
        /^trash-(begin|meta|keep|move)$/,
        /^prune-folder$/,
        /^journal-set$/,
        /^journal-gone$/,
        /^log-write$/,
      ],
    ],
    [RESTORE, [/^restore-(mkdir|temp|write|place|unlink-temp|rename)$/, /^trash-(begin|meta|keep)$/]],
    [FULL_PUSH, [/^full-(note|claim|copy|marker|unclaim|newest)$/]],
    [KEEP_BOTH, [/^copy-here$/, /^place-(new|unlink-temp)$/, /^replace$/, /^journal-set$/]],
  ];
  for (const [scenario, steps] of STEPS) {
    test(`${scenario.name}: every durable step has one`, async () => {
      const { points } = await rehearsed(scenario);
      for (const step of steps) for (const name of namesOf(step)) expect(points).toContain(name);
    });
  }
});

/** The names that a pattern of alternatives stands for. */
function namesOf({ source }: RegExp): string[] {
  const plain = source.slice(1, -1).replaceAll("\\.", ".");
  const group = /\(([^)]*)\)/.exec(plain);
  return group === null ? [plain] : (group[1] ?? "").split("|").map((word) => plain.replace(group[0], word));
}

describe("the check itself finds what is damaged", () => {
  const damages: readonly [string, RegExp, (world: World) => void][] = [
    ["a mixture in the project", /project notes\.md holds/, ({ project }) => put(project, "notes.md", "half of")],
    ["a mixture on the remote", /remote notes\.md holds/, ({ remote }) => put(remote, "notes.md", "half of")],
    ["a lost content", /content of old\.md is nowhere/, ({ remote }) => lose(remote, "first old.md\n")],
    ["a torn manifest", /manifest cannot be read/, ({ project }) => put(project, MANIFEST, '{"notes.md": {')],
    ["a damaged blob", /damaged blob/, ({ remote }) => put(remote, firstBlob(remote), "other bytes")],
    [
      "a snapshot without its content",
      /lacks the contents of/,
      ({ remote }) => rmSync(join(remote, firstBlob(remote))),
    ],
    ["a manifest that runs ahead", /the manifest says of keep\.md/, ({ remote }) => inPlace(remote, "keep.md")],
  ];
  for (const [name, complaint, damage] of damages) {
    test(`broken: ${name}`, async () => {
      const { prepared, before, wanted } = await rehearsed(PUSH);
      const world = prepared.copy();
      expect(broken(world, before, wanted)).toEqual([]);
      damage(world);
      expect(broken(world, before, wanted).join("\n")).toMatch(complaint);
      world.remove();
    });
  }

  test("broken: a full snapshot without one of its files", async () => {
    const { prepared, before, wanted } = await rehearsed(FULL_PUSH);
    const world = prepared.copy();
    const folder = join(world.remote, "_claude_mirror_snapshots");
    const [first] = filesBelow(folder).filter((path) => path.endsWith("Z/old.md"));
    rmSync(join(folder, first ?? "none"));
    expect(broken(world, before, wanted).join("\n")).toMatch(/holds 2 of 3 files/);
    world.remove();
  });

  test("differences: files, snapshots, log entries, trash, status and leftovers are all compared", async () => {
    const { prepared, scenario, wanted } = await rehearsed(PULL);
    const world = prepared.copy();
    await world.run(scenario.words(world));
    const end = await ending(world);
    expect(differences(end, wanted)).toEqual([]);
    const twice = { ...end, log: [...end.log, ...end.log.slice(-1)] };
    expect(differences(twice, wanted)).toHaveLength(1);
    expect(differences({ ...end, snapshots: [...end.snapshots, ...end.snapshots] }, wanted)).toHaveLength(1);
    expect(differences({ ...end, trash: end.trash.slice(1) }, wanted)).toHaveLength(1);
    put(world.project, ".claude_mirror_tmp_0", "half");
    put(world.state, "run.json", "{}");
    put(world.project, "notes.md", "other");
    rmSync(join(world.remote, "new.md"));
    const found = differences(await ending(world), wanted).join("\n");
    for (const word of ["project notes.md", "remote new.md", "status", "project .claude_mirror_tmp_0", "run.json"])
      expect(found).toContain(word);
    world.remove();
  });

  test("crashAt: a program that forgets its journal is found out", async () => {
    const { prepared, scenario, wanted, points } = await rehearsed(PUSH);
    const world = prepared.copy();
    const at = points.indexOf("manifest-write") + 1;
    await world.run(scenario.words(world), { CLAUDE_MIRROR_FAULT_AT: String(at) });
    for (const name of ["journal.jsonl", "run.json"]) rmSync(join(world.state, name));
    await world.run(scenario.words(world));
    expect(differences(await ending(world), wanted).join("\n")).toContain("log: ");
    world.remove();
  });
});

const MANIFEST = ".claude_mirror_manifest.json";

function firstBlob(remote: string): string {
  const [first] = filesBelow(join(remote, "_claude_mirror_blobs"));
  return `_claude_mirror_blobs/${first}`;
}

function lose(remote: string, content: string): void {
  rmSync(join(remote, "old.md"));
  const name = new Bun.CryptoHasher("sha256").update(content).digest("hex");
  rmSync(join(remote, `_claude_mirror_blobs/${name.slice(0, 2)}/${name}`));
}
