import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Rev } from "../../../src/backends/types.ts";
import { relPath } from "../../../src/lib/path.ts";
import type { BaseEntry, FileStat } from "../../../src/sync/model.ts";
import { type IndexHeader, type IndexRow, loadIndex, type StateIndex } from "../../../src/sync/state-index.ts";
import { writeIndex } from "../../../src/sync/write-index.ts";

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "index-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const HEADER: IndexHeader = { hashedSinceMs: 1_795_196_500_000, meta: '{"cursor":"ü"}' };
const STAT: FileStat = {
  size: 30,
  mtimeNs: 1_795_196_396_118_080_131n,
  ctimeNs: 1_795_196_399_078_079_998n,
  ino: 18_446_744_073_709_551_557n,
};
const MD5 = "a24e52e25aaf05ca4864c1d06c92802c";
const OTHER_MD5 = "fe4bb3a8d00c3f88ed961c723e500184";
const SHA = "fcad4ab9e3e9ddd323adf478721202a0863d2bc4e1848b9a72ff767d7cd2afa8";
const OTHER_SHA = "844bebfe67702e3cace14d9dabc563ebd5a056db2b4b2c40a09f275c01000000";

function baseOf(path: string, more: Partial<BaseEntry> = {}): BaseEntry {
  return {
    path: relPath(path),
    md5: MD5,
    remoteId: path,
    nativeHash: "1e-6253",
    racy: false,
    syncedAt: "2026-11-20T17:08:28.677552+00:00",
    ...more,
  };
}

function store(rows: readonly IndexRow[], header: IndexHeader = HEADER): StateIndex {
  const file = join(folder, "index.bin");
  writeIndex(file, rows, header);
  const index = loadIndex(file);
  if (!index) throw new Error("not readable");
  return index;
}

/** Hashed long after all stamps of these tests. */
const LATER: IndexHeader = { ...HEADER, hashedSinceMs: 5_000_000_000_000 };

const ROWS: readonly IndexRow[] = [
  { path: relPath("a.md"), local: { stat: STAT, hash: { md5: MD5, sha256: SHA } } },
  { path: relPath("b/both.md"), base: baseOf("b/both.md", { sha256: SHA, size: 30 }), local: { stat: STAT, hash: { md5: MD5, sha256: SHA } } },
  { path: relPath("b/changed.md"), base: baseOf("b/changed.md", { sha256: OTHER_SHA, md5: OTHER_MD5 }), local: { stat: STAT, hash: { md5: MD5, sha256: SHA } } },
  { path: relPath("b/no-md5.md"), base: baseOf("b/no-md5.md", { md5: "", racy: true }), local: { stat: STAT, hash: { md5: MD5 } } },
  { path: relPath("b/old.md"), base: baseOf("b/old.md", { syncedAt: "2026-11-20T17:08:28+00:00" }) },
  { path: relPath("b/slash.md"), base: baseOf("b/slash.md", { remoteId: "/b/slash.md", rev: '"1e-6253"' as Rev }) },
  { path: relPath("b/weak.md"), base: baseOf("b/weak.md", { remoteId: "id%20", rev: 'W/"1e-6253"' as Rev, syncedAt: "yesterday" }) },
  { path: relPath("naïve – dash.md"), base: baseOf("naïve – dash.md", { nativeHash: "", rev: "42" as Rev }) },
  { path: relPath("\u{1f600}.md"), base: baseOf("\u{1f600}.md", { nativeHash: "ñ", remoteId: "" }) },
]; // biome-ignore format: a table

describe("writeIndex and loadIndex", () => {
  test("loadIndex: gives back every row and the header as written", () => {
    const manifest = { ...STAT, size: 5 };
    const index = store(ROWS, { ...HEADER, manifest });
    expect(Array.from({ length: index.length }, (_, row) => index.rowAt(row))).toEqual([...ROWS]);
    expect([index.hashedSinceMs, index.manifest, index.meta]).toEqual([HEADER.hashedSinceMs, manifest, HEADER.meta]);
    expect(store([]).length).toBe(0);
  });

  test("find: knows every path and no other", () => {
    const index = store(ROWS);
    expect(ROWS.map((row) => index.find(row.path))).toEqual(ROWS.map((_, row) => row));
    expect(["", "a", "b", "b/zzz", "zzz"].map(index.find)).toEqual([-1, -1, -1, -1, -1]);
    expect([index.isAt(1, "b/both.md"), index.isAt(1, "b/both.m"), index.isAt(1, "b/both.md2")]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("localIsBase: only where both digests are known to be equal", () => {
    const index = store(ROWS);
    expect(ROWS.map((_, row) => index.localIsBase(row))).toEqual([
      false,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  test("remoteMatches: by rev where there is one, else by native hash, never by an empty one", () => {
    const index = store(ROWS);
    const matches = (path: string, rev: string, native: string) => index.remoteMatches(index.find(path), rev, native);
    expect(matches("b/slash.md", '"1e-6253"', "other")).toBe(true);
    expect(matches("b/slash.md", '"1e-6254"', "1e-6253")).toBe(false);
    expect(matches("b/old.md", "any", "1e-6253")).toBe(true);
    expect(matches("b/old.md", "any", "1e-625")).toBe(false);
    expect(matches("a.md", "", "")).toBe(false);
    const none = store([{ path: relPath("x"), base: baseOf("x", { nativeHash: "" }) }]);
    expect(none.remoteMatches(0, "r", "")).toBe(false);
  });

  test("countUnchanged: sees a change of any part, down to a microsecond", () => {
    const index = store(ROWS, LATER);
    const isUnchanged = (row: number, stat: typeof quick) =>
      index.countUnchanged(row, [index.pathAt(row)], 0, { prefix: "", lstatSync: () => stat }) === 1;
    const quick = {
      size: 30,
      mtimeMs: Number(STAT.mtimeNs) / 1e6,
      ctimeMs: Number(STAT.ctimeNs) / 1e6,
      ino: Number(STAT.ino),
    };
    expect(isUnchanged(0, quick)).toBe(true);
    expect(isUnchanged(0, { ...quick, size: 31 })).toBe(false);
    expect(isUnchanged(0, { ...quick, mtimeMs: quick.mtimeMs + 0.001 })).toBe(false);
    expect(isUnchanged(0, { ...quick, ctimeMs: quick.ctimeMs - 0.001 })).toBe(false);
    expect(isUnchanged(0, { ...quick, ino: 7 })).toBe(false);
    expect(isUnchanged(4, { size: 0, mtimeMs: 0, ctimeMs: 0, ino: 0 })).toBe(false);
    expect(index.localEquals(0, STAT)).toBe(true);
    expect(index.localEquals(0, { ...STAT, mtimeNs: STAT.mtimeNs + 1n })).toBe(false);
  });

  test("countUnchanged: holds for what the file system itself says", () => {
    const file = join(folder, "real");
    for (const ms of [0, 1, 999.999, 1_795_196_396_118.08, 4_000_000_000_123.25]) {
      fs.writeFileSync(file, "x");
      fs.utimesSync(file, ms / 1000, ms / 1000);
      const { size, mtimeNs, ctimeNs, ino } = fs.lstatSync(file, { bigint: true });
      const stat = { size: Number(size), mtimeNs, ctimeNs, ino };
      const index = store([{ path: relPath("real"), local: { stat, hash: { md5: MD5 } } }], LATER);
      const look = { prefix: `${folder}/`, lstatSync: (path: string) => fs.lstatSync(path) };
      expect(index.countUnchanged(0, ["real"], 0, look)).toBe(1);
    }
  });

  test("isSettled: not for stamps that the hashing could have raced with", () => {
    const settled = (mtimeNs: bigint, ctimeNs: bigint) =>
      store([{ path: relPath("x"), local: { stat: { ...STAT, mtimeNs, ctimeNs }, hash: { md5: MD5 } } }]).isSettled(0);
    const since = BigInt(HEADER.hashedSinceMs) * 1_000_000n;
    const old = since - 60_000_000_123n;
    expect(settled(old, old)).toBe(true);
    expect(settled(since, old)).toBe(false);
    expect(settled(old, since)).toBe(false);
    expect(settled(since - 5_000_123n, old)).toBe(false);
    expect(settled(since - 30_000_123n, old)).toBe(true);
    const coarse = (since / 1_000_000_000n) * 1_000_000_000n - 1_000_000_000n;
    expect([settled(coarse, old), settled(coarse - 2_000_000_000n, old)]).toEqual([false, true]);
  });

  test("loadIndex: a damaged, cut, foreign or missing file is undefined", () => {
    const file = join(folder, "damaged.bin");
    expect(loadIndex(join(folder, "missing.bin"))).toBeUndefined();
    writeIndex(file, ROWS, HEADER);
    const good = fs.readFileSync(file);
    for (let at = 0; at < good.length; at += 7) {
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] as number) ^ 0x10;
      fs.writeFileSync(file, bad);
      expect([at, loadIndex(file)]).toEqual([at, undefined]);
      fs.writeFileSync(file, good.subarray(0, at));
      expect([at, loadIndex(file)]).toEqual([at, undefined]);
    }
    fs.writeFileSync(file, good);
    expect(loadIndex(file)?.length).toBe(ROWS.length);
  });

  test("writeIndex: refuses rows out of order and leaves out what it cannot hold", () => {
    const row = (path: string, md5: string): IndexRow => ({
      path: relPath(path),
      local: { stat: STAT, hash: { md5 } },
    });
    expect(() => store([row("b", MD5), row("a", MD5)])).toThrow(RangeError);
    expect(() => store([row("a", MD5), row("a", MD5)])).toThrow(RangeError);
    const index = store([row("a", "no hex"), row("b\ud800", MD5), row("c", MD5), row("d".repeat(70_000), MD5)]);
    expect(Array.from({ length: index.length }, (_, at) => index.pathAt(at) as string)).toEqual(["c"]);
  });

  test("writeIndex: an id made of the path and a rev made of the hash cost no bytes", () => {
    const rows = (id: (n: number) => string) =>
      Array.from({ length: 1000 }, (_, n) => {
        const path = `folder/file-${String(n).padStart(4, "0")}.md`;
        const native = `1e-${String(n).padStart(9, "0")}`;
        return {
          path: relPath(path),
          base: baseOf(path, { remoteId: id(n) || `/${path}`, nativeHash: native, rev: `"${native}"` as Rev }),
        };
      });
    const bytes = (all: readonly IndexRow[]) => {
      store(all);
      return fs.statSync(join(folder, "index.bin")).size;
    };
    const derived = bytes(rows(() => ""));
    expect(derived).toBeLessThan(1000 * (68 + 48 + 19 + 12) + 500);
    expect(bytes(rows((n) => `opaque-${String(n).padStart(4, "0")}`)) - derived).toBeGreaterThan(10_000);
  });
});
