import { expect, test } from "bun:test";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { agreedDigests } from "../../../src/sync/agreed-digests.ts";
import type { BaseEntry } from "../../../src/sync/model.ts";
import { indexFromBytes, type StateIndex } from "../../../src/sync/state-index.ts";
import { indexBytes } from "../../../src/sync/write-index.ts";

const digest = (letter: string) => letter.repeat(64);

/** `a` to `c` are agreed, `c` by its MD5 alone; `d` is local only. */
function index(): StateIndex {
  const local = {
    stat: { size: 1, mtimeNs: 1n, ctimeNs: 1n, ino: 1n },
    hash: { md5: "d".repeat(32), sha256: digest("d") },
  };
  const base = (name: string, sha256?: string): BaseEntry => ({
    path: relPath(name),
    md5: name.repeat(32),
    ...(sha256 === undefined ? {} : { sha256 }),
    remoteId: name,
    nativeHash: name,
    racy: false,
    syncedAt: "2026-11-21T00:00:00.000001+00:00",
  });
  const rows = [base("a", digest("a")), base("b", digest("b")), base("c")].map((one) => ({
    path: one.path,
    base: one,
  }));
  const bytes = indexBytes([...rows, { path: relPath("d"), local }], { hashedSinceMs: 0, meta: "" });
  return indexFromBytes(bytes) as StateIndex;
}

test("agreedDigests: what both sides agree on and whose SHA-256 is known, in order, each time anew", () => {
  const found = agreedDigests(index());
  const entries = [
    [relPath("a"), digest("a")],
    [relPath("b"), digest("b")],
  ] as const;
  expect([found.size, [...found], [...found.keys()], [...found.values()]]).toEqual([
    2,
    entries.map(([path, sha256]): [RelPath, string] => [path, sha256]),
    entries.map(([path]) => path),
    entries.map(([, sha256]) => sha256),
  ]);
  expect(["a", "c", "d", "e"].map((path) => found.get(relPath(path)))).toEqual([
    digest("a"),
    undefined,
    undefined,
    undefined,
  ]);
});

test("agreedDigests: without what is left out, with what was learned", () => {
  const options = { leftOut: new Set([relPath("a")]), learned: new Map([[relPath("c"), digest("c")]]) };
  const found = agreedDigests(index(), options);
  expect([found.size, ...found.keys(), found.get(relPath("c")), found.has(relPath("a"))]).toEqual([
    2,
    relPath("b"),
    relPath("c"),
    digest("c"),
    false,
  ]);
});
