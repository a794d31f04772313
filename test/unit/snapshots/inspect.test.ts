import { expect, test } from "bun:test";
import { NotFoundError } from "../../../src/backends/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { nearestNames } from "../../../src/snapshots/inspect.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import { sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const FULL = "_claude_mirror_snapshots/2026-11-20T10-00-00Z";

function fullSnapshot() {
  const lab = snapshotLab();
  lab.store.put(relPath(`${FULL}/b/c.md`), "content");
  lab.store.put(relPath(`${FULL}/a.md`), "a");
  lab.store.put(relPath(`${FULL}/b/_snapshot_meta.json`), "a user's file");
  lab.store.put(relPath(`${FULL}/_snapshot_meta.json`), '{"total_files": 3, "action": "push"}');
  return lab;
}

test("inspectSnapshot: a blobs snapshot costs one request and no bodies", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "m/b.md": "two", "a.md": "one", "m/a.md": "three" });
  const next = lab.reopen();
  const inspection = await next.service.inspect(timestamp, []);
  expect(inspection.files).toEqual([
    { path: relPath("a.md"), sha256: sha256("one"), size: null },
    { path: relPath("m/a.md"), sha256: sha256("three"), size: null },
    { path: relPath("m/b.md"), sha256: sha256("two"), size: null },
  ]);
  expect(inspection.info).toMatchObject({ timestamp, format: "blobs", totalFiles: 3 });
  expect("files" in inspection.info).toBe(false);
  expect(next.spy.requests).toEqual([`read ${manifestPath(timestamp)}`]);
});

test("inspectSnapshot: shows only what the patterns mean", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "m/b.md": "two", "a.md": "one", "z.txt": "three" });
  const paths = async (...patterns: string[]) =>
    (await lab.service.inspect(timestamp, patterns)).files.map((file) => String(file.path));
  expect(await paths("m")).toEqual(["m/b.md"]);
  expect(await paths("*.md")).toEqual(["a.md", "m/b.md"]);
  expect(await paths("nothing")).toEqual([]);
});

test("inspectSnapshot: lists the files of a full snapshot with their sizes, without its marker", async () => {
  const { files, info } = await fullSnapshot().service.inspect("2026-11-20T10-00-00Z", []);
  expect(files.map(({ path, sha256, size }) => [String(path), sha256, size])).toEqual([
    ["a.md", null, 1],
    ["b/_snapshot_meta.json", null, 13],
    ["b/c.md", null, 7],
  ]);
  expect(info).toMatchObject({ format: "full", totalFiles: 3, action: "push" });
});

test("inspectSnapshot: an unknown name fails with the nearest ones", async () => {
  const lab = snapshotLab();
  for (let i = 0; i < 4; i++) {
    await lab.snapshot({});
    lab.clock.ms += 60_000;
  }
  const error = await lab.service.inspect("2026-11-20T17-42-00Z", []).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error.message).toBe('cannot find snapshot "2026-11-20T17-42-00Z": there is none of that name');
  expect(error.hint).toBe("The nearest are 2026-11-20T17-42-26Z, 2026-11-20T17-41-26Z, 2026-11-20T17-43-26Z.");
});

test("inspectSnapshot: a name that is no timestamp never becomes a path", async () => {
  const lab = snapshotLab();
  for (const name of ["../CLAUDE", "", "latest", "a/b"]) {
    await expect(lab.service.inspect(name, [])).rejects.toThrow(NotFoundError);
  }
  expect(new Set(lab.spy.requests)).toEqual(new Set(["list _claude_mirror_snapshots"]));
});

test("inspectSnapshot: an unreadable manifest is an error of its own", async () => {
  const lab = snapshotLab();
  lab.store.put(manifestPath("2026-11-20T10-00-00Z"), "[]");
  await expect(lab.service.inspect("2026-11-20T10-00-00Z", [])).rejects.toThrow("it is not a JSON object");
});

test("nearestNames: goes by the beginning where the wanted name is no time", () => {
  const names = ["2026-01-01T00-00-00Z", "2026-11-20T17-40-26Z", "2026-11-20T17-40-27Z", "2025-01-01T00-00-00Z"];
  expect(nearestNames("2026-11-20", names)).toEqual([
    "2026-11-20T17-40-27Z",
    "2026-11-20T17-40-26Z",
    "2026-01-01T00-00-00Z",
  ]);
});
