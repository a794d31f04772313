import { describe, expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import { RefusedError } from "../../../src/lib/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { fullFolder, META_NAME } from "../../../src/snapshots/full-folder.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import type { GcPlan } from "../../../src/snapshots/model.ts";
import { planForget } from "../../../src/snapshots/retention.ts";
import { blobSource, LAB_START, type SnapshotLab, sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const planned = (lab: SnapshotLab, graceMs = DAY) => lab.service.planGc({ graceMs, madeBy: "alice@desk" });
const contents = (plan: GcPlan) => plan.candidates.map((blob) => blob.sha256).sort();
const digests = (...texts: string[]) => texts.map(sha256).sort();
const blobsOf = (lab: SnapshotLab) =>
  Object.entries(lab.store.tree())
    .flatMap(([path, text]) => (path.includes("_blobs/") ? [text] : []))
    .sort();

/** One snapshot of "kept", one blob "unused" beside it, both of a day and more ago. */
async function labWithOrphan(): Promise<SnapshotLab & { readonly name: string }> {
  const lab = snapshotLab();
  const name = await lab.snapshot({ "a.md": "kept" });
  await lab.service.store(blobSource("unused"));
  lab.clock.ms += DAY + 1000;
  return { ...lab, name };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RefusedError)) throw new Error(`not refused: ${String(error)}`);
  expect(error.guard).toBe("gc");
  return error.message;
}

describe("planGc", () => {
  test("planGc: blobs are listed before manifests, so that a push in between is seen", async () => {
    const lab = await labWithOrphan();
    lab.spy.requests.length = 0;
    expect(contents(await planned(lab))).toEqual(digests("unused"));
    expect(lab.spy.requests).toEqual(["list _claude_mirror_blobs", "list _claude_mirror_snapshots"]);
  });

  test("planGc: younger than the grace period is held until it is not; 0 holds nothing", async () => {
    const lab = await labWithOrphan();
    lab.clock.ms -= 2 * HOUR;
    const plan = await planned(lab);
    expect(plan).toMatchObject({ candidates: [], heldUntilMs: LAB_START + DAY, manifests: 1, blobs: 2 });
    expect(plan.held.map((blob) => blob.sha256)).toEqual(digests("unused"));
    expect(contents(await planned(lab, 0))).toEqual(digests("unused"));
  });

  test("planGc: a blob of unknown age is held", async () => {
    const lab = await labWithOrphan();
    const { list } = lab.spy;
    lab.spy.list = async (under, options) => {
      const listing = await list(under, options);
      return { ...listing, files: listing.files.map(({ modifiedMs: _, ...file }) => file) };
    };
    expect(await planned(lab)).toMatchObject({
      candidates: [],
      held: [{ sha256: sha256("unused") }],
      heldUntilMs: null,
    });
  });

  test("planGc: where our clock is ahead of the server's, ages are told by the server's", async () => {
    const lab = snapshotLab({ now: () => LAB_START });
    lab.clock.ms += 2 * DAY;
    await lab.snapshot({ "a.md": "kept" });
    await lab.service.store(blobSource("unused"));
    expect((await planned(lab)).candidates).toEqual([]);
    const stranger = await lab.service.planGc({ graceMs: DAY, madeBy: "bob@sofa" });
    expect(contents(stranger)).toEqual(digests("unused"));
  });

  test("planGc: files that are no blobs are nobody's business", async () => {
    const lab = await labWithOrphan();
    for (const path of ["_claude_mirror_blobs/notes.txt", `_claude_mirror_blobs/zz/${sha256("x")}`]) {
      lab.store.put(relPath(path), "?");
    }
    lab.clock.ms += 3 * DAY;
    expect(await planned(lab)).toMatchObject({ blobs: 2, candidates: [{ sha256: sha256("unused") }] });
  });

  test("case 12: gc refuses when a manifest cannot be read", async () => {
    for (const text of ["", "{", "[]", '{"format":"v3","files":{}}', '{"files":3}']) {
      const lab = await labWithOrphan();
      lab.store.put(manifestPath("2026-01-01T00-00-00Z"), text);
      const message = await refusal(planned(lab));
      expect(message).toContain('"_claude_mirror_snapshots/2026-01-01T00-00-00Z.json"');
      expect(blobsOf(lab)).toEqual(["kept", "unused"]);
    }
  });

  test("5.2 item 19: a manifest that fails to download is no empty one", async () => {
    const lab = await labWithOrphan();
    const other = lab.otherMachine();
    other.clock.ms = lab.clock.ms;
    other.spy.before = (verb) => {
      if (verb === "read") throw new BackendError("the server answered 503", { class: "TRANSIENT" });
    };
    expect(await refusal(planned(other))).toContain("the server answered 503");
    other.spy.before = (verb) => {
      if (verb === "read") throw new BackendError("signed out", { class: "AUTH" });
    };
    await expect(planned(other)).rejects.toThrow("signed out");
  });

  test("planGc: refuses when an entry of a manifest cannot be used, also when it is read from the cache", async () => {
    const lab = await labWithOrphan();
    const files = { "../escape.md": sha256("unused") };
    lab.store.put(manifestPath("2026-01-01T00-00-00Z"), JSON.stringify({ files }));
    await lab.service.list();
    expect(await refusal(planned(lab))).toContain("1 of its entries cannot be used");
    expect(await refusal(planned(lab))).toContain("1 of its entries cannot be used");
  });

  test("planGc: refuses when there is no manifest at all", async () => {
    const lab = snapshotLab();
    await lab.service.store(blobSource("unused"));
    lab.clock.ms += 2 * DAY;
    expect(await refusal(planned(lab))).toContain("no snapshot manifest");
  });

  test("planGc: manifests under odd names count, files of full snapshots do not", async () => {
    const lab = await labWithOrphan();
    const text = JSON.stringify({ files: { "a.md": sha256("unused") } });
    const full = fullFolder("2026-01-01T00-00-00Z");
    lab.store.put(relPath(`${full}/package.json`), "{ no manifest");
    lab.store.put(relPath(`_claude_mirror_snapshots/odd copy/${META_NAME}`), "{}");
    lab.store.put(relPath("_claude_mirror_snapshots/odd copy/tsconfig.json"), "{ no manifest");
    expect(contents(await planned(lab))).toEqual(digests("unused"));
    for (const name of ["2026-01-01T00-00-00Z (1).json", "old.JSON", "saved/2026-01-01T00-00-00Z.json"]) {
      const path = relPath(`_claude_mirror_snapshots/${name}`);
      lab.store.put(path, text);
      expect([name, contents(await planned(lab))]).toEqual([name, []]);
      lab.store.put(path, "{");
      expect(await refusal(planned(lab))).toContain(name);
      lab.store.delete(path);
    }
  });

  test("planGc: a manifest of equal size but another version is read again", async () => {
    const lab = snapshotLab({ writeReturnsRev: false });
    const name = await lab.snapshot({ "a.md": "one" });
    await lab.service.store(blobSource("two"));
    const text = lab.store.tree()[manifestPath(name)] ?? "";
    lab.store.put(manifestPath(name), text.replace(sha256("one"), sha256("two")));
    lab.clock.ms += 2 * DAY;
    expect(contents(await planned(lab))).toEqual(digests("one"));
  });

  test("planGc: a snapshot that vanishes while it is read is no refusal", async () => {
    const lab = await labWithOrphan();
    const other = lab.otherMachine();
    other.clock.ms = lab.clock.ms;
    await lab.snapshot({ "a.md": "unused" });
    let left = 1;
    other.spy.before = (verb) => {
      if (verb === "read" && left-- > 0) lab.store.delete(manifestPath(lab.name));
    };
    expect(contents(await planned(other))).toEqual(digests("kept"));
  });
});

describe("executeGc", () => {
  test("executeGc: deletes what is unused and nothing else, and this machine knows it", async () => {
    const lab = await labWithOrphan();
    const report = await lab.service.gc(await planned(lab));
    expect(report).toMatchObject({ deleted: [{ sha256: sha256("unused") }], spared: [], failed: [] });
    expect(blobsOf(lab)).toEqual(["kept"]);
    expect(await lab.reopen().service.unstored(digests("unused", "kept"))).toEqual([sha256("unused")]);
  });

  test("executeGc: a snapshot that came to name a blob after the plan keeps it", async () => {
    const lab = await labWithOrphan();
    const plan = await planned(lab);
    const text = (lab.store.tree()[manifestPath(lab.name)] ?? "").replace(sha256("kept"), sha256("unused"));
    lab.store.put(manifestPath("2026-11-22T00-00-00Z"), text);
    expect(await lab.service.gc(plan)).toMatchObject({ deleted: [], spared: [{ sha256: sha256("unused") }] });
    expect(blobsOf(lab)).toEqual(["kept", "unused"]);
  });

  test("executeGc: a push that wants an old unused blob writes it again, and the version on the list is gone", async () => {
    const lab = await labWithOrphan();
    const plan = await planned(lab);
    const pusher = lab.otherMachine();
    pusher.clock.ms = lab.clock.ms;
    expect(await pusher.service.store(blobSource("unused"))).toMatchObject({ sent: true });
    expect(await lab.service.gc(plan)).toMatchObject({ deleted: [], spared: [{ sha256: sha256("unused") }] });
    expect((await planned(lab)).candidates).toEqual([]);
  });

  test("executeGc: refuses when a manifest became unreadable, before anything is deleted", async () => {
    const lab = await labWithOrphan();
    const plan = await planned(lab);
    lab.store.put(manifestPath("2026-11-22T00-00-00Z"), "{");
    await refusal(lab.service.gc(plan));
    expect(blobsOf(lab)).toEqual(["kept", "unused"]);
  });

  test("executeGc: a blob that cannot be deleted is reported and stops no other", async () => {
    const lab = await labWithOrphan();
    await lab.service.store(blobSource("second"));
    lab.clock.ms += 2 * DAY;
    const plan = await planned(lab);
    lab.spy.before = (verb, path) => {
      if (verb === "remove" && path === blobPath(sha256("unused")))
        throw new BackendError("no", { class: "PERMISSION" });
    };
    expect(await lab.service.gc(plan)).toMatchObject({
      deleted: [{ sha256: sha256("second") }],
      failed: [{ sha256: sha256("unused"), error: "no" }],
    });
  });

  test("executeGc: killed before any delete, every snapshot is whole and the next run goes on", async () => {
    for (let step = 1; step <= 4; step++) {
      const lab = await labWithOrphan();
      for (const text of ["u2", "u3"]) await lab.service.store(blobSource(text));
      lab.clock.ms += 2 * DAY;
      let left = step;
      lab.spy.before = (verb) => {
        if (verb === "remove" && --left <= 0) throw new Error("killed");
      };
      const ended = await lab.service.gc(await planned(lab)).then(
        () => true,
        () => false,
      );
      expect(ended).toBe(step === 4);
      const next = lab.reopen();
      expect(next.service.holds(sha256("kept"))).toBe(true);
      expect(await next.service.unstored(digests("unused", "u2", "u3"))).toHaveLength(3);
      await next.service.gc(await planned(next));
      expect(blobsOf(lab)).toEqual(["kept"]);
    }
  });
});

describe("createSnapshot beside forget and gc", () => {
  const forget = async (lab: SnapshotLab, timestamp: string) =>
    lab.service.forget(
      await lab.service.planForget((all) => planForget(all, { kind: "timestamps", timestamps: [timestamp] }, 0)),
    );

  /** A machine that knows "old" from a snapshot which the other one forgets and collects. */
  async function labOfTwo() {
    const lab = snapshotLab();
    const first = await lab.snapshot({ "a.md": "old" });
    lab.clock.ms += 5000;
    await lab.snapshot({ "a.md": "new" });
    const other = lab.otherMachine();
    lab.clock.ms += 2 * DAY;
    await lab.service.list();
    lab.clock.ms += HOUR;
    other.clock.ms = lab.clock.ms;
    await forget(other, first);
    await other.service.gc(await planned(other));
    expect(blobsOf(lab)).toEqual(["new"]);
    const facts = { action: "push", user: "alice", machine: "desk", filesChanged: [] } as const;
    const snapshot = { ...facts, files: new Map([[relPath("a.md"), sha256("old")]]) };
    return { lab, snapshot };
  }

  test("createSnapshot: a body whose snapshots were forgotten meanwhile is stored again", async () => {
    const { lab, snapshot } = await labOfTwo();
    expect(await lab.service.unstored([sha256("old")])).toEqual([]);
    await lab.service.create(snapshot, { storeAgain: async () => void (await lab.service.store(blobSource("old"))) });
    expect(blobsOf(lab)).toEqual(["new", "old"]);
    expect(lab.service.holds(sha256("old"))).toBe(true);
  });

  test("createSnapshot: without a way to store it again it fails, and the next attempt stores it", async () => {
    const { lab, snapshot } = await labOfTwo();
    const facts = { ...snapshot, atMs: lab.clock.ms };
    await expect(lab.service.create(facts)).rejects.toThrow("were deleted meanwhile");
    expect(await lab.service.unstored([sha256("old")])).toEqual([sha256("old")]);
    await lab.service.store(blobSource("old"));
    await lab.service.create(facts);
    expect(blobsOf(lab)).toEqual(["new", "old"]);
  });

  test("surelyHolds: a look at the remote finds that the snapshots are gone", async () => {
    const { lab } = await labOfTwo();
    expect(lab.service.holds(sha256("old"))).toBe(true);
    expect(await lab.service.surelyHolds([sha256("old")])).toBe(false);
    expect(await lab.service.surelyHolds([sha256("new")])).toBe(true);
  });
});
