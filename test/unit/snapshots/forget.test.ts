import { describe, expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { fullFolder, META_NAME } from "../../../src/snapshots/full-folder.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import type { ForgetOutcome } from "../../../src/snapshots/model.ts";
import { planForget } from "../../../src/snapshots/retention.ts";
import { openSnapshots } from "../../../src/snapshots/service.ts";
import { type MemoryBackend, memoryBackend } from "../../support/memory-backend.ts";
import { type SnapshotLab, sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const FULL = "2026-01-01T00-00-00Z";

function putFull(lab: SnapshotLab, timestamp: string, files: Readonly<Record<string, string>>): void {
  const folder = fullFolder(timestamp);
  for (const [path, content] of Object.entries(files)) lab.store.put(relPath(`${folder}/${path}`), content);
  const meta = {
    timestamp,
    triggered_by: "alice@desk",
    action: "push",
    files_changed: [],
    total_files: 2,
    format: "full",
  };
  lab.store.put(relPath(`${folder}/${META_NAME}`), JSON.stringify(meta));
}

/** The service over a backend that can do all that the memory one can. */
function serviceOn(lab: SnapshotLab, backend: MemoryBackend = memoryBackend({ store: lab.store })) {
  return openSnapshots({ backend, stateFolder: lab.stateFolder, clock: lab.clock, workers: 4 });
}

type Service = ReturnType<typeof serviceOn>;

function planOf(service: Service, ...timestamps: string[]) {
  return service.planForget((all) => planForget(all, { kind: "timestamps", timestamps }, 0));
}

async function forget(service: Service, ...timestamps: string[]): Promise<readonly ForgetOutcome[]> {
  return service.forget(await planOf(service, ...timestamps));
}

const listed = async (service: Service) => (await service.list()).map(({ timestamp }) => timestamp);

describe("executeForget", () => {
  test("executeForget: the manifest goes, the blobs stay", async () => {
    const lab = snapshotLab();
    const first = await lab.snapshot({ "a.md": "one" });
    lab.clock.ms += 5000;
    const second = await lab.snapshot({ "a.md": "two" });
    const blobs = () => Object.keys(lab.store.tree()).filter((path) => path.includes("_blobs/"));
    const before = blobs();
    expect(await forget(lab.service, first)).toEqual([{ timestamp: first, format: "blobs", status: "forgotten" }]);
    expect(await listed(lab.service)).toEqual([second]);
    expect(blobs()).toEqual(before);
    expect([lab.service.holds(sha256("one")), lab.service.holds(sha256("two"))]).toEqual([false, true]);
  });

  test("executeForget: a manifest that is another version by now stays and is reported", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot({ "a.md": "one" });
    const plan = await planOf(lab.service, name);
    lab.store.put(manifestPath(name), (lab.store.tree()[manifestPath(name)] ?? "").replace("alice", "bobby"));
    expect(await lab.service.forget(plan)).toMatchObject([{ timestamp: name, status: "failed" }]);
    expect(lab.store.tree()[manifestPath(name)]).toContain("bobby");
  });

  test("executeForget: one that somebody else has deleted is gone, no failure", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot({ "a.md": "one" });
    const plan = await planOf(lab.service, name);
    lab.store.delete(manifestPath(name));
    expect(await lab.service.forget(plan)).toMatchObject([{ status: "gone" }]);
  });

  test("executeForget: one failure stops no other", async () => {
    const lab = snapshotLab();
    const first = await lab.snapshot({ "a.md": "one" });
    lab.clock.ms += 5000;
    const second = await lab.snapshot({ "a.md": "two" });
    const plan = await planOf(lab.service, first, second);
    lab.spy.before = (verb, path) => {
      if (verb === "remove" && path.includes(first)) throw new BackendError("locked", { class: "PERMISSION" });
    };
    expect(await lab.service.forget(plan)).toMatchObject([
      { timestamp: second, status: "forgotten" },
      { timestamp: first, status: "failed", error: "locked" },
    ]);
  });

  test("executeForget: a signed-out remote ends it at once", async () => {
    const lab = snapshotLab();
    const plan = await planOf(lab.service, await lab.snapshot({ "a.md": "one" }));
    lab.spy.before = (verb) => {
      if (verb === "remove") throw new BackendError("signed out", { class: "AUTH" });
    };
    await expect(lab.service.forget(plan)).rejects.toThrow("signed out");
  });

  test("executeForget: of a full snapshot nothing is left, not even its folder", async () => {
    const lab = snapshotLab();
    const kept = await lab.snapshot({ "a.md": "one" });
    putFull(lab, FULL, { "a.md": "a", "deep/er/b.md": "b", "data.json": "{}" });
    const service = serviceOn(lab);
    expect(await forget(service, FULL)).toEqual([{ timestamp: FULL, format: "full", status: "forgotten" }]);
    expect(Object.keys(lab.store.tree()).filter((path) => path.includes(FULL))).toEqual([]);
    expect(await listed(service)).toEqual([kept]);
  });

  test("executeForget: a name with both forms loses both", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot({ "a.md": "one" });
    putFull(lab, name, { "a.md": "one" });
    const service = serviceOn(lab);
    await forget(service, name);
    expect(await listed(service)).toEqual([]);
    expect(lab.store.isFolder(fullFolder(name))).toBe(false);
  });

  test("executeForget: killed before any step, what is left is whole or shown as incomplete, and the next run ends it", async () => {
    for (let step = 1; ; step++) {
      const lab = snapshotLab();
      const kept = await lab.snapshot({ "a.md": "one", "b.md": "two" });
      lab.clock.ms += 5000;
      const doomed = await lab.snapshot({ "a.md": "one", "b.md": "three" });
      putFull(lab, FULL, { "a.md": "a", "deep/b.md": "b" });
      const backend = memoryBackend({ store: lab.store });
      const service = serviceOn(lab, dyingAt(backend, step));
      const plan = await planOf(service, doomed, FULL);
      const ended = await service.forget(plan).then(
        (outcomes) => outcomes.every(({ status }) => status === "forgotten"),
        () => false,
      );
      const next = serviceOn(lab);
      for (const { timestamp, problem } of await next.list()) {
        if (problem !== undefined) expect([timestamp, problem]).toEqual([FULL, `incomplete: it has no ${META_NAME}`]);
        else expect(await isWhole(next, timestamp)).toBe(true);
      }
      expect(await isWhole(next, kept)).toBe(true);
      const again = await next.planForget((all) => planForget(all, { kind: "keep-last", count: 9 }, 0));
      const rest = (await next.list()).map(({ timestamp }) => timestamp).filter((name) => name === doomed);
      await next.forget(again);
      await forget(next, ...rest);
      // What lost nothing yet was not begun: only a rule or its name selects it.
      const full = (await next.list()).find(({ timestamp }) => timestamp === FULL);
      if (full) expect([full.problem, await isWhole(next, FULL)]).toEqual([undefined, true]);
      if (full) await forget(next, FULL);
      expect(await listed(next)).toEqual([kept]);
      expect(lab.store.isFolder(fullFolder(FULL))).toBe(false);
      if (ended) return expect(step).toBeGreaterThan(5);
    }
  });
});

/** Everything fails from the `step`-th change on, as after `kill -9`. */
function dyingAt(backend: MemoryBackend, step: number): MemoryBackend {
  let left = step;
  const alive = async <T>(act: () => Promise<T>): Promise<T> => {
    left--;
    if (left <= 0) throw new Error("killed");
    return act();
  };
  return {
    ...backend,
    remove: (path, options) => alive(() => backend.remove(path, options)),
    removeFolder: (path, options) => alive(async () => backend.removeFolder?.(path, options)),
    list: (under, options) => (left <= 0 ? Promise.reject(new Error("killed")) : backend.list(under, options)),
  };
}

/** True when every body of a blobs snapshot, or every file of the full one, can be read. */
async function isWhole(service: Service, timestamp: string): Promise<boolean> {
  const { files } = await service.inspect(timestamp, []);
  if (timestamp === FULL) return files.length === 2;
  for (const file of files) await new Response((await service.read(file.sha256 as string)).body).bytes();
  return files.length === 2;
}
