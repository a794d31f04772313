import { expect, test } from "bun:test";
import { blobPath } from "../../../src/backends/layout.ts";
import { relPath } from "../../../src/lib/path.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import { blobSource, LAB_START, sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const FIRST = "2026-11-20T17-40-26Z";
const HOUR = 60 * 60 * 1000;

function many(count: number, prefix = "f"): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}.md`, `${prefix} ${i}`]));
}

test("createSnapshot: writes the seven keys of 0.5.31 after the bodies, in one guarded request", async () => {
  const lab = snapshotLab();
  expect(await lab.snapshot({ "b.md": "two", "a.md": "one" }, { filesChanged: ["b.md"] })).toBe(FIRST);
  expect(lab.store.tree()[manifestPath(FIRST)]).toBe(`{
  "action": "push",
  "files": {
    "a.md": "${sha256("one")}",
    "b.md": "${sha256("two")}"
  },
  "files_changed": [
    "b.md"
  ],
  "format": "v2",
  "timestamp": "${FIRST}",
  "total_files": 2,
  "triggered_by": "alice@desk"
}`);
  expect(lab.spy.requests.at(-1)).toBe(`write ${manifestPath(FIRST)}`);
  expect(lab.spy.requests).toHaveLength(3);
});

test("createSnapshot: a tag or message brings both keys", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "one" }, { tag: "v1", action: "manual" });
  expect(JSON.parse(lab.store.tree()[manifestPath(FIRST)] ?? "")).toMatchObject({ tag: "v1", message: null });
});

test("createSnapshot: names at most 100 changed files", async () => {
  const lab = snapshotLab();
  await lab.snapshot({}, { filesChanged: Array.from({ length: 103 }, (_, i) => `f${i}`) });
  const changed = JSON.parse(lab.store.tree()[manifestPath(FIRST)] ?? "").files_changed;
  expect([changed.length, changed[100]]).toEqual([101, "... and 3 more"]);
});

test("createSnapshot: two in one second get two names and neither is lost", async () => {
  const lab = snapshotLab();
  const names = [await lab.snapshot({ "a.md": "1" }), await lab.otherMachine().snapshot({ "a.md": "2" })];
  expect(names).toEqual([FIRST, "2026-11-20T17-40-27Z"]);
  const found = names.map((name) => JSON.parse(lab.store.tree()[manifestPath(name)] ?? ""));
  expect(found.map((manifest) => [manifest.timestamp, manifest.files["a.md"]])).toEqual([
    [names[0], sha256("1")],
    [names[1], sha256("2")],
  ]);
});

test("createSnapshot: a name that this machine used in the same second is not asked for again", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "1" });
  const before = lab.spy.count("write");
  expect(await lab.snapshot({ "a.md": "1", "b.md": "1" })).toBe("2026-11-20T17-40-27Z");
  expect(lab.spy.requests.filter((request) => request.endsWith(manifestPath(FIRST)))).toEqual([
    `write ${manifestPath(FIRST)}`,
    `stat ${manifestPath(FIRST)}`,
  ]);
  expect(lab.spy.count("write")).toBe(before + 1);
});

test("createSnapshot: gives up after 60 taken names", async () => {
  const lab = snapshotLab();
  for (let i = 0; i < 60; i++) {
    const name = `${new Date(LAB_START + i * 1000).toISOString().slice(0, 19).replaceAll(":", "-")}Z`;
    lab.store.put(manifestPath(name), "taken");
  }
  await expect(lab.snapshot({})).rejects.toThrow("the names of the next 60 seconds are all taken");
});

test("createSnapshot: an answer that got lost makes no second snapshot", async () => {
  const lab = snapshotLab();
  const { write } = lab.spy;
  let lost = false;
  lab.spy.write = async (path, source, options) => {
    if (!lost && path === manifestPath(FIRST)) {
      lost = true;
      await write(path, source, options);
    }
    return write(path, source, options);
  };
  expect(await lab.snapshot({ "a.md": "1" })).toBe(FIRST);
  expect(Object.keys(lab.store.tree()).filter((path) => path.endsWith(".json"))).toEqual([manifestPath(FIRST)]);
});

test("createSnapshot: refuses to name a body that is not stored, and writes nothing", async () => {
  const lab = snapshotLab();
  const files = new Map([[relPath("a.md"), sha256("never sent")]]);
  const snapshot = { action: "push", user: "u", machine: "m", files, filesChanged: [] } as const;
  await expect(lab.service.create(snapshot)).rejects.toThrow('the first is "a.md"');
  expect(lab.store.tree()).toEqual({});
});

test("createSnapshot: a manifest that cannot be written leaves blobs and no snapshot", async () => {
  const lab = snapshotLab();
  lab.spy.before = (_, path) => {
    if (path.endsWith(".json")) throw new Error("cut");
  };
  await expect(lab.snapshot({ "a.md": "1" })).rejects.toThrow("cut");
  lab.spy.before = () => {};
  expect(Object.keys(lab.store.tree())).toEqual([blobPath(sha256("1"))]);
  expect(await lab.service.list()).toEqual([]);
  expect(lab.service.holds(sha256("1"))).toBe(false);
});

test("createSnapshot: what another push costs does not grow with files or history", async () => {
  const lab = snapshotLab();
  const contents = many(50);
  for (let i = 0; i < 10; i++) {
    await lab.snapshot({ ...contents, "a.md": `version ${i}` });
    lab.clock.ms += 5000;
  }
  const next = lab.reopen();
  await next.snapshot({ ...contents, "a.md": "version 10" });
  expect(next.spy.requests).toEqual([
    `write ${blobPath(sha256("version 10"))}`,
    "write _claude_mirror_snapshots/2026-11-20T17-41-16Z.json",
    "stat _claude_mirror_snapshots/2026-11-20T17-41-11Z.json",
  ]);
});

test("unstored: the first push of many files asks for two listings and then creates", async () => {
  const lab = snapshotLab();
  await lab.snapshot(many(100));
  expect([lab.spy.count("list"), lab.spy.count("stat"), lab.spy.count("read"), lab.spy.count("write")]).toEqual([
    2, 0, 0, 101,
  ]);
});

test("unstored: a new machine learns from the newest snapshot instead of sending everything", async () => {
  const lab = snapshotLab();
  const contents = many(100);
  await lab.snapshot(contents);
  const other = lab.otherMachine();
  other.clock.ms += 1000;
  await other.snapshot({ ...contents, "a.md": "new" });
  expect(other.spy.requests).toEqual([
    "list _claude_mirror_snapshots",
    `read ${manifestPath(FIRST)}`,
    `write ${blobPath(sha256("new"))}`,
    "write _claude_mirror_snapshots/2026-11-20T17-40-27Z.json",
    `stat ${manifestPath(FIRST)}`,
  ]);
});

test("unstored: an unreadable newest snapshot teaches nothing and stops nothing", async () => {
  const lab = snapshotLab();
  lab.store.put(manifestPath(FIRST), "{");
  lab.clock.ms += 1000;
  await lab.snapshot(many(20));
  expect(lab.spy.count("write")).toBe(21);
});

test("unstored: snapshots that another machine has forgotten are noticed within half a day", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "old" });
  lab.store.delete(manifestPath(FIRST));
  lab.store.delete(blobPath(sha256("old")));
  const soon = lab.reopen();
  soon.clock.ms += 13 * HOUR;
  expect(await soon.service.unstored([sha256("old")])).toEqual([sha256("old")]);
  expect(soon.spy.requests).toEqual(["list _claude_mirror_snapshots"]);
  await soon.snapshot({ "a.md": "old" });
  expect(lab.store.tree()[blobPath(sha256("old"))]).toBe("old");
});

test("unstored: what this run stored stays known when snapshots vanish", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "old" });
  await lab.service.store(blobSource("young"));
  lab.store.delete(manifestPath(FIRST));
  await lab.service.list();
  expect(await lab.service.unstored([sha256("young"), sha256("old")])).toEqual([sha256("old")]);
});

test("prepareToStore: a new machine learns what is there; then nothing of it is sent", async () => {
  const lab = snapshotLab();
  await lab.snapshot(many(20));
  const other = lab.otherMachine();
  await other.service.prepareToStore();
  expect(other.spy.requests).toEqual([
    "list _claude_mirror_snapshots",
    `read ${manifestPath(FIRST)}`,
    "list _claude_mirror_blobs",
  ]);
  expect(await other.service.store(blobSource("f 3"))).toMatchObject({ sent: false });
  const next = other.reopen();
  await next.service.prepareToStore();
  expect(next.spy.requests).toEqual(["list _claude_mirror_blobs"]);
});
