import { describe, expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import { relPath } from "../../../src/lib/path.ts";
import { fullFolder, META_NAME } from "../../../src/snapshots/full-folder.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import type { Finding, Verification } from "../../../src/snapshots/model.ts";
import { openSnapshots } from "../../../src/snapshots/service.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { blobSource, type SnapshotLab, sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const verify = (lab: SnapshotLab): Promise<Verification> => lab.service.verify({ place: "memory" });

/** What every finding says, its path last. */
function told({ findings }: Verification): string[] {
  return findings.map(({ kind, phase, path }) => `${kind} ${phase} ${path}`);
}

function only({ findings }: Verification): Finding {
  expect(findings).toHaveLength(1);
  return findings[0] as Finding;
}

async function labOfTwo(): Promise<SnapshotLab & { readonly names: readonly [string, string] }> {
  const lab = snapshotLab();
  const first = await lab.snapshot({ "a.md": "alpha", "b.md": "beta" });
  const second = await lab.snapshot({ "a.md": "alpha two", "b.md": "beta", "empty.md": "" });
  return { ...lab, names: [first, second] };
}

/** A folder of the full format beside them. */
function putFull(lab: SnapshotLab, name: string, files: Readonly<Record<string, string>>, total?: number): void {
  for (const [path, content] of Object.entries(files)) lab.store.put(relPath(`${fullFolder(name)}/${path}`), content);
  const meta = { timestamp: name, total_files: total ?? Object.keys(files).length, format: "full" };
  lab.store.put(relPath(`${fullFolder(name)}/${META_NAME}`), JSON.stringify(meta));
}

const FULL = "2026-11-01T00-00-00Z";

describe("verify", () => {
  test("verify: finds nothing where all is well, and reads each file once", async () => {
    const lab = await labOfTwo();
    const reads = lab.spy.count("read");
    const result = await verify(lab);
    expect(told(result)).toEqual([]);
    expect(result.phases).toMatchObject([
      { place: "memory", name: "manifests", checked: 2, verified: 2 },
      { name: "blobs", checked: 4, verified: 4 },
      { name: "full", checked: 0 },
    ]);
    expect(lab.spy.count("read") - reads).toBe(6);
    expect(told(await verify(lab.otherMachine()))).toEqual([]);
  });

  test("verify: a damaged blob is read again before it counts, and says which files of which snapshots need it", async () => {
    const lab = await labOfTwo();
    lab.store.put(blobPath(sha256("beta")), "bet!");
    const finding = only(await verify(lab));
    expect(finding).toMatchObject({ kind: "corrupted", phase: "blobs", path: blobPath(sha256("beta")) });
    expect(finding).toMatchObject({ sha256: sha256("beta"), snapshots: lab.names, files: ["b.md"] });
    expect(finding.rev).toBe(lab.store.get(blobPath(sha256("beta")))?.rev as never);
    expect(finding.detail).toBe(`its 4 bytes have the SHA-256 ${sha256("bet!")}`);
  });

  test("verify: a blob that arrives damaged once is none", async () => {
    const lab = await labOfTwo();
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    faults.truncate(2, { path: blobPath(sha256("alpha")) });
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 2 });
    expect(told(await service.verify({ place: "memory" }))).toEqual([]);
    faults.verify();
  });

  test("verify: a truncated and a missing blob are found, and are stored anew by the next snapshot of that content", async () => {
    const lab = await labOfTwo();
    lab.store.put(blobPath(sha256("alpha two")), "alp");
    lab.store.delete(blobPath(sha256("beta")));
    expect(told(await verify(lab)).sort()).toEqual([
      `corrupted blobs ${blobPath(sha256("alpha two"))}`,
      `missing blobs ${blobPath(sha256("beta"))}`,
    ]);
    await lab.snapshot({ "a.md": "alpha two", "b.md": "beta" });
    expect(told(await verify(lab))).toEqual([]);
  });

  test("verify: a blob that no snapshot needs is checked, too, and is not missed when it goes", async () => {
    const lab = await labOfTwo();
    await lab.service.store(blobSource("orphan"));
    lab.store.put(blobPath(sha256("orphan")), "orphxn");
    const finding = only(await verify(lab));
    expect(finding.snapshots).toEqual([]);
    expect(finding.detail).toEndWith("no snapshot needs it");
  });

  test("verify: what only a snapshot needed that is forgotten meanwhile is not missing", async () => {
    const lab = await labOfTwo();
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 1 });
    lab.store.delete(blobPath(sha256("alpha")));
    faults.before("read", () => lab.store.delete(manifestPath(lab.names[0])), { path: blobPath(sha256("alpha")) });
    expect(told(await service.verify({ place: "memory" }))).toEqual([]);
  });

  test("verify: a listing that lags behind is no reason to call a blob missing", async () => {
    const lab = await labOfTwo();
    const backend = memoryBackend({ store: lab.store });
    const blind: typeof backend = {
      ...backend,
      async list(under, options) {
        const listing = await backend.list(under, options);
        return { ...listing, files: listing.files.filter(({ path }) => path !== blobPath(sha256("beta"))) };
      },
    };
    const service = openSnapshots({ ...lab, backend: blind, workers: 2 });
    expect(told(await service.verify({ place: "memory" }))).toEqual([]);
  });
});

describe("verify: manifests", () => {
  test("verify: one that is no JSON is corrupted, and what it needs is still looked for", async () => {
    const lab = await labOfTwo();
    lab.store.put(manifestPath(lab.names[0]), '{"files": {');
    lab.store.delete(blobPath(sha256("alpha")));
    expect(told(await verify(lab)).sort()).toEqual([
      `corrupted manifests ${manifestPath(lab.names[0])}`,
      `missing blobs ${blobPath(sha256("alpha"))}`,
    ]);
  });

  test("verify: a flipped letter in a path is found by who saw it before, whatever its version says", async () => {
    const lab = await labOfTwo();
    const path = manifestPath(lab.names[0]);
    const entry = lab.store.get(path);
    const text = new TextDecoder().decode(entry?.bytes).replace("b.md", "c.md");
    lab.store.files.set(path, { ...(entry as never as object), bytes: new TextEncoder().encode(text) } as never);
    expect(only(await verify(lab))).toMatchObject({ kind: "corrupted", phase: "manifests", path });
    // Twice: what was seen before must not be replaced by what is damaged.
    expect(only(await verify(lab.reopen()))).toMatchObject({ kind: "corrupted", path });
  });

  test("verify: a name that is no path, a hash that is none and a wrong count are all told", async () => {
    const lab = await labOfTwo();
    const text = new TextDecoder().decode(lab.store.get(manifestPath(lab.names[1]))?.bytes);
    const other = lab.otherMachine();
    for (const [from, to, kind] of [
      ['"b.md"', '"../b.md"', "corrupted"],
      [sha256("beta"), "xyz", "corrupted"],
      ['"total_files": 3', '"total_files": 4', "unverified"],
      ['"triggered_by"', '"triggered_bx"', "unverified"],
    ] as const) {
      lab.store.put(manifestPath(lab.names[1]), text.replace(from, to));
      expect(only(await verify(other.otherMachine())).kind).toBe(kind);
    }
  });

  test("verify: one that cannot be read now is named, and the others are verified", async () => {
    const lab = await labOfTwo();
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    faults.fail("read", new BackendError("cannot read: 500", { class: "TRANSIENT" }), {
      path: manifestPath(lab.names[0]),
    });
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 2 });
    expect(told(await service.verify({ place: "memory" }))).toEqual([`failed manifests ${manifestPath(lab.names[0])}`]);
  });

  test("verify: a remote that answers nothing any more ends it, and so does a refused sign-in", async () => {
    const lab = snapshotLab();
    await lab.snapshot(Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`${at}.md`, `text ${at}`])));
    for (const [kind, calls] of [
      ["TRANSIENT", 11],
      ["AUTH", 2],
    ] as const) {
      const faults = faultQueue(memoryBackend({ store: lab.store }));
      const gone = new BackendError("cannot read: no answer", { class: kind });
      faults.before("read", () => undefined);
      faults.fail("read", gone, { times: 99 });
      const service = openSnapshots({ ...lab, backend: faults.backend, workers: 1 });
      await expect(service.verify({ place: "memory" })).rejects.toBe(gone);
      expect(faults.calls.read).toBe(calls);
    }
  });

  test("verify: a remote folder that is missing is not a remote without snapshots", async () => {
    const lab = await labOfTwo();
    lab.store.present = false;
    await expect(verify(lab)).rejects.toThrow("the remote folder is missing");
  });
});

describe("verify: the full format", () => {
  test("verify: contents that another snapshot or our records name are verified, others are said to be unknown", async () => {
    const lab = await labOfTwo();
    putFull(lab, FULL, { "a.md": "alpha", "b.md": "agreed", "c.md": "who knows", "d.md": "nobody" });
    const isKnown = (digest: string) => digest === sha256("agreed");
    const result = await lab.service.verify({ place: "memory", isKnown });
    expect(only(result)).toMatchObject({ kind: "unverified", phase: "full", path: fullFolder(FULL), count: 2 });
    expect(result.phases[2]).toMatchObject({ checked: 5, verified: 3, unverified: 2 });
  });

  test("verify: missing files are counted, and a marker that is damaged or absent is told", async () => {
    const lab = await labOfTwo();
    putFull(lab, FULL, { "a.md": "alpha" }, 3);
    expect(only(await verify(lab))).toMatchObject({ kind: "missing", phase: "full", path: fullFolder(FULL), count: 2 });
    const marker = relPath(`${fullFolder(FULL)}/${META_NAME}`);
    lab.store.put(marker, "{");
    expect(only(await verify(lab))).toMatchObject({ kind: "corrupted", path: marker });
    lab.store.delete(marker);
    expect(only(await verify(lab))).toMatchObject({ kind: "unverified", path: fullFolder(FULL) });
  });

  test("verify: beside a manifest of the same name each file is compared with it", async () => {
    const lab = await labOfTwo();
    const [name] = lab.names;
    putFull(lab, name, { "a.md": "alpha", "b.md": "beta" });
    expect(told(await verify(lab))).toEqual([]);
    lab.store.put(relPath(`${fullFolder(name)}/a.md`), "alphx");
    lab.store.delete(relPath(`${fullFolder(name)}/b.md`));
    lab.store.put(relPath(`${fullFolder(name)}/c.md`), "extra");
    expect(told(await verify(lab))).toEqual([
      `corrupted full ${fullFolder(name)}/a.md`,
      `missing full ${fullFolder(name)}/b.md`,
      `drift full ${fullFolder(name)}/c.md`,
    ]);
  });

  test("verify: a body shorter than its listing says is corrupted", async () => {
    const lab = await labOfTwo();
    putFull(lab, FULL, { "a.md": "alpha" });
    const faults = faultQueue(memoryBackend({ store: lab.store }));
    faults.truncate(2, { path: relPath(`${fullFolder(FULL)}/a.md`), times: 2 });
    const service = openSnapshots({ ...lab, backend: faults.backend, workers: 1 });
    expect(told(await service.verify({ place: "memory" }))).toEqual([`corrupted full ${fullFolder(FULL)}/a.md`]);
  });
});
