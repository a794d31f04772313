import { expect, test } from "bun:test";
import { relPath } from "../../../src/lib/path.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import { sha256, snapshotLab } from "../../support/snapshot-lab.ts";

async function labWith(...contents: (string | null)[]) {
  const lab = snapshotLab();
  for (const content of contents) {
    await lab.snapshot({ "other.md": "x", ...(content === null ? {} : { "d/a \u2013.md": content }) });
    lab.clock.ms += 1000;
  }
  return lab;
}

const PATH = relPath("d/a \u2013.md");

test("fileHistory: A, A, B, A is v1, v1, v2, v1, newest first, with the changes marked", async () => {
  const lab = await labWith("A", "A", null, "B", "A");
  const history = await lab.service.history(PATH);
  expect(
    history.versions.map(({ timestamp, version, changed }) => [timestamp.slice(17, 19), version, changed]),
  ).toEqual([
    ["30", "v1", true],
    ["29", "v2", true],
    ["27", "v1", false],
    ["26", "v1", true],
  ]);
  expect(history).toMatchObject({ path: PATH, distinctVersions: 2, totalAppearances: 4 });
  expect(history.versions[1]).toMatchObject({ sha256: sha256("B"), format: "blobs" });
  expect("problems" in history).toBe(false);
});

test("fileHistory: gives the same from manifests that were just read and from the cache, which costs one listing", async () => {
  const lab = await labWith("A", "B");
  const other = lab.otherMachine();
  const fresh = await other.service.history(PATH);
  expect(other.spy.count("read")).toBe(2);
  const again = other.reopen();
  expect(await again.service.history(PATH)).toEqual(fresh);
  expect(again.spy.requests).toEqual(["list _claude_mirror_snapshots"]);
});

test("fileHistory: a full snapshot has no digest and is not counted as a version", async () => {
  const lab = await labWith("A");
  const folder = "_claude_mirror_snapshots/2026-11-20T10-00-00Z";
  lab.store.put(relPath(`${folder}/${PATH}`), "A");
  lab.store.put(relPath("_claude_mirror_snapshots/2026-11-20T11-00-00Z/elsewhere.md"), "A");
  const { versions, distinctVersions, totalAppearances } = await lab.service.history(PATH);
  expect(versions.map(({ version, sha256, format }) => [version, sha256, format])).toEqual([
    ["v1", sha256("A"), "blobs"],
    ["?", null, "full"],
  ]);
  expect([distinctVersions, totalAppearances]).toEqual([1, 2]);
});

test("fileHistory: a file that was never there has no versions; a name that begins like it is another", async () => {
  const lab = await labWith("A");
  expect(await lab.service.history(relPath("d/a"))).toMatchObject({ versions: [], distinctVersions: 0 });
  expect((await lab.service.history(relPath("ther.md"))).versions).toEqual([]);
  expect((await lab.service.history(relPath("files"))).versions).toEqual([]);
});

test("fileHistory: names the snapshots that it could not look into", async () => {
  const lab = await labWith("A");
  lab.store.put(manifestPath("2026-11-20T10-00-00Z"), "");
  const history = await lab.service.history(PATH);
  expect(history.totalAppearances).toBe(1);
  expect(history.problems).toEqual(["2026-11-20T10-00-00Z: it is empty"]);
});
