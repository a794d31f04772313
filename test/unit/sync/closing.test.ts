import { expect, test } from "bun:test";
import type { Backend, Checksum, RemoteFile, Rev } from "../../../src/backends/types.ts";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { learnRevs } from "../../../src/sync/closing.ts";
import type { SentFile } from "../../../src/sync/journal.ts";

interface LookedFor {
  readonly modifiedMs?: number;
  readonly tookMs?: number;
  readonly racy?: boolean;
}

interface Look {
  readonly slept: number[];
  readonly confirmed: ReadonlyMap<RelPath, RemoteFile>;
}

/** Looks for `count` uploads on a remote whose revs can repeat within `tickMs` and that calls all of them racy unless told. */
async function lookFor(
  count: number,
  tickMs: number,
  checksums: readonly Checksum[] = [],
  { modifiedMs = 1000, tookMs, racy = true }: LookedFor = {},
): Promise<Look> {
  const files = Array.from({ length: count }, (_, i): RemoteFile => {
    const path = relPath(`f${i}.md`);
    return { path, size: 3, rev: `r${i}` as Rev, racy, id: path, nativeHash: "h", modifiedMs, checksums };
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
      { path, size: 3, md5: "m", sha256: "s", serverTimeMs: 1500, ...(tookMs === undefined ? {} : { tookMs }) },
    ]),
  );
  const confirmed = new Map<RelPath, RemoteFile>();
  await learnRevs(
    sent,
    { backend, clock, workers: 4 },
    { confirmed: (one, file) => void confirmed.set(one.path, file), damaged: ({ path }) => expect.unreachable(path) },
  );
  return { slept, confirmed };
}

test("learnRevs: many files are believed once the tick has passed in which another write would not show", async () => {
  for (const tickMs of [20, 2000]) {
    const { slept, confirmed } = await lookFor(30, tickMs);
    expect(slept).toEqual([tickMs]);
    expect([...confirmed.values()].some(({ racy }) => racy)).toBe(false);
  }
});

test("learnRevs: a few files that only size and time vouch for stay racy, for they may be another writer's", async () => {
  const { slept, confirmed } = await lookFor(3, 20);
  expect(slept).toEqual([]);
  expect(confirmed.size).toBe(3);
  expect([...confirmed.values()].every(({ racy }) => racy)).toBe(true);
});

test("learnRevs: the server's checksum settles whose file it is", async () => {
  const { confirmed } = await lookFor(3, 20, [{ kind: "sha256", value: "s" }], { racy: false });
  expect([...confirmed.values()].some(({ racy }) => racy)).toBe(false);
});

test("learnRevs: a checksum says nothing of what is written later under the same rev", async () => {
  const { confirmed } = await lookFor(3, 20, [{ kind: "sha256", value: "s" }]);
  expect([...confirmed.values()].every(({ racy }) => racy)).toBe(true);
});

test("learnRevs: an upload that took long is found though the server's clock was read when it began, and read once more", async () => {
  for (const count of [3, 30]) {
    const slow = await lookFor(count, 20, [], { modifiedMs: 9000, tookMs: 8000 });
    expect(slow.confirmed.size).toBe(count);
    expect([...slow.confirmed.values()].every(({ racy }) => racy)).toBe(true);
    const later = await lookFor(count, 20, [], { modifiedMs: 12_000, tookMs: 8000 });
    expect(later.confirmed.size).toBe(0);
  }
});
