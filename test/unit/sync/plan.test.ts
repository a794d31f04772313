import { expect, test } from "bun:test";
import type { RelPath } from "../../../src/lib/path.ts";
import type { Action, Plan, PlanMode, PlanRequest, Row, Strategy } from "../../../src/sync/model.ts";
import { plan } from "../../../src/sync/plan.ts";
import { type RowSpec, revOf, rowOf, statOf } from "../../support/rows.ts";

const PUSH: PlanMode = { kind: "push", forceLocal: false };
const FORCE: PlanMode = { kind: "push", forceLocal: true };
const PULL: PlanMode = { kind: "pull" };
const SYNC: PlanMode = { kind: "sync" };
const STATUS: PlanMode = { kind: "status" };

function planOf(specs: Readonly<Record<string, RowSpec>>, mode: PlanMode, more: Omit<PlanRequest, "mode"> = {}): Plan {
  const rows = Object.keys(specs)
    .sort()
    .map((path) => rowOf(path, specs[path] as RowSpec));
  return plan(rows, { mode, ...more });
}

function brief(actions: readonly Action[]): string[] {
  return actions.map((action) => `${action.kind} ${action.path}`);
}

/** One of everything. */
const ALL: Readonly<Record<string, RowSpec>> = {
  "adopted.md": { local: "x", remote: "x", compared: true },
  "both-gone.md": { base: "x" },
  "clash.md": { base: "x", local: "y", remote: "z", compared: true },
  "deleted-here.md": { base: "x", remote: "x" },
  "deleted-there.md": { base: "x", local: "x" },
  "edited-here.md": { base: "x", local: "y", remote: "x" },
  "edited-there.md": { base: "x", local: "x", remote: "y" },
  "excluded.md": { base: "x", remote: "x", outOfScope: true },
  "gone-edited.md": { base: "x", remote: "y" },
  "kept.md": { base: "x", local: "x", remote: "x" },
  "edited-gone.md": { base: "x", local: "y" },
  "locked.md": { base: "x", unreadable: true, remote: "x" },
  "new-here.md": { local: "x" },
  "new-there.md": { remote: "x" },
  "unread.md": { base: "x", local: "y", remote: "z" },
};

test("plan: push sends, deletes and records, and leaves conflicts and what is newer there", () => {
  expect(brief(planOf(ALL, PUSH).actions)).toEqual([
    "adopt adopted.md",
    "forget both-gone.md",
    "upload edited-here.md",
    "forget excluded.md",
    "upload new-here.md",
    "delete-remote deleted-here.md",
  ]);
});

test("plan: pull fetches, deletes here and records, and leaves conflicts and what is newer here", () => {
  expect(brief(planOf(ALL, PULL).actions)).toEqual([
    "adopt adopted.md",
    "forget both-gone.md",
    "download edited-there.md",
    "forget excluded.md",
    "download new-there.md",
    "delete-local deleted-there.md",
  ]);
});

test("plan: sync does both and leaves conflicts", () => {
  const planned = planOf(ALL, SYNC);
  expect(brief(planned.actions)).toEqual([
    "adopt adopted.md",
    "forget both-gone.md",
    "upload edited-here.md",
    "download edited-there.md",
    "forget excluded.md",
    "upload new-here.md",
    "download new-there.md",
    "delete-remote deleted-here.md",
    "delete-local deleted-there.md",
  ]);
  expect(planned.conflicts.map((it) => `${it.path} ${it.kind}`)).toEqual([
    "clash.md edit/edit",
    "edited-gone.md edit/delete",
    "gone-edited.md delete/edit",
    "unread.md edit/edit",
  ]);
});

test("plan: status does nothing and counts every path once", () => {
  const planned = planOf(ALL, STATUS);
  expect(planned.actions).toEqual([]);
  expect(planned.counts).toEqual({
    conflict: 4,
    local_ahead: 1,
    remote_ahead: 1,
    new_local: 1,
    new_remote: 1,
    deleted_local: 1,
    deleted_remote: 1,
    held: 1,
    in_sync: 2,
  });
  expect(planned.held).toEqual([{ path: "locked.md", reason: "permission denied" }]);
  expect(planned.statuses.length).toBe(11);
});

test("plan: what only the contents can decide is listed for comparing and left alone, even by force", () => {
  for (const mode of [PUSH, FORCE, PULL, SYNC, STATUS]) {
    const planned = planOf({ "unread.md": ALL["unread.md"] as RowSpec }, mode, { settle: () => "keep-local" });
    expect(planned.compare).toEqual(["unread.md" as RelPath]);
    expect(planned.actions).toEqual([]);
    expect(planned.counts.conflict).toBe(1);
  }
});

test("plan: a forced push settles every conflict by what is here, over what was seen", () => {
  const conflicts = { "a.md": ALL["clash.md"], "b.md": ALL["edited-gone.md"], "c.md": ALL["gone-edited.md"] };
  const planned = planOf({ ...(conflicts as Record<string, RowSpec>), "d.md": { local: "y", remote: "zz" } }, FORCE);
  expect(planned.actions).toMatchObject([
    { kind: "upload", path: "a.md", local: statOf("y"), expect: revOf("z") },
    { kind: "upload", path: "b.md", local: statOf("y"), expect: "absent" },
    { kind: "upload", path: "d.md", local: statOf("y"), expect: revOf("zz") },
    { kind: "delete-remote", path: "c.md", remote: { rev: revOf("y") } },
  ]);
  expect(planned.conflicts).toEqual([]);
});

test("plan: each action names the state that it was planned against", () => {
  const [upload] = planOf({ a: { base: "x", local: "y", remote: "x" } }, SYNC).actions;
  expect(upload).toMatchObject({ kind: "upload", local: statOf("y"), expect: revOf("x") });
  const [download] = planOf({ a: { base: "x", local: "x", remote: "yy" } }, SYNC).actions;
  expect(download).toMatchObject({ kind: "download", remote: { rev: revOf("yy") }, local: statOf("x") });
  const [deleteLocal] = planOf({ a: { base: "x", local: "x" } }, SYNC).actions;
  expect(deleteLocal).toMatchObject({ kind: "delete-local", local: statOf("x"), localSha256: expect.any(String) });
  const [deleteRemote] = planOf({ a: { base: "x", remote: "x" } }, SYNC).actions;
  expect(deleteRemote).toMatchObject({
    kind: "delete-remote",
    remote: { rev: revOf("x") },
    sha256: expect.any(String),
  });
});

test("plan: only the asked-for paths are acted on and counted", () => {
  const planned = planOf(ALL, SYNC, { only: (path) => path.startsWith("new-") || path === "kept.md" });
  expect(brief(planned.actions)).toEqual(["upload new-here.md", "download new-there.md"]);
  expect(Object.values(planned.counts).reduce((a, b) => a + b)).toBe(3);
  expect(planned.conflicts).toEqual([]);
});

test("plan: rows known to be in sync are counted without being rows", () => {
  const paths = ["A.md", "b/c.md"] as RelPath[];
  const inSync = { count: 2, paths: () => paths };
  const planned = planOf({ "a.md": { local: "x" }, b: { remote: "x" } }, SYNC, { inSync });
  expect(planned.counts).toMatchObject({ in_sync: 2, held: 2 });
  expect(planOf({}, SYNC, { inSync, only: (path) => path === "A.md" }).counts.in_sync).toBe(1);
});

test("plan: settled conflicts become actions in sync and stay conflicts in pull and push", () => {
  const clash = { "a.md": ALL["clash.md"] as RowSpec };
  const kinds = (mode: PlanMode, strategy: Strategy) =>
    planOf(clash, mode, { settle: () => strategy }).actions.map((it) => it.kind);
  expect(kinds(SYNC, "keep-local")).toEqual(["upload"]);
  expect(kinds(SYNC, "keep-remote")).toEqual(["download"]);
  expect(kinds(SYNC, "keep-both")).toEqual(["keep-both"]);
  for (const mode of [PUSH, PULL, STATUS]) expect(kinds(mode, "keep-both")).toEqual([]);
  expect(planOf(clash, SYNC, { settle: () => "skip" }).conflicts.length).toBe(1);
});

test("plan: a conflict copy that would not be synced is refused, and the conflict stays", () => {
  const planned = planOf({ "CLAUDE.md": ALL["clash.md"] as RowSpec }, SYNC, {
    settle: () => "keep-both",
    inScope: (path) => path === "CLAUDE.md",
  });
  expect(planned.actions).toEqual([]);
  expect(planned.conflicts.length).toBe(1);
  expect(planned.held[0]?.reason).toContain("would not be synced");
});

test("plan: keep-both asks for digests first when sizes alone told the contents apart", () => {
  const planned = planOf({ "a.md": { base: "x", local: "y", remote: "zz" } }, SYNC, { settle: () => "keep-both" });
  expect(planned.compare).toEqual(["a.md" as RelPath]);
  expect(planned.actions).toEqual([]);
});

test("plan: a conflict whose copy has something of its own to settle waits for the next run", () => {
  const clash = { "a.md": ALL["clash.md"] as RowSpec };
  const [action] = planOf(clash, SYNC, { settle: () => "keep-both" }).actions;
  if (action?.kind !== "keep-both") throw new Error("expected keep-both");
  const loser = action.winner === "local" ? "z" : "y";
  const planned = planOf({ ...clash, [action.copy]: { remote: loser } }, SYNC, { settle: () => "keep-both" });
  expect(brief(planned.actions)).toEqual([`download ${action.copy}`]);
  expect(planned.conflicts.map((it) => it.path)).toEqual(["a.md" as RelPath]);
  const settled = { base: loser, local: loser, remote: loser };
  const next = planOf({ ...clash, [action.copy]: settled }, SYNC, { settle: () => "keep-both" });
  expect(brief(next.actions)).toEqual(["keep-both a.md"]);
});

test("data-loss case 2: excluding a file forgets it and deletes nothing", () => {
  for (const mode of [PUSH, FORCE, PULL, SYNC]) {
    const planned = planOf({ "a.md": { base: "x", remote: "x", outOfScope: true } }, mode);
    expect(brief(planned.actions)).toEqual(["forget a.md"]);
  }
});

test("data-loss case 3: a remote file outside the patterns is neither fetched nor deleted", () => {
  for (const mode of [PUSH, FORCE, PULL, SYNC]) {
    const planned = planOf({ "photo.png": { remote: "x", outOfScope: true } }, mode);
    expect(planned.actions).toEqual([]);
    expect(planned.statuses).toEqual([]);
  }
});

test("data-loss case 4: deleted here and edited there is a conflict, and the edit survives", () => {
  for (const mode of [PUSH, PULL, SYNC]) {
    const planned = planOf({ "a.md": { base: "x", remote: "y" } }, mode);
    expect(planned.actions).toEqual([]);
    expect(planned.conflicts[0]?.kind).toBe("delete/edit");
  }
  expect(brief(planOf({ "a.md": { base: "x", remote: "y" } }, SYNC, { settle: () => "keep-both" }).actions)).toEqual([
    "download a.md",
  ]);
});

test("data-loss case 5: deleted there is seen, and a later edit here is a conflict", () => {
  expect(planOf({ "a.md": { base: "x", local: "x" } }, STATUS).counts.deleted_remote).toBe(1);
  const edited = planOf({ "a.md": { base: "x", local: "y" } }, PUSH);
  expect(edited.actions).toEqual([]);
  expect(edited.conflicts[0]?.kind).toBe("edit/delete");
});

test("plan: a file that became a folder is deleted before what is in the folder arrives", () => {
  const here = { a: { base: "x", remote: "x" }, "a/b": { local: "y" }, z: { base: "x", remote: "x" } };
  expect(brief(planOf(here, PUSH).actions)).toEqual(["delete-remote a", "upload a/b", "delete-remote z"]);
  const there = { a: { base: "x", local: "x" }, "a/b": { remote: "y" }, z: { base: "x", local: "x" } };
  expect(brief(planOf(there, PULL).actions)).toEqual(["delete-local a", "download a/b", "delete-local z"]);
});

test("plan: a folder that became a file is emptied before the file arrives", () => {
  const here = { a: { local: "y" }, "a/b": { base: "x", remote: "x" }, "a/c/d": { base: "x", remote: "x" } };
  expect(brief(planOf(here, SYNC).actions)).toEqual(["delete-remote a/b", "delete-remote a/c/d", "upload a"]);
});

test("plan: a file where the other side has a folder that stays is held, on both sides", () => {
  const planned = planOf({ a: { local: "y" }, "a/b": { remote: "x" } }, SYNC);
  expect(planned.actions).toEqual([]);
  expect(planned.held.map((it) => it.path)).toEqual(["a", "a/b"]);
  const stays = planOf({ a: { local: "y" }, "a/b": { base: "x", remote: "x" } }, SYNC, {
    only: (path) => path === "a",
  });
  expect(stays.actions).toEqual([]);
  expect(stays.counts.held).toBe(1);
});

test("plan: an edited file under which the other side put a folder keeps both waiting", () => {
  const planned = planOf({ a: { base: "x", local: "y" }, "a/b": { remote: "x" } }, FORCE);
  expect(planned.actions).toEqual([]);
  expect(planned.conflicts.map((it) => it.path)).toEqual(["a" as RelPath]);
  expect(planned.held.map((it) => it.path)).toEqual(["a"]);
});

test("plan: nothing is put below something unreadable", () => {
  const planned = planOf({ a: { unreadable: true }, "a/b": { remote: "x" } }, PULL);
  expect(planned.actions).toEqual([]);
  expect(planned.held.length).toBe(2);
});

test("plan: new names that differ in case or Unicode form are held, never merged", () => {
  for (const [one, two] of [
    ["README.md", "readme.md"],
    ["Docs/a.md", "docs/b.md"],
    ["caf\u00e9.md", "cafe\u0301.md"],
  ] as const) {
    const across = planOf({ [one]: { local: "x" }, [two]: { remote: "y" } }, SYNC);
    expect(across.actions).toEqual([]);
    expect(across.counts.held).toBe(2);
    const together = planOf({ [one]: { local: "x" }, [two]: { local: "y" } }, PUSH);
    expect(together.actions).toEqual([]);
    expect(together.held[0]?.reason).toContain("differ only in case or Unicode form");
    const late = planOf({ [one]: { base: "x", local: "x", remote: "x" }, [two]: { local: "y" } }, PUSH);
    expect(late.actions).toEqual([]);
    expect(late.counts).toMatchObject({ held: 1, in_sync: 1 });
  }
});

test("plan: a renamed case removes the old name first", () => {
  const planned = planOf({ "A.md": { local: "x" }, "a.md": { base: "x", remote: "x" } }, PUSH);
  expect(brief(planned.actions)).toEqual(["delete-remote a.md", "upload A.md"]);
  const folder = planOf({ "Dir/x": { local: "x" }, "dir/x": { base: "x", remote: "x" } }, SYNC);
  expect(brief(folder.actions)).toEqual(["delete-remote dir/x", "upload Dir/x"]);
  const edited = planOf({ "A.md": { local: "x" }, "a.md": { base: "x", remote: "y" } }, SYNC);
  expect(edited.actions).toEqual([]);
});

test("plan: twins that both sides already hold go on as before", () => {
  const kept = { base: "x", local: "x", remote: "x" };
  const planned = planOf(
    { "A/n.md": { local: "y" }, "A/x": kept, "a/x": { base: "x", local: "y", remote: "x" } },
    SYNC,
  );
  expect(brief(planned.actions)).toEqual(["upload A/n.md", "upload a/x"]);
});

test("plan: what the target cannot take is held, and what it already has is not asked about", () => {
  const names = { forbidden: ":", maxNameBytes: 100, caseSensitive: true };
  const planned = planOf({ "a:b": { local: "x" }, "c:d": { base: "x", local: "y", remote: "x" } }, PUSH, { names });
  expect(brief(planned.actions)).toEqual(["upload c:d"]);
  expect(planned.held[0]?.reason).toContain('cannot hold ":"');
  const big = planOf({ a: { base: "x", local: "y".repeat(11), remote: "x" } }, PUSH, { maxFileSize: 10 });
  expect(big.held[0]?.reason).toContain("11 bytes are more than the remote takes (10)");
  const windows = planOf({ "nul.md": { remote: "x" } }, PULL, { localPlatform: "windows" });
  expect(windows.counts.held).toBe(1);
});

test("plan: the same rows give the same plan", () => {
  expect(planOf(ALL, SYNC)).toEqual(planOf(ALL, SYNC));
});

test("plan: reads its rows once, so that they can be made on the fly", () => {
  function* rows(): Generator<Row> {
    yield rowOf("a", { local: "x" });
    yield rowOf("b", { remote: "x" });
  }
  expect(plan(rows(), { mode: SYNC }).actions.length).toBe(2);
});

test("plan: a conflict copy that an interrupted run has made is part of the conflict's settlement", () => {
  const clash = { "a.md": { base: "x", local: "y", remote: "z", compared: true } } as const;
  const settle = { settle: () => "keep-both" as const };
  const [action] = planOf(clash, SYNC, settle).actions;
  if (action?.kind !== "keep-both") throw new Error("expected keep-both");
  const loser = action.winner === "local" ? "z" : "y";
  for (const sides of [{ local: loser }, { remote: loser }, { local: loser, remote: loser }]) {
    const begun = planOf({ ...clash, [action.copy]: { ...sides, compared: true } }, SYNC, settle);
    expect(brief(begun.actions)).toEqual(["keep-both a.md"]);
    const unread = planOf({ ...clash, [action.copy]: sides }, SYNC, settle);
    expect(unread.compare).toEqual([action.copy]);
    const other = planOf({ ...clash, [action.copy]: { local: "other", compared: true } }, SYNC, settle);
    expect(brief(other.actions)).toEqual([`upload ${action.copy}`]);
  }
});
