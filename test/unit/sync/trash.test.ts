import { expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LocalFileError } from "../../../src/backends/errors.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { openTrash, TRASH_KEEP_MS, type Trash } from "../../../src/sync/trash.ts";
import { failingSource, sourceOf } from "../../support/bodies.ts";
import { tempFolder } from "../../support/temp.ts";

const path = relPath("sub/a.md");
const note = { path, reason: "replaced by pull" };

function setUp(label = "trash"): { trash: Trash; root: string; folder: string; clock: Clock & { time: number } } {
  const home = tempFolder(label);
  const root = join(home, "project");
  mkdirSync(join(root, "sub"), { recursive: true });
  const clock = { time: Date.UTC(2026, 10, 20), now: () => clock.time, sleep: async () => {} };
  const folder = join(home, "data", "trash");
  return { trash: openTrash(folder, { clock, root }), root, folder, clock };
}

function write(root: string, content: string): string {
  writeFileSync(join(root, path), content);
  return join(root, path);
}

test("putFile: moves a file and restore puts the same bytes back", () => {
  const { trash, root, folder } = setUp();
  const file = write(root, "one");
  const entry = trash.putFile(file, note);
  expect(existsSync(file)).toBe(false);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(trash.list()).toEqual([entry]);
  expect(entry).toMatchObject({ path, reason: "replaced by pull", size: 3 });
  expect(trash.restore(path)).toMatchObject({ target: file, kind: "restored" });
  expect(readFileSync(file, "utf8")).toBe("one");
  expect(trash.list()).toEqual([]);
});

test("keepCopy: the file stays in place and its replacement leaves the kept bytes alone", () => {
  const { trash, root } = setUp();
  const entry = trash.keepCopy(write(root, "one"), note);
  rmSync(join(root, path));
  write(root, "two");
  expect(readFileSync(trash.contentOf(entry), "utf8")).toBe("one");
});

test("putFile: works across file systems", () => {
  const shm = existsSync("/dev/shm") ? "/dev/shm" : undefined;
  if (shm === undefined || statSync(shm).dev === statSync(tempFolder()).dev) return;
  const { root, clock } = setUp();
  const folder = join(shm, `claude-mirror-trash-${process.pid}`);
  try {
    const trash = openTrash(folder, { clock, root });
    const file = write(root, "far");
    const kept = trash.keepCopy(file, note);
    const moved = trash.putFile(file, note);
    expect(existsSync(file)).toBe(false);
    expect([kept, moved].map((entry) => readFileSync(trash.contentOf(entry), "utf8"))).toEqual(["far", "far"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("putFile: a link's content is kept, not the link", () => {
  const { trash, root } = setUp();
  writeFileSync(join(root, "real"), "body");
  symlinkSync("../real", join(root, path));
  const entry = trash.putFile(join(root, path), note);
  expect(readFileSync(trash.contentOf(entry), "utf8")).toBe("body");
  expect(readFileSync(join(root, "real"), "utf8")).toBe("body");
  expect(existsSync(join(root, path))).toBe(false);
});

test("putBytes: keeps a whole body and nothing of one that breaks off", async () => {
  const { trash, folder } = setUp();
  const entry = await trash.putBytes(sourceOf("remote bytes").open(), note);
  expect(entry.size).toBe(12);
  expect(readFileSync(trash.contentOf(entry), "utf8")).toBe("remote bytes");
  const broken = failingSource("half", 9, new Error("cut")).open();
  await expect(trash.putBytes(broken, note)).rejects.toThrow("cut");
  expect(readdirSync(folder)).toEqual([entry.id]);
});

test("restore: a different file in the way is left alone unless told, and then it is kept too", () => {
  const { trash, root } = setUp();
  const { id } = trash.putFile(write(root, "old"), note);
  const file = write(root, "newer");
  expect(() => trash.restore(id)).toThrow(LocalFileError);
  expect(readFileSync(file, "utf8")).toBe("newer");
  trash.restore(id, { overwrite: true });
  expect(readFileSync(file, "utf8")).toBe("old");
  const [kept] = trash.list();
  expect(kept && readFileSync(trash.contentOf(kept), "utf8")).toBe("newer");
});

test("restore: the same bytes in the way count as restored and leave the file untouched", () => {
  const { trash, root } = setUp();
  trash.putFile(write(root, "same"), note);
  const file = write(root, "same");
  const { ino } = statSync(file);
  expect(trash.restore(path).kind).toBe("same");
  expect(statSync(file).ino).toBe(ino);
});

test("restore: to another place, and the newest entry of a path first", () => {
  const { trash, root, clock } = setUp();
  trash.putFile(write(root, "first"), note);
  clock.time += 1000;
  trash.putFile(write(root, "second"), note);
  const to = join(root, "elsewhere", "x");
  trash.restore(path, { to });
  expect(readFileSync(to, "utf8")).toBe("second");
  expect(() => trash.restore("nothing")).toThrow('"nothing"');
});

test("restore: a later edit of the restored file does not reach another name of the trashed bytes", () => {
  const { trash, root } = setUp();
  const entry = trash.putFile(write(root, "bytes"), note);
  const other = join(root, "other");
  linkSync(trash.contentOf(entry), other);
  trash.restore(path);
  writeFileSync(join(root, path), "edited in place");
  expect(readFileSync(other, "utf8")).toBe("bytes");
});

test("restore: never through a folder link that leaves the project", () => {
  const { trash, root } = setUp();
  trash.putFile(write(root, "x"), note);
  const outside = tempFolder();
  rmSync(join(root, "sub"), { recursive: true });
  symlinkSync(outside, join(root, "sub"));
  expect(() => trash.restore(path)).toThrow("leaves the project");
  expect(readdirSync(outside)).toEqual([]);
});

test("list: what a crash left half made is no entry, and empty clears it", () => {
  const { trash, root, folder, clock } = setUp();
  const entry = trash.putFile(write(root, "x"), note);
  rmSync(trash.contentOf(entry));
  mkdirSync(join(folder, "20261119T000000000Z-0"));
  writeFileSync(join(folder, "20261119T000000000Z-0", "content"), "no description");
  expect(trash.list()).toEqual([]);
  clock.time += 1;
  expect(trash.empty()).toEqual({ removed: 0, bytes: 0 });
  expect(readdirSync(folder)).toEqual([]);
});

test("empty: only what is older goes when an age is given", () => {
  const { trash, root, clock } = setUp();
  trash.putFile(write(root, "old"), note);
  clock.time += TRASH_KEEP_MS + 1;
  const young = trash.putFile(write(root, "young"), note);
  expect(trash.empty({ olderThanMs: TRASH_KEEP_MS })).toEqual({ removed: 1, bytes: 3 });
  expect(trash.list()).toEqual([young]);
});

test("keepCopy: what did not lie in the project goes back to where it lay, never into the project", () => {
  const { trash, root } = setUp();
  const elsewhere = join(tempFolder("recovered"), "a.md");
  writeFileSync(elsewhere, "edited after the first restore");
  trash.keepCopy(elsewhere, { path, reason: "replaced by restore" });
  rmSync(elsewhere);
  expect(trash.find(path)).toBeUndefined();
  expect(() => trash.restore(path)).toThrow("no such entry");
  expect(trash.list()[0]?.from).toBe(elsewhere);
  expect(trash.restore(elsewhere).target).toBe(elsewhere);
  expect(readFileSync(elsewhere, "utf8")).toBe("edited after the first restore");
  expect(existsSync(join(root, path))).toBe(false);
});
