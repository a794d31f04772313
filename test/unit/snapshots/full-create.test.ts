import { describe, expect, test } from "bun:test";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { claimPath, fullFolder, fullPath, metaPath } from "../../../src/snapshots/full-folder.ts";
import { sourceOf } from "../../support/bodies.ts";
import { LAB_START, type LabOptions, type SnapshotLab, snapshotLab } from "../../support/snapshot-lab.ts";

const FIRST = "2026-11-20T17-40-26Z";
const SECOND = "2026-11-20T17-40-27Z";

function labWith(files: Readonly<Record<string, string>>, options: LabOptions = { copies: true }): SnapshotLab {
  const lab = snapshotLab(options);
  for (const [path, content] of Object.entries(files)) lab.store.put(relPath(path), content);
  return lab;
}

/** What the folder holds, below the files' own names. */
function folderOf(lab: SnapshotLab, timestamp: string): Record<string, string> {
  const prefix = `${fullFolder(timestamp)}/`;
  const found = Object.entries(lab.store.tree()).filter(([path]) => path.startsWith(prefix));
  return Object.fromEntries(found.map(([path, text]) => [path.slice(prefix.length), text]));
}

const FILES = { "a.md": "one", "memory/b.md": "two", "empty.md": "" };

describe("createFull", () => {
  test("copies every agreed file and writes the marker of 0.5.31 last", async () => {
    const lab = labWith(FILES);
    expect(await lab.fullSnapshot()).toEqual({ timestamp: FIRST, lacking: [] });
    expect(folderOf(lab, FIRST)).toEqual({
      ...FILES,
      "_snapshot_meta.json": `{
  "timestamp": "${FIRST}",
  "triggered_by": "alice@desk",
  "action": "push",
  "files_changed": [
    "a.md"
  ],
  "total_files": 3,
  "format": "full"
}`,
    });
    const changes = lab.spy.requests.filter((request) => /^(write|copy|remove)/.test(request));
    expect(changes[0]).toBe(`write ${claimPath(FIRST)}`);
    expect(changes.slice(-2)).toEqual([`write ${metaPath(FIRST)}`, `remove ${claimPath(FIRST)}`]);
    expect(changes).toHaveLength(6);
    expect(lab.store.get(claimPath(FIRST))).toBeUndefined();
  });

  test("a tag or message brings both keys, after the format", async () => {
    const lab = labWith({});
    await lab.fullSnapshot({ action: "manual", tag: "v1" });
    expect(folderOf(lab, FIRST)["_snapshot_meta.json"]).toEndWith(
      `"format": "full",\n  "tag": "v1",\n  "message": null\n}`,
    );
  });

  test("where the remote cannot copy, the bodies are brought; one that nobody has is answered", async () => {
    const lab = labWith(FILES, { copies: false });
    const { lacking } = await lab.fullSnapshot({
      async bring(path, use) {
        if (path === "empty.md") return false;
        await use(sourceOf(FILES[path as keyof typeof FILES]));
        return true;
      },
    });
    expect(lacking).toEqual([{ path: relPath("empty.md"), reason: "no copy of its agreed version is left" }]);
    const { "_snapshot_meta.json": meta = "", ...files } = folderOf(lab, FIRST);
    expect(files).toEqual({ "a.md": "one", "memory/b.md": "two" });
    expect(JSON.parse(meta).total_files).toBe(2);
  });

  test("a file that has moved on since it was agreed on is not copied as it is now", async () => {
    const lab = labWith(FILES);
    const files = lab.agreed();
    lab.store.put(relPath("a.md"), "newer");
    const { lacking } = await lab.fullSnapshot({
      files,
      async bring(path, use) {
        await use(sourceOf(path === "a.md" ? "one" : "wrong"));
        return true;
      },
    });
    expect(lacking).toEqual([]);
    expect(folderOf(lab, FIRST)).toMatchObject(FILES);
  });

  test("a version of which only a blob is left is copied from there", async () => {
    const lab = labWith(FILES);
    await lab.snapshot({ "a.md": "one" });
    const files = lab.agreed();
    lab.store.put(relPath("a.md"), "newer");
    const { timestamp, lacking } = await lab.fullSnapshot({ files });
    expect([timestamp, lacking]).toEqual([SECOND, []]);
    expect(folderOf(lab, SECOND)).toMatchObject(FILES);
  });

  test("a copy of a version that another content could have is read and compared", async () => {
    const lab = labWith(FILES);
    const files = lab.agreed().map((file) => (file.path === "a.md" ? { ...file, racy: true } : file));
    const rev = lab.store.get(relPath("a.md"))?.rev;
    Object.assign(lab.store.put(relPath("a.md"), "ONE"), { rev });
    const { lacking } = await lab.fullSnapshot({ files });
    expect(lacking.map(({ path }) => String(path))).toEqual(["a.md"]);
    expect(Object.keys(folderOf(lab, FIRST))).not.toContain("a.md");
  });

  test("a copy that the remote does not let us look at is not left in it", async () => {
    const lab = labWith(FILES);
    const files = lab.agreed().map((file) => (file.path === "a.md" ? { ...file, racy: true } : file));
    lab.spy.before = (verb, path) => {
      if (verb === "read" && path.endsWith("/a.md")) throw new BackendError("no", { class: "FILE_REJECTED" });
    };
    const { lacking } = await lab.fullSnapshot({ files });
    expect(lacking).toEqual([{ path: relPath("a.md"), reason: "no" }]);
    const { "_snapshot_meta.json": meta = "", ...held } = folderOf(lab, FIRST);
    expect(Object.keys(held).sort()).toEqual(["empty.md", "memory/b.md"]);
    expect(JSON.parse(meta).total_files).toBe(2);
  });

  test("reference 5.2 row 23: two machines in one second get two folders, and neither has files of the other", async () => {
    const lab = labWith({ "a.md": "one" });
    const other = lab.otherMachine();
    const [mine, theirs] = await Promise.all([lab.fullSnapshot(), other.fullSnapshot({ machine: "lap" })]);
    expect([mine.timestamp, theirs.timestamp].sort()).toEqual([FIRST, SECOND]);
    for (const { timestamp } of [mine, theirs]) expect(folderOf(lab, timestamp)["a.md"]).toBe("one");
    expect((await lab.service.list()).map(({ problem }) => problem)).toEqual([undefined, undefined]);
  });

  test("a second one does not take the name of a manifest, a folder or a claim", async () => {
    const lab = labWith({ "a.md": "one" });
    await lab.snapshot({ "a.md": "one" });
    lab.store.put(fullPath(SECOND, "x.md"), "somebody's");
    lab.store.put(claimPath("2026-11-20T17-40-28Z"), "somebody's");
    expect((await lab.fullSnapshot()).timestamp).toBe("2026-11-20T17-40-29Z");
  });

  test("repeated with the same facts it finds what it made, without a request", async () => {
    const lab = labWith(FILES);
    const first = await lab.fullSnapshot({ atMs: LAB_START });
    const again = lab.reopen();
    expect(await again.fullSnapshot({ atMs: LAB_START })).toEqual(first);
    expect(again.spy.requests).toEqual([]);
  });

  test("answers that got lost make no second snapshot", async () => {
    const lab = labWith(FILES);
    const { write } = lab.spy;
    // As a retry finds it: the first attempt has arrived.
    const landed: typeof write = async (...call) => {
      await write(...call);
      throw new StaleError("it is there");
    };
    Object.assign(lab.spy, { write: landed });
    expect(await lab.fullSnapshot()).toEqual({ timestamp: FIRST, lacking: [] });
    expect((await lab.service.list()).map(({ problem }) => problem)).toEqual([undefined]);
  });
});

describe("createFull, broken off", () => {
  /** Breaks off before the `at`-th request that changes something. */
  async function brokenAt(lab: SnapshotLab, at: number): Promise<boolean> {
    let changes = 0;
    lab.spy.before = (verb) => {
      if (["write", "copy", "remove"].includes(verb) && ++changes >= at)
        throw new BackendError("gone", { class: "TRANSIENT" });
    };
    const outcome = await lab.fullSnapshot({ atMs: LAB_START }).then(
      () => true,
      () => false,
    );
    lab.spy.before = () => {};
    return outcome;
  }

  test("reference 5.2 row 24: at any request it is shown as incomplete, and the repetition finishes the same folder", async () => {
    for (let at = 1; ; at++) {
      const lab = labWith(FILES);
      if (await brokenAt(lab, at)) break;
      for (const info of await lab.otherMachine().service.list()) {
        if (lab.store.get(metaPath(FIRST)) === undefined) expect(info.problem).toContain("incomplete");
      }
      const again = lab.reopen();
      expect(await again.fullSnapshot({ atMs: LAB_START })).toEqual({ timestamp: FIRST, lacking: [] });
      expect((await again.service.list()).map((info) => [info.timestamp, info.problem])).toEqual([[FIRST, undefined]]);
      expect(folderOf(lab, FIRST)).toMatchObject(FILES);
      expect(lab.store.get(claimPath(FIRST))).toBeUndefined();
      expect(at).toBeLessThan(20);
    }
  });

  test("at any request: the next snapshot of another state removes what was left", async () => {
    for (let at = 1; ; at++) {
      const lab = labWith(FILES);
      if (await brokenAt(lab, at)) break;
      const whole = lab.store.get(metaPath(FIRST)) !== undefined;
      lab.store.put(relPath("a.md"), "newer");
      const again = lab.reopen();
      again.clock.ms += 5000;
      const { timestamp } = await again.fullSnapshot();
      const names = (await again.service.list()).map((info) => info.timestamp);
      expect(names).toEqual(whole ? [timestamp, FIRST] : [timestamp]);
      expect(Object.keys(lab.store.tree()).filter((path) => path.endsWith(".claim"))).toEqual([]);
    }
  });

  test("a folder that was filled half is not trusted: what differs in size is copied anew", async () => {
    const lab = labWith(FILES);
    await brokenAt(lab, 4);
    lab.store.put(fullPath(FIRST, "a.md"), "on");
    await lab.reopen().fullSnapshot({ atMs: LAB_START });
    expect(folderOf(lab, FIRST)).toMatchObject(FILES);
  });

  test("a name that somebody else has taken meanwhile is given up", async () => {
    const lab = labWith(FILES);
    await brokenAt(lab, 3);
    lab.store.put(claimPath(FIRST), "another's");
    expect((await lab.reopen().fullSnapshot({ atMs: LAB_START })).timestamp).toBe(SECOND);
  });
});

describe("a full project", () => {
  test("holds: what the newest full snapshot of this machine has is held while its marker is there", async () => {
    const lab = labWith(FILES);
    await lab.fullSnapshot();
    const [one] = lab.agreed();
    const sha256 = one?.sha256 ?? "";
    const again = lab.reopen();
    expect([again.service.holds(sha256), await again.service.surelyHolds([sha256])]).toEqual([true, true]);
    lab.store.delete(metaPath(FIRST));
    expect([await again.service.surelyHolds([sha256]), again.service.holds(sha256)]).toEqual([false, false]);
  });
});
