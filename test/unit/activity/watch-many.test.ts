import { expect, test } from "bun:test";
import { type Watched, watchMany } from "../../../src/activity/watch-many.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

/** Watchers of several projects, on a clock of their own, that end when they are told to or when the test says so. */
function lab() {
  const clock = virtualClock();
  const stop = new AbortController();
  const wanted = new Map<string, string>();
  const notes: string[] = [];
  /** How many watch a project right now, and how often one has begun. */
  const now = new Map<string, number>();
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const state = { asked: false, tidied: 0, slowToEnd: undefined as Promise<void> | undefined };
  const most = { atOnce: 0 };
  const watching = watchMany({
    clock,
    signal: stop.signal,
    discover: () => [...wanted].map(([key, stamp]): Watched => ({ key, stamp })),
    async watch(key, signal) {
      begun.push(`${key} ${wanted.get(key)}`);
      now.set(key, (now.get(key) ?? 0) + 1);
      most.atOnce = Math.max(most.atOnce, now.get(key) ?? 0);
      try {
        await new Promise<void>((resolve, reject) => {
          ends.set(key, (error) => (error === undefined ? resolve() : reject(error)));
          signal.addEventListener("abort", () => resolve());
        });
        await state.slowToEnd;
      } finally {
        now.set(key, (now.get(key) ?? 0) - 1);
      }
    },
    asked() {
      const was = state.asked;
      state.asked = false;
      return was;
    },
    tidy: () => void state.tidied++,
    note: (line) => void notes.push(line),
  });
  return {
    clock,
    wanted,
    notes,
    begun,
    state,
    most,
    alive: () => [...now].filter(([, count]) => count > 0).map(([key]) => key),
    die: (key: string, error?: Error) => ends.get(key)?.(error),
    stop: () => stop.abort(),
    watching,
    async end() {
      stop.abort();
      await watching;
    },
  };
}

test("watchMany: new configs join, removed ones leave, edited ones begin anew, within a round", async () => {
  const it = lab();
  it.wanted.set("a", "1").set("b", "1");
  await it.clock.advance(2_000);
  expect(it.alive()).toEqual(["a", "b"]);
  it.wanted.set("a", "2").set("c", "1").delete("b");
  await it.clock.advance(2_000);
  expect(it.alive()).toEqual(["a", "c"]);
  expect(it.begun.toSorted()).toEqual(["a 1", "a 2", "b 1", "c 1"]);
  expect(it.notes).toEqual(["No longer watching b."]);
  await it.end();
  expect(it.alive()).toEqual([]);
  expect(it.clock.sleepers).toBe(0);
});

test("watchMany: an edited or re-added project has one watcher at a time, however slowly the old one ends", async () => {
  const it = lab();
  it.wanted.set("a", "1");
  await it.clock.advance(2_000);
  const slow = Promise.withResolvers<void>();
  it.state.slowToEnd = slow.promise;
  it.wanted.set("a", "2");
  await it.clock.advance(2_000);
  it.wanted.delete("a");
  await it.clock.advance(2_000);
  it.wanted.set("a", "3");
  await it.clock.advance(10_000);
  expect(it.begun).toEqual(["a 1"]);
  slow.resolve();
  await it.clock.advance(2_000);
  expect(it.begun).toEqual(["a 1", "a 3"]);
  expect(it.most.atOnce).toBe(1);
  expect(it.notes).toEqual(["No longer watching a."]);
  await it.end();
});

test("watchMany: returns when all have ended, those that had to leave before included", async () => {
  const it = lab();
  it.wanted.set("a", "1");
  await it.clock.advance(2_000);
  const slow = Promise.withResolvers<void>();
  it.state.slowToEnd = slow.promise;
  it.wanted.delete("a");
  await it.clock.advance(2_000);
  let returned = false;
  void it.watching.then(() => {
    returned = true;
  });
  it.stop();
  await it.clock.advance(10_000);
  expect(returned).toBe(false);
  slow.resolve();
  await it.watching;
});

test("watchMany: a watcher that ends or fails comes back, after growing pauses, at once when somebody asks", async () => {
  const it = lab();
  it.wanted.set("a", "1");
  await it.clock.advance(2_000);
  it.die("a", new Error("no such folder"));
  await it.clock.advance(6_000);
  expect(it.begun).toHaveLength(2);
  it.die("a");
  await it.clock.advance(4_000);
  expect(it.begun).toHaveLength(2);
  it.state.asked = true;
  await it.clock.advance(2_000);
  expect(it.begun).toHaveLength(3);
  expect(it.notes).toEqual([
    "a: no such folder; trying again in 4 s.",
    "a: the watcher has ended; trying again in 8 s.",
  ]);
  await it.end();
});

test("watchMany: a watcher that fails now and then comes back as soon as the first time", async () => {
  const it = lab();
  it.wanted.set("a", "1");
  await it.clock.advance(2_000);
  for (let day = 0; day < 8; day++) {
    it.die("a", new Error("broken"));
    await it.clock.advance(120_000);
  }
  expect(new Set(it.notes)).toEqual(new Set(["a: broken; trying again in 4 s."]));
  await it.end();
});

test("watchMany: a clock that was set back does not put off what is tried again", async () => {
  const it = lab();
  it.wanted.set("a", "1");
  await it.clock.advance(2_000);
  it.die("a", new Error("broken"));
  await it.clock.advance(1_000);
  it.clock.suspend(-24 * 3_600_000);
  await it.clock.advance(6_000);
  expect(it.begun).toHaveLength(2);
  await it.end();
});

test("watchMany: tidies up every few minutes, and not more often", async () => {
  const it = lab();
  await it.clock.advance(3_600_000);
  expect(it.state.tidied).toBe(30);
  await it.end();
});
