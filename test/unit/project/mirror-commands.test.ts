import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { down, mirrorLab, outcome, remoteRecord, signedOut, textOn } from "../../support/mirror-lab.ts";
import { projectLab } from "../../support/project-lab.ts";

const ALL = { backend: undefined, dryRun: false, overwrite: false } as const;

test("retry: tries again what failed for good once its cause is gone, and clears it", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", signedOut());
  await lab.push();
  const plan = await lab.project().retry({ ...ALL, dryRun: true });
  expect(plan.planned).toMatchObject([{ backend: "dropbox", files: [{ path: "a.md", action: "upload" }] }]);
  expect(lab.text("a.md")).toBeUndefined();
  const result = await lab.project().retry(ALL);
  expect(outcome(result)).toMatchObject({ state: "ok", uploaded: ["a.md"], pending: 0 });
  expect(lab.text("a.md")).toBe("one");
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "ok", attempts: 0 });
  expect((await lab.project().pending()).rows).toEqual([]);
});

test("retry: needs no primary for what is here", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", down(), { times: 2 });
  await lab.push();
  lab.remote.store.present = false;
  expect(outcome(await lab.project().retry(ALL)).uploaded).toEqual(["a.md"]);
  expect(lab.text("a.md")).toBe("one");
});

test("retry: with --overwrite replaces what somebody else has put there, which goes to the trash", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "b");
  lab.write("c.md", "c");
  await lab.push();
  lab.mirror.store.put(relPath("a.md"), "foreign");
  lab.mirror.store.put(relPath("b.md"), "foreign b");
  lab.write("a.md", "two");
  rmSync(join(lab.root, "b.md"));
  await lab.push();
  expect(outcome(await lab.project().retry(ALL)).state).toBe("warning");
  expect(lab.text("a.md")).toBe("foreign");
  expect(outcome(await lab.project().retry({ ...ALL, overwrite: true }))).toMatchObject({ state: "ok" });
  expect([lab.text("a.md"), lab.text("b.md")]).toEqual(["two", undefined]);
  expect(lab.trashed().map(({ text }) => text)).toEqual(expect.arrayContaining(["foreign", "foreign b"]));
});

test("seed-mirror: fills a mirror that was added later, with the newest snapshot, and takes what is there", async () => {
  const first = projectLab();
  first.write("a.md", "one");
  first.write("b.md", "two");
  first.write("d.md", "four");
  const { snapshot } = await first.push();
  const late = memoryBackend();
  late.store.put(relPath("b.md"), "two");
  late.store.put(relPath("d.md"), "foreign");
  const lab = projectLab({ remote: first.remote, mirrors: [{ name: "late", remote: late }] });
  await lab.pull();
  rmSync(join(lab.home, "state-late"), { recursive: true, force: true });
  const other = projectLab({ remote: first.remote });
  await other.pull();
  expect(other.read("a.md")).toBe("one");
  const again = projectLab({ remote: first.remote, mirrors: [{ name: "late", remote: late }] });
  again.write("a.md", "one");
  again.write("b.md", "two");
  again.write("d.md", "four");
  await again.sync();
  const pending = await again.project().pending();
  expect(pending.unsent).toEqual([{ backend: "late", files: 3 }]);
  const result = outcome(await again.project().seedMirror(ALL), "late");
  expect(result.uploaded).toEqual(["a.md", "b.md"]);
  expect(result.failed).toMatchObject([{ path: "d.md", error: { class: "STALE" } }]);
  expect([textOn(late, "a.md"), textOn(late, "d.md")]).toEqual(["one", "foreign"]);
  expect(result.snapshots).toEqual([snapshot?.timestamp as string]);
  expect(textOn(late, `_claude_mirror_snapshots/${snapshot?.timestamp}.json`)).toBeDefined();
});

test("seed-mirror: what was sent and has gone from the mirror is sent again", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  await lab.push();
  lab.mirror.store.files.delete("b.md");
  const { planned } = await lab.project().seedMirror({ ...ALL, dryRun: true });
  expect(planned.map(({ files }) => files)).toEqual([[{ path: relPath("b.md"), action: "upload" }]]);
  expect(lab.text("b.md")).toBeUndefined();
  expect(outcome(await lab.project().seedMirror(ALL)).uploaded).toEqual(["b.md"]);
  expect(lab.text("b.md")).toBe("two");
});

test("seed-mirror: a file that somebody has changed on the mirror is told, and replaced with --overwrite", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  await lab.push();
  lab.mirror.store.put(relPath("b.md"), "foreign");
  const told = outcome(await lab.project().seedMirror(ALL));
  expect(told.failed).toMatchObject([{ path: "b.md", error: { class: "STALE" } }]);
  expect([told.uploaded, lab.text("b.md")]).toEqual([[], "foreign"]);
  const replaced = outcome(await lab.project().seedMirror({ ...ALL, overwrite: true }));
  expect([replaced.uploaded, replaced.failed, lab.text("b.md")]).toEqual([["b.md"], [], "two"]);
  expect(lab.trashed().map(({ text }) => text)).toEqual(["foreign"]);
});

test("status --by-backend: a mirror whose folder is gone has lost nothing, it cannot be looked at", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  lab.mirror.store.files.clear();
  lab.mirror.store.present = false;
  const [column] = await lab.project().mirrorColumns();
  expect([column?.error, column?.files.size]).toEqual([expect.stringContaining("is missing"), 0]);
});

test("status --pending: a mirror that was never sent anything is no mirror where all is well", async () => {
  const first = projectLab();
  first.write("a.md", "one");
  await first.push();
  const lab = projectLab({ remote: first.remote, mirrors: [{ name: "late", remote: memoryBackend() }] });
  lab.write("a.md", "one");
  await lab.sync();
  expect(await lab.project().pending()).toMatchObject({ rows: [], unsent: [{ backend: "late", files: 1 }] });
});

test("status --by-backend: looks at contents, not at names, and keeps what is out of scope out", async () => {
  const lab = mirrorLab({ config: { excludePatterns: ["private/**"] } });
  for (const name of ["ok.md", "gone.md", "edited.md", "touched.md"]) lab.write(name, name);
  await lab.push();
  lab.mirror.store.put(relPath("edited.md"), "foreign");
  lab.mirror.store.put(relPath("touched.md"), "touched.md");
  lab.mirror.store.files.delete("gone.md");
  lab.mirror.store.put(relPath("private/x.md"), "not ours");
  lab.mirror.store.put(relPath("extra.md"), "extra");
  const [column] = await lab.project().mirrorColumns();
  expect(Object.fromEntries(column?.files ?? [])).toEqual({
    "ok.md": "ok",
    "touched.md": "ok",
    "edited.md": "differs",
    "gone.md": "missing",
    "extra.md": "extra",
  });
});

test("verify: finds a damaged blob and a damaged file on a mirror, and repairs both from elsewhere", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  await lab.push();
  lab.mirror.store.files.delete("b.md");
  const blob = [...lab.mirror.store.files.keys()].find((path) => path.startsWith("_claude_mirror_blobs/")) as string;
  lab.mirror.store.put(relPath(blob), "damaged");
  const request = { files: true, snapshots: true } as const;
  const found = await lab.project().verify(request);
  expect(found.left.map(({ place, kind, path }) => [place, kind, path as string]).sort()).toEqual(
    [
      ["dropbox", "corrupted", blob],
      ["dropbox", "missing", "b.md"],
    ].sort(),
  );
  expect((await lab.project().verify({ ...request, repair: "do" })).left).toEqual([]);
  expect(lab.text("b.md")).toBe("two");
  expect((await lab.project().verify({ ...request, backend: "dropbox" })).left).toEqual([]);
});
