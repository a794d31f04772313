import { expect, test } from "bun:test";
import { conflictCopyPath } from "../../../src/lib/copy-name.ts";
import { relPath } from "../../../src/lib/path.ts";
import { conflictKind } from "../../../src/sync/classify.ts";
import type { Conflict, Strategy } from "../../../src/sync/model.ts";
import { resolve } from "../../../src/sync/resolve.ts";
import { hashOf, type RowSpec, revOf, rowOf, statOf } from "../../support/rows.ts";

function conflictOf(spec: RowSpec, path = "a.md"): Conflict {
  const row = rowOf(path, spec);
  return { path: row.path, kind: conflictKind(row), row };
}

function settled(spec: RowSpec, strategy: Strategy, path?: string) {
  const settlement = resolve(conflictOf(spec, path), strategy);
  if (settlement.kind !== "action") throw new Error(`expected an action, got ${settlement.kind}`);
  return settlement.action;
}

test("resolve: keep-local writes over exactly the remote version that was seen", () => {
  expect(settled({ base: "x", local: "y", remote: "z" }, "keep-local")).toMatchObject({
    kind: "upload",
    expect: revOf("z"),
  });
  expect(settled({ local: "y", remote: "z" }, "keep-local")).toMatchObject({ kind: "upload", expect: revOf("z") });
  expect(settled({ base: "x", local: "y" }, "keep-local")).toMatchObject({ kind: "upload", expect: "absent" });
  expect(settled({ base: "x", remote: "z" }, "keep-local")).toMatchObject({
    kind: "delete-remote",
    remote: { rev: revOf("z") },
  });
});

test("resolve: keep-remote replaces exactly the local file that was seen", () => {
  expect(settled({ base: "x", local: "y", remote: "z" }, "keep-remote")).toMatchObject({
    kind: "download",
    local: statOf("y"),
  });
  expect(settled({ base: "x", remote: "z" }, "keep-remote")).toMatchObject({ kind: "download", local: "absent" });
  expect(settled({ base: "x", local: "y" }, "keep-remote")).toMatchObject({ kind: "delete-local", local: statOf("y") });
});

test("resolve: keep-both between an edit and a delete keeps the edit", () => {
  expect(settled({ base: "x", local: "y" }, "keep-both")).toMatchObject({ kind: "upload", expect: "absent" });
  expect(settled({ base: "x", remote: "z" }, "keep-both")).toMatchObject({ kind: "download", local: "absent" });
});

test("resolve: keep-both lets the smaller digest have the path, whichever side it is on", () => {
  const [small, large] = hashOf("y").sha256 < hashOf("z").sha256 ? ["y", "z"] : ["z", "y"];
  const copySha256 = hashOf(large as string).sha256;
  const copy = conflictCopyPath(relPath("a.md"), copySha256);
  const here = settled({ local: small as string, remote: large as string, compared: true }, "keep-both");
  const there = settled({ local: large as string, remote: small as string, compared: true }, "keep-both");
  expect(here).toMatchObject({ kind: "keep-both", winner: "local", copy, copySha256 });
  expect(there).toMatchObject({ kind: "keep-both", winner: "remote", copy, copySha256 });
});

test("resolve: a content that a copy is named after keeps that name", () => {
  for (const [named, other] of [
    ["y", "z"],
    ["z", "y"],
  ] as const) {
    const path = conflictCopyPath(relPath("a.md"), hashOf(named).sha256);
    const action = settled({ local: other, remote: named, compared: true }, "keep-both", path);
    expect(action).toMatchObject({ winner: "remote", copySha256: hashOf(other).sha256 });
  }
});

test("resolve: keep-both asks for the digests it lacks", () => {
  expect(resolve(conflictOf({ base: "x", local: "y", remote: "zz" }), "keep-both")).toEqual({ kind: "compare" });
});

test("resolve: two contents that share eight digits cannot both be one copy", () => {
  const row = rowOf("a.conflict-12345678.md", { local: "y", remote: "z", compared: true });
  const clash = {
    ...row,
    local: { ...row.local, hash: { md5: "", sha256: `12345678${"0".repeat(56)}` } } as typeof row.local,
    remote: { ...row.remote, sha256: `12345678${"1".repeat(56)}` } as typeof row.remote,
  };
  expect(resolve({ path: row.path, kind: "new/new", row: clash }, "keep-both").kind).toBe("impossible");
});

test("resolve: skip does nothing", () => {
  expect(resolve(conflictOf({ local: "y", remote: "zz" }), "skip")).toEqual({ kind: "skip" });
});
