import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { aroundVerbs } from "../../../src/backends/wrap/verbs.ts";
import { relPath } from "../../../src/lib/path.ts";
import { toBytes, toText } from "../../../src/lib/streams.ts";
import { fullFolder, fullPath, META_NAME, metaPath } from "../../../src/snapshots/full-folder.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import type { MigrateOptions } from "../../../src/snapshots/migrate-run.ts";
import type { MigrationOutcome, SnapshotFormat } from "../../../src/snapshots/model.ts";
import { openSnapshots, type SnapshotService } from "../../../src/snapshots/service.ts";
import { sourceOf } from "../../support/bodies.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { type MemoryOptions, memoryBackend } from "../../support/memory-backend.ts";
import type { MemoryStore } from "../../support/memory-store.ts";
import { type SnapshotLab, sha256, snapshotLab } from "../../support/snapshot-lab.ts";
import { tempFolder } from "../../support/temp.ts";

type Contents = Readonly<Record<string, string>>;

const FULL = "2026-11-01T00-00-00Z";
const OTHER = "2026-11-02T00-00-00Z";
const FILES: Contents = { "a.md": "old a", "sub/b.md": "b", "empty.md": "" };

async function migrate(service: SnapshotService, to: SnapshotFormat, keepSource = false): Promise<string[]> {
  return told(await service.migrate(await service.planMigration(to), { keepSource, withLocalCopy }));
}

const withLocalCopy: MigrateOptions["withLocalCopy"] = async (_path, body, use) => {
  const bytes = await toBytes(body, { limit: 1_000_000 });
  await use(sourceOf(bytes));
};

/** The same machine in its next run, with every verb of the remote but those that `options` take away. */
function fresh(lab: SnapshotLab, options: MemoryOptions = {}): SnapshotService {
  return openSnapshots({ ...lab, backend: memoryBackend({ store: lab.store, ...options }), workers: 4 });
}

function told(outcomes: readonly MigrationOutcome[]): string[] {
  return outcomes.map(
    ({ timestamp, status, error }) => `${status} ${timestamp}${error === undefined ? "" : `: ${error}`}`,
  );
}

/** A snapshot as the Python tool writes it in the full format. */
function putFull(store: MemoryStore, name: string, files: Contents, meta: object = {}): void {
  for (const [path, content] of Object.entries(files)) store.put(fullPath(name, path), content);
  const marker = {
    timestamp: name,
    triggered_by: "bob@laptop",
    action: "sync",
    files_changed: ["a.md"],
    total_files: Object.keys(files).length,
    format: "full",
    ...meta,
  };
  store.put(metaPath(name), JSON.stringify(marker, undefined, 2));
}

function manifest(store: MemoryStore, name: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(store.get(manifestPath(name))?.bytes)) as Record<string, unknown>;
}

function named(store: MemoryStore): string[] {
  return Object.keys(store.tree()).filter((path) => path.includes("snapshots/"));
}

/** What a restore would bring back, read by a machine that has never seen this remote; throws where it could not. */
async function contents(store: MemoryStore, timestamp: string): Promise<Contents> {
  const lab = snapshotLab({ store });
  const { files } = await lab.service.inspect(timestamp, []);
  const found: Record<string, string> = {};
  for (const { path, sha256: digest } of files) {
    const { body } = digest === null ? await lab.spy.read(fullPath(timestamp, path)) : await lab.service.read(digest);
    found[path] = await toText(body, { limit: 1_000_000 });
  }
  return found;
}

describe("migrate to blobs", () => {
  test("migrate: carries who, what, tag and message, adds migrated_from, and removes the folder", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES, { tag: "v1", message: "good" });
    putFull(lab.store, OTHER, { ...FILES, "a.md": "new a" });
    expect(await migrate(fresh(lab), "blobs")).toEqual([`converted ${FULL}`, `converted ${OTHER}`]);
    expect(manifest(lab.store, FULL)).toEqual({
      action: "sync",
      files: { "a.md": sha256("old a"), "sub/b.md": sha256("b"), "empty.md": sha256("") },
      files_changed: ["a.md"],
      format: "v2",
      message: "good",
      migrated_from: "full",
      tag: "v1",
      timestamp: FULL,
      total_files: 3,
      triggered_by: "bob@laptop",
    });
    expect(manifest(lab.store, OTHER)).not.toHaveProperty("tag");
    expect(named(lab.store)).toEqual([manifestPath(FULL), manifestPath(OTHER)]);
    expect(lab.store.view("").folders).not.toContain(fullFolder(FULL));
    expect(await contents(lab.store, FULL)).toEqual(FILES);
    expect((await fresh(lab).verify({ place: "memory" })).findings).toEqual([]);
  });

  test("migrate: run again it has nothing to do and writes nothing", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    await migrate(fresh(lab), "blobs");
    const writes = lab.store.log.length;
    expect(await fresh(lab).planMigration("blobs")).toEqual({ to: "blobs", steps: [], already: 1 });
    expect(await migrate(fresh(lab), "blobs")).toEqual([]);
    expect(lab.store.log.length).toBe(writes);
  });

  test("data-loss case 1: every version keeps its own bytes, not those of the live file", async () => {
    const lab = snapshotLab();
    for (const [path, text] of Object.entries(FILES)) lab.store.put(relPath(path), `${text} of today`);
    putFull(lab.store, FULL, FILES);
    putFull(lab.store, OTHER, { "a.md": "second a" });
    await migrate(fresh(lab), "blobs");
    expect(await contents(lab.store, FULL)).toEqual(FILES);
    expect(await contents(lab.store, OTHER)).toEqual({ "a.md": "second a" });
  });

  test("migrate: with keep-source both forms stay, and the next run cleans up what it has verified", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    expect(await migrate(fresh(lab), "blobs", true)).toEqual([`converted ${FULL}`]);
    expect(named(lab.store)).toHaveLength(5);
    expect(await migrate(fresh(lab), "blobs")).toEqual([`cleaned ${FULL}`]);
    expect(named(lab.store)).toEqual([manifestPath(FULL)]);
  });

  test("migrate: a folder that differs from the manifest of its name stays, and so does one whose blobs are damaged", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    await migrate(fresh(lab), "blobs", true);
    lab.store.put(fullPath(FULL, "sub/b.md"), "another b");
    const before = lab.store.tree();
    const [differs] = await migrate(fresh(lab), "blobs");
    expect(differs).toContain(`failed ${FULL}: cannot migrate snapshot "${FULL}": its folder and its manifest differ`);
    expect(lab.store.tree()).toEqual(before);
    lab.store.put(fullPath(FULL, "sub/b.md"), "b");
    lab.store.put(blobPath(sha256("old a")), "0ld a");
    const [damaged] = await migrate(fresh(lab), "blobs");
    expect(damaged).toContain("is damaged");
    expect(await contents(lab.store, FULL).catch(() => "damaged")).toBe("damaged");
    expect(named(lab.store)).toHaveLength(5);
  });

  test("migrate: a blob that we only believe to be stored is looked at before the folder goes", async () => {
    const lab = snapshotLab();
    await lab.snapshot({ "a.md": "old a" });
    putFull(lab.store, FULL, FILES);
    lab.store.delete(blobPath(sha256("old a")));
    expect(await migrate(fresh(lab), "blobs")).toEqual([`converted ${FULL}`]);
    expect(await contents(lab.store, FULL)).toEqual(FILES);
    putFull(lab.store, OTHER, FILES);
    lab.store.put(blobPath(sha256("old a")), "0ld a");
    expect((await migrate(fresh(lab), "blobs"))[0]).toContain("is damaged");
    expect(await contents(lab.store, OTHER)).toEqual(FILES);
  });

  test("migrate: incomplete, unreadable and cut folders are left alone", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    lab.store.delete(metaPath(FULL));
    expect(await migrate(fresh(lab), "blobs")).toEqual([`skipped ${FULL}: incomplete: it has no ${META_NAME}`]);
    putFull(lab.store, FULL, FILES, { total_files: 4 });
    expect((await migrate(fresh(lab), "blobs"))[0]).toContain("1 of its 4 files are missing");
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    faults.truncate(2, { path: fullPath(FULL, "a.md") });
    putFull(lab.store, FULL, FILES);
    const cut = openSnapshots({ ...lab, stateFolder: tempFolder("other"), backend: faults.backend, workers: 2 });
    expect((await migrate(cut, "blobs"))[0]).toContain("has 5 bytes and 2 came");
    expect(await contents(lab.store, FULL)).toEqual(FILES);
  });

  test("migrate: a folder that cannot be removed is told, and goes with the next run", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    faults.fail("remove", new BackendError("cannot remove: 503", { class: "TRANSIENT" }), {
      path: fullPath(FULL, "a.md"),
    });
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 1 });
    const [left] = await migrate(service, "blobs");
    expect(left).toStartWith(`converted ${FULL}: it is converted, and what is left`);
    expect(await contents(lab.store, FULL)).toEqual(FILES);
    expect(await migrate(service, "blobs")).toEqual([`cleaned ${FULL}`]);
    expect(named(lab.store)).toEqual([manifestPath(FULL)]);
  });

  test("migrate: a remote that keeps empty folders is migrated as well, once", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    expect(await migrate(lab.service, "blobs")).toEqual([`converted ${FULL}`]);
    expect(lab.store.view("").folders).toContain(fullFolder(FULL));
    expect(await lab.service.planMigration("blobs")).toEqual({ to: "blobs", steps: [], already: 1 });
  });

  test("migrate: without space it ends at once, and everything is still there", async () => {
    const lab = snapshotLab();
    putFull(lab.store, FULL, FILES);
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    faults.fail("write", new BackendError("cannot write: the quota is used up", { class: "QUOTA" }));
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 1 });
    await expect(migrate(service, "blobs")).rejects.toThrow("quota");
    expect(await contents(lab.store, FULL)).toEqual(FILES);
  });
});

describe("migrate to full", () => {
  test("migrate: carries who, what, tag and message, adds migrated_from, and removes the manifest", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES, { tag: "v1", message: "good", filesChanged: ["a.md"] });
    const plain = await lab.snapshot({ "a.md": "new a" }, { atMs: lab.clock.ms + 5000 });
    expect(await migrate(fresh(lab), "full")).toEqual([`converted ${name}`, `converted ${plain}`]);
    const text = new TextDecoder().decode(lab.store.get(metaPath(name))?.bytes);
    expect(text).toBe(
      JSON.stringify(
        {
          timestamp: name,
          triggered_by: "alice@desk",
          action: "push",
          files_changed: ["a.md"],
          total_files: 3,
          format: "full",
          tag: "v1",
          message: "good",
          migrated_from: "blobs",
        },
        undefined,
        2,
      ),
    );
    expect(named(lab.store).some((path) => path.endsWith("Z.json"))).toBe(false);
    expect(await contents(lab.store, name)).toEqual(FILES);
    expect(await fresh(lab).planMigration("full")).toEqual({ to: "full", steps: [], already: 2 });
  });

  test("migrate: where the server cannot copy, the contents are sent", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES);
    expect(await migrate(fresh(lab, { copy: false }), "full")).toEqual([`converted ${name}`]);
    expect(await contents(lab.store, name)).toEqual(FILES);
  });

  test("reference 5.2 row 20: a half-filled folder is never taken for the whole, and the manifest stays until it is", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES);
    // As an interrupted conversion leaves it: files first, the marker last.
    lab.store.put(fullPath(name, "a.md"), "old a");
    expect(await migrate(fresh(lab), "full")).toEqual([`converted ${name}`]);
    expect(await contents(lab.store, name)).toEqual(FILES);
    const again = await lab.snapshot(FILES, { atMs: lab.clock.ms + 5000 });
    lab.store.put(fullPath(again, "sub/b.md"), "half of ");
    lab.store.delete(blobPath(sha256("old a")));
    expect((await migrate(fresh(lab), "full"))[0]).toContain('"a.md" cannot be copied');
    expect(lab.store.get(manifestPath(again))).toBeDefined();
  });

  test("reference 5.2 row 20: the other way, a half-filled folder beside a manifest does not cost the manifest", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES);
    lab.store.put(fullPath(name, "a.md"), "old a");
    expect(await migrate(fresh(lab), "blobs")).toEqual([`cleaned ${name}`]);
    expect(named(lab.store)).toEqual([manifestPath(name)]);
    expect(await contents(lab.store, name)).toEqual(FILES);
  });

  test("migrate: a marker beside files that are not the manifest's does not cost the manifest", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES);
    for (const [files, why] of [
      [{ "a.md": "old a" }, 'its copy of "empty.md" is missing'],
      [{ ...FILES, "a.md": "0ld a" }, 'its copy of "a.md" holds other bytes'],
      [{ ...FILES, "c.md": "more" }, 'its folder holds "c.md"'],
    ] as const) {
      putFull(lab.store, name, files);
      const before = lab.store.tree();
      expect((await migrate(fresh(lab), "full"))[0]).toContain(why);
      expect(lab.store.tree()).toEqual(before);
      for (const path of named(lab.store)) if (!path.endsWith("Z.json")) lab.store.delete(relPath(path));
    }
    lab.store.put(metaPath(name), "{");
    expect((await migrate(fresh(lab), "full"))[0]).toContain("cannot migrate");
    expect(lab.store.get(manifestPath(name))).toBeDefined();
  });

  test("migrate: a damaged content keeps its manifest, and an unreadable manifest is left alone", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES);
    lab.store.put(blobPath(sha256("b")), "x");
    expect((await migrate(fresh(lab), "full"))[0]).toContain('its copy of "sub/b.md" holds other bytes');
    expect((await migrate(fresh(lab, { copy: false }), "full"))[0]).toContain('"sub/b.md" cannot be copied');
    expect(lab.store.get(manifestPath(name))).toBeDefined();
    expect(lab.store.get(metaPath(name))).toBeUndefined();
    lab.store.put(blobPath(sha256("b")), "b");
    expect(await migrate(fresh(lab), "full")).toEqual([`converted ${name}`]);
    lab.store.put(manifestPath(OTHER), "{");
    expect((await migrate(fresh(lab), "full"))[0]).toContain(`failed ${OTHER}`);
  });

  test("migrate: a manifest that was made anew meanwhile is not deleted", async () => {
    const lab = snapshotLab();
    const name = await lab.snapshot(FILES);
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    const anew = () => lab.store.put(manifestPath(name), lab.store.get(manifestPath(name))?.bytes as Uint8Array);
    faults.before("remove", anew, { path: manifestPath(name) });
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 1 });
    expect((await migrate(service, "full"))[0]).toContain("could not be removed");
    expect(lab.store.get(manifestPath(name))).toBeDefined();
    faults.verify();
  });
});

class Killed extends Error {}

/** Ends with the `at`-th call that changes something: before it takes effect, or after. */
function killing(backend: Backend, at: number, when: "before" | "after"): Backend {
  let left = at;
  return aroundVerbs(backend, async ({ verb }, act) => {
    if (left <= 0) throw new Killed();
    if (!["write", "remove", "copy", "move", "removeFolder"].includes(verb)) return act();
    left--;
    if (left === 0 && when === "before") throw new Killed();
    const result = await act();
    if (left === 0) throw new Killed();
    return result;
  });
}

describe.each(["blobs", "full"] as const)("migrate to %s, killed at every step", (to) => {
  /** Snapshots of the other format, one of them converted by halves already by hand of an earlier run. */
  async function prepared(
    copy: boolean,
  ): Promise<{ readonly lab: SnapshotLab; readonly wanted: Map<string, Contents> }> {
    const lab = snapshotLab({ copy });
    const wanted = new Map<string, Contents>();
    for (const [at, files] of [FILES, { "a.md": "new a" }].entries()) {
      if (to === "full") wanted.set(await lab.snapshot(files, { atMs: lab.clock.ms + at * 1000 }), files);
      else putFull(lab.store, `2026-11-0${at + 1}T00-00-00Z`, files);
      if (to === "blobs") wanted.set(`2026-11-0${at + 1}T00-00-00Z`, files);
    }
    return { lab, wanted };
  }

  test.each([true, false])(
    "migrate: every snapshot is whole at every instant, and the next run ends it (copy: %p)",
    async (copy) => {
      const undisturbed = await prepared(copy);
      await migrate(fresh(undisturbed.lab), to);
      const end = undisturbed.lab.store.tree();
      let kills = 0;
      for (const when of ["before", "after"] as const) {
        for (let at = 1; ; at++) {
          const { lab, wanted } = await prepared(copy);
          const folder = join(tempFolder("killed"), "state");
          const open = (backend: Backend) =>
            openSnapshots({ backend, clock: lab.clock, workers: 1, stateFolder: folder });
          const memory = memoryBackend({ store: lab.store, copy });
          const done = await migrate(open(killing(memory, at, when)), to).catch((error) => error);
          if (!(done instanceof Killed)) break;
          kills++;
          for (const [name, files] of wanted)
            expect({ at, name, files: await contents(lab.store, name) }).toEqual({ at, name, files });
          const service = open(memory);
          await migrate(service, to);
          expect({ at, tree: lab.store.tree() }).toEqual({ at, tree: end });
          expect(await service.planMigration(to)).toMatchObject({ steps: [] });
        }
      }
      expect(kills).toBeGreaterThan(15);
    },
  );
});
