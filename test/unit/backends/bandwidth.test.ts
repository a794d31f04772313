import { expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { createBandwidth, paceUploads } from "../../../src/backends/wrap/bandwidth.ts";
import { wrapBackend } from "../../../src/backends/wrap/stack.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { failingSource, sourceOf, textAt } from "../../support/bodies.ts";
import { memoryBackend } from "../../support/memory-backend.ts";

/** A clock that stands still until all who could run wait for it. */
function steppedClock(): Clock & { readonly ms: number } {
  const waiting: { readonly at: number; wake(): void }[] = [];
  let now = 0;
  let stepping = false;
  const step = async (): Promise<void> => {
    stepping = true;
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    await new Promise<void>((resolve) => setImmediate(resolve));
    waiting.sort((a, b) => a.at - b.at);
    const first = waiting.shift();
    if (first !== undefined) {
      now = Math.max(now, first.at);
      first.wake();
    }
    if (waiting.length > 0) await step();
    stepping = false;
  };
  return {
    get ms() {
      return now;
    },
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        waiting.push({ at: now + ms, wake: resolve });
        if (!stepping) void step();
      }),
  };
}

const A = relPath("a.bin");
const B = relPath("b.bin");

/** 64 kbit/s: 8 KiB a second. */
const KBPS = 64;

function body(kib: number): Uint8Array {
  return new Uint8Array(kib * 1024).fill(65);
}

test("paceUploads: all uploads of a run together stay below the limit, 1024 bits a kilobit", async () => {
  const clock = steppedClock();
  const bandwidth = createBandwidth({ clock, kbps: KBPS });
  const primary = paceUploads(memoryBackend(), bandwidth);
  const mirror = paceUploads(memoryBackend(), bandwidth);
  await Promise.all([
    primary.write(A, sourceOf(body(80)), { expect: "absent" }),
    primary.write(B, sourceOf(body(40)), { expect: "absent" }),
    mirror.write(A, sourceOf(body(40)), { expect: "absent" }),
  ]);
  // 160 KiB at 8 KiB a second, the first second being free.
  expect(clock.ms).toBeGreaterThanOrEqual(19_000);
  expect(clock.ms).toBeLessThanOrEqual(20_000);
  expect((await textAt(primary, A)).length).toBe(80 * 1024);
});

test("paceUploads: small bodies share the limit as large ones do", async () => {
  const clock = steppedClock();
  const backend = paceUploads(memoryBackend(), createBandwidth({ clock, kbps: KBPS }));
  for (let i = 0; i < 80; i++) await backend.write(relPath(`${i}`), sourceOf(body(1)), { expect: "absent" });
  expect(clock.ms).toBeGreaterThanOrEqual(9000);
  expect(clock.ms).toBeLessThanOrEqual(10_000);
});

test("paceUploads: a pause earns one second of sending, not more", async () => {
  const clock = steppedClock();
  const backend = paceUploads(memoryBackend(), createBandwidth({ clock, kbps: KBPS }));
  await clock.sleep(3_600_000);
  const start = clock.ms;
  await backend.write(A, sourceOf(body(80)), { expect: "absent" });
  expect(clock.ms - start).toBeGreaterThanOrEqual(9000);
});

test("paceUploads: what is edited in place counts, reads do not", async () => {
  const clock = steppedClock();
  const inner = memoryBackend();
  const withEdit = {
    ...inner,
    edit: async (_: unknown, change: (opened: never) => Promise<unknown>) => {
      const source = (await change(undefined as never)) as ReturnType<typeof sourceOf>;
      await inner.write(A, source, { expect: "any" });
    },
  };
  const backend = paceUploads(withEdit as never, createBandwidth({ clock, kbps: KBPS }));
  await backend.edit?.(A, async () => sourceOf(body(80)));
  const after = clock.ms;
  expect(after).toBeGreaterThanOrEqual(9000);
  await textAt(backend, A);
  expect(clock.ms).toBe(after);
});

test("paceUploads: an interrupt ends the wait, and a body that fails fails as before", async () => {
  const clock = steppedClock();
  const backend = paceUploads(memoryBackend(), createBandwidth({ clock, kbps: 1 }));
  const control = new AbortController();
  setImmediate(() => control.abort());
  const aborted = backend.write(A, sourceOf(body(800)), { expect: "absent", signal: control.signal });
  expect(await aborted.catch((error: Error) => error.name)).toBe("AbortError");
  const failing = backend.write(A, failingSource("x", 5, new Error("the disk broke")), { expect: "absent" });
  expect(await failing.catch((error: Error) => error.message)).toContain("the disk broke");
});

test("wrapBackend: paces what really goes out, so that a repeated upload counts again", async () => {
  const clock = steppedClock();
  const inner = memoryBackend();
  let tries = 0;
  const flaky: typeof inner = {
    ...inner,
    async write(path, source, options) {
      if (++tries > 1) return inner.write(path, source, options);
      for await (const _ of source.open()) {
        /* sent, and lost */
      }
      throw new BackendError("it broke", { class: "TRANSIENT" });
    },
  };
  const bandwidth = createBandwidth({ clock, kbps: KBPS });
  const backend = wrapBackend(flaky, {
    clock,
    random: () => 0,
    attempts: 3,
    parallel: 4,
    maxThrottleWaitMs: 0,
    bandwidth,
  });
  await backend.write(A, sourceOf(body(40)), { expect: "absent" });
  expect(clock.ms).toBeGreaterThanOrEqual(9000);
});
