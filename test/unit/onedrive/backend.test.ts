import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { BackendError, NotFoundError, StaleError } from "../../../src/backends/errors.ts";
import { onedrive } from "../../../src/backends/onedrive/index.ts";
import { quickXor } from "../../../src/backends/onedrive/quick-xor.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { wrapBackend } from "../../../src/backends/wrap/stack.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { quickXor as slowQuickXor } from "../../fakes/onedrive/store.ts";
import { sourceOf, textAt } from "../../support/bodies.ts";
import { FOLDER, type Machine, oneDriveMachine, wrapped } from "../../support/onedrive-setup.ts";
import { seededRandom } from "../../support/random.ts";

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

const A = relPath("notes/a.md");
const B = relPath("notes/b.md");
const create = async (path = A, text = "one", on = backend) =>
  (await on.write(path, sourceOf(text), { expect: "absent" })).file ?? expect.unreachable();
const thrown = async (act: Promise<unknown>): Promise<BackendError> => {
  const error = await act.then(
    () => undefined,
    (it: unknown) => it,
  );
  if (error instanceof BackendError) return error;
  throw error ?? new Error("it did not fail");
};
const itemAt = (path: string) => fake.drive.find(fake.drive.root, `${FOLDER}/${path}`);
const bytesAt = (path: string) => Buffer.from(itemAt(path)?.bytes ?? []).toString("latin1");

test("quickXor: any pieces give what the description of the algorithm gives", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 60; round++) {
    const bytes = random.bytes(random.below(1200));
    const hash = quickXor();
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random.below(400);
      hash.update(bytes.subarray(at, at + size));
      at += size;
    }
    expect(hash.base64()).toBe(slowQuickXor(bytes));
  }
});

test("quickXor: two contents with rows exchanged share it, so the backend vouches for no content by it", () => {
  const row = (text: string) => text.padEnd(160);
  const hashOf = (text: string) => slowQuickXor(Buffer.from(text));
  expect(hashOf(row("one") + row("two"))).toBe(hashOf(row("two") + row("one")));
  expect(backend.vouches).toBeUndefined();
});

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly class: string;
  readonly pauses?: boolean;
}

const REFUSALS: readonly Refusal[] = [
  { status: 400, code: "invalidRequest", class: "FILE_REJECTED" },
  { status: 401, code: "InvalidAuthenticationToken", class: "AUTH" },
  { status: 403, code: "accessDenied", class: "PERMISSION" },
  { status: 403, code: "quotaLimitReached", class: "QUOTA" },
  { status: 404, code: "ResourceNotFound", class: "FILE_REJECTED" },
  { status: 409, code: "conflict", class: "FILE_REJECTED" },
  { status: 413, code: "contentTooLarge", class: "FILE_REJECTED" },
  { status: 423, code: "resourceLocked", class: "TRANSIENT" },
  { status: 429, code: "activityLimitReached", class: "TRANSIENT", pauses: true },
  { status: 500, code: "generalException", class: "TRANSIENT" },
  { status: 502, code: "badGateway", class: "TRANSIENT" },
  { status: 503, code: "serviceNotAvailable", class: "TRANSIENT", pauses: true },
  { status: 504, code: "gatewayTimeout", class: "TRANSIENT" },
  { status: 507, code: "insufficientStorage", class: "QUOTA" },
  { status: 509, code: "bandwidthLimitExceeded", class: "TRANSIENT", pauses: true },
];

/** A verb, and the calls of Graph's that it makes. */
const VERBS: Readonly<Record<string, { readonly calls: readonly string[]; act(): Promise<unknown> }>> = {
  list: { calls: ["delta"], act: () => backend.list("") },
  stat: { calls: ["item"], act: () => backend.stat(A) },
  read: { calls: ["item"], act: async () => textAt(backend, A) },
  "write (new)": { calls: ["content"], act: () => backend.write(B, sourceOf("b"), { expect: "absent" }) },
  "write (any)": { calls: ["content"], act: () => backend.write(A, sourceOf("b"), { expect: "any" }) },
  "write (large)": {
    calls: ["createUploadSession"],
    act: () => backend.write(B, sourceOf("x".repeat(4 * 1024 * 1024)), { expect: "absent" }),
  },
  remove: { calls: ["item", "delete"], act: () => backend.remove(A, { expect: "any" }) },
  copy: { calls: ["item", "copy"], act: async () => backend.copy?.(A, relPath("copy.md")) },
  move: { calls: ["item", "move"], act: async () => backend.move?.(A, relPath("moved.md")) },
  removeFolder: {
    calls: ["delta", "item", "children", "delete"],
    act: async () => backend.removeFolder?.(relPath("notes/x")),
  },
};

describe.each(Object.entries(VERBS))("onedrive: %s", (_, { calls, act }) => {
  test("every refusal at every call has its class, changes nothing and is never taken for absence", async () => {
    await create();
    fake.drive.folders(fake.drive.root, `${FOLDER}/notes/x`);
    const before = [...fake.drive.items.values()].map(({ id, etag }) => `${id} ${etag}`);
    for (const call of calls) {
      for (const { status, code, class: wanted, pauses } of REFUSALS) {
        const times = status === 401 ? 2 : 1;
        fake.refuse(call, { status, code, times, ...(pauses ? { headers: { "Retry-After": "7" } } : {}) });
        const error = await thrown(act());
        expect(`${call} ${status} ${error.class} ${error.pauseMs}`).toBe(
          `${call} ${status} ${wanted} ${pauses ? 7000 : undefined}`,
        );
        expect(error).not.toBeInstanceOf(NotFoundError);
        expect([...fake.drive.items.values()].map(({ id, etag }) => `${id} ${etag}`)).toEqual(before);
        backend = await machine.open();
      }
    }
  });
});

test("stat: an answer that is none of Graph's is no absence", async () => {
  for (const reply of [
    { status: 404, body: "<html>Not Found</html>" },
    { status: 200, body: "<html>Sign in to the hotel's network</html>" },
    { status: 302, headers: { Location: "https://portal.example/" }, body: "" },
    { status: 200, body: "" },
    { status: 200, body: "{}" },
    { status: 200, body: "null" },
  ]) {
    fake.fault("item", { reply });
    expect(await thrown(backend.stat(A))).not.toBeInstanceOf(NotFoundError);
  }
});

test("list: a listing that breaks off is an error; the next one goes on, and is whole", async () => {
  fake.pageSize = 2;
  for (let i = 0; i < 9; i++) await create(relPath(`n/${i}.md`), "x");
  const fresh = await machine.open();
  fake.fault("delta", { reply: { status: 503, body: "" }, when: ({ url }) => url.searchParams.has("token") });
  expect((await thrown(fresh.list(""))).class).toBe("TRANSIENT");
  expect((await fresh.list("")).files.length).toBe(9);
});

test("list: both forms of 410 list everything anew, what was removed meanwhile is gone", async () => {
  const { rev } = await create(A);
  await create(B);
  for (const code of ["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"] as const) {
    await backend.list("");
    fake.expireDelta(code);
    expect((await backend.list("")).files.length).toBe(2);
  }
  fake.expireDelta();
  await backend.remove(A, { expect: rev });
  expect((await backend.list("")).files.map(({ path }) => path)).toEqual([B]);
});

test("list: what is no file of ours is named and held; the rest of the drive is not shown", async () => {
  const root = itemAt("")?.id ?? "";
  fake.drive.special(root, "Notebook", "package");
  fake.drive.special(root, "Team", "remote", { drive: "d9", id: "x" });
  fake.drive.put(fake.drive.root, "private.md", Buffer.from("x"));
  const { files, folders, unusable } = await backend.list("");
  expect([files, folders]).toEqual([[], []]);
  expect(unusable.map(({ name }) => name).sort()).toEqual(["Notebook", "Team"]);
});

test("write: names that OneDrive refuses are refused with the reason, and nothing is sent", async () => {
  for (const name of [
    "con",
    "x/COM1/a.md",
    "a.",
    "a ",
    " a",
    "~$a.docx",
    "desktop.ini",
    ".lock",
    "a_vti_b",
    'q".md',
    "a:b",
  ]) {
    const error = await thrown(backend.write(relPath(name), sourceOf("x"), { expect: "absent" }));
    expect([error.class, error.message]).toEqual(["FILE_REJECTED", expect.stringContaining(name)]);
  }
  expect(fake.count()).toBe(0);
});

test("write: a file that was moved away since is not written to, nor made anew", async () => {
  const { rev } = await create();
  const item = itemAt("notes/a.md");
  fake.drive.move(item?.id ?? "", fake.drive.root, "elsewhere.md");
  expect(await thrown(backend.write(A, sourceOf("two"), { expect: rev }))).toBeInstanceOf(StaleError);
  expect(itemAt("notes/a.md")).toBeUndefined();
  expect(Buffer.from(fake.drive.find(fake.drive.root, "elsewhere.md")?.bytes ?? []).toString()).toBe("one");
});

test("write: what the server keeps otherwise than it was sent is no success", async () => {
  fake.fault("content", { before: () => fake.drive.put(itemAt("")?.id ?? "", "x.md", Buffer.from("other")) });
  const error = await thrown(backend.write(relPath("x.md"), sourceOf("mine!"), { expect: "absent" }));
  expect(error).toBeInstanceOf(StaleError);
  const reply = { id: "1", name: "a.md", eTag: '"e"', size: 3, file: { hashes: { quickXorHash: "AAAA" } } };
  fake.fault("content", { reply: { status: 201, body: JSON.stringify(reply) } });
  const damaged = await thrown(backend.write(A, sourceOf("one"), { expect: "absent" }));
  expect([damaged.class, damaged.outcomeUnknown]).toEqual(["TRANSIENT", true]);
  fake.fault("content", { reply: { status: 201, body: JSON.stringify({ ...reply, size: 9 }) } });
  expect((await thrown(backend.write(A, sourceOf("one"), { expect: "absent" }))).message).toContain(
    "keeps 9 bytes of 3",
  );
});

test("write: where hashes are worked out later, the hash of what was sent is told, and the version stands in for it in listings", async () => {
  fake.habits.hashes = false;
  const file = await create();
  expect(file.nativeHash).toBe(slowQuickXor(Buffer.from("one")));
  const listed = (await backend.list("")).files[0];
  expect([listed?.rev, listed?.nativeHash]).toEqual([file.rev, `etag ${file.rev}`]);
  fake.habits.hashes = true;
});

test("read: other bytes than the checksum says are no content of that version", async () => {
  await create();
  const item = itemAt("notes/a.md");
  fake.fault("download", { before: () => Object.assign(item ?? {}, { bytes: Buffer.from("two") }) });
  await expect(textAt(backend, A)).rejects.toThrow("checksum");
});

test("read: begins in the middle, also where the server sends the whole", async () => {
  const { rev } = await create(A, "0123456789");
  const from = async (at: number) => {
    const { body } = await backend.read(A, { expect: rev, from: at });
    return new Response(body).text();
  };
  expect([await from(4), await from(10), await from(0)]).toEqual(["456789", "", "0123456789"]);
  fake.fault("download", { reply: { status: 200, body: "0123456789" } });
  expect(await from(4)).toBe("456789");
});

test("remove: 60 at once go in batches of 20, and each has its own outcome", async () => {
  const paths = Array.from({ length: 60 }, (_, i) => relPath(`many/${i}.md`));
  const files = await Promise.all(paths.map((path) => create(path, "x")));
  fake.drive.write(itemAt("many/7.md")?.id ?? "", Buffer.from("edited"));
  fake.drive.remove(itemAt("many/8.md")?.id ?? "");
  fake.reset();
  fake.refuse("delete", { status: 423, code: "resourceLocked" });
  const outcomes = await Promise.allSettled(files.map(({ path, rev }) => backend.remove(path, { expect: rev })));
  const failures = outcomes.flatMap((it) => (it.status === "rejected" ? [it.reason as BackendError] : []));
  expect(failures.map((error) => (error instanceof StaleError ? "stale" : error.class)).sort()).toEqual([
    "TRANSIENT",
    "stale",
    "stale",
  ]);
  expect(fake.count("batch") + fake.count("delete")).toBe(3);
  expect(bytesAt("many/7.md")).toBe("edited");
});

/** A clock on which waiting takes next to no time, and calls that wait at once wait together. */
function quickClock(): Clock {
  let nowMs = Date.now();
  return {
    now: () => nowMs,
    async sleep(ms) {
      const end = nowMs + ms;
      await Bun.sleep(ms > 1000 ? 30 : 1);
      nowMs = Math.max(nowMs, end);
    },
  };
}

test("throttling: a burst pauses the account once, inside batches too, and everything is done afterwards", async () => {
  const clock = quickClock();
  const pauses: number[] = [];
  const limits = {
    attempts: 3,
    parallel: 8,
    maxThrottleWaitMs: 600_000,
    onPause: (until: number) => void pauses.push(until),
  };
  const calm = wrapBackend(backend, { clock, random: () => 0, ...limits });
  fake.refuse("content", { status: 429, code: "activityLimitReached", times: 8, headers: { "Retry-After": "30" } });
  const paths = Array.from({ length: 8 }, (_, i) => relPath(`t/${i}.md`));
  const files = await Promise.all(
    paths.map(async (path) => (await calm.write(path, sourceOf("x"), { expect: "absent" })).file),
  );
  expect(new Set(pauses.map((until) => Math.round(until / 1000))).size).toBe(1);
  fake.refuse("delete", { status: 429, code: "activityLimitReached", times: 3, headers: { "Retry-After": "30" } });
  pauses.length = 0;
  await Promise.all(files.map((file) => calm.remove(file?.path ?? A, { expect: file?.rev ?? "any" })));
  expect(new Set(pauses.map((until) => Math.round(until / 1000))).size).toBe(1);
  expect((await backend.list("")).files).toEqual([]);
});

test("quota: what finds no room says so, what did is kept", async () => {
  fake.drive.quota = fake.drive.used() + 3;
  const outcomes = await Promise.allSettled([1, 2, 3, 4, 5].map((i) => create(relPath(`q/${i}.md`), "x")));
  const failures = outcomes.flatMap((it) => (it.status === "rejected" ? [(it.reason as BackendError).class] : []));
  expect(failures).toEqual(["QUOTA", "QUOTA"]);
  expect((await backend.list("")).files.length).toBe(3);
});

test("lost answers: every change is done once, and told as done", async () => {
  const sure = wrapped(backend);
  fake.fault("content", { cut: "reply" });
  const { rev } = (await sure.write(A, sourceOf("one"), { expect: "absent" })).file ?? expect.unreachable();
  expect(itemAt("notes/a.md")?.ctag).toBe(1);
  fake.fault("content", { cut: "reply" });
  const second = (await sure.write(A, sourceOf("two"), { expect: rev })).file ?? expect.unreachable();
  expect([bytesAt("notes/a.md"), itemAt("notes/a.md")?.ctag]).toEqual(["two", 2]);
  fake.fault("copy", { cut: "reply" });
  await sure.copy?.(A, B);
  expect(bytesAt("notes/b.md")).toBe("two");
  fake.fault("move", { cut: "reply" });
  await sure.move?.(B, relPath("c.md"));
  expect(bytesAt("c.md")).toBe("two");
  fake.fault("delete", { cut: "reply" });
  await sure.remove(A, { expect: second.rev });
  expect(itemAt("notes/a.md")).toBeUndefined();
  expect(fake.unmet()).toEqual([]);
});

test("copy: one that is not done in time has an unknown outcome and is no success", async () => {
  await create();
  const clock = quickClock();
  const patient = await oneDriveMachine(fake, { clock, stateFolder: machine.stateFolder }).open();
  fake.habits.copyPolls = 1e9;
  const error = await thrown((async () => patient.copy?.(A, B))());
  expect([error.class, error.outcomeUnknown]).toEqual(["TRANSIENT", true]);
  await patient.close();
});

test("copy: one that fails in the end fails, by what the monitor says", async () => {
  await create();
  fake.habits.copyFails = "quotaLimitReached";
  expect((await thrown((async () => backend.copy?.(A, B))())).class).toBe("QUOTA");
});

test("removeFolder: a file that the listing does not show yet keeps its folder", async () => {
  fake.drive.folders(fake.drive.root, `${FOLDER}/empty/er`);
  await backend.list("");
  fake.holdDelta(true);
  fake.drive.put(itemAt("empty/er")?.id ?? "", "new.md", Buffer.from("x"));
  expect((await thrown((async () => backend.removeFolder?.(relPath("empty")))())).class).toBe("FILE_REJECTED");
  fake.drive.remove(itemAt("empty/er/new.md")?.id ?? "");
  fake.holdDelta(false);
  await backend.removeFolder?.(relPath("empty"));
  expect(itemAt("empty")).toBeUndefined();
});

test("the remote folder: one that was made anew meanwhile is found again", async () => {
  await create();
  fake.drive.remove(itemAt("")?.id ?? "");
  const folder = fake.drive.folders(fake.drive.root, FOLDER);
  fake.drive.put(folder.id, "there.md", Buffer.from("x"));
  const again = await machine.open();
  expect(await again.stat(relPath("there.md"))).toBeDefined();
  await again.write(B, sourceOf("b"), { expect: "absent" });
  expect(bytesAt("notes/b.md")).toBe("b");
  await again.close();
});

describe("a folder that somebody else shares", () => {
  const bob = {
    name: "Bob",
    username: "bob@outlook.example",
    tenant: "9188040d-6c67-4c5b-b112-36a304b66dad",
    oid: "b0b",
  };

  async function bobs(name: string) {
    const own = fake.addUser(bob);
    fake.identity.user = bob;
    const folder = itemAt("")?.id ?? "";
    fake.habits.shared.add(folder);
    own.special(own.root, name, "remote", { drive: fake.drive.id, id: folder });
    const his = oneDriveMachine(fake);
    const config = { ...his.config, onedriveFolder: name };
    await onedrive.prepare(config, his.deps);
    return onedrive.open(config, his.deps);
  }

  test.each([true, false])("is listed, written and read like one's own (delta of folders: %p)", async (folderDelta) => {
    fake.habits.folderDelta = folderDelta;
    await create(A, "alice's");
    const his = await bobs("from alice");
    expect((await his.list("")).files.map(({ path }) => path)).toEqual([A]);
    expect(await textAt(his, A)).toBe("alice's");
    await his.write(B, sourceOf("bob's"), { expect: "absent" });
    expect(bytesAt("notes/b.md")).toBe("bob's");
    const listing = await his.list("");
    expect(listing.files.map(({ path }) => path).sort()).toEqual([A, B]);
    expect((await his.list(relPath("notes"))).files.length).toBe(2);
    const { kind: first, cursor = "" } = (await his.poll?.(A, undefined)) ?? {};
    const { kind: idle, cursor: later = "" } = (await his.poll?.(A, cursor)) ?? {};
    await backend.write(A, sourceOf("alice's second"), { expect: "any" });
    expect([first, idle, (await his.poll?.(A, later))?.kind]).toEqual(["changed", "same", "changed"]);
    await his.close();
  });
});
