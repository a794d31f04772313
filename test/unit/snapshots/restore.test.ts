import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { BackendError, LocalFileError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { relPath } from "../../../src/lib/path.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import type { RestoreEvent, RestoreReport } from "../../../src/snapshots/model.ts";
import type { RestoreOptions } from "../../../src/snapshots/restore.ts";
import { seededRandom } from "../../support/random.ts";
import { blobSource, type SnapshotLab, sha256, snapshotLab } from "../../support/snapshot-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const FULL = "2026-11-20T10-00-00Z";

/** Every file below a folder as text, temporary ones included. */
function tree(folder: string): Record<string, string> {
  const paths = [...new Bun.Glob("**/*").scanSync({ cwd: folder, dot: true })].sort();
  return Object.fromEntries(paths.map((path) => [path, fs.readFileSync(join(folder, path), "utf8")]));
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(join(folder, path, ".."), { recursive: true });
    fs.writeFileSync(join(folder, path), content);
  }
}

/** Keeps what is replaced as a trash would: by a second link. */
function trashIn(folder: string) {
  const kept: string[] = [];
  const keep: RestoreOptions["keep"] = (file, path) => {
    fs.linkSync(file, join(folder, `kept-${kept.length}`));
    kept.push(path);
  };
  return { kept, keep, contents: () => Object.values(tree(folder)) };
}

const noKeep: RestoreOptions["keep"] = (_, path) => {
  throw new Error(`nothing was to be replaced, but ${path} was`);
};

async function restore(
  lab: SnapshotLab,
  timestamp: string,
  target: string,
  options: Partial<RestoreOptions> & { readonly patterns?: readonly string[] } = {},
): Promise<RestoreReport> {
  const plan = await lab.service.planRestore(timestamp, options.patterns ?? [], target);
  return lab.service.executeRestore(plan, { keep: noKeep, ...options });
}

function errors(report: RestoreReport): (string | undefined)[] {
  return report.outcomes.map((outcome) => outcome.error);
}

test("planRestore: says for each file what it would do, and changes nothing", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one", "d/b.md": "two", "d/c.md": "three" });
  const target = tempFolder("restore");
  write(target, { "a.md": "one", "d/b.md": "mine", "extra.md": "kept" });
  const before = tree(target);
  const plan = await lab.service.planRestore(timestamp, [], target);
  expect(plan.items.map(({ path, kind, sha256 }) => [String(path), kind, sha256])).toEqual([
    ["a.md", "same", sha256("one")],
    ["d/b.md", "overwrite", sha256("two")],
    ["d/c.md", "create", sha256("three")],
  ]);
  expect(plan).toMatchObject({ timestamp, format: "blobs", target, unmatched: [] });
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan as object);
  expect(tree(target)).toEqual(before);
});

test("planRestore: patterns choose, and those that match nothing are named", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one", "d/b.md": "two", "z.txt": "three" });
  const plan = await lab.service.planRestore(timestamp, ["d/", "nope.md"], tempFolder("restore"));
  expect(plan.items.map((item) => String(item.path))).toEqual(["d/b.md"]);
  expect(plan.unmatched).toEqual(["nope.md"]);
});

test("executeRestore: brings every file back byte for byte into a new folder", async () => {
  const lab = snapshotLab();
  const contents = { "a.md": "one", "d/e/b – ü.md": "two", "empty.md": "", "x/y.md": "one" };
  const timestamp = await lab.snapshot(contents);
  const target = join(tempFolder("restore"), "new/folder");
  const report = await restore(lab, timestamp, target);
  expect(tree(target)).toEqual(contents);
  expect(report).toEqual({
    outcomes: [
      { path: relPath("a.md"), status: "restored", bytes: 3 },
      { path: relPath("d/e/b – ü.md"), status: "restored", bytes: 3 },
      { path: relPath("empty.md"), status: "restored", bytes: 0 },
      { path: relPath("x/y.md"), status: "restored", bytes: 3 },
    ],
    interrupted: false,
  });
});

test("executeRestore: one file costs its manifest and one blob, whatever the snapshot holds", async () => {
  const lab = snapshotLab();
  const others = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}.md`, `body ${i}`]));
  const timestamp = await lab.snapshot({ ...others, "one.md": "the one" });
  const next = lab.otherMachine();
  await restore(next, timestamp, tempFolder("restore"), { patterns: ["one.md"] });
  expect(next.spy.requests).toEqual([`read ${manifestPath(timestamp)}`, `read ${blobPath(sha256("the one"))}`]);
});

test("executeRestore: case 1: restores the snapshot's bytes, not those of the live file, in both formats", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "memory/notes.md": "old" });
  lab.store.put(relPath(`_claude_mirror_snapshots/${FULL}/memory/notes.md`), "older");
  lab.store.put(relPath(`_claude_mirror_snapshots/${FULL}/_snapshot_meta.json`), "{}");
  lab.store.put(relPath("memory/notes.md"), "live");
  for (const [name, expected] of [
    [timestamp, "old"],
    [FULL, "older"],
  ] as const) {
    const target = tempFolder("restore");
    await restore(lab, name, target);
    expect(tree(target)).toEqual({ "memory/notes.md": expected });
  }
});

test("executeRestore: case 6: files whose name begins with _ are in the snapshot and come back", async () => {
  const lab = snapshotLab();
  const contents = { "_index.md": "i", "pkg/__init__.py": "p", "_snapshot_meta.json": "a user's file" };
  const timestamp = await lab.snapshot(contents);
  const target = tempFolder("restore");
  await restore(lab, timestamp, target);
  expect(tree(target)).toEqual(contents);
});

test("executeRestore: what it replaces is kept first; files that are the same or not in the snapshot stay", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one", "b.md": "two" });
  const target = tempFolder("restore");
  write(target, { "a.md": "my unsaved edit", "b.md": "two", "c.md": "extra" });
  fs.chmodSync(join(target, "a.md"), 0o600);
  const same = fs.statSync(join(target, "b.md"), { bigint: true });
  const trash = trashIn(tempFolder("trash"));
  const report = await restore(lab, timestamp, target, { keep: trash.keep });
  expect(report.outcomes.map((outcome) => outcome.status)).toEqual(["restored", "same"]);
  expect(tree(target)).toEqual({ "a.md": "one", "b.md": "two", "c.md": "extra" });
  expect([trash.kept, trash.contents()]).toEqual([["a.md"], ["my unsaved edit"]]);
  expect(fs.statSync(join(target, "a.md")).mode & 0o777).toBe(0o600);
  expect(fs.statSync(join(target, "b.md"), { bigint: true }).ctimeNs).toBe(same.ctimeNs);
});

test("executeRestore: when the content cannot be kept the file is not replaced", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one" });
  const target = tempFolder("restore");
  write(target, { "a.md": "mine" });
  const keep = () => {
    throw new Error("the trash is full");
  };
  expect(errors(await restore(lab, timestamp, target, { keep }))).toEqual(["the trash is full"]);
  expect(tree(target)).toEqual({ "a.md": "mine" });
});

test("executeRestore: a file that changes after the plan, while it downloads, or while it is kept is left alone", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one" });
  const edit = (file: string) => {
    fs.writeFileSync(`${file}.new`, "edited");
    fs.renameSync(`${file}.new`, file);
  };
  for (const moment of ["planned", "download", "kept"]) {
    const target = tempFolder("restore");
    write(target, { "a.md": "mine" });
    const file = join(target, "a.md");
    const plan = await lab.service.planRestore(timestamp, [], target);
    if (moment === "planned") edit(file);
    lab.spy.before = (verb) => {
      if (verb === "read" && moment === "download") edit(file);
    };
    const keep = () => {
      if (moment === "kept") edit(file);
    };
    const report = await lab.service.executeRestore(plan, { keep });
    lab.spy.before = () => {};
    expect(errors(report)).toEqual([`cannot write "${file}": it changed since the restore was planned; run it again`]);
    expect(tree(target)).toEqual({ "a.md": "edited" });
  }
});

test("executeRestore: a file that appears where none was planned is left alone", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one" });
  const target = tempFolder("restore");
  const plan = await lab.service.planRestore(timestamp, [], target);
  write(target, { "a.md": "appeared" });
  const report = await lab.service.executeRestore(plan, { keep: noKeep });
  expect(report.outcomes).toMatchObject([{ status: "failed" }]);
  expect(tree(target)).toEqual({ "a.md": "appeared" });
});

test("executeRestore: a missing or damaged blob fails its file alone, and nothing of it is left", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "damaged.md": "good", "missing.md": "gone", "ok.md": "fine" });
  lab.store.put(blobPath(sha256("good")), "evil");
  lab.store.delete(blobPath(sha256("gone")));
  const target = tempFolder("restore");
  write(target, { "damaged.md": "mine" });
  const report = await restore(lab, timestamp, target, { keep: noKeep });
  expect(report.outcomes.map((outcome) => outcome.status)).toEqual(["failed", "failed", "restored"]);
  expect(errors(report)[0]).toContain(`its content has the SHA-256 ${sha256("evil")}`);
  expect(errors(report)[1]).toBe(
    `cannot restore "missing.md": its content ${sha256("gone").slice(0, 12)} is missing on the remote`,
  );
  expect(tree(target)).toEqual({ "damaged.md": "mine", "ok.md": "fine" });
  const asked = [sha256("good"), sha256("gone"), sha256("fine")];
  expect(await lab.service.unstored(asked)).toEqual([sha256("good"), sha256("gone")]);
});

test("executeRestore: a body that breaks off is asked for once more", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one" });
  const { read } = lab.spy;
  let tries = 0;
  lab.spy.read = async (path, options) => {
    const opened = await read(path, options);
    if (!path.startsWith("_claude_mirror_blobs") || tries++ > 0) return opened;
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("on"));
      },
      pull(controller) {
        controller.error(new BackendError("connection lost", { class: "TRANSIENT" }));
      },
    });
    return { file: opened.file, body: broken };
  };
  const target = tempFolder("restore");
  expect((await restore(lab, timestamp, target)).outcomes).toMatchObject([{ status: "restored", bytes: 3 }]);
  expect([tries, tree(target)]).toEqual([2, { "a.md": "one" }]);
});

test("executeRestore: nothing is written through a symbolic link, nor over one, a folder or a file in the way", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({
    "d/a.md": "1",
    "f/x.md": "2",
    "folder.md": "3",
    "link.md": "4",
    "ok.md": "5",
  });
  const target = tempFolder("restore");
  const outside = tempFolder("outside");
  write(outside, { "a.md": "theirs", "linked.md": "theirs" });
  write(target, { f: "a file", "folder.md/inner.md": "x" });
  fs.symlinkSync(outside, join(target, "d"));
  fs.symlinkSync(join(outside, "linked.md"), join(target, "link.md"));
  const plan = await lab.service.planRestore(timestamp, [], target);
  const reasons = ['"d" is a symbolic link', '"f" is not a folder', "a folder is there", "a symbolic link is there"];
  expect(plan.items.map((item) => item.problem)).toEqual([...reasons, undefined]);
  const report = await lab.service.executeRestore(plan, { keep: noKeep });
  expect(errors(report)).toEqual([...reasons, undefined]);
  expect(tree(outside)).toEqual({ "a.md": "theirs", "linked.md": "theirs" });
  expect(fs.readFileSync(join(target, "ok.md"), "utf8")).toBe("5");
});

test("executeRestore: a folder that becomes a link after the plan is not followed", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "d/a.md": "1" });
  const target = tempFolder("restore");
  const outside = tempFolder("outside");
  fs.mkdirSync(join(target, "d"));
  const plan = await lab.service.planRestore(timestamp, [], target);
  fs.rmdirSync(join(target, "d"));
  fs.symlinkSync(outside, join(target, "d"));
  expect((await lab.service.executeRestore(plan, { keep: noKeep })).outcomes).toMatchObject([{ status: "failed" }]);
  expect(tree(outside)).toEqual({});
});

test("executeRestore: a refused sign-in ends it; the rest is reported with the same reason", async () => {
  const lab = snapshotLab();
  const contents = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}.md`, `body ${i}`]));
  const timestamp = await lab.snapshot(contents);
  const plan = await lab.service.planRestore(timestamp, [], tempFolder("restore"));
  lab.spy.before = () => {
    throw new BackendError("sign in again", { class: "AUTH" });
  };
  const asked = lab.spy.requests.length;
  const report = await lab.service.executeRestore(plan, { keep: noKeep });
  expect(new Set(errors(report))).toEqual(new Set(["sign in again"]));
  expect(report.outcomes).toHaveLength(30);
  expect(lab.spy.requests.length - asked).toBeLessThanOrEqual(4);
});

test("executeRestore: when it is interrupted it leaves whole files and no temporary ones, and says so", async () => {
  const lab = snapshotLab();
  const contents = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}.md`, `body ${i}`]));
  const timestamp = await lab.snapshot(contents);
  const target = tempFolder("restore");
  const stop = new AbortController();
  const events: RestoreEvent[] = [];
  const onEvent = (event: RestoreEvent): void => {
    events.push(event);
    if (events.filter(({ kind }) => kind === "item").length === 5) stop.abort(new Error("stop"));
  };
  const report = await restore(lab, timestamp, target, { signal: stop.signal, onEvent });
  expect(report.interrupted).toBe(true);
  expect(report.outcomes.length).toBeLessThan(100);
  const found = tree(target);
  expect(Object.keys(found)).toEqual(report.outcomes.map((outcome) => String(outcome.path)).sort());
  for (const [path, content] of Object.entries(found)) expect(content).toBe(contents[path] as string);
});

test("executeRestore: tells how far it is", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one", "b.md": "three" });
  const events: RestoreEvent[] = [];
  await restore(lab, timestamp, tempFolder("restore"), { onEvent: (event) => void events.push(event) });
  const bytes = events.reduce((sum, event) => sum + (event.kind === "bytes" ? event.bytes : 0), 0);
  const done = events.flatMap((event) => (event.kind === "item" ? [`${event.done}/${event.total}`] : []));
  expect([bytes, done]).toEqual([8, ["1/2", "2/2"]]);
});

test("executeRestore: what a killed restore left behind is removed from the folders it writes to", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "d/a.md": "one" });
  const target = tempFolder("restore");
  write(target, { "d/.claude_mirror_tmp_0123456789ab": "half", "e/.claude_mirror_tmp_0123456789ab": "another's" });
  await restore(lab, timestamp, target);
  expect(tree(target)).toEqual({ "d/a.md": "one", "e/.claude_mirror_tmp_0123456789ab": "another's" });
});

test("executeRestore: a target that cannot be made is one clear reason for each file", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "one" });
  const folder = tempFolder("restore");
  write(folder, { file: "mine" });
  const report = await restore(lab, timestamp, join(folder, "file/new"));
  expect(errors(report)).toEqual([`cannot make the folder for "${folder}/file/new/a.md": a file is in the way`]);
  expect(tree(folder)).toEqual({ file: "mine" });
});

test("executeRestore: on a full disk nothing new is begun", async () => {
  const lab = snapshotLab();
  const contents = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}.md`, `body ${i}`]));
  const timestamp = await lab.snapshot(contents);
  const target = tempFolder("restore");
  write(target, Object.fromEntries(Object.keys(contents).map((path) => [path, "mine"])));
  let asked = 0;
  const keep = () => {
    asked++;
    throw new LocalFileError("cannot write to the trash: the disk is full", { code: "ENOSPC" });
  };
  const report = await restore(lab, timestamp, target, { keep });
  expect(new Set(errors(report))).toEqual(new Set(["cannot write to the trash: the disk is full"]));
  expect([report.outcomes.length, asked <= 4]).toEqual([30, true]);
  expect(new Set(Object.values(tree(target)))).toEqual(new Set(["mine"]));
});

test("executeRestore: a full snapshot comes back checked by size, without its marker", async () => {
  const lab = snapshotLab();
  const folder = `_claude_mirror_snapshots/${FULL}`;
  lab.store.put(relPath(`${folder}/a.md`), "from the snapshot");
  lab.store.put(relPath(`${folder}/d/same.md`), "same");
  lab.store.put(relPath(`${folder}/_snapshot_meta.json`), "{}");
  const target = tempFolder("restore");
  write(target, { "d/same.md": "same" });
  const report = await restore(lab, FULL, target);
  expect(report.outcomes.map((outcome) => outcome.status)).toEqual(["restored", "same"]);
  expect(tree(target)).toEqual({ "a.md": "from the snapshot", "d/same.md": "same" });

  const plan = await lab.service.planRestore(FULL, ["a.md"], tempFolder("restore"));
  lab.store.put(relPath(`${folder}/a.md`), "cut");
  expect(errors(await lab.service.executeRestore(plan, { keep: noKeep }))).toEqual([
    'cannot restore "a.md": 3 of 17 bytes came',
  ]);
});

test("executeRestore: a large body is streamed", async () => {
  const lab = snapshotLab();
  const body = new Uint8Array(5 * 1024 * 1024).fill(7);
  const source = blobSource(body);
  await lab.service.store(source);
  const files = new Map([[relPath("large.bin"), source.sha256]]);
  const { timestamp } = await lab.service.create({ action: "push", user: "u", machine: "m", files, filesChanged: [] });
  const target = tempFolder("restore");
  const report = await restore(lab, timestamp, target);
  expect(report.outcomes).toMatchObject([{ bytes: body.length }]);
  expect(Buffer.compare(fs.readFileSync(join(target, "large.bin")), body)).toBe(0);
});

test("executeRestore: a large body that broke off goes on in the next run", async () => {
  const lab = snapshotLab();
  const bytes = seededRandom(4).bytes(12 * 1024 * 1024);
  const digest = hashBytes("sha256", bytes);
  await lab.service.store(blobSource(bytes));
  const facts = { action: "push", user: "alice", machine: "desk", filesChanged: [] } as const;
  const { timestamp } = await lab.service.create({ ...facts, files: new Map([[relPath("big.bin"), digest]]) });
  const target = tempFolder("restore");
  const control = new AbortController();
  let brought = 0;
  const report = await restore(lab, timestamp, target, {
    signal: control.signal,
    onEvent(event) {
      if (event.kind === "bytes") brought += event.bytes;
      if (brought > bytes.length / 2) control.abort();
    },
  });
  expect(report.interrupted).toBe(true);
  let again = 0;
  const next = lab.reopen();
  const done = await restore(next, timestamp, target, {
    onEvent(event) {
      if (event.kind === "bytes") again += event.bytes;
    },
  });
  expect(done.outcomes).toMatchObject([{ status: "restored" }]);
  expect(again).toBeLessThanOrEqual(0.55 * bytes.length);
  expect(Buffer.compare(fs.readFileSync(join(target, "big.bin")), bytes)).toBe(0);
  expect(fs.readdirSync(target)).toEqual(["big.bin"]);
});
