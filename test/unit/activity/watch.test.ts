import { expect, test } from "bun:test";
import { appendEvents, formatLog, identity } from "../../../src/activity/log.ts";
import { changedByOthers, type LogMark, newsIn } from "../../../src/activity/log-mark.ts";
import type { Beat, LogEvent } from "../../../src/activity/model.ts";
import { watchLog } from "../../../src/activity/watch.ts";
import { BackendError } from "../../../src/backends/errors.ts";
import { SYNC_LOG_PATH } from "../../../src/backends/layout.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { pythonIso, systemClock } from "../../../src/lib/clock.ts";
import { sourceOf } from "../../support/bodies.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

let ticks = 0;
function event(machine: string, file: string, action: LogEvent["action"] = "push"): LogEvent {
  return { machine, user: "u", timestamp: pythonIso(++ticks * 1000), files: [file], action, project: "p" };
}

/** One watcher of a remote in memory, on a clock of its own. */
function lab(options: { readonly hints?: boolean; readonly polls?: boolean; readonly opensSilently?: boolean } = {}) {
  const remote = memoryBackend();
  const clock = virtualClock();
  const stop = new AbortController();
  const beats: Beat[] = [];
  const inbox: string[] = [];
  const calls = { open: 0, close: 0, requests: 0 };
  let mark: LogMark | undefined;
  let written = 0;
  /** What the vendor's cursor counts: anything in the account. */
  let elsewhere = 0;
  const poll: NonNullable<Backend["poll"]> = async (path, since) => {
    const rev = (await remote.stat(path))?.rev ?? "";
    const cursor = `${elsewhere} ${rev}`;
    return { kind: since?.split(" ")[1] === rev ? "same" : "changed", cursor };
  };
  let fault: Error | undefined;
  let silent = false;
  let afterLook: (() => Promise<unknown>) | undefined;
  const own = new Set<string>();
  let hint = Promise.withResolvers<"changed" | "quiet">();
  const count = <T>(work: () => Promise<T>) => {
    calls.requests++;
    return fault ? Promise.reject(fault) : work();
  };
  const open = async (): Promise<Backend> => {
    calls.open++;
    if (fault) throw fault;
    if (silent && options.opensSilently) return noAnswer(undefined);
    return {
      ...remote,
      stat: (path, call) =>
        count(async () => {
          const found = await (silent ? noAnswer(call?.signal) : remote.stat(path));
          const meanwhile = afterLook;
          afterLook = undefined;
          await meanwhile?.();
          return found;
        }),
      read: (path) => count(() => remote.read(path)),
      ...(options.polls && { poll: (path, since) => count(() => poll(path, since)) }),
      can: { ...remote.can, tellsSurely: options.hints ?? false },
      ...(options.hints && {
        waitForChange: async () => {
          const woke = await hint.promise;
          hint = Promise.withResolvers();
          return woke;
        },
      }),
      close: async () => void calls.close++,
    };
  };
  let watching: Promise<void> | undefined;
  const start = () => {
    watching = watchLog({
      clock,
      signal: stop.signal,
      random: () => 0.5,
      intervalMs: 30_000,
      open,
      readMark: () => mark,
      writeMark: (now) => {
        mark = now;
        written++;
      },
      wanted: () => changedByOthers(own),
      deliver(news) {
        for (const one of news) inbox.push(`${one.machine} ${one.files[0]}`);
      },
      beat: (beat) => void beats.push(beat),
    });
  };
  return {
    start,
    remote,
    clock,
    beats,
    inbox,
    calls,
    own,
    mark: () => mark,
    written: () => written,
    elsewhere: () => void elsewhere++,
    /** The hand of another machine, once. */
    afterNextLook: (act: () => Promise<unknown>) => {
      afterLook = act;
    },
    /** From now on nothing is answered, as over a connection that the other side has forgotten. */
    silence: (on: boolean) => {
      silent = on;
    },
    fail: (error: Error | undefined) => {
      fault = error;
    },
    hint: (kind: "changed" | "quiet" = "changed") => hint.resolve(kind),
    hintFails: (error: Error) => hint.reject(error),
    add: (...events: LogEvent[]) => appendEvents(remote, events, { clock: systemClock }),
    async end() {
      stop.abort();
      await watching;
    },
  };
}

function noAnswer(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

const LOST = new BackendError("cannot reach the server", { class: "TRANSIENT" });

test("watchLog: the first look only takes note; then what others add is brought once, within an interval", async () => {
  const it = lab();
  await it.add(event("old", "old.md"));
  it.start();
  await it.clock.advance(1);
  expect(it.inbox).toEqual([]);
  await it.add(event("ws", "a.md"));
  await it.add(event("ws", "b.md"));
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws a.md", "ws b.md"]);
  await it.clock.advance(300_000);
  expect(it.inbox).toHaveLength(2);
  await it.end();
});

test("watchLog: an unchanged log costs one request a look", async () => {
  const it = lab();
  await it.add(event("ws", "a.md"));
  it.start();
  await it.clock.advance(65_000);
  const before = it.calls.requests;
  await it.clock.advance(300_000);
  expect(it.calls.requests - before).toBe(10);
  await it.end();
});

test("watchLog: what another machine writes between the look and the reading is not read once more", async () => {
  const it = lab();
  await it.add(event("ws", "a.md"));
  it.start();
  await it.clock.advance(1);
  await it.add(event("ws", "b.md"));
  it.afterNextLook(() => it.add(event("ws", "c.md")));
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws b.md", "ws c.md"]);
  const before = it.calls.requests;
  await it.clock.advance(60_000);
  expect(it.calls.requests - before).toBe(2);
  await it.end();
});

test("watchLog: own events are known by what was sent, not by the machine's name", async () => {
  const it = lab();
  it.start();
  await it.clock.advance(1);
  const mine = event("ws", "mine.md");
  it.own.add(identity(mine));
  await it.add(mine, event("ws", "of another machine of that name.md"));
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws of another machine of that name.md"]);
  await it.end();
});

test("case 7 of the Python tool, the watcher's half: an event that stands twice in the log is brought once, not at every poll", async () => {
  const it = lab();
  await it.add(event("ws", "old.md"));
  it.start();
  await it.clock.advance(1);
  const twin = event("ws", "a.md");
  const text = formatLog([event("ws", "older.md"), twin, twin]);
  await it.remote.write(SYNC_LOG_PATH, sourceOf(text), { expect: "any" });
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws older.md", "ws a.md"]);
  for (let round = 0; round < 5; round++) {
    await it.remote.write(SYNC_LOG_PATH, sourceOf(`${text}${" ".repeat(round + 1)}`), { expect: "any" });
    await it.clock.advance(30_000);
  }
  expect(it.inbox).toHaveLength(2);
  await it.end();
});

test("watchLog: a log that dropped its oldest entries, or was put back from an older copy, is no news", async () => {
  const it = lab();
  const events = Array.from({ length: 200 }, (_, i) => event("ws", `${i}.md`));
  await it.add(...events);
  it.start();
  await it.clock.advance(1);
  await it.add(event("ws", "new.md"));
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws new.md"]);
  await it.remote.write(SYNC_LOG_PATH, sourceOf(formatLog(events.slice(0, 50))), { expect: "any" });
  await it.clock.advance(30_000);
  await it.add(event("ws", "newer.md"));
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws new.md", "ws newer.md"]);
  await it.end();
});

test("watchLog: comes back after failures with growing pauses, opens anew, and brings what was missed", async () => {
  const it = lab();
  it.start();
  await it.clock.advance(1);
  it.fail(LOST);
  await it.clock.advance(600_000);
  const failing = it.beats.filter(({ state }) => state === "failing").length;
  expect(failing).toBeGreaterThan(10);
  expect(failing).toBeLessThan(25);
  expect(it.beats.at(-1)).toMatchObject({ state: "failing", error: "cannot reach the server" });
  it.fail(undefined);
  await it.add(event("ws", "meanwhile.md"));
  await it.clock.advance(60_000);
  expect(it.inbox).toEqual(["ws meanwhile.md"]);
  expect(it.beats.at(-1)).toEqual({ state: "ok", told: false });
  // An open that fails has nothing to close; the last one is still open.
  expect(it.calls.close).toBe(1);
  await it.end();
  expect(it.calls.close).toBe(2);
});

test("watchLog: a log that cannot be read is told and changes nothing; when it is repaired it goes on", async () => {
  const it = lab();
  await it.add(event("ws", "a.md"));
  it.start();
  await it.clock.advance(1);
  const good = event("ws", "b.md");
  await it.remote.write(SYNC_LOG_PATH, sourceOf("{"), { expect: "any" });
  await it.clock.advance(120_000);
  expect(it.beats.at(-1)).toMatchObject({ state: "failing" });
  await it.remote.write(SYNC_LOG_PATH, sourceOf(formatLog([good])), { expect: "any" });
  await it.clock.advance(60_000);
  expect(it.inbox).toEqual(["ws b.md"]);
  await it.end();
});

test("watchLog: after a sleep of the machine it connects anew and looks within 5 s", async () => {
  const it = lab();
  it.start();
  await it.clock.advance(1);
  const opened = it.calls.open;
  await it.add(event("ws", "while asleep.md"));
  it.clock.suspend(8 * 3_600_000);
  await it.clock.advance(5_000);
  expect(it.inbox).toEqual(["ws while asleep.md"]);
  expect(it.calls.open).toBe(opened + 1);
  await it.end();
});

test.each([["a look"], ["opening the remote"]])(
  "watchLog: a sleep of the machine in the middle of %s is noticed, too: what was asked before is never answered",
  async (when) => {
    const opensSilently = when !== "a look";
    const it = lab({ opensSilently });
    it.start();
    await it.clock.advance(1);
    if (opensSilently) it.fail(LOST);
    await it.clock.advance(31_000);
    it.silence(true);
    it.fail(undefined);
    await it.clock.advance(31_000);
    await it.add(event("ws", "while asleep.md"));
    it.clock.suspend(8 * 3_600_000);
    it.silence(false);
    await it.clock.advance(5_000);
    expect(it.inbox).toEqual(["ws while asleep.md"]);
    await it.end();
    expect(it.clock.sleepers).toBe(0);
  },
);

test("watchLog: a clock that was set back is no reason to stop looking", async () => {
  const it = lab();
  it.start();
  await it.clock.advance(1);
  it.clock.suspend(-24 * 3_600_000);
  await it.add(event("ws", "a.md"));
  await it.clock.advance(5_000);
  expect(it.inbox).toEqual(["ws a.md"]);
  await it.end();
});

test("watchLog: where the remote tells by itself it looks at once, and else every five minutes", async () => {
  const it = lab({ hints: true });
  it.start();
  await it.clock.advance(1);
  await it.add(event("ws", "a.md"));
  it.hint();
  await it.clock.advance(0);
  expect(it.inbox).toEqual(["ws a.md"]);
  const before = it.calls.requests;
  it.hint("quiet");
  await it.clock.advance(299_000);
  expect(it.calls.requests).toBe(before);
  await it.add(event("ws", "not told.md"));
  await it.clock.advance(1_000);
  expect(it.inbox).toEqual(["ws a.md", "ws not told.md"]);
  await it.end();
});

test("watchLog: a feed that dies is opened again (the Python tool's watchers die unseen)", async () => {
  const it = lab({ hints: true });
  it.start();
  await it.clock.advance(1);
  const opened = it.calls.open;
  it.hintFails(LOST);
  await it.clock.advance(2_000);
  expect(it.calls.open).toBeGreaterThan(opened);
  expect(it.beats.some(({ state }) => state === "failing")).toBe(true);
  await it.end();
});

test("watchLog: where the remote can be polled, a poll is the look, and what it tells is brought", async () => {
  const it = lab({ polls: true });
  await it.add(event("ws", "old.md"));
  it.start();
  await it.clock.advance(65_000);
  const before = it.calls.requests;
  await it.clock.advance(300_000);
  expect(it.calls.requests - before).toBe(10);
  await it.add(event("ws", "a.md"));
  await it.clock.advance(30_000);
  expect(it.inbox).toEqual(["ws a.md"]);
  await it.end();
});

test("watchLog: a watcher that begins anew goes on from the cursor of the one before, by one request", async () => {
  const it = lab({ polls: true });
  await it.add(event("ws", "old.md"));
  it.start();
  await it.clock.advance(1);
  it.fail(LOST);
  await it.clock.advance(31_000);
  it.fail(undefined);
  const before = it.calls.requests;
  await it.clock.advance(5_000);
  expect(it.beats.at(-1)).toMatchObject({ state: "ok" });
  expect(it.calls.requests - before).toBe(1);
  await it.end();
});

test("watchLog: a cursor that moves with what else is in the account is written down once an hour, and with each notice", async () => {
  const it = lab({ polls: true });
  await it.add(event("ws", "old.md"));
  it.start();
  await it.clock.advance(1);
  const first = it.written();
  for (let look = 0; look < 110; look++) {
    it.elsewhere();
    await it.clock.advance(30_000);
  }
  expect(it.written()).toBe(first);
  for (let look = 0; look < 30; look++) {
    it.elsewhere();
    await it.clock.advance(30_000);
  }
  expect(it.written()).toBe(first + 1);
  await it.add(event("ws", "a.md"));
  await it.clock.advance(30_000);
  expect(it.written()).toBe(first + 2);
  expect(it.inbox).toEqual(["ws a.md"]);
  await it.end();
});

test("watchLog: leaves no timer behind", async () => {
  const it = lab();
  it.start();
  await it.clock.advance(100_000);
  await it.end();
  expect(it.clock.sleepers).toBe(0);
});

test("newsIn: what others pulled is no news", () => {
  const pulled = event("ws", "a.md", "pull");
  const { news, seen } = newsIn(
    [pulled, event("ws", "b.md", "delete")],
    { rev: null, seen: [] },
    changedByOthers(new Set()),
  );
  expect(news.map(({ action }) => action)).toEqual(["delete"]);
  expect(seen).toHaveLength(2);
});
