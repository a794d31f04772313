import { expect, test } from "bun:test";
import { join } from "node:path";
import { SNAPSHOTS_FOLDER } from "../../src/backends/layout.ts";
import type { Backend } from "../../src/backends/types.ts";
import { isUnder } from "../../src/lib/path.ts";
import { type Habits, type RaceResult, SOUND, snapshotRace } from "../sim/snapshot-race.ts";
import { seededRandom } from "../support/random.ts";
import { quickFolder } from "../support/temp.ts";

/** `CLAUDE_MIRROR_TEST_SEED` moves the whole search elsewhere; `CLAUDE_MIRROR_TEST_SCALE=10` searches ten times longer. */
const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);
const RACES = 100;
/** A planted bug must show within so many races. */
const PLANTED_RACES = 1000;
const TIMEOUT = { timeout: 120_000 * Math.max(1, SCALE) };

/** Races until a snapshot is broken, or `races` are over. */
async function race(habits: Habits, races: number): Promise<{ readonly broken: string; readonly sum: RaceResult }> {
  const folder = quickFolder("race");
  const sum = { pushes: 0, kills: 0, collected: 0, forgotten: 0 };
  for (let at = 0; at < races; at++) {
    const random = seededRandom(SEED + at);
    const result = await snapshotRace({ habits, random, folder: join(folder, String(at)), deeds: 12 });
    for (const key of ["pushes", "kills", "collected", "forgotten"] as const) sum[key] += result[key];
    const broken = result.broken[0] ?? result.robbed[0];
    if (broken !== undefined) return { broken: `seed ${SEED + at}: ${broken}`, sum: { ...sum, ...result } };
  }
  return { broken: "", sum: { ...sum, broken: [], robbed: [] } };
}

test(
  "gc: no body that a snapshot needs is ever deleted, however two machines push, forget, collect and are killed",
  async () => {
    const { broken, sum } = await race(SOUND, RACES * SCALE);
    expect(broken).toBe("");
    // The races are worth something only while all of this happens in them.
    expect(Math.min(sum.pushes, sum.kills, sum.collected, sum.forgotten)).toBeGreaterThan(RACES / 2);
  },
  TIMEOUT,
);

const BUGS: Readonly<Record<string, Partial<Habits>>> = {
  "waits for nothing before it collects": { graceMs: 0 },
  "deletes whatever version is there": {
    wrap: (backend) => ({ ...backend, remove: (path, options) => backend.remove(path, { ...options, expect: "any" }) }),
  },
  "does not look at the snapshots again before it collects": { wrap: withOldSnapshots },
  "reuses old blobs as they are": { wrap: withoutAges },
  "does not look whether the snapshots it relies on are still there": { wrap: withTrustedSnapshots },
  "sees that they are gone and stores nothing again": { storeAgain: async () => {} },
};

test.each(Object.entries(BUGS))(
  "gc: a machine that %s is caught",
  async (_, bug) => {
    expect((await race({ ...SOUND, ...bug }, PLANTED_RACES)).broken).not.toBe("");
  },
  TIMEOUT,
);

/** `stat` tells no age, so a push takes every blob for young. */
function withoutAges(backend: Backend): Backend {
  return {
    ...backend,
    async stat(path, options) {
      const found = await backend.stat(path, options);
      if (found === undefined) return undefined;
      const { modifiedMs: _, ...file } = found;
      return file;
    },
  };
}

/** A manifest that was there once is always said to be there. */
function withTrustedSnapshots(backend: Backend): Backend {
  const seen = new Map<string, Awaited<ReturnType<Backend["list"]>>["files"][number]>();
  return {
    ...backend,
    async list(under, options) {
      const listing = await backend.list(under, options);
      for (const file of listing.files) if (isUnder(file.path, SNAPSHOTS_FOLDER)) seen.set(file.path, file);
      return listing;
    },
    async write(path, source, options) {
      const written = await backend.write(path, source, options);
      if (written.file && isUnder(path, SNAPSHOTS_FOLDER)) seen.set(path, written.file);
      return written;
    },
    stat: async (path, options) => seen.get(path) ?? backend.stat(path, options),
  };
}

/** While a plan is carried out the snapshots are those that were listed for it. */
function withOldSnapshots(backend: Backend, isCollecting: () => boolean): Backend {
  let planned: Awaited<ReturnType<Backend["list"]>> | undefined;
  return {
    ...backend,
    async list(under, options) {
      if (under !== SNAPSHOTS_FOLDER) return backend.list(under, options);
      if (!isCollecting() || planned === undefined) planned = await backend.list(under, options);
      return planned;
    },
  };
}
