import { afterAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { contentHash, contentHasher } from "../../../src/backends/dropbox/content-hash.ts";
import type { Source } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { relPath } from "../../../src/lib/path.ts";
import { FakeDropbox } from "../../fakes/dropbox.ts";
import { contentHashOf } from "../../fakes/dropbox-tree.ts";
import { dropboxDeps, dropboxFolder } from "../../support/dropbox-setup.ts";
import { seededRandom } from "../../support/random.ts";

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

const MB = 1 << 20;
const A = relPath("docs/large.bin");

/** A body in memory that is read in uneven pieces and counts how much of it was read. */
function large(size: number, seed = 1) {
  const bytes = seededRandom(seed).bytes(size);
  const source: Source = {
    size,
    sha256: hashBytes("sha256", bytes),
    open() {
      let at = 0;
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (at === size) return controller.close();
          controller.enqueue(bytes.subarray(at, Math.min(size, at + 777_777)));
          at = Math.min(size, at + 777_777);
        },
      });
    },
  };
  return { bytes, source };
}

const heldBy = (root: string) => {
  const entry = fake.tree.get(`${root}/${A}`);
  return entry?.is === "file" ? hashBytes("sha256", entry.bytes) : undefined;
};

test("contentHasher: the same for every way to cut the bytes, as the fake and the document compute it", () => {
  for (const size of [0, 1, 4 * MB - 1, 4 * MB, 4 * MB + 1, 9 * MB]) {
    const bytes = seededRandom(size).bytes(size);
    const hash = contentHasher();
    for (let at = 0; at < size; at += 1_000_003) hash.update(bytes.subarray(at, at + 1_000_003));
    expect(hash.hex()).toBe(contentHashOf(bytes));
    expect(contentHash([bytes])).toBe(contentHashOf(bytes));
  }
});

test("write: a large file goes in pieces whose number grows with its size", async () => {
  const { backend, root, deps } = await dropboxFolder(fake);
  const { source } = large(20 * MB);
  fake.reset();
  await backend.write(A, source, { expect: "absent" });
  expect(heldBy(root)).toBe(source.sha256);
  expect([...fake.counts].filter(([endpoint]) => endpoint.startsWith("files/"))).toEqual([
    ["files/upload_session/start", 1],
    ["files/upload_session/append_v2", 2],
    ["files/upload_session/finish", 1],
  ]);
  expect(readdirSync(deps.stateFolder)).not.toContain("dropbox-sessions.json");
  await backend.close();
});

test("write: an upload that was broken off is taken up where it stopped, by another process, for the live file too", async () => {
  const stateFolder = dropboxDeps(fake).stateFolder;
  const { backend, root, open } = await dropboxFolder(fake, { stateFolder });
  const { source } = large(36 * MB, 2);
  const control = new AbortController();
  let appends = 0;
  fake.onRequest = (endpoint) => {
    if (endpoint === "files/upload_session/append_v2" && ++appends === 3)
      control.abort(new DOMException("killed", "AbortError"));
  };
  await expect(backend.write(A, source, { expect: "absent", signal: control.signal })).rejects.toThrow("killed");
  fake.onRequest = undefined;
  const log = join(stateFolder, "dropbox-sessions.json");
  expect(statSync(log).mode & 0o777).toBe(0o600);
  expect(readFileSync(log, "utf8")).not.toContain(A);
  const before = fake.uploads.held();
  expect(before).toBeGreaterThanOrEqual(24 * MB);

  fake.reset();
  const next = await open(dropboxDeps(fake, { stateFolder }));
  await next.write(A, source, { expect: "absent" });
  expect(heldBy(root)).toBe(source.sha256);
  expect(fake.count("files/upload_session/start")).toBe(0);
  expect(fake.count("files/upload_session/append_v2")).toBeLessThanOrEqual(3);
  expect(existsSync(log)).toBe(false);
  await next.close();
});

test("write: a session that ended meanwhile is begun anew", async () => {
  const { backend, root } = await dropboxFolder(fake);
  const { source } = large(20 * MB, 3);
  fake.fail("files/upload_session/finish", {
    status: 409,
    json: { error: { ".tag": "path", path: { ".tag": "insufficient_space" } } },
  });
  await expect(backend.write(A, source, { expect: "absent" })).rejects.toMatchObject({ class: "QUOTA" });
  fake.uploads.expireSessions();
  await backend.write(A, source, { expect: "absent" });
  expect(heldBy(root)).toBe(source.sha256);
  await backend.close();
});

test("write: what was sent is kept when the commit is refused, so that freed space costs no second sending", async () => {
  const { backend, root } = await dropboxFolder(fake);
  const { source } = large(20 * MB, 4);
  fake.tree.quota = fake.tree.used() + MB;
  await expect(backend.write(A, source, { expect: "absent" })).rejects.toMatchObject({ class: "QUOTA" });
  fake.tree.quota = Number.POSITIVE_INFINITY;
  fake.reset();
  await backend.write(A, source, { expect: "absent" });
  expect(fake.count("files/upload_session/append_v2") + fake.count("files/upload_session/start")).toBe(0);
  expect(heldBy(root)).toBe(source.sha256);
  await backend.close();
});

test("write: a large body that is not what it was said to be leaves nothing behind", async () => {
  const { backend, root } = await dropboxFolder(fake);
  const { source } = large(9 * MB, 5);
  for (const size of [source.size - 1, source.size + 1]) {
    await expect(backend.write(A, { size, open: source.open }, { expect: "absent" })).rejects.toMatchObject({
      class: "FILE_REJECTED",
    });
  }
  expect(heldBy(root)).toBeUndefined();
  await backend.close();
});

test("read: bytes that were damaged on their way are noticed", async () => {
  const { backend, root } = await dropboxFolder(fake);
  await backend.write(A, large(MB, 6).source, { expect: "absent" });
  const entry = fake.tree.get(`${root}/${A}`);
  if (entry?.is !== "file") throw new Error("not there");
  entry.bytes[7] = (entry.bytes[7] ?? 0) ^ 1;
  const { body } = await backend.read(A);
  await expect(new Response(body).arrayBuffer()).rejects.toThrow();
  await backend.close();
});
