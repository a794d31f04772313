import { afterEach, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import type { Backend, Rev, Source } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { relPath } from "../../../src/lib/path.ts";
import { tapped } from "../../../src/lib/streams.ts";
import { type FakeNextcloud, NEXTCLOUD_USER, startFakeNextcloud } from "../../fakes/nextcloud/server.ts";
import { drain, sourceOf } from "../../support/bodies.ts";
import { seededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";
import { probedFacts, webdavClient } from "../../support/webdav-setup.ts";

const MIB = 1024 * 1024;
const BIG = relPath("sub/big é.bin");
const BYTES = seededRandom(21).bytes(32 * MIB + 5);
/** Of 5 MiB, the least that a Nextcloud takes. */
const CHUNKS = 7;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Place {
  readonly server: FakeNextcloud;
  readonly state: string;
  /** The same machine in its next run. */
  open(): Backend;
}

async function place(options: Parameters<typeof startFakeNextcloud>[0] = {}): Promise<Place> {
  const server = await startFakeNextcloud(options);
  server.files.makeFolder("project");
  const url = `${server.url}/project`;
  const facts = await probedFacts(url, NEXTCLOUD_USER);
  const state = tempFolder("state");
  cleanups.push(() => server.stop());
  server.reset();
  const open = () => {
    const backend = webdavClient(url, facts, NEXTCLOUD_USER, { chunkNotes: join(state, "chunks"), client: "desk" });
    cleanups.unshift(() => backend.close());
    return backend;
  };
  return { server, state, open };
}

function sha256(bytes: Uint8Array): string {
  return hashBytes("sha256", bytes);
}

async function read(backend: Backend): Promise<Uint8Array> {
  return drain((await backend.read(BIG)).body);
}

/** Fires when so many bytes of the body were read. */
function watched(bytes: Uint8Array, at: number, fire: () => void): Source {
  const whole = sourceOf(bytes);
  return {
    ...whole,
    open() {
      let seen = 0;
      return tapped(whole.open(), (chunk) => {
        seen += chunk.length;
        if (seen > at) fire();
      });
    },
  };
}

/** An upload that is stopped at half, as far as the server is concerned by a kill: nothing more comes from it. */
async function halfSent({ open }: Place, bytes: Uint8Array = BYTES): Promise<void> {
  const control = new AbortController();
  const source = watched(bytes, bytes.length / 2, () => control.abort());
  const options = { expect: "absent", signal: control.signal } as const;
  expect(
    await open()
      .write(BIG, source, options)
      .catch((error: Error) => error.name),
  ).toBe("AbortError");
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("write: a large file goes to a Nextcloud in chunks and is put together there", async () => {
  const at = await place();
  const backend = at.open();
  const written = await backend.write(BIG, sourceOf(BYTES), { expect: "absent" });
  expect(sha256(await read(backend))).toBe(sha256(BYTES));
  expect(written.file?.rev).toBe((await backend.stat(BIG))?.rev as Rev);
  expect(at.server.count("PUT uploads")).toBe(CHUNKS);
  expect([at.server.count("MKCOL uploads"), at.server.count("MOVE uploads"), at.server.count("PUT files")]).toEqual([
    1, 1, 0,
  ]);
  expect([...at.server.uploads.keys(), ...readdirSync(at.state)]).toEqual([]);
});

test("write: small files are sent in one piece", async () => {
  const at = await place();
  await at.open().write(BIG, sourceOf(BYTES.subarray(0, 10 * MIB)), { expect: "absent" });
  expect(at.server.count("PUT uploads")).toBe(0);
});

test("write: an upload that broke off at half goes on in the next run, with less than 55 % sent again", async () => {
  const at = await place();
  const large = seededRandom(22).bytes(120 * MIB);
  await halfSent(at, large);
  const before = at.server.received();
  await at.open().write(BIG, sourceOf(large), { expect: "absent" });
  expect(at.server.received() - before).toBeLessThanOrEqual(0.55 * large.length);
  expect(sha256(await read(at.open()))).toBe(sha256(large));
});

test("write: another content for the same name is not put together with what was sent of the first", async () => {
  const at = await place();
  await halfSent(at);
  const other = Uint8Array.from(BYTES);
  other.fill(7, 20 * MIB, 21 * MIB);
  await at.open().write(BIG, sourceOf(other), { expect: "absent" });
  expect(sha256(await read(at.open()))).toBe(sha256(other));
});

test("write: a chunk that was sent of a file in between is sent again, although the content is what it was", async () => {
  const at = await place();
  await halfSent(at);
  const [notes = ""] = readdirSync(at.state);
  const lines = readFileSync(join(at.state, notes), "utf8").split("\n");
  lines[0] = `1 ${"0".repeat(64)}`;
  writeFileSync(join(at.state, notes), lines.join("\n"));
  const before = at.server.received();
  await at.open().write(BIG, sourceOf(BYTES), { expect: "absent" });
  // All but the second and the third.
  expect(at.server.received() - before).toBe(BYTES.length - 10 * MIB);
  expect(sha256(await read(at.open()))).toBe(sha256(BYTES));
});

test("write: an upload that the server has given up begins anew", async () => {
  const at = await place();
  await halfSent(at);
  at.server.expireUploads();
  await at.open().write(BIG, sourceOf(BYTES), { expect: "absent" });
  expect(sha256(await read(at.open()))).toBe(sha256(BYTES));
});

test("write: one that is given up while chunks are sent fails as passing, and the next try begins anew", async () => {
  const at = await place();
  at.server.fault("PUT uploads", { before: () => at.server.expireUploads() });
  const error = await failure(at.open().write(BIG, sourceOf(BYTES), { expect: "absent" }));
  expect(error).toMatchObject({ class: "TRANSIENT", status: 404 });
  await at.open().write(BIG, sourceOf(BYTES), { expect: "absent" });
  expect(sha256(await read(at.open()))).toBe(sha256(BYTES));
});

test("write: a lost answer to the last request is told as such, and everything is there", async () => {
  const at = await place();
  at.server.fault("MOVE uploads", { cut: "reply", times: 2 });
  const error = await failure(at.open().write(BIG, sourceOf(BYTES), { expect: "absent" }));
  expect(error).toBeInstanceOf(BackendError);
  expect((error as BackendError).outcomeUnknown || error instanceof StaleError).toBe(true);
  expect(sha256(await read(at.open()))).toBe(sha256(BYTES));
});

test("write: a version that another machine put there while chunks were sent is not replaced", async () => {
  for (const existed of [true, false]) {
    const at = await place();
    const backend = at.open();
    const old = existed ? (await backend.write(BIG, sourceOf("old"), { expect: "absent" })).file?.rev : undefined;
    const theirs = () => at.server.files.put("project/sub/big é.bin", Buffer.from("theirs"), "");
    if (!existed) at.server.files.makeFolder("project/sub");
    at.server.fault("MOVE uploads", { before: theirs });
    const error = await failure(backend.write(BIG, sourceOf(BYTES), { expect: old ?? "absent" }));
    expect(error).toBeInstanceOf(StaleError);
    expect(Buffer.from(await read(backend)).toString()).toBe("theirs");
    expect([...at.server.uploads.keys(), ...readdirSync(at.state)]).toEqual([]);
  }
});

test("write: the version that is expected is replaced by chunks, guarded", async () => {
  const at = await place();
  const backend = at.open();
  const { file } = await backend.write(BIG, sourceOf("old"), { expect: "absent" });
  await backend.write(BIG, sourceOf(BYTES), { expect: file?.rev as Rev });
  expect(at.server.count("PUT uploads")).toBe(CHUNKS);
  expect(sha256(await read(backend))).toBe(sha256(BYTES));
});

test("write: where the assembly is not guarded a version is replaced in one piece, guarded", async () => {
  const at = await place({ guardsAssembly: false });
  const backend = at.open();
  const { file } = await backend.write(BIG, sourceOf("old"), { expect: "absent" });
  at.server.files.put("project/sub/big é.bin", Buffer.from("theirs"), "");
  const error = await failure(backend.write(BIG, sourceOf(BYTES), { expect: file?.rev as Rev }));
  expect(error).toBeInstanceOf(StaleError);
  expect(at.server.count("PUT uploads")).toBe(0);
  expect(Buffer.from(await read(backend)).toString()).toBe("theirs");
});

test("write: a body that ends early or fails is never put together", async () => {
  const at = await place();
  const short = { ...sourceOf(BYTES), open: () => sourceOf(BYTES.subarray(0, 20 * MIB)).open() };
  const broken = watched(BYTES, 25 * MIB, () => {
    throw new Error("it changed");
  });
  for (const source of [short, broken]) {
    expect(await failure(at.open().write(BIG, source, { expect: "absent" }))).toBeInstanceOf(Error);
    expect(at.server.files.get("project/sub/big é.bin")).toBeUndefined();
  }
});

test("write: an answer that refuses a chunk is told, and what helps", async () => {
  const at = await place();
  at.server.fault("PUT uploads", { reply: { status: 507 } });
  const error = await failure(at.open().write(BIG, sourceOf(BYTES), { expect: "absent" }));
  expect(error).toMatchObject({ class: "QUOTA", status: 507 });
});

test("write: notes about uploads that were never finished go after two days", async () => {
  const at = await place();
  const left = join(at.state, "chunks-0123");
  writeFileSync(left, "");
  utimesSync(left, 1, 1);
  await at.open().write(BIG, sourceOf(BYTES), { expect: "absent" });
  expect(existsSync(left)).toBe(false);
});
