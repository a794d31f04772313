import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import { snapshotName } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { metaPath } from "../../../src/snapshots/full-folder.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import { cachedSnapshotNames } from "../../../src/snapshots/manifest-cache.ts";
import { formatManifest, formatMeta } from "../../../src/snapshots/manifest-codec.ts";
import { sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const FIXTURES = join(import.meta.dir, "../../fixtures");

/** Puts every file of a fixture remote into the lab's remote. */
function withFixture(remote: string, options = {}) {
  const lab = snapshotLab(options);
  for (const path of new Bun.Glob("**/*").scanSync({ cwd: join(FIXTURES, remote), dot: true })) {
    lab.store.put(relPath(path), readFileSync(join(FIXTURES, remote, path)));
  }
  return lab;
}

test("listSnapshots: shows both formats of 0.5.31, newest first", async () => {
  const lab = withFixture("claude-mirror-0.5.31/remote-full");
  const infos = await lab.service.list();
  expect(infos.map(({ timestamp, format, totalFiles, problem }) => [timestamp, format, totalFiles, problem])).toEqual([
    ["2026-11-20T17-40-26Z", "full", 5, undefined],
    ["2026-11-20T17-39-59Z", "blobs", 6, undefined],
    ["2026-11-20T17-39-57Z", "blobs", 6, undefined],
  ]);
  expect(infos[0]).toMatchObject({
    triggeredBy: "alice@workstation",
    action: "push",
    filesChanged: ["memory/notes.md"],
  });
});

test("listSnapshots: shows tag and message of 0.5.70", async () => {
  const infos = await withFixture("claude-mirror-0.5.70/remote").service.list();
  expect(infos.map(({ tag, message }) => [tag, message])).toEqual([
    ["v1", "first good state"],
    [null, null],
    [null, null],
  ]);
});

test("listSnapshots: every manifest is fetched once; later a listing is all it costs", async () => {
  const lab = withFixture("claude-mirror-0.5.31/remote-full");
  const first = await lab.service.list();
  expect([lab.spy.count("list"), lab.spy.count("read"), lab.spy.requests.length]).toEqual([1, 3, 4]);
  const next = lab.reopen();
  expect(await next.service.list()).toEqual(first);
  expect(next.spy.requests).toEqual(["list _claude_mirror_snapshots"]);
});

test("listSnapshots: a snapshot of our own is known without reading it, whether or not its version was told", async () => {
  for (const writeReturnsRev of [true, false]) {
    const lab = snapshotLab({ writeReturnsRev });
    const timestamp = await lab.snapshot({ "a.md": "1" });
    const next = lab.reopen();
    expect(await next.service.list()).toMatchObject([{ timestamp, totalFiles: 1 }]);
    expect(next.spy.count("read")).toBe(0);
  }
});

test("listSnapshots: a manifest whose version changed is read again", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "1" });
  lab.store.put(manifestPath(timestamp), JSON.stringify({ files: { "b.md": sha256("x") }, action: "sync" }));
  expect(await lab.reopen().service.list()).toMatchObject([{ timestamp, action: "sync" }]);
});

test("listSnapshots: a racy manifest is not trusted to stay as it is", async () => {
  let time = 0;
  const lab = snapshotLab({ tickMs: 1000, now: () => time });
  const body = (user: string) => JSON.stringify({ files: {}, triggered_by: user });
  lab.store.put(manifestPath("2026-11-20T17-00-00Z"), body("a@b"));
  expect(await lab.service.list()).toMatchObject([{ triggeredBy: "a@b" }]);
  lab.store.put(manifestPath("2026-11-20T17-00-00Z"), body("c@d"));
  time = 5000;
  expect(await lab.service.list()).toMatchObject([{ triggeredBy: "c@d" }]);
});

test("listSnapshots: case 12: an unreadable manifest is shown as a problem, never as an empty snapshot, and asked for again", async () => {
  const lab = snapshotLab();
  const broken = manifestPath("2026-11-20T10-00-00Z");
  lab.store.put(broken, '{"files": {"a.md"');
  const good = await lab.snapshot({ "a.md": "1" });
  expect((await lab.service.list()).map(({ timestamp, problem }) => [timestamp, problem])).toEqual([
    [good, undefined],
    ["2026-11-20T10-00-00Z", "unreadable: it is not valid JSON"],
  ]);
  lab.store.put(broken, JSON.stringify({ files: {}, triggered_by: "mended@home" }));
  expect((await lab.service.list())[1]).toMatchObject({ triggeredBy: "mended@home" });
});

test("listSnapshots: entries that cannot be used stay a problem when the manifest comes from the cache", async () => {
  const lab = snapshotLab();
  lab.store.put(manifestPath("2026-11-20T10-00-00Z"), JSON.stringify({ files: { "../x": sha256("x") } }));
  for (let i = 0; i < 2; i++) {
    expect((await lab.service.list())[0]?.problem).toBe("1 of its entries cannot be used");
  }
});

test("listSnapshots: a full snapshot without its marker is incomplete", async () => {
  const lab = snapshotLab();
  lab.store.put(relPath("_claude_mirror_snapshots/2026-11-20T10-00-00Z/a.md"), "half");
  expect(await lab.service.list()).toMatchObject([
    { format: "full", problem: "incomplete: it has no _snapshot_meta.json" },
  ]);
  lab.store.put(relPath("_claude_mirror_snapshots/2026-11-20T10-00-00Z/_snapshot_meta.json"), '{"total_files": 1}');
  expect((await lab.service.list())[0]).toMatchObject({ totalFiles: 1 });
});

test("listSnapshots: other names are not ours, and a timestamp in both forms is a blobs snapshot", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "1" });
  lab.store.put(relPath(`_claude_mirror_snapshots/${timestamp}/a.md`), "half migrated");
  lab.store.put(relPath("_claude_mirror_snapshots/notes.json"), "{}");
  lab.store.put(relPath("_claude_mirror_snapshots/2026-13-99T99-99-99Z.json"), "{}");
  expect(await lab.service.list()).toMatchObject([{ timestamp, format: "blobs" }]);
});

test("listSnapshots: no snapshots folder is no snapshots", async () => {
  expect(await snapshotLab().service.list()).toEqual([]);
});

test("listSnapshots: one that vanishes meanwhile is left out; a refused sign-in ends it", async () => {
  const lab = snapshotLab();
  const timestamp = await lab.snapshot({ "a.md": "1" });
  const other = lab.otherMachine();
  other.spy.before = (verb) => {
    if (verb === "read") lab.store.delete(manifestPath(timestamp));
  };
  expect(await other.service.list()).toEqual([]);
  await lab.snapshot({ "a.md": "1" });
  other.spy.before = (verb) => {
    if (verb === "read") throw new BackendError("sign in again", { class: "AUTH" });
  };
  await expect(other.service.list()).rejects.toThrow("sign in again");
  other.spy.before = (verb) => {
    if (verb === "read") throw new BackendError("server busy", { class: "TRANSIENT" });
  };
  expect(await other.service.list()).toMatchObject([{ problem: "server busy" }]);
});

test("manifest cache: a lost or damaged file costs a request and nothing else", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "1" });
  const folder = join(lab.stateFolder, "snapshots/manifests");
  const file = join(folder, "index");
  const whole = readFileSync(file, "utf8");
  const expected = await lab.service.history(relPath("a.md"));
  for (const damage of [whole.slice(0, 40), whole.slice(0, -40), whole.replace(sha256("1"), sha256("2")), "", "\n{}"]) {
    writeFileSync(file, damage);
    expect(await lab.reopen().service.history(relPath("a.md"))).toEqual(expected);
  }
  rmSync(folder, { recursive: true });
  expect(await lab.reopen().service.list()).toHaveLength(1);
  expect(existsSync(file)).toBe(true);
});

test("manifest cache: snapshots that are gone from the remote leave it", async () => {
  const lab = withFixture("claude-mirror-0.5.31/remote-full");
  await lab.service.list();
  expect(cachedSnapshotNames(lab.stateFolder)).toEqual([
    "2026-11-20T17-40-26Z",
    "2026-11-20T17-39-59Z",
    "2026-11-20T17-39-57Z",
  ]);
  for (const path of [...lab.store.files.keys()]) {
    if (path.includes("17-39-57Z") || path.includes("17-40-26Z")) lab.store.delete(relPath(path));
  }
  lab.store.folders.delete("_claude_mirror_snapshots/2026-11-20T17-40-26Z");
  lab.store.folders.delete("_claude_mirror_snapshots/2026-11-20T17-40-26Z/memory");
  await lab.service.list();
  expect(cachedSnapshotNames(lab.stateFolder)).toEqual(["2026-11-20T17-39-59Z"]);
});

test("reference 5.2 row 22: 1,000 snapshots cost a request for each that is new, later one for the listing", async () => {
  const lab = snapshotLab();
  const names = Array.from({ length: 1000 }, (_, at) => snapshotName(Date.UTC(2026, 0, 1) + at * 3_600_000));
  const full = names.filter((_, at) => at % 10 === 0);
  for (const timestamp of names) {
    if (full.includes(timestamp))
      lab.store.put(metaPath(timestamp), formatMeta({ ...FACTS, timestamp, format: "full" }));
    else
      lab.store.put(
        manifestPath(timestamp),
        formatManifest({ ...FACTS, timestamp, format: "blobs", files: new Map() }),
      );
  }
  expect(await lab.service.list()).toHaveLength(1000);
  expect([lab.spy.requests.length, lab.spy.count("read")]).toEqual([1001, 1000]);
  const again = lab.reopen();
  await again.snapshot({ "new.md": "new" });
  again.spy.requests.length = 0;
  lab.store.put(
    manifestPath("2027-01-01T00-00-00Z"),
    formatManifest({ ...FACTS, timestamp: "2027-01-01T00-00-00Z", format: "blobs", files: new Map() }),
  );
  expect(await again.service.list()).toHaveLength(1002);
  expect(again.spy.requests).toEqual([
    "list _claude_mirror_snapshots",
    "read _claude_mirror_snapshots/2027-01-01T00-00-00Z.json",
  ]);
});

const FACTS = {
  triggeredBy: "me@desk",
  action: "push",
  filesChanged: [],
  totalFiles: 0,
  tag: null,
  message: null,
};
