import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { broken, leftoversOf, sides } from "../support/crash-check.ts";
import { type CrashRun, newWorld, put, type World } from "../support/crash-world.ts";
import { MAY_MOUNT, type SmallDisk, sizeLimit, tinyDisk } from "../support/small-disk.ts";

const BIG = Buffer.alloc(1_300_000, "a line of a large file\n");
const FULL = /the disk is full|larger than is allowed|too large for this file system/;

interface Trouble {
  readonly name: string;
  readonly command: "push" | "pull";
  prepare(world: World): void;
  /** The disk that is too small, of either kind. */
  tiny(world: World): SmallDisk;
  limited(): SmallDisk;
  /** Exit codes: a full disk needs the user, a file that is too large fails alone. */
  readonly exits: readonly [full: number, limited: number];
}

const TROUBLES: readonly Trouble[] = [
  {
    name: "pull onto a project disk",
    command: "pull",
    prepare({ remote }) {
      put(remote, "big.bin", BIG);
      put(remote, "a.md", "a\n");
      put(remote, "notes.md", "second\n");
    },
    tiny: ({ project }) => tinyDisk(project, 600_000),
    limited: () => sizeLimit(100_000),
    exits: [6, 3],
  },
  {
    name: "push to a local folder on a disk",
    command: "push",
    prepare({ project }) {
      put(project, "big.bin", BIG);
      put(project, "zz.md", "z\n");
      put(project, "notes.md", "second\n");
    },
    tiny: ({ remote }) => tinyDisk(remote, 600_000),
    limited: () => sizeLimit(100_000),
    exits: [6, 3],
  },
  {
    name: "push with the state folder on a disk",
    command: "push",
    prepare({ project }) {
      for (let n = 0; n < 150; n++) put(project, `many/${n}.md`, `note ${n}\n`);
    },
    tiny({ home }) {
      const disk = tinyDisk(join(home, ".local/state"), 120_000);
      put(join(home, ".local/state"), "filler", Buffer.alloc(60_000));
      return disk;
    },
    limited: () => sizeLimit(100),
    exits: [6, 1],
  },
];

const KINDS = ["a limit on file sizes", ...(MAY_MOUNT ? ["a full disk"] : [])] as const;

for (const trouble of TROUBLES) {
  describe(`${trouble.name} that takes no more`, () => {
    for (const kind of KINDS) {
      test(`${trouble.command}: ${kind} is one clear sentence, loses nothing, and the run after it finishes`, async () => {
        const world = await inSync();
        const disk = kind === "a full disk" ? trouble.tiny(world) : trouble.limited();
        try {
          await meet(trouble, world, disk);
        } finally {
          disk.remove();
          world.remove();
        }
      });
    }
  });
}

test("push: with no room even for its lock it says so before anything is done, exit 6", async () => {
  const world = await inSync();
  if (!MAY_MOUNT) return expectLockRefused(await world.run(["push"], sizeLimit(10).env), 1);
  const disk = tinyDisk(join(world.home, ".local/state"), 100_000);
  try {
    expect(() => put(join(world.home, ".local/state"), "filler", Buffer.alloc(200_000))).toThrow();
    expectLockRefused(await world.run(["push"]), 6);
  } finally {
    disk.remove();
  }
});

function expectLockRefused({ code, stdout, stderr }: CrashRun, exit: number): void {
  expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
  expect(stderr).toMatch(/^cannot start "push": its lock ".*" cannot be made: .*\n$/);
  expect(stderr).toMatch(FULL);
}

/** A world with one file that both sides agree on. */
async function inSync(): Promise<World> {
  const world = await newWorld();
  put(world.project, "notes.md", "first\n");
  expect((await world.run(["push"])).code).toBe(0);
  return world;
}

async function meet(trouble: Trouble, world: World, disk: SmallDisk): Promise<void> {
  const { command, exits } = trouble;
  trouble.prepare(world);
  const before = sides(world);
  const wanted = command === "push" ? before.project : before.remote;
  const after = { project: wanted, remote: wanted };
  const { code, stdout, stderr } = await world.run([command], disk.env);
  expect(code, stdout + stderr).toBe(exits[disk.kind === "a full disk" ? 0 : 1]);
  const told = (stdout + stderr).split("\n");
  expect(told.filter((line) => FULL.test(line)).length, stdout + stderr).toBeGreaterThan(0);
  expect(stdout + stderr).not.toMatch(/ {4}at |undefined|\[object/);
  expect(broken(world, before, after)).toEqual([]);
  disk.grow();
  const next = await world.run([command], disk.env);
  expect(next.code, next.stdout + next.stderr).toBe(0);
  expect(sides(world)).toEqual(after);
  expect(leftoversOf(world)).toEqual([]);
  const status = JSON.parse((await world.run(["status", "--json"])).stdout).result;
  expect(status.summary.in_sync).toBe(Object.keys(wanted).length);
}
