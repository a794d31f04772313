import { expect, test } from "bun:test";
import type { Clock } from "../../../src/lib/clock.ts";
import { type CoalesceOptions, coalesce, type Settled } from "../../../src/lib/coalesce.ts";

/** A clock whose sleepers wake when the test says so. */
function handClock() {
  let sleepers: (() => void)[] = [];
  const clock: Clock = { now: () => 0, sleep: () => new Promise((wake) => void sleepers.push(wake)) };
  const wake = async (): Promise<void> => {
    for (const each of sleepers.splice(0)) each();
    sleepers = [];
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return { clock, wake };
}

function lab(options: Partial<CoalesceOptions<number, string>> = {}) {
  const { clock, wake } = handClock();
  const sent: (readonly number[])[] = [];
  const call = coalesce<number, string>({
    clock,
    count: 3,
    async send(items) {
      sent.push(items);
      return items.map(
        (item): Settled<string> => (item < 0 ? { error: new Error(`no ${item}`) } : { ok: `<${item}>` }),
      );
    },
    ...options,
  });
  return { call, sent, wake };
}

test("coalesce: calls that are under way at once go out together, each with its own answer", async () => {
  const { call, sent } = lab();
  expect(await Promise.all([call(1), call(2), call(3)])).toEqual(["<1>", "<2>", "<3>"]);
  expect(sent).toEqual([[1, 2, 3]]);
});

test("coalesce: one item's error is its own", async () => {
  const { call } = lab();
  const ends = await Promise.allSettled([call(1), call(-2), call(3)]);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

test("coalesce: an error of the whole batch is everybody's, and the next batch is sent", async () => {
  let fails = true;
  const { call } = lab({
    send: async (items) => {
      if (fails) throw new Error("down");
      return items.map((item) => ({ ok: String(item) }));
    },
  });
  const ends = await Promise.allSettled([call(1), call(2), call(3)]);
  expect(ends.every(({ status }) => status === "rejected")).toBe(true);
  fails = false;
  expect(await Promise.all([call(1), call(2), call(3)])).toEqual(["1", "2", "3"]);
});

test("coalesce: a few go out after a quiet moment, not while others keep coming", async () => {
  const { call, sent, wake } = lab();
  const first = call(1);
  const second = call(2);
  await wake();
  expect(sent).toEqual([]);
  await wake();
  expect(await Promise.all([first, second])).toEqual(["<1>", "<2>"]);
  expect(sent).toEqual([[1, 2]]);
});

test("coalesce: goes at once when every caller waits", async () => {
  const { call, sent } = lab({ callers: 2 });
  expect(await Promise.all([call(1), call(2)])).toEqual(["<1>", "<2>"]);
  expect(sent).toEqual([[1, 2]]);
});

test("coalesce: weight bounds a batch, and what weighs too much goes alone", async () => {
  const { call, sent, wake } = lab({ count: 10, weight: 10, weigh: (item) => item });
  const calls = Promise.all([call(4), call(4), call(4), call(99), call(1)]);
  for (let i = 0; i < 12; i++) await wake();
  await calls;
  expect(sent).toEqual([[4, 4], [4], [99], [1]]);
});

test("coalesce: calls gather while a batch is under way", async () => {
  const releases: (() => void)[] = [];
  const sizes: number[] = [];
  const { call } = lab({
    count: 2,
    send: async (items) => {
      sizes.push(items.length);
      await new Promise<void>((release) => releases.push(release));
      return items.map((item) => ({ ok: String(item) }));
    },
  });
  const calls = [1, 2, 3, 4, 5, 6].map((item) => call(item));
  for (let batch = 0; batch < 3; batch++) {
    expect(sizes.length).toBe(batch + 1);
    releases[batch]?.();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
  expect(await Promise.all(calls)).toEqual(["1", "2", "3", "4", "5", "6"]);
  expect(sizes).toEqual([2, 2, 2]);
});

test("coalesce: a call that is given up leaves the queue; one under way is answered no more", async () => {
  const control = new AbortController();
  let seen: AbortSignal | undefined;
  const { call, sent, wake } = lab({
    count: 2,
    send: (items, signal) => {
      seen = signal;
      sent.push(items);
      return new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve(items.map(() => ({ ok: "late" })))),
      );
    },
  });
  const signal = control.signal;
  const gone = AbortSignal.abort(new Error("before"));
  await expect(call(0, { signal: gone })).rejects.toThrow("before");
  const underWay = [call(1, { signal }), call(2, { signal })];
  const queued = call(3, { signal });
  expect(seen?.aborted).toBe(false);
  control.abort(new Error("enough"));
  for (const each of [...underWay, queued]) await expect(each).rejects.toThrow("enough");
  expect(seen?.aborted).toBe(true);
  await wake();
  expect(sent).toEqual([[1, 2]]);
});

test("coalesce: a batch goes on while anybody still waits for it", async () => {
  const control = new AbortController();
  let aborted = false;
  let finish: (() => void) | undefined;
  const { call } = lab({
    count: 2,
    send: async (items, signal) => {
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return items.map((item) => ({ ok: String(item) }));
    },
  });
  const [left, stays] = [call(1, { signal: control.signal }), call(2)];
  control.abort(new Error("I go"));
  await expect(left).rejects.toThrow("I go");
  finish?.();
  expect(await stays).toBe("2");
  expect(aborted).toBe(false);
});
