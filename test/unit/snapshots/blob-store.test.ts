import { expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import type { BlobSource } from "../../../src/snapshots/blob-store.ts";
import { drain, failingSource } from "../../support/bodies.ts";
import { blobSource, sha256, snapshotLab } from "../../support/snapshot-lab.ts";

const text = async (body: ReadableStream<Uint8Array>): Promise<string> => new TextDecoder().decode(await drain(body));
const pathOf = (content: string) => blobPath(sha256(content));

test("store: a new body is one guarded create under its digest, a known one no request", async () => {
  const lab = snapshotLab();
  expect(await lab.service.store(blobSource("hello"))).toEqual({ path: pathOf("hello"), sent: true });
  expect(lab.spy.requests).toEqual([`write ${pathOf("hello")}`]);
  expect(await lab.service.store(blobSource("hello"))).toEqual({ path: pathOf("hello"), sent: false });
  expect(lab.spy.requests).toHaveLength(1);
  expect(lab.store.tree()).toEqual({ [pathOf("hello")]: "hello" });
});

test("store: a blob that a snapshot names is known in the next run, too", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "one" });
  const next = lab.reopen();
  expect(await next.service.store(blobSource("one"))).toMatchObject({ sent: false });
  expect(next.spy.requests).toEqual([]);
});

test("store: a blob that no snapshot names yet is looked at again in the next run, for it may be collected", async () => {
  const lab = snapshotLab();
  await lab.service.store(blobSource("orphan"));
  const kept = lab.reopen();
  expect(await kept.service.store(blobSource("orphan"))).toMatchObject({ sent: false });
  expect(kept.spy.requests).toEqual([`stat ${pathOf("orphan")}`]);
  lab.store.delete(pathOf("orphan"));
  expect(await lab.reopen().service.store(blobSource("orphan"))).toMatchObject({ sent: true });
  expect(lab.store.tree()).toEqual({ [pathOf("orphan")]: "orphan" });
});

test("store: what another machine stored is met by the guard and its size checked", async () => {
  const lab = snapshotLab();
  await lab.otherMachine().service.store(blobSource("shared"));
  expect(await lab.service.store(blobSource("shared"))).toMatchObject({ sent: false });
  expect(lab.spy.requests).toEqual([`write ${pathOf("shared")}`, `stat ${pathOf("shared")}`]);
});

test("store: where a guarded create costs more, whole bodies are written over what is there, and parts never", async () => {
  for (const atomicWrite of [true, false]) {
    const lab = snapshotLab({ atomicWrite, createCostsMore: true });
    await lab.otherMachine().service.store(blobSource("shared"));
    expect(await lab.service.store(blobSource("shared"))).toMatchObject({ sent: atomicWrite });
    expect(lab.spy.count("stat")).toBe(atomicWrite ? 0 : 1);
    expect(lab.store.tree()).toEqual({ [pathOf("shared")]: "shared" });
  }
});

test("store: a blob that was cut short is written again", async () => {
  const lab = snapshotLab();
  lab.store.put(pathOf("whole body"), "whole");
  expect(await lab.service.store(blobSource("whole body"))).toMatchObject({ sent: true });
  expect(lab.store.tree()[pathOf("whole body")]).toBe("whole body");
});

test("store: a blob of the right size but another checksum is written again", async () => {
  const lab = snapshotLab({ checksums: ["sha256"] });
  lab.store.put(pathOf("right"), "wrong");
  await lab.service.store(blobSource("right"));
  expect(lab.store.tree()[pathOf("right")]).toBe("right");
});

test("store: a blob that vanishes between guard and look is created", async () => {
  const lab = snapshotLab();
  lab.store.put(pathOf("gone"), "gone");
  lab.spy.before = (verb) => {
    if (verb === "stat") lab.store.delete(pathOf("gone"));
  };
  expect(await lab.service.store(blobSource("gone"))).toMatchObject({ sent: true });
  expect(lab.store.tree()).toEqual({ [pathOf("gone")]: "gone" });
});

test("store: a large body is looked for before it is sent", async () => {
  const lab = snapshotLab();
  const large = new Uint8Array(4 * 1024 * 1024);
  await lab.otherMachine().service.store(blobSource(large));
  await lab.service.store(blobSource(large));
  expect(lab.spy.count("write")).toBe(0);
});

test("store: equal bodies at the same time go once", async () => {
  const lab = snapshotLab();
  const stored = await Promise.all([1, 2, 3].map(() => lab.service.store(blobSource("twin"))));
  expect(stored.map((blob) => blob.sent)).toEqual([true, false, false]);
  expect(lab.spy.count("write")).toBe(1);
});

test("store: when the first of two equal bodies cannot be read the second is sent", async () => {
  const lab = snapshotLab();
  const bad: BlobSource = { ...failingSource("tw", 4, new Error("disk")), sha256: sha256("twin") };
  const results = await Promise.allSettled([lab.service.store(bad), lab.service.store(blobSource("twin"))]);
  expect(results.map((result) => result.status)).toEqual(["rejected", "fulfilled"]);
  expect(lab.store.tree()).toEqual({ [pathOf("twin")]: "twin" });
});

test("store: a failed write is not remembered", async () => {
  const lab = snapshotLab();
  lab.spy.before = () => {
    throw new BackendError("line is down", { class: "TRANSIENT" });
  };
  await expect(lab.service.store(blobSource("x"))).rejects.toThrow("line is down");
  lab.spy.before = () => {};
  expect(await lab.service.store(blobSource("x"))).toMatchObject({ sent: true });
});

test("store: refuses a name that is no digest", async () => {
  const source = { ...blobSource("x"), sha256: "../../CLAUDE.md" };
  await expect(snapshotLab().service.store(source)).rejects.toThrow(RangeError);
});

test("read: gives the body and fails at its end when the bytes are others", async () => {
  const lab = snapshotLab();
  await lab.service.store(blobSource("good"));
  const opened = await lab.service.read(sha256("good"));
  expect([opened.size, await text(opened.body)]).toEqual([4, "good"]);
  lab.store.put(pathOf("good"), "evil");
  await expect(text((await lab.service.read(sha256("good"))).body)).rejects.toThrow("its content has the SHA-256");
});

test("read: a missing blob is forgotten, so that the next run stores it", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "lost" });
  lab.store.delete(pathOf("lost"));
  expect(await lab.service.unstored([sha256("lost")])).toEqual([]);
  await expect(lab.service.read(sha256("lost"))).rejects.toThrow("not there");
  expect(await lab.service.unstored([sha256("lost")])).toEqual([sha256("lost")]);
  expect(lab.service.holds(sha256("lost"))).toBe(false);
});

test("holds: only what we stored and a snapshot names", async () => {
  const lab = snapshotLab();
  await lab.service.store(blobSource("v1"));
  expect(lab.service.holds(sha256("v1"))).toBe(false);
  await lab.snapshot({ "a.md": "v1" });
  expect(lab.service.holds(sha256("v1"))).toBe(true);
  expect(lab.reopen().service.holds(sha256("v1"))).toBe(true);
  const other = lab.otherMachine();
  await other.service.list();
  expect(other.service.holds(sha256("v1"))).toBe(false);
  await other.service.store(blobSource("v1"));
  expect(other.service.holds(sha256("v1"))).toBe(false);
});

test("distrust: everything is stored again", async () => {
  const lab = snapshotLab();
  await lab.snapshot({ "a.md": "v1" });
  lab.service.distrust("blobs");
  expect(await lab.reopen().service.unstored([sha256("v1")])).toEqual([sha256("v1")]);
});
