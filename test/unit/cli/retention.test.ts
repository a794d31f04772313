import { describe, expect, test } from "bun:test";
import { appendFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../../src/lib/clock.ts";
import { acquireLock } from "../../../src/lib/lock.ts";
import { lockFile } from "../../../src/project/lock.ts";
import { type SetupLab, setupLab } from "../../support/setup-lab.ts";

const DAY = 86_400_000;

interface Lab extends SetupLab {
  readonly mirror: string;
  /** Days from now. */
  later(days: number): { readonly clock: Clock };
  snapshots(): readonly string[];
  blobs(): readonly string[];
}

/** A project on a local folder with three snapshots, oldest first, each of another text. */
async function labOfThree(): Promise<Lab> {
  const lab = setupLab();
  const mirror = join(lab.home, "mirror");
  await lab.run(["init", "--local-folder", mirror]);
  for (const text of ["one", "two", "three"]) {
    writeFileSync(join(lab.project, "a.md"), text);
    await lab.json(["push"]);
  }
  const names = (folder: string) => readdirSync(join(mirror, folder), { recursive: true, encoding: "utf8" }).sort();
  return {
    ...lab,
    mirror,
    later: (days) => ({ clock: { now: () => systemClock.now() + days * DAY, sleep: async () => {} } }),
    snapshots: () => names("_claude_mirror_snapshots").map((name) => name.replace(".json", "")),
    blobs: () => names("_claude_mirror_blobs").filter((name) => name.includes("/")),
  };
}

describe("forget", () => {
  test("forget: a dry run until --delete, and --dry-run wins over it", async () => {
    const lab = await labOfThree();
    const all = lab.snapshots();
    for (const words of [[], ["--delete", "--dry-run", "--yes"], ["--yes"]]) {
      const run = await lab.run(["forget", "--keep-last", "1", ...words]);
      expect([run.code, run.stderr]).toEqual([0, ""]);
      expect(run.stdout).toContain("2 snapshots to delete, 1 to keep.");
      expect(run.stdout).toContain("Dry run: nothing was deleted. Add --delete to delete.");
      expect(lab.snapshots()).toEqual(all);
    }
  });

  test("forget: --delete --yes deletes and names gc", async () => {
    const lab = await labOfThree();
    const [first = "", , last = ""] = lab.snapshots();
    const run = await lab.run(["forget", "--keep-last", "1", "--delete", "--yes"]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain(first);
    expect(run.stdout).toContain("Deleted 2 snapshots.\nRun claude-mirror gc --delete to free the space");
    expect(lab.snapshots()).toEqual([last]);
  });

  test("forget: without a terminal --delete needs --yes, unless there is nothing to delete", async () => {
    const lab = await labOfThree();
    for (const json of [[], ["--json"]]) {
      const run = await lab.run(["forget", "--keep-last", "1", "--delete", ...json]);
      expect(run.code).toBe(2);
      expect(run.stderr).toContain("--yes");
      expect(lab.snapshots()).toHaveLength(3);
      expect((await lab.run(["forget", "--keep-last", "9", "--delete", ...json])).code).toBe(0);
    }
  });

  test("forget: at a terminal only the word YES deletes", async () => {
    const lab = await labOfThree();
    for (const typed of ["yes\n", "y\n", "\n", "YES please\n"]) {
      const run = await lab.run(["forget", "--keep-last", "1", "--delete"], { terminal: true, stdin: typed });
      expect([run.code, lab.snapshots().length]).toEqual([1, 3]);
      expect(run.stdout).toContain("Nothing was deleted.");
    }
    const run = await lab.run(["forget", "--keep-last", "1", "--delete"], { terminal: true, stdin: "YES\n" });
    expect([run.code, lab.snapshots().length]).toEqual([0, 1]);
  });

  test("forget: exactly one selector, and a value of 0, rubbish or an unknown name is wrong usage", async () => {
    const lab = await labOfThree();
    const [first = ""] = lab.snapshots();
    for (const words of [
      [],
      ["--keep-last", "1", "--keep-days", "1"],
      [first, "--before", "30d"],
      ["--keep-last", "0"],
      ["--keep-days", "0"],
      ["--before", "0d"],
      ["--before", "soon"],
      ["2020-01-01T00-00-00Z"],
      [first, "nonsense"],
    ]) {
      const run = await lab.run(["forget", ...words, "--delete", "--yes"]);
      expect([words, run.code]).toEqual([words, 2]);
    }
    expect((await lab.run(["forget", "2020-01-01T00-00-00Z"])).stderr).toContain('"2020-01-01T00-00-00Z"');
    expect(lab.snapshots()).toHaveLength(3);
  });

  test("forget: by name, by age and by the name of another snapshot", async () => {
    const lab = await labOfThree();
    const [first = "", second = "", third = ""] = lab.snapshots();
    const selected = async (words: string[], options = {}) => {
      const { selected: found } = await lab.json(["forget", ...words], options);
      return (found as { timestamp: string }[]).map(({ timestamp }) => timestamp);
    };
    expect(await selected([first, third])).toEqual([third, first]);
    expect(await selected(["--before", second])).toEqual([first]);
    expect(await selected(["--before", "1d"])).toEqual([]);
    expect(await selected(["--before", "1d"], lab.later(2))).toEqual([third, second, first]);
    expect(await selected(["--keep-days", "1"], lab.later(2))).toHaveLength(3);
  });

  test("forget: one that cannot be read is named and left alone by a rule, and goes by its name", async () => {
    const lab = await labOfThree();
    const broken = "2026-01-01T00-00-00Z";
    writeFileSync(join(lab.mirror, "_claude_mirror_snapshots", `${broken}.json`), "{");
    const run = await lab.run(["forget", "--keep-last", "1", "--delete", "--yes"]);
    expect(run.stdout).toContain(`${broken} is left alone: unreadable`);
    expect(lab.snapshots()).toContain(broken);
    expect((await lab.run(["gc"])).code).toBe(5);
    expect((await lab.run(["forget", broken, "--delete", "--yes"])).code).toBe(0);
    expect((await lab.run(["gc"])).code).toBe(0);
  });

  test("forget: another run's lock stops it before anything is deleted", async () => {
    const lab = await labOfThree();
    const base = join(lab.home, ".local/state/claude-mirror");
    const [id = ""] = readdirSync(base).filter((name) => name !== "projects.json");
    const lock = acquireLock(lockFile(join(base, id)), { command: "push", clock: systemClock });
    expect((await lab.run(["forget", "--keep-last", "1", "--delete", "--yes"])).code).toBe(7);
    expect((await lab.run(["gc", "--delete", "--yes"])).code).toBe(0);
    lock.release();
    expect(lab.snapshots()).toHaveLength(3);
  });
});

describe("prune", () => {
  test("prune: without a rule it is wrong usage, also from a config that has none or beside rules", async () => {
    const lab = await labOfThree();
    for (const words of [
      [],
      ["--include-tagged"],
      ["--from-config"],
      ["--keep-daily", "0"],
      ["--from-config", "--keep-last", "1"],
    ]) {
      expect([words, (await lab.run(["prune", ...words, "--delete", "--yes"])).code]).toEqual([words, 2]);
    }
    expect(lab.snapshots()).toHaveLength(3);
  });

  test("prune: rules of the command line and of the config", async () => {
    const lab = await labOfThree();
    const [, , third = ""] = lab.snapshots();
    const daily = await lab.json(["prune", "--keep-daily", "7"]);
    expect(daily).toMatchObject({ dry_run: true, deleted: [] });
    appendFileSync(lab.configFile, "keep_last: 2\nkeep_weekly: 1\n");
    expect((await lab.json(["prune", "--from-config"]))["selected"]).toHaveLength(1);
    expect(lab.snapshots()).toHaveLength(3);
    await lab.json(["prune", "--keep-last", "1", "--delete", "--yes"]);
    expect(lab.snapshots()).toEqual([third]);
  });

  test("prune: keep_* in the config alone deletes nothing after a push, auto_prune: true does", async () => {
    const lab = await labOfThree();
    appendFileSync(lab.configFile, "keep_last: 2\n");
    writeFileSync(join(lab.project, "a.md"), "four");
    await lab.json(["push"]);
    expect(lab.snapshots()).toHaveLength(4);
    appendFileSync(lab.configFile, "auto_prune: true\n");
    await lab.json(["push"]);
    expect(lab.snapshots()).toHaveLength(4);
    writeFileSync(join(lab.project, "a.md"), "five");
    const { notices } = await lab.json(["push"]);
    expect(notices).toEqual(["auto_prune: 3 old snapshot(s) deleted; claude-mirror gc frees their space."]);
    expect(lab.snapshots()).toHaveLength(2);
  });

  test("data-loss case 12: a snapshot whose manifest cannot be read is no untagged one, for prune, for auto_prune and for gc", async () => {
    const lab = await labOfThree();
    const [first = ""] = lab.snapshots();
    const manifest = join(lab.mirror, "_claude_mirror_snapshots", `${first}.json`);
    writeFileSync(manifest, "{ torn");
    appendFileSync(lab.configFile, "auto_prune: true\nkeep_last: 1\n");
    writeFileSync(join(lab.project, "a.md"), "four");
    await lab.json(["push"]);
    await lab.json(["prune", "--from-config", "--delete", "--yes"]);
    expect(lab.snapshots()).toContain(first);
    expect(lab.snapshots()).toHaveLength(2);
    const blobs = lab.blobs();
    expect((await lab.run(["gc", "--delete", "--yes", "--grace", "0"], lab.later(3))).code).toBe(5);
    expect(lab.blobs()).toEqual(blobs);
  });

  test("prune: auto_prune without rules says so and lets the run succeed", async () => {
    const lab = await labOfThree();
    appendFileSync(lab.configFile, "auto_prune: true\n");
    writeFileSync(join(lab.project, "a.md"), "four");
    const { notices } = await lab.json(["push"]);
    expect(notices).toEqual(["auto_prune: no snapshot was deleted: cannot prune: no rule says what to keep"]);
  });
});

describe("gc", () => {
  test("gc: frees what forget left, after the grace period, and the rest can be restored", async () => {
    const lab = await labOfThree();
    await lab.json(["forget", "--keep-last", "1", "--delete", "--yes"]);
    const young = await lab.run(["gc", "--delete", "--yes"]);
    expect(young.code).toBe(0);
    expect(young.stdout).toMatch(
      /1 snapshot and 3 blobs looked at\.\nNo unused blob .*\n2 unused blobs \(6 B\) held for being younger than 24 h, the last until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n$/,
    );
    expect(lab.blobs()).toHaveLength(3);
    const dry = await lab.run(["gc"], lab.later(2));
    expect(dry.stdout).toContain("2 unused blobs to delete (6 B).\nDry run: nothing was deleted.");
    expect(lab.blobs()).toHaveLength(3);
    const done = await lab.run(["gc", "--delete", "--yes"], lab.later(2));
    expect([done.code, done.stdout.split("\n").at(-2)]).toEqual([0, "Deleted 2 blobs (6 B)."]);
    expect(lab.blobs()).toHaveLength(1);
    const [last = ""] = lab.snapshots();
    expect((await lab.json(["restore", last, "--output", "out"]))["files"]).toMatchObject([{ status: "restored" }]);
  });

  test("gc: --grace 0 waits for nothing, other words are wrong usage", async () => {
    const lab = await labOfThree();
    await lab.json(["forget", "--keep-last", "1", "--delete", "--yes"]);
    for (const grace of ["1m", "-1h", "soon", ""]) {
      expect((await lab.run(["gc", `--grace=${grace}`, "--delete", "--yes"])).code).toBe(2);
    }
    const result = await lab.json(["gc", "--grace", "0", "--delete", "--yes"], lab.later(1));
    expect(result).toMatchObject({
      dry_run: false,
      snapshots: 1,
      blobs: 3,
      deleted: 2,
      deleted_bytes: 6,
      held: 0,
      failed: [],
    });
  });

  test("gc: without a terminal --delete needs --yes; at one the word YES", async () => {
    const lab = await labOfThree();
    await lab.json(["forget", "--keep-last", "1", "--delete", "--yes"]);
    const alone = await lab.run(["gc", "--delete"], lab.later(2));
    expect([alone.code, alone.stderr.includes("--yes")]).toEqual([2, true]);
    expect((await lab.run(["gc", "--delete", "--dry-run", "--yes"], lab.later(2))).code).toBe(0);
    expect((await lab.run(["gc", "--delete"], { ...lab.later(2), terminal: true, stdin: "yes\n" })).code).toBe(1);
    expect(lab.blobs()).toHaveLength(3);
    expect((await lab.run(["gc", "--delete"], { ...lab.later(2), terminal: true, stdin: "YES\n" })).code).toBe(0);
    expect(lab.blobs()).toHaveLength(1);
  });

  test("gc: refuses with 5 when there is no snapshot left", async () => {
    const lab = await labOfThree();
    await lab.json(["forget", ...lab.snapshots(), "--delete", "--yes"]);
    const run = await lab.run(["gc", "--delete", "--yes", "--json"], lab.later(2));
    expect(run.code).toBe(5);
    expect(JSON.parse(run.stderr)).toMatchObject({ error: { type: "refused" } });
    expect(lab.blobs()).toHaveLength(3);
  });

  test("push: a text whose blob was collected meanwhile is in the next snapshot all the same", async () => {
    const lab = await labOfThree();
    await lab.json(["forget", "--keep-last", "1", "--delete", "--yes"]);
    await lab.json(["gc", "--delete", "--yes"], lab.later(2));
    writeFileSync(join(lab.project, "a.md"), "one");
    await lab.json(["push"]);
    const last = lab.snapshots().at(-1) ?? "";
    expect((await lab.json(["restore", last, "--output", "out"]))["files"]).toMatchObject([{ status: "restored" }]);
  });
});
