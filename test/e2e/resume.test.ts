import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { requestsDuring } from "../support/access-log.ts";
import { startApache } from "../support/apache.ts";
import { leftoversOf } from "../support/crash-check.ts";
import { counted } from "../support/crash-run.ts";
import { newWorld, put, type World, type WorldOptions } from "../support/crash-world.ts";
import { startNginx } from "../support/nginx.ts";
import { seededRandom } from "../support/random.ts";
import type { TestServer } from "../support/server-process.ts";

/** 64 blocks, or writes, of 256 KiB. */
const BYTES = seededRandom(31).bytes(16 * 1024 * 1024);
const PIECES = 64;
const MOST_AGAIN = 0.55 * PIECES;

const servers: TestServer[] = [];
afterAll(async () => {
  for (const server of servers) await server.stop();
});

async function served(start: () => Promise<TestServer>): Promise<TestServer> {
  const server = await start();
  servers.push(server);
  return server;
}

/** The number of the fault point at which half of these pieces have gone. */
function halfOf(points: readonly string[], name: string): number {
  const places = points.flatMap((point, at) => (point === name ? [at + 1] : []));
  expect(places.length).toBeGreaterThanOrEqual(PIECES);
  return places[PIECES / 2] as number;
}

/** Kills the command at half of the pieces; answers how many pieces the next run moves. */
async function killedAtHalf(make: () => Promise<World>, words: (world: World) => string[], piece: string) {
  const rehearsal = await make();
  const { points, told, code } = await counted(rehearsal, words(rehearsal));
  expect(code, told).toBe(0);
  const world = await make();
  const killed = await world.run(words(world), { CLAUDE_MIRROR_FAULT_AT: String(halfOf(points, piece)) });
  expect(killed.killed).toBe(true);
  const next = await counted(world, words(world));
  expect(next.code, next.told).toBe(0);
  return { world, again: next.points.filter((point) => point === piece).length };
}

/** A remote with a large file that was not written a moment ago. */
async function largeRemote(options: WorldOptions): Promise<World> {
  const world = await newWorld(options);
  put(world.remote, "big.bin", BYTES);
  const old = Date.now() / 1000 - 60;
  utimesSync(join(world.remote, "big.bin"), old, old);
  return world;
}

function isWhole(file: string): boolean {
  return Buffer.compare(readFileSync(file), BYTES) === 0;
}

describe.each([
  ["a local folder", undefined],
  ["Apache", startApache],
  ["nginx", startNginx],
] as const)("a kill at half of a large file, on %s", (name, start) => {
  test("pull: at most 55 % are fetched again", async () => {
    const server = start && (await served(start));
    const make = () => largeRemote(server ? { server } : {});
    const run = () => killedAtHalf(make, () => ["pull"], "part-block");
    const { result, requests } = server ? await requestsDuring(server, run) : { result: await run(), requests: [] };
    expect(result.again).toBeLessThanOrEqual(MOST_AGAIN);
    expect(isWhole(join(result.world.project, "big.bin"))).toBe(true);
    expect(leftoversOf(result.world)).toEqual([]);
    if (server) expect(requests.filter(({ status }) => status === 206)).toHaveLength(1);
  });

  test("restore: at most 55 % are fetched again", async () => {
    const server = start && servers.at(-1);
    const make = async () => {
      const world = await newWorld(server ? { server } : {});
      put(world.project, "big.bin", BYTES);
      expect((await world.run(["push"])).code).toBe(0);
      rmSync(join(world.project, "big.bin"));
      return world;
    };
    const words = (world: World) => ["restore", newest(world), "--yes"];
    const { world, again } = await killedAtHalf(make, words, "part-block");
    expect(again).toBeLessThanOrEqual(MOST_AGAIN);
    expect(isWhole(join(world.project, "big.bin"))).toBe(true);
    expect(leftoversOf(world)).toEqual([]);
  });

  if (name !== "a local folder") return;
  test("push: at most 55 % are written again", async () => {
    const make = async () => {
      const world = await newWorld();
      put(world.project, "big.bin", BYTES);
      return world;
    };
    const { world, again } = await killedAtHalf(make, () => ["push"], "local-write");
    // The manifest and the log are written, too.
    expect(again).toBeLessThanOrEqual(MOST_AGAIN + 3);
    expect(isWhole(join(world.remote, "big.bin"))).toBe(true);
    expect(leftoversOf(world)).toEqual([]);
  });
});

/** The name of the only snapshot. */
function newest({ remote }: World): string {
  const folder = join(remote, "_claude_mirror_snapshots");
  const [name = ""] = [...new Bun.Glob("*.json").scanSync({ cwd: folder })].sort();
  return name.replace(/\.json$/, "");
}
