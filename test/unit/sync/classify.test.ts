import { expect, test } from "bun:test";
import { classify, conflictKind, sameContent, type Verdict } from "../../../src/sync/classify.ts";
import type { BaseEntry } from "../../../src/sync/model.ts";
import { type RowSpec, rowOf } from "../../support/rows.ts";

/** Reference 2.3, corrected column. Contents of one letter have one size, `zz` another. */
const TABLE: readonly (readonly [name: string, spec: RowSpec, verdict: Verdict])[] = [
  ["no base, local only", { local: "x" }, "new_local"],
  ["no base, remote only", { remote: "x" }, "new_remote"],
  ["no base, both, same bytes", { local: "x", remote: "x", compared: true }, "adopt"],
  ["no base, both, other bytes", { local: "x", remote: "y", compared: true }, "conflict"],
  ["no base, both, not compared", { local: "x", remote: "x" }, "compare"],
  ["no base, both, other sizes", { local: "x", remote: "zz" }, "conflict"],
  ["no base, neither", {}, "nothing"],
  ["both as agreed", { base: "x", local: "x", remote: "x" }, "in_sync"],
  ["local changed", { base: "x", local: "y", remote: "x" }, "local_ahead"],
  ["remote changed", { base: "x", local: "x", remote: "y" }, "remote_ahead"],
  ["both changed, same bytes", { base: "x", local: "y", remote: "y", compared: true }, "adopt"],
  ["both changed, other bytes", { base: "x", local: "y", remote: "z", compared: true }, "conflict"],
  ["both changed, not compared", { base: "x", local: "y", remote: "z" }, "compare"],
  ["both changed, other sizes", { base: "x", local: "y", remote: "zz" }, "conflict"],
  ["local as agreed, remote gone", { base: "x", local: "x" }, "deleted_remote"],
  ["local changed, remote gone", { base: "x", local: "y" }, "conflict"],
  ["local gone, remote as agreed", { base: "x", remote: "x" }, "deleted_local"],
  ["local gone, remote changed", { base: "x", remote: "y" }, "conflict"],
  ["both gone", { base: "x" }, "forget"],
  ["out of scope, both as agreed", { base: "x", local: "x", remote: "x", outOfScope: true }, "forget"],
  ["out of scope, local gone", { base: "x", remote: "x", outOfScope: true }, "forget"],
  ["out of scope, remote gone", { base: "x", local: "x", outOfScope: true }, "forget"],
  ["out of scope, never agreed", { remote: "x", outOfScope: true }, "nothing"],
  ["out of scope, unreadable", { base: "x", unreadable: true, outOfScope: true }, "forget"],
  ["unreadable here, remote as agreed", { base: "x", unreadable: true, remote: "x" }, "held"],
  ["unreadable here, remote gone", { base: "x", unreadable: true }, "held"],
  ["unreadable here, never agreed", { unreadable: true, remote: "x" }, "held"],
  ["unusable there, local as agreed", { base: "x", local: "x", unusable: true }, "held"],
  ["unusable there, local gone", { base: "x", unusable: true }, "held"],
];

for (const [name, spec, verdict] of TABLE) {
  test(`classify: ${name} is ${verdict}`, () => {
    expect(classify(rowOf("a.md", spec))).toBe(verdict);
  });
}

test("classify: a side that was only touched is adopted, not transferred", () => {
  const row = rowOf("a.md", { base: "x", local: "x", remote: "y" });
  expect(classify({ ...row, remote: { ...row.remote, changed: true } as typeof row.remote, equal: true })).toBe(
    "adopt",
  );
});

test("conflictKind: names the local side first", () => {
  expect(conflictKind(rowOf("a", { base: "x", local: "y", remote: "z" }))).toBe("edit/edit");
  expect(conflictKind(rowOf("a", { local: "y", remote: "z" }))).toBe("new/new");
  expect(conflictKind(rowOf("a", { base: "x", local: "y" }))).toBe("edit/delete");
  expect(conflictKind(rowOf("a", { base: "x", remote: "y" }))).toBe("delete/edit");
});

test("sameContent: digests decide when nobody has said, sizes before both", () => {
  const known = rowOf("a", { local: "y", remote: "z", compared: true });
  const { equal: _, ...unsaid } = known;
  expect(sameContent(unsaid)).toBe(false);
  expect(sameContent(rowOf("a", { local: "y", remote: "z" }))).toBeUndefined();
  expect(sameContent({ ...rowOf("a", { local: "y", remote: "zz" }), equal: true })).toBe(false);
});

test("classify: a remote version known from the shared manifest only is compared before it counts as changed", () => {
  const known = rowOf("a.md", { base: "x", local: "x", remote: "y" });
  const { rev: _, ...base } = known.base as BaseEntry;
  expect(classify({ ...known, base })).toBe("compare");
  expect(classify({ ...known, base, equal: true })).toBe("adopt");
  expect(classify({ ...known, base, equal: false })).toBe("remote_ahead");
  const longer = rowOf("a.md", { base: "x", local: "x", remote: "yy" });
  expect(classify({ ...longer, base })).toBe("remote_ahead");
});
