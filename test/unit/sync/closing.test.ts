import { expect, test } from "bun:test";
import type { Backend, RemoteFile, Rev } from "../../../src/backends/types.ts";
import { relPath } from "../../../src/lib/path.ts";
import { learnRevs } from "../../../src/sync/closing.ts";
import type { SentFile } from "../../../src/sync/journal.ts";

interface Look {
  readonly slept: number[];
  readonly learned: Awaited<ReturnType<typeof learnRevs>>;
}

/** Looks for `count` uploads on a remote whose revs can repeat within `tickMs` and that calls all of them racy. */
async function lookFor(count: number, tickMs: number): Promise<Look> {
  const files = Array.from({ length: count }, (_, i): RemoteFile => {
    const path = relPath(`f${i}.md`);
    return { path, size: 3, rev: `r${i}` as Rev, racy: true, id: path, nativeHash: "h", modifiedMs: 1000 };
  });
  const slept: number[] = [];
  const backend = {
    can: { revTickMs: tickMs },
    stat: async (path: string) => files.find((file) => file.path === path),
    list: async () => ({ files, folders: [], unusable: [], exists: true }),
  } as unknown as Backend;
  const clock = { now: () => 0, sleep: async (ms: number) => void slept.push(ms) };
  const sent = new Map(
    files.map(({ path }): [typeof path, SentFile] => [
      path,
      { path, size: 3, md5: "m", sha256: "s", serverTimeMs: 1500 },
    ]),
  );
  return { slept, learned: await learnRevs(sent, { backend, clock, workers: 4 }) };
}

test("learnRevs: a short tick is waited out, so that the revs found are trusted", async () => {
  const { slept, learned } = await lookFor(1, 20);
  expect(slept).toEqual([20]);
  expect([...learned.confirmed.values()].map(({ racy }) => racy)).toEqual([false]);
});

test("learnRevs: a long tick is waited out for many files, which would all be read again otherwise", async () => {
  const { slept, learned } = await lookFor(30, 2000);
  expect(slept).toEqual([2000]);
  expect([...learned.confirmed.values()].some(({ racy }) => racy)).toBe(false);
});

test("learnRevs: for a few files a long tick is not waited out, and they stay racy", async () => {
  const { slept, learned } = await lookFor(3, 2000);
  expect(slept).toEqual([]);
  expect([...learned.confirmed.values()].every(({ racy }) => racy)).toBe(true);
});
