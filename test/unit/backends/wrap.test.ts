import { describe, expect, test } from "bun:test";
import { BackendError, type BackendErrorOptions, NotFoundError, StaleError } from "../../../src/backends/errors.ts";
import type { Backend, Change } from "../../../src/backends/types.ts";
import { ContractError, checkCalls } from "../../../src/backends/wrap/check.ts";
import { noCalls } from "../../../src/backends/wrap/log.ts";
import { createThrottle, ThrottledError } from "../../../src/backends/wrap/pause.ts";
import { backOff } from "../../../src/backends/wrap/retry.ts";
import { type WrapOptions, wrapBackend } from "../../../src/backends/wrap/stack.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { drain, sourceOf } from "../../support/bodies.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { type MemoryOptions, memoryBackend } from "../../support/memory-backend.ts";

const A = relPath("docs/a.md");
const B = relPath("docs/b.md");

/** A clock that stands still but for sleeps, which take no time and are written down. */
function steppedClock(): Clock & { readonly sleeps: number[] } {
  let now = 1_000_000;
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      sleeps.push(ms);
      now += ms;
    },
  };
}

function setup(change: Partial<WrapOptions> = {}, memory: MemoryOptions = {}) {
  const remote = memoryBackend(memory);
  const queue = faultQueue(remote);
  const clock = steppedClock();
  const options = { clock, random: () => 0.5, attempts: 3, parallel: 4, maxThrottleWaitMs: 300_000, ...change };
  return { remote, queue, clock, backend: wrapBackend(queue.backend, options) };
}

/** A remote that reads and replaces in one step. */
function withEdit() {
  const remote = memoryBackend();
  remote.store.put(A, "a");
  const queue = faultQueue({
    ...remote,
    edit: async (path, change) => {
      const opened = await remote.read(path);
      const source = await change(opened);
      if (source) await remote.write(path, source, { expect: opened.file.rev });
    },
  });
  const options = { clock: steppedClock(), random: () => 0.5, attempts: 3, parallel: 1, maxThrottleWaitMs: 300_000 };
  return { remote, queue, options };
}

function failure(errorClass: BackendErrorOptions["class"], rest: Omit<BackendErrorOptions, "class"> = {}) {
  return new BackendError(`planted ${errorClass}`, { class: errorClass, ...rest });
}

describe("retryCalls", () => {
  test("a passing failure is tried again after half the ceiling, then double that", async () => {
    const { remote, queue, backend, clock } = setup();
    remote.store.put(A, "a");
    queue.fail("stat", failure("TRANSIENT"));
    queue.fail("stat", failure("UNKNOWN"));
    expect((await backend.stat(A))?.size).toBe(1);
    expect(clock.sleeps).toEqual([400, 800]);
    queue.verify();
  });

  test("after max_retry_attempts calls the last failure is reported", async () => {
    const { queue, backend, clock } = setup();
    queue.fail("list", failure("TRANSIENT"), { times: 3 });
    await expect(backend.list("")).rejects.toThrow("planted TRANSIENT");
    expect(queue.calls.list).toBe(3);
    expect(clock.sleeps.length).toBe(2);
  });

  test("one attempt means no second call", async () => {
    const { queue, backend } = setup({ attempts: 1 });
    queue.fail("stat", failure("TRANSIENT"));
    await expect(backend.stat(A)).rejects.toThrow("planted");
    expect(queue.calls.stat).toBe(1);
  });

  test("what will not pass is not tried again", async () => {
    for (const kind of ["AUTH", "QUOTA", "PERMISSION", "FILE_REJECTED"] as const) {
      const { queue, backend } = setup();
      queue.fail("read", failure(kind));
      await expect(backend.read(A)).rejects.toThrow(kind);
      expect(queue.calls.read).toBe(1);
    }
  });

  test("a refused guard and a missing file are answers, not failures", async () => {
    const { remote, queue, backend } = setup();
    remote.store.put(A, "theirs");
    await expect(backend.write(A, sourceOf("ours"), { expect: "absent" })).rejects.toBeInstanceOf(StaleError);
    await expect(backend.read(B)).rejects.toBeInstanceOf(NotFoundError);
    expect(queue.calls).toMatchObject({ write: 1, read: 1 });
  });

  test("errors that are no BackendError pass untouched", async () => {
    const { queue, backend } = setup();
    queue.fail("stat", new TypeError("a fault of ours"));
    await expect(backend.stat(A)).rejects.toBeInstanceOf(TypeError);
    expect(queue.calls.stat).toBe(1);
  });

  test("a signal ends the waiting", async () => {
    const control = new AbortController();
    const { queue, backend } = setup();
    queue.fail("stat", failure("TRANSIENT"));
    const call = backend.stat(A, { signal: control.signal });
    control.abort();
    await expect(call).rejects.toHaveProperty("name", "AbortError");
  });

  test("backOff: ceilings of 0.8, 1.6 and 3.2 s", () => {
    expect([1, 2, 3].map((n) => backOff(n, () => 1))).toEqual([800, 1600, 3200]);
    expect(backOff(3, () => 0)).toBe(0);
  });
});

describe("a lost answer", () => {
  const lost = failure("TRANSIENT", { outcomeUnknown: true });
  const variants: readonly MemoryOptions[] = [{}, { checksums: ["sha256"] }];

  for (const memory of variants) {
    const how = memory.checksums ? "by checksum" : "by reading back";

    test(`write: one that took effect is recognised ${how} and not sent again`, async () => {
      const { remote, queue, backend } = setup({}, memory);
      queue.fail("write", lost, { at: "reply" });
      const written = await backend.write(A, sourceOf("ours"), { expect: "absent" });
      expect(written.file).toEqual(await remote.stat(A));
      expect(queue.calls.write).toBe(1);
      expect(queue.calls.read).toBe(memory.checksums ? 0 : 1);
    });

    test(`write: somebody else's file of the same size is told apart ${how}`, async () => {
      const { remote, queue, backend } = setup({}, memory);
      queue.fail("write", lost);
      queue.before("stat", () => remote.store.put(A, "them"));
      await expect(backend.write(A, sourceOf("ours"), { expect: "absent" })).rejects.toBeInstanceOf(StaleError);
      expect(remote.store.tree()).toEqual({ [A]: "them" });
      expect(queue.calls.write).toBe(1);
    });
  }

  test("write: one that did not take effect is sent again", async () => {
    const { remote, queue, backend } = setup();
    const { rev } = remote.store.put(A, "old");
    queue.fail("write", lost);
    await backend.write(A, sourceOf("new"), { expect: rev });
    expect(remote.store.tree()).toEqual({ [A]: "new" });
    expect(queue.history).toEqual([`write ${A}`, `stat ${A}`, `write ${A}`]);
  });

  test("write: a refusal by our own earlier success, seen late, is success", async () => {
    const { remote, queue, backend } = setup();
    queue.fail("write", lost);
    queue.before("write", () => remote.store.put(A, "ours"));
    const written = await backend.write(A, sourceOf("ours"), { expect: "absent" });
    expect(written.file?.size).toBe(4);
    expect(queue.calls).toMatchObject({ write: 2, stat: 2 });
  });

  test("write: a file that vanished under an update is StaleError, not a fresh create", async () => {
    const { remote, queue, backend } = setup();
    const { rev } = remote.store.put(A, "old");
    queue.fail("write", lost);
    queue.before("stat", () => remote.store.delete(A));
    await expect(backend.write(A, sourceOf("new"), { expect: rev })).rejects.toBeInstanceOf(StaleError);
    expect(remote.store.tree()).toEqual({});
  });

  test("write: when the look fails too, the first failure is reported and nothing is sent again", async () => {
    const { queue, backend } = setup();
    queue.fail("write", lost);
    queue.fail("stat", failure("AUTH"));
    await expect(backend.write(A, sourceOf("x"), { expect: "absent" })).rejects.toBe(lost);
    expect(queue.calls.write).toBe(1);
  });

  test("remove: one that took effect is success; one that did not is sent again", async () => {
    const { remote, queue, backend } = setup();
    const a = remote.store.put(A, "a");
    const b = remote.store.put(B, "b");
    queue.fail("remove", lost, { at: "reply", path: A });
    queue.fail("remove", lost, { path: B });
    await backend.remove(A, { expect: a.rev });
    await backend.remove(B, { expect: b.rev });
    expect(remote.store.tree()).toEqual({});
    expect(queue.history.filter((line) => line.startsWith("remove"))).toEqual([
      `remove ${A}`,
      `remove ${B}`,
      `remove ${B}`,
    ]);
  });

  test("remove: what somebody put there meanwhile is kept", async () => {
    const { remote, queue, backend } = setup();
    const { rev } = remote.store.put(A, "a");
    queue.fail("remove", lost, { at: "reply" });
    queue.before("stat", () => remote.store.put(A, "theirs"));
    await expect(backend.remove(A, { expect: rev })).rejects.toBeInstanceOf(StaleError);
    expect(remote.store.tree()).toEqual({ [A]: "theirs" });
  });

  test("copy: equal bytes under the new name count as done, others are StaleError", async () => {
    for (const [there, done] of [
      ["same", true],
      ["else", false],
    ] as const) {
      const { remote, queue, backend } = setup();
      remote.store.put(A, "same");
      queue.fail("copy", lost);
      queue.before("stat", () => remote.store.put(B, there), { path: B });
      const call = Promise.resolve(backend.copy?.(A, B));
      if (done) expect((await call)?.file?.path).toBe(B);
      else await expect(call).rejects.toBeInstanceOf(StaleError);
      expect(remote.store.tree()[B]).toBe(there);
      expect(queue.calls.copy).toBe(1);
    }
  });

  test("move: one that took effect is success; one that did not is sent again", async () => {
    for (const at of ["reply", "request"] as const) {
      const { remote, queue, backend } = setup();
      remote.store.put(A, "moved");
      queue.fail("move", lost, { at });
      expect((await backend.move?.(A, B))?.file?.path).toBe(B);
      expect(remote.store.tree()).toEqual({ [B]: "moved" });
      expect(queue.calls.move).toBe(at === "reply" ? 1 : 2);
    }
  });
});

describe("pauseCalls", () => {
  test("every call waits for the pause that one answer asked for", async () => {
    const { queue, backend, clock } = setup();
    queue.fail("stat", failure("QUOTA", { status: 429, pauseMs: 7000 }));
    await backend.stat(A);
    expect(clock.sleeps).toEqual([7000]);
    await backend.list("");
    expect(clock.sleeps).toEqual([7000]);
  });

  test("throttled answers do not use up attempts", async () => {
    const { queue, backend } = setup({ attempts: 1 });
    queue.fail("stat", failure("QUOTA", { status: 429, pauseMs: 2000 }), { times: 10 });
    await backend.stat(A);
    expect(queue.calls.stat).toBe(11);
  });

  test("without a header the pause is 30 s, then 45 s, and 30 s again after a success", async () => {
    const { queue, backend, clock } = setup();
    queue.fail("stat", failure("QUOTA", { status: 429 }), { times: 2 });
    await backend.stat(A);
    queue.fail("stat", failure("QUOTA", { status: 429 }));
    await backend.stat(A);
    expect(clock.sleeps).toEqual([30_000, 45_000, 30_000]);
  });

  test("a pause longer than max_throttle_wait_seconds ends the call, and calls after it, without a request", async () => {
    const { queue, backend, clock } = setup({ maxThrottleWaitMs: 60_000 });
    queue.fail("write", failure("TRANSIENT", { status: 503, pauseMs: 3_600_000 }));
    const write = backend.write(A, sourceOf("x"), { expect: "absent" });
    await expect(write).rejects.toMatchObject({ class: "TRANSIENT", pauseMs: 3_600_000 });
    await expect(backend.stat(A)).rejects.toBeInstanceOf(ThrottledError);
    expect(clock.sleeps).toEqual([]);
    expect(queue.calls).toMatchObject({ write: 1, stat: 0 });
  });

  test("a server that says 0 seconds for ever is given up on", async () => {
    const { queue, backend } = setup({ maxThrottleWaitMs: 20_000 });
    queue.fail("stat", failure("QUOTA", { status: 429, pauseMs: 0 }), { times: 1000 });
    await expect(backend.stat(A)).rejects.toBeInstanceOf(ThrottledError);
    expect(queue.calls.stat).toBe(21);
  });

  test("backends of one account share its pauses, which are told", async () => {
    const clock = steppedClock();
    const told: number[] = [];
    const throttle = createThrottle({ clock, maxWaitMs: 60_000, onPause: (until) => told.push(until) });
    const start = clock.now();
    const first = setup({ clock, throttle });
    const second = setup({ clock, throttle });
    first.queue.fail("stat", failure("QUOTA", { status: 429, pauseMs: 5000 }));
    await Promise.all([first.backend.stat(A), second.backend.stat(A)]);
    await second.backend.stat(A);
    expect(told).toEqual([start + 5000]);
  });
});

describe("limitCalls", () => {
  test("no more than `parallel` calls are under way", async () => {
    const { queue, backend } = setup({ parallel: 2 });
    const held = [queue.hold("stat"), queue.hold("stat"), queue.hold("stat")];
    const calls = [backend.stat(A), backend.stat(B), backend.stat(A)];
    await held[0]?.arrived;
    await held[1]?.arrived;
    expect(queue.calls.stat).toBe(2);
    held[0]?.release();
    await held[2]?.arrived;
    expect(queue.calls.stat).toBe(3);
    for (const call of held) call.release();
    await Promise.all(calls);
  });

  test("a verb that the backend likes in greater numbers has a limit of its own", async () => {
    const remote = memoryBackend();
    const queue = faultQueue({ ...remote, can: { ...remote.can, inFlight: { write: 4 } } });
    const options = { clock: steppedClock(), random: () => 0.5, attempts: 1, maxThrottleWaitMs: 0 };
    const backend = wrapBackend(queue.backend, { ...options, parallel: 2 });
    const held = Array.from({ length: 5 }, () => queue.hold("write"));
    const writes = Array.from({ length: 5 }, (_, i) =>
      backend.write(relPath(`${i}.md`), sourceOf("x"), { expect: "any" }),
    );
    for (const call of held.slice(0, 4)) await call.arrived;
    expect(queue.calls.write).toBe(4);
    expect(await backend.stat(A)).toBeUndefined();
    for (const call of held) call.release();
    await Promise.all(writes);
    expect(queue.calls.write).toBe(5);
  });

  test("a body that is being read holds no slot", async () => {
    const { remote, backend } = setup({ parallel: 1 });
    remote.store.put(A, "a");
    const opened = await backend.read(A);
    await backend.write(B, sourceOf("b"), { expect: "absent" });
    expect((await drain(opened.body)).length).toBe(1);
  });
});

describe("readOnly", () => {
  test("reads pass, and nothing that changes the remote gets through", async () => {
    const { remote, queue, backend } = setup({ access: "read" });
    const { rev } = remote.store.put(A, "a");
    expect((await backend.list("")).files.length).toBe(1);
    const calls = [
      () => backend.write(B, sourceOf("b"), { expect: "absent" }),
      () => backend.remove(A, { expect: rev }),
      async () => backend.copy?.(A, B),
      async () => backend.move?.(A, B),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ class: "PERMISSION" });
    expect(remote.store.tree()).toEqual({ [A]: "a" });
    expect(queue.calls).toMatchObject({ write: 0, remove: 0, copy: 0, move: 0 });
  });
});

describe("edit", () => {
  const add: Change = async ({ body }) => sourceOf(`${Buffer.from(await drain(body)).toString()}+`);

  test("edit: passes every wrapper, and after a lost answer is made again from what is there then", async () => {
    const { remote, queue, options } = withEdit();
    queue.fail("edit", failure("TRANSIENT", { outcomeUnknown: true }), { at: "reply" });
    await wrapBackend(queue.backend, { ...options, checks: "strict" }).edit?.(A, add);
    expect(queue.calls.edit).toBe(2);
    expect(remote.store.tree()).toEqual({ [A]: "a++" });
  });

  test("edit: a remote opened for reading is not changed", async () => {
    const { remote, queue, options } = withEdit();
    const call = async () => wrapBackend(queue.backend, { ...options, access: "read" }).edit?.(A, add);
    await expect(call()).rejects.toMatchObject({ class: "PERMISSION" });
    expect(remote.store.tree()).toEqual({ [A]: "a" });
    expect(queue.calls.edit).toBe(0);
  });

  test("edit: stays absent where the remote has no such step", () => {
    expect(setup().backend.edit).toBeUndefined();
  });
});

describe("logCalls", () => {
  test("one redacted line for each call that went out, and counts", async () => {
    const lines: string[] = [];
    const counts = noCalls();
    const { queue, backend } = setup({ log: (line) => lines.push(line), counts });
    queue.fail("write", failure("TRANSIENT", { cause: "none" }));
    await backend.write(A, sourceOf("four"), { expect: "absent" });
    queue.fail("stat", new BackendError("refused: Authorization: Bearer abcdef123456", { class: "AUTH" }));
    await expect(backend.stat(A)).rejects.toThrow();
    expect(lines).toEqual([
      `write "${A}" (4 bytes): BackendError: planted TRANSIENT, 0 ms`,
      `write "${A}" (4 bytes): ok, 0 ms`,
      expect.stringContaining(`stat "${A}": BackendError: refused`),
    ]);
    expect(lines.join()).not.toContain("abcdef123456");
    expect(counts).toMatchObject({ write: 2, stat: 1, bytes: 8 });
  });
});

describe("checkCalls", () => {
  const broken = (change: Partial<Backend>): Backend => checkCalls({ ...memoryBackend(), ...change });
  const file = { path: A, size: 1, rev: "r" as never, racy: false, id: "i", nativeHash: "h" };
  const listing = { files: [file], folders: [relPath("docs")], unusable: [], exists: true };

  test("a good listing passes", async () => {
    expect(await broken({ list: async () => listing }).list("")).toEqual(listing);
  });

  const bad: readonly (readonly [string, Partial<typeof listing>])[] = [
    ["a path twice", { files: [file, file] }],
    ["a path outside the folder listed", { files: [{ ...file, path: relPath("a.md") }] }],
    ["a file whose folder is left out", { files: [{ ...file, path: relPath("docs/deep/a.md") }] }],
    ["a file that is a folder too", { folders: [relPath("docs"), A] }],
    ["files in a folder that does not exist", { exists: false }],
    ["a size that is no whole number", { files: [{ ...file, size: Number.NaN }] }],
    ["an empty rev", { files: [{ ...file, rev: "" as never }] }],
  ];
  for (const [what, change] of bad) {
    test(`a listing with ${what} is found out`, async () => {
      const backend = broken({ list: async () => ({ ...listing, ...change }) });
      await expect(backend.list(relPath("docs"))).rejects.toBeInstanceOf(ContractError);
    });
  }

  test("an error of another kind, a wrong path and a truncated body are found out", async () => {
    const odd = async () => {
      throw new TypeError("x is undefined");
    };
    await expect(broken({ stat: odd }).stat(A)).rejects.toBeInstanceOf(ContractError);
    await expect(broken({ stat: async () => file }).stat(B)).rejects.toBeInstanceOf(ContractError);
    const remote = memoryBackend();
    remote.store.put(A, "content");
    const queue = faultQueue(remote);
    queue.truncate(3);
    const opened = await checkCalls(queue.backend).read(A);
    await expect(drain(opened.body)).rejects.toBeInstanceOf(ContractError);
    queue.verify();
  });
});
