import { expect, test } from "bun:test";
import { type VirtualSoakReport, virtualSoak } from "./virtual.ts";

/** `CLAUDE_MIRROR_TEST_SEED` moves the search elsewhere; `CLAUDE_MIRROR_TEST_SCALE=10` lasts ten times longer. */
const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_105);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);

const TIMEOUT_MS = 300_000 * SCALE;

const all = ({ rows }: VirtualSoakReport, what: "lost" | "doubled" | "unwanted") => rows.flatMap((row) => row[what]);

test(
  "watch-all: an hour of faults loses no notice, doubles none, and tells none of one's own",
  async () => {
    const report = await virtualSoak({ hours: SCALE, seed: SEED });
    for (const what of ["lost", "doubled", "unwanted"] as const)
      expect({ [what]: all(report, what) }).toEqual({ [what]: [] });
    for (const { project, expected, seen, calmDelays } of report.rows) {
      expect({ project, seen }).toEqual({ project, seen: expected });
      expect(expected).toBeGreaterThan(5);
      // Where a remote does not tell by itself it is the poll interval.
      const most = project === "local" || project === "dropbox" ? 0 : 30_000;
      expect(Math.max(0, ...calmDelays)).toBeLessThanOrEqual(most);
    }
    expect(report.told).toBeGreaterThan(10);
    expect(report.faults.size).toBeGreaterThan(10);
    expect(report.sleepers.left).toBe(0);
    expect(report.sleepers.most).toBeLessThan(20);
  },
  TIMEOUT_MS,
);

test.each([
  ["forgets how far it has read", "lost"],
  ["brings all anew", "doubled"],
] as const)(
  "virtualSoak: a watcher that %s is found out",
  async (planted, shows) => {
    const report = await virtualSoak({ hours: 0.1, seed: SEED, only: "kill", planted });
    expect(all(report, shows)).not.toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "virtualSoak: the same restarts of a sound watcher show nothing",
  async () => {
    const report = await virtualSoak({ hours: 0.2, seed: SEED, only: "kill" });
    expect([...all(report, "lost"), ...all(report, "doubled")]).toEqual([]);
  },
  TIMEOUT_MS,
);
