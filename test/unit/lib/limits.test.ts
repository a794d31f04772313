import { expect, test } from "bun:test";
import { forEachLimit, limiter, weightLimiter } from "../../../src/lib/limits.ts";

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
}

test("limiter: never more than n at once, and in order", async () => {
  const run = limiter(3);
  let running = 0;
  let most = 0;
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 5000 }, (_, i) =>
      run(async () => {
        order.push(i);
        most = Math.max(most, ++running);
        await null;
        running--;
      }),
    ),
  );
  expect(most).toBe(3);
  expect(order).toEqual(Array.from({ length: 5000 }, (_, i) => i));
});

test("limiter: a failed task frees its slot and fails alone", async () => {
  const run = limiter(1);
  const failed = run(() => Promise.reject(new Error("one")));
  const fine = run(async () => "two");
  await expect(failed).rejects.toThrow("one");
  expect(await fine).toBe("two");
});

test("limiter: refuses a count that is no count", () => {
  for (const n of [0, -1, 1.5, Number.NaN]) expect(() => limiter(n)).toThrow(RangeError);
});

test("forEachLimit: 100,000 items are pulled only as slots get free", async () => {
  let pulled = 0;
  let done = 0;
  let ahead = 0;
  function* items() {
    for (let i = 0; i < 100_000; i++) {
      pulled++;
      ahead = Math.max(ahead, pulled - done);
      yield i;
    }
  }
  let sum = 0;
  await forEachLimit(items(), 8, async (item) => {
    sum += item;
    await null;
    done++;
  });
  expect(sum).toBe((99_999 * 100_000) / 2);
  expect(ahead).toBeLessThanOrEqual(8);
});

test("forEachLimit: takes async iterables and counts the items", async () => {
  async function* items() {
    yield "a";
    yield "b";
    yield "c";
  }
  const seen: string[] = [];
  await forEachLimit(items(), 2, async (item, index) => void seen.push(`${index}${item}`));
  expect(seen.sort()).toEqual(["0a", "1b", "2c"]);
});

test("forEachLimit: after a failure nothing starts, what runs is waited for, the source is closed", async () => {
  const slow = gate();
  const started: number[] = [];
  let closed = false;
  let finished = false;
  function* items() {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      closed = true;
    }
  }
  const run = forEachLimit(items(), 2, async (item) => {
    started.push(item);
    if (item === 1) throw new Error("broken");
    await slow.promise;
    finished = true;
  });
  await Promise.resolve();
  slow.open();
  await expect(run).rejects.toThrow("broken");
  expect(started).toEqual([0, 1]);
  expect(finished).toBe(true);
  expect(closed).toBe(true);
});

test("forEachLimit: an aborted signal stops it with its reason", async () => {
  const control = new AbortController();
  let calls = 0;
  const run = forEachLimit(
    [1, 2, 3, 4],
    1,
    async (item) => {
      calls++;
      if (item === 2) control.abort(new Error("enough"));
    },
    { signal: control.signal },
  );
  await expect(run).rejects.toThrow("enough");
  expect(calls).toBe(2);
});

test("forEachLimit: nothing to do is done at once", async () => {
  await forEachLimit([], 4, () => Promise.reject(new Error("called")));
});

test("weightLimiter: tasks begin in order while their weights fit, and a heavy one runs alone", async () => {
  const within = weightLimiter(10);
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const start = (name: string, weight: number) =>
    within(weight, async () => {
      log.push(name);
      await new Promise<void>((end) => ends.set(name, end));
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    for (let i = 0; i < 6; i++) await Promise.resolve();
  };
  const all = Promise.all([start("a", 6), start("b", 4), start("heavy", 99), start("c", 1)]);
  expect(log).toEqual(["a", "b"]);
  await end("a");
  expect(log).toEqual(["a", "b"]);
  await end("b");
  expect(log).toEqual(["a", "b", "heavy"]);
  await end("heavy");
  expect(log).toEqual(["a", "b", "heavy", "c"]);
  await end("c");
  await all;
});

test("weightLimiter: a task that fails makes room", async () => {
  const within = weightLimiter(1);
  await expect(
    within(1, async () => {
      throw new Error("x");
    }),
  ).rejects.toThrow("x");
  expect(await within(1, async () => "next")).toBe("next");
});
