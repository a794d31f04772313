import { expect, test } from "bun:test";
import { type GuardFacts, guard } from "../../../src/sync/guard.ts";
import type { GuardName, Row } from "../../../src/sync/model.ts";
import { plan } from "../../../src/sync/plan.ts";
import { type RowSpec, rowOf } from "../../support/rows.ts";

const NONE: ReadonlySet<GuardName> = new Set();

function rowsOf(count: number, spec: RowSpec, prefix = "f"): Row[] {
  return Array.from({ length: count }, (_, i) => rowOf(`${prefix}${String(i).padStart(4, "0")}`, spec));
}

function factsFor(rows: readonly Row[], more: Partial<GuardFacts> = {}): GuardFacts {
  return {
    localFiles: rows.filter((row) => row.local.kind === "file").length,
    remoteFiles: rows.filter((row) => row.remote.kind === "file").length,
    baseEntries: rows.filter((row) => row.base !== undefined).length,
    localRootExists: true,
    remoteRootExists: true,
    ...more,
  };
}

function refusals(rows: readonly Row[], more: Partial<GuardFacts> = {}, allow = NONE): GuardName[] {
  const planned = plan(rows, { mode: { kind: "sync" } });
  return guard(planned, factsFor(rows, more), allow).map((it) => it.guard);
}

const KEPT: RowSpec = { base: "x", local: "x", remote: "x" };
const GONE_HERE: RowSpec = { base: "x", remote: "x" };
const GONE_THERE: RowSpec = { base: "x", local: "x" };

test("guard: more than 50 files and more than half of a side are a mass delete, on either side", () => {
  expect(refusals([...rowsOf(51, GONE_HERE), ...rowsOf(50, KEPT, "k")])).toEqual(["mass-delete"]);
  expect(refusals([...rowsOf(51, GONE_THERE), ...rowsOf(50, KEPT, "k")])).toEqual(["mass-delete"]);
  expect(refusals([...rowsOf(50, GONE_HERE), ...rowsOf(40, KEPT, "k")])).toEqual([]);
  expect(refusals([...rowsOf(51, GONE_HERE), ...rowsOf(51, KEPT, "k")])).toEqual([]);
});

test("guard: all or all but one of five or more are a mass delete", () => {
  expect(refusals([...rowsOf(4, GONE_HERE), ...rowsOf(1, KEPT, "k")])).toEqual(["mass-delete"]);
  expect(refusals([...rowsOf(5, GONE_HERE), ...rowsOf(1, { local: "new" }, "k")])).toEqual(["mass-delete"]);
  expect(refusals([...rowsOf(3, GONE_HERE), ...rowsOf(1, KEPT, "k")])).toEqual([]);
  expect(refusals([...rowsOf(4, GONE_HERE), ...rowsOf(2, KEPT, "k")])).toEqual([]);
});

test("guard: the message names counts and what lifts it", () => {
  const rows = [...rowsOf(51, GONE_HERE), ...rowsOf(9, KEPT, "k")];
  const [refusal] = guard(plan(rows, { mode: { kind: "sync" } }), factsFor(rows), NONE);
  expect(refusal?.message).toContain("51 of 60 files on the remote");
  expect(refusal?.message).toContain("--allow mass-delete");
});

test("guard: an emptied or missing project folder deletes nothing on the remote", () => {
  expect(refusals(rowsOf(3, GONE_HERE))).toEqual(["empty-root"]);
  expect(refusals(rowsOf(60, GONE_HERE), { localRootExists: false })).toEqual(["empty-root"]);
  expect(refusals(rowsOf(3, { remote: "new" }))).toEqual([]);
});

test("guard: an emptied or vanished remote deletes nothing here", () => {
  expect(refusals(rowsOf(3, GONE_THERE))).toEqual(["remote-gone"]);
  expect(refusals(rowsOf(60, GONE_THERE), { remoteRootExists: false })).toEqual(["remote-gone"]);
  expect(refusals(rowsOf(3, { local: "new" }))).toEqual([]);
});

test("guard: new files are not sent to a remote that has vanished", () => {
  const rows = [...rowsOf(3, GONE_THERE), rowOf("new", { local: "x" })];
  const pushed = plan(rows, { mode: { kind: "push", forceLocal: false } });
  expect(guard(pushed, factsFor(rows), NONE).map((it) => it.guard)).toEqual(["remote-gone"]);
});

test("guard: a run that would only forget is let through", () => {
  expect(refusals(rowsOf(60, { base: "x" }))).toEqual([]);
  expect(refusals(rowsOf(60, { base: "x", local: "x", remote: "x", outOfScope: true }))).toEqual([]);
});

test("guard: a push that would send nothing is refused when the remote folder is missing", () => {
  const rows = rowsOf(3, { base: "x", local: "x" });
  const nothing = plan(rows, { mode: { kind: "push", forceLocal: false } });
  expect(nothing.actions).toEqual([]);
  const missing = factsFor(rows, { remoteRootExists: false });
  expect(guard(nothing, missing, NONE).map((it) => it.guard)).toEqual(["remote-gone"]);
  expect(guard(nothing, missing, new Set(["remote-gone"]))).toEqual([]);
  expect(guard(nothing, factsFor(rows), NONE)).toEqual([]);
});

test("guard: each is lifted by its own name only", () => {
  const rows = rowsOf(60, GONE_HERE);
  expect(refusals(rows, {}, new Set(["empty-root"]))).toEqual([]);
  expect(refusals(rows, {}, new Set(["mass-delete"]))).toEqual(["empty-root"]);
  const most = [...rows, ...rowsOf(1, KEPT, "k")];
  expect(refusals(most, {}, new Set(["mass-delete"]))).toEqual([]);
  expect(refusals(most, {}, new Set(["empty-root"]))).toEqual(["mass-delete"]);
});

test("guard: a manifest from the future cannot be allowed", () => {
  const rows = rowsOf(1, KEPT);
  const all: ReadonlySet<GuardName> = new Set(["future-manifest", "mass-delete", "empty-root", "remote-gone"]);
  expect(refusals(rows, { manifestFromFuture: true }, all)).toEqual(["future-manifest"]);
});

test("guard: one file of each message reads like a sentence", () => {
  const rows = rowsOf(1, GONE_HERE);
  const [refusal] = guard(plan(rows, { mode: { kind: "sync" } }), factsFor(rows), NONE);
  expect(refusal?.message).toContain("the 1 file that was in sync");
});
