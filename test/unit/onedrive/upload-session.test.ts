import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import { onedrive } from "../../../src/backends/onedrive/index.ts";
import type { Backend, Source } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { relPath } from "../../../src/lib/path.ts";
import { fromBytes } from "../../../src/lib/streams.ts";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { FOLDER, type Machine, oneDriveMachine, wrapped } from "../../support/onedrive-setup.ts";

let fake: FakeOneDrive;
let machine: Machine;
let backend: Backend;
beforeEach(async () => {
  fake = await startFakeOneDrive();
  machine = oneDriveMachine(fake);
  await onedrive.prepare(machine.config, machine.deps);
  backend = await machine.open();
  fake.reset();
});
afterEach(async () => {
  await backend.close();
  await fake.stop();
});

const PATH = relPath("big/file.bin");
const FRAGMENT = 5 * 1024 * 1024;
/** Three fragments, the last one short. */
const BYTES = Uint8Array.from({ length: 2 * FRAGMENT + 1000 }, (_, at) => (at * 7 + (at >> 9)) & 255);
const source = (bytes = BYTES): Source => ({
  size: bytes.length,
  open: () => fromBytes(bytes),
  sha256: hashBytes("sha256", bytes),
});
const stored = () => fake.drive.find(fake.drive.root, `${FOLDER}/${PATH}`)?.bytes;
const isStored = (bytes = BYTES) => Buffer.compare(Buffer.from(stored() ?? []), Buffer.from(bytes)) === 0;
const sessions = () => {
  const file = join(machine.stateFolder, "onedrive-uploads.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>) : {};
};

test("write: a large file goes in three fragments, and no session is left", async () => {
  const { file } = await backend.write(PATH, source(), { expect: "absent" });
  expect([file?.size, isStored(), fake.count("fragment"), fake.uploads.open]).toEqual([BYTES.length, true, 3, 0]);
  expect(sessions()).toEqual({});
});

test("write: a killed upload goes on in another process where the server says", async () => {
  const stop = new AbortController();
  fake.fault("fragment", { when: () => fake.count("fragment") === 3, before: () => stop.abort(), cut: "request" });
  const killed = backend.write(PATH, source(), { expect: "absent", signal: stop.signal });
  await expect(killed).rejects.toThrow();
  expect(Object.keys(sessions())).toHaveLength(1);
  expect(statSync(join(machine.stateFolder, "onedrive-uploads.json")).mode & 0o777).toBe(0o600);
  fake.reset();
  const next = await machine.open();
  await next.write(PATH, source(), { expect: "absent" });
  expect([isStored(), fake.count("createUploadSession"), fake.count("session"), fake.count("fragment")]).toEqual([
    true,
    0,
    1,
    1,
  ]);
  expect(sessions()).toEqual({});
  await next.close();
});

test("write: another content never goes on with the upload of the first", async () => {
  const stop = new AbortController();
  fake.fault("fragment", { when: () => fake.count("fragment") === 2, before: () => stop.abort(), cut: "request" });
  await expect(backend.write(PATH, source(), { expect: "absent", signal: stop.signal })).rejects.toThrow();
  const other = BYTES.slice().fill(9, 0, 100);
  await backend.write(PATH, source(other), { expect: "absent" });
  expect(isStored(other)).toBe(true);
});

test("write: fragments whose connection breaks are sent again, those that arrived are not", async () => {
  const nth = (count: number) => () => fake.count("fragment") === count;
  fake.fault("fragment", { when: nth(1), cut: "request" });
  fake.fault("fragment", { when: nth(3), cut: "reply" });
  fake.fault("fragment", { when: nth(4), reply: { status: 503, body: "" } });
  await backend.write(PATH, source(), { expect: "absent" });
  expect([isStored(), fake.count("fragment"), fake.unmet()]).toEqual([true, 5, []]);
});

test("write: the answer to the last fragment is lost: what is there is looked at, and nothing sent twice", async () => {
  fake.fault("fragment", { when: () => fake.count("fragment") === 3, cut: "reply" });
  const { file } = await wrapped(backend).write(PATH, source(), { expect: "absent" });
  expect([file?.size, isStored(), fake.count("createUploadSession")]).toEqual([BYTES.length, true, 1]);
  expect(sessions()).toEqual({});
});

test("write: a session that has run out is begun anew", async () => {
  fake.fault("fragment", { when: () => fake.count("fragment") === 2, before: () => fake.uploads.expire() });
  await wrapped(backend).write(PATH, source(), { expect: "absent" });
  expect([isStored(), fake.count("createUploadSession")]).toEqual([true, 2]);
});

test("write: a throttled fragment waits and goes on with the same session", async () => {
  const slow = { status: 429, headers: { "Retry-After": "5" }, body: "{}" };
  fake.fault("fragment", { when: () => fake.count("fragment") === 2, reply: slow });
  await wrapped(backend).write(PATH, source(), { expect: "absent" });
  expect([isStored(), fake.count("createUploadSession"), fake.count("fragment")]).toEqual([true, 1, 4]);
});

test("write: what somebody else puts there meanwhile is neither replaced nor lost", async () => {
  const { rev } = (await backend.write(PATH, source(), { expect: "absent" })).file ?? expect.unreachable();
  const theirs = Buffer.from("theirs");
  const id = fake.drive.find(fake.drive.root, `${FOLDER}/${PATH}`)?.id ?? "";
  fake.fault("fragment", { when: () => fake.count("fragment") === 4, before: () => fake.drive.write(id, theirs) });
  const update = backend.write(PATH, source(BYTES.slice().reverse()), { expect: rev });
  await expect(update).rejects.toBeInstanceOf(StaleError);
  expect(isStored(theirs)).toBe(true);
  fake.drive.remove(id);
  const parent = fake.drive.folders(fake.drive.root, `${FOLDER}/big`).id;
  fake.fault("fragment", { before: () => fake.drive.put(parent, "file.bin", theirs) });
  await expect(backend.write(PATH, source(), { expect: "absent" })).rejects.toBeInstanceOf(StaleError);
  expect(isStored(theirs)).toBe(true);
});

test("write: a source that is shorter or longer than announced leaves nothing behind", async () => {
  for (const size of [BYTES.length - 1, BYTES.length + 1]) {
    const lying = { ...source(), size };
    const error = await backend.write(PATH, lying, { expect: "absent" }).catch((it: unknown) => it);
    expect(error).toBeInstanceOf(BackendError);
    expect(stored()).toBeUndefined();
  }
});

test("write: no token ever goes to the addresses that carry their own", async () => {
  const seen: (string | undefined)[] = [];
  fake.fault("fragment", { times: 9, when: ({ headers }) => seen.push(headers["authorization"]) < 0 });
  await backend.write(PATH, source(), { expect: "absent" });
  expect(seen).toEqual([undefined, undefined, undefined]);
});
