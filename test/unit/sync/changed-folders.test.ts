import { expect, test } from "bun:test";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { changedFolders } from "../../../src/sync/changed-folders.ts";
import type { BaseEntry } from "../../../src/sync/model.ts";
import type { LocalView } from "../../../src/sync/scan.ts";
import { type IndexRow, indexFromBytes, type StateIndex } from "../../../src/sync/state-index.ts";
import { indexBytes } from "../../../src/sync/write-index.ts";

const stat = { size: 1, mtimeNs: 1n, ctimeNs: 1n, ino: 1n };
const hash = { md5: "a".repeat(32), sha256: "b".repeat(64) };

function rowOf(path: string, base: Partial<BaseEntry> = {}): IndexRow {
  const agreed: BaseEntry = {
    path: relPath(path),
    ...hash,
    size: 1,
    remoteId: path,
    nativeHash: "n",
    rev: "r" as NonNullable<BaseEntry["rev"]>,
    racy: false,
    syncedAt: "2026-11-21T00:00:00.000001+00:00",
    ...base,
  };
  return { path: agreed.path, base: agreed, local: { stat, hash } };
}

function indexOf(rows: readonly IndexRow[]): StateIndex {
  return indexFromBytes(indexBytes(rows, { hashedSinceMs: 10, meta: "" })) as StateIndex;
}

/** A scan that found these files, all but the `dirty` ones as recorded. */
function viewOf(index: StateIndex, paths: readonly string[], dirty: readonly string[] = []): LocalView {
  const view = {
    length: paths.length,
    pathAt: (at: number) => paths[at] as RelPath,
    indexRow: Int32Array.from(paths, (path) => index.find(path)),
    clean: Uint8Array.from(paths, (path) => (index.find(path) >= 0 && !dirty.includes(path) ? 1 : 0)),
  };
  return view as unknown as LocalView;
}

const AGREED = ["a/1", "a/b/2", "a/c/d/3", "e/4", "f/5", "top"];

test("changedFolders: a file that is new, changed or gone makes its folder and all above it changed, no other", () => {
  const index = indexOf(AGREED.map((path) => rowOf(path)));
  const view = viewOf(index, ["a/1", "a/b/2", "a/b/new", "a/c/d/3", "e/4", "top"], ["e/4"]);
  const changed = changedFolders(view, index);
  const all = ["a", "a/b", "a/c", "a/c/d", "e", "f"].map(relPath);
  expect(all.filter(changed.has) as string[]).toEqual(["a", "a/b", "e", "f"]);
});

test("changedFolders: what lies elsewhere is taken as agreed on where its outermost unchanged folder was met, and nowhere else", () => {
  const index = indexOf(AGREED.map((path) => rowOf(path)));
  const changed = changedFolders(viewOf(index, [...AGREED, "a/new"]), index);
  const rest = (...listed: string[]) => [...changed.restOf(listed.map(relPath))].map(index.pathAt) as string[];
  expect(rest("a", "a/b", "a/c", "e", "f")).toEqual(["a/b/2", "a/c/d/3", "e/4", "f/5"]);
  expect(rest("a", "a/b", "f")).toEqual(["a/b/2", "f/5"]);
  expect(rest("a", "a/c/d")).toEqual([]);
});

test("changedFolders: a record that does not tell all of the remote file is looked up", () => {
  const rows = [
    rowOf("no-rev/x"),
    rowOf("racy/x", { racy: true }),
    rowOf("sizeless/x"),
    rowOf("other/x", { sha256: "c".repeat(64), md5: "d".repeat(32) }),
    rowOf("whole/x"),
  ].map((row) => {
    const { rev, size, ...rest } = row.base as BaseEntry;
    if (row.path.startsWith("no-rev")) return { ...row, base: { ...rest, ...(size === undefined ? {} : { size }) } };
    if (row.path.startsWith("sizeless")) return { ...row, base: { ...rest, ...(rev === undefined ? {} : { rev }) } };
    return row;
  });
  const sorted = rows.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const index = indexOf(sorted);
  const paths = sorted.map(({ path }) => path);
  const changed = changedFolders(viewOf(index, paths), index);
  expect(["no-rev", "other", "racy", "sizeless", "whole"].map((folder) => changed.has(relPath(folder)))).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
});
