import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { appendEvents, formatLog, MAX_EVENTS, readLog } from "../../../src/activity/log.ts";
import type { LogEvent } from "../../../src/activity/model.ts";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import { SYNC_LOG_PATH } from "../../../src/backends/layout.ts";
import type { Backend } from "../../../src/backends/types.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { fromBytes } from "../../../src/lib/streams.ts";
import { textAt } from "../../support/bodies.ts";
import { type MemoryBackend, memoryBackend } from "../../support/memory-backend.ts";
import { spyBackend } from "../../support/spy-backend.ts";

const fixtures = join(import.meta.dir, "../../fixtures");
const LOG_0531 = readFileSync(join(fixtures, "claude-mirror-0.5.31/remote-full", SYNC_LOG_PATH), "utf8");
const LOG_0570 = readFileSync(join(fixtures, "claude-mirror-0.5.70/remote", SYNC_LOG_PATH), "utf8");
const SIX_KEYS = ["machine", "user", "timestamp", "files", "action", "project"];

/** Counts the pauses instead of taking them. */
function countingClock(): Clock & { pauses: number } {
  return {
    pauses: 0,
    now: () => 0,
    async sleep() {
      this.pauses++;
    },
  };
}

function eventAt(second: number, machine = "desk"): LogEvent {
  return {
    machine,
    user: "bob",
    timestamp: `2026-11-21T00:00:${String(second).padStart(2, "0")}.000001+00:00`,
    files: ["naïve – dash.md"],
    action: "push",
    project: "notes",
  };
}

function withLog(text: string | Uint8Array): MemoryBackend {
  const backend = memoryBackend();
  backend.store.put(SYNC_LOG_PATH, text);
  return backend;
}

/** Runs `before` ahead of each write: the hand of another machine. */
function interrupted(backend: Backend, before: () => Promise<void>): Backend {
  return {
    ...backend,
    write: async (path, source, options) => {
      await before();
      return backend.write(path, source, options);
    },
  };
}

/** `outer`, with a step that reads and replaces at once in `inner`. */
function editing(outer: Backend, inner: Backend): Backend {
  return {
    ...outer,
    edit: async (path, change) => {
      const opened = await inner.read(path);
      const source = await change(opened);
      if (source) await inner.write(path, source, { expect: opened.file.rev });
    },
  };
}

async function storedEvents(backend: Backend): Promise<Record<string, unknown>[]> {
  return JSON.parse(await textAt(backend, SYNC_LOG_PATH)).events;
}

describe("formatLog", () => {
  test("formatLog: writes the log of 0.5.31 byte for byte", () => {
    expect(formatLog(JSON.parse(LOG_0531).events)).toBe(LOG_0531);
  });

  test("formatLog: an empty log is the one that Python writes", () => {
    expect(formatLog([])).toBe('{\n  "events": []\n}');
  });
});

describe("readLog", () => {
  test("readLog: case 7 double log entry: a log with every entry twice shows each once", async () => {
    const raw = JSON.parse(LOG_0531).events;
    const log = await readLog(withLog(LOG_0531));
    if (log.kind !== "ok") throw new Error(log.kind);
    expect(log.events.length * 2).toBe(raw.length);
    expect(log.events).toEqual(raw.filter((_: unknown, at: number) => at % 2 === 0));
  });

  test("readLog: the seventh key of 0.5.70 is dropped", async () => {
    const log = await readLog(withLog(LOG_0570));
    if (log.kind !== "ok") throw new Error(log.kind);
    expect(log.skipped).toBe(0);
    expect(log.events.map((event) => Object.keys(event))).toEqual([SIX_KEYS, SIX_KEYS]);
  });

  test("readLog: an entry that lacks a key or has an unknown action is counted, the others are shown", async () => {
    const { project: _, ...lacking } = eventAt(1);
    const events = [lacking, eventAt(2), { ...eventAt(3), action: "restore" }, 7, { ...eventAt(4), files: "a.md" }];
    const log = await readLog(withLog(JSON.stringify({ events })));
    expect(log).toEqual({ kind: "ok", events: [eventAt(2)], skipped: 4 });
  });

  test("readLog: tells a missing log from an unreadable one", async () => {
    expect(await readLog(memoryBackend())).toEqual({ kind: "missing" });
    for (const text of ["", "{", "[]", '{"events": {}}', '{"events": [1]}', new Uint8Array([0xff, 0xfe])]) {
      expect((await readLog(withLog(text))).kind).toBe("unreadable");
    }
  });

  test("readLog: a remote that cannot be reached is an error, not an empty log", async () => {
    const backend = { ...memoryBackend(), read: () => Promise.reject(new BackendError("no", { class: "TRANSIENT" })) };
    await expect(readLog(backend)).rejects.toThrow("no");
  });
});

describe("appendEvents", () => {
  test("appendEvents: what one run did is one write", async () => {
    const spy = spyBackend(withLog(formatLog([eventAt(1)])));
    await appendEvents(spy, [eventAt(2), eventAt(1), { ...eventAt(2), action: "delete" }], { clock: countingClock() });
    expect(spy.requests.map((request) => request.split(" ")[0])).toEqual(["read", "write"]);
    expect((await storedEvents(spy)).map((event) => event["action"])).toEqual(["push", "push", "delete"]);
  });

  test("appendEvents: nothing new writes nothing", async () => {
    const spy = spyBackend(withLog(formatLog([eventAt(1)])));
    await appendEvents(spy, [eventAt(1)], { clock: countingClock() });
    expect(spy.count("write")).toBe(0);
  });

  test("appendEvents: makes the log when there is none", async () => {
    const backend = memoryBackend();
    expect(await appendEvents(backend, [eventAt(1)], { clock: countingClock() })).toEqual({ kind: "appended" });
    expect(await textAt(backend, SYNC_LOG_PATH)).toBe(formatLog([eventAt(1)]));
  });

  test("appendEvents: case 7 double log entry: a run adds one entry, also when it is asked twice", async () => {
    const backend = withLog(LOG_0531);
    const before = JSON.parse(LOG_0531).events.length / 2;
    for (let i = 0; i < 2; i++) await appendEvents(backend, [eventAt(1)], { clock: countingClock() });
    expect(await storedEvents(backend)).toHaveLength(before + 1);
  });

  test("appendEvents: case 10: entries with a seventh key are written with the six that 0.5.31 can read", async () => {
    const backend = withLog(LOG_0570);
    await appendEvents(backend, [eventAt(1)], { clock: countingClock() });
    const events = await storedEvents(backend);
    expect(events.map((event) => Object.keys(event))).toEqual([SIX_KEYS, SIX_KEYS, SIX_KEYS]);
    expect(events[0]?.["timestamp"]).toBe("2026-11-20T17:40:51.492379+00:00");
  });

  test("appendEvents: an action of a later version stays in the log", async () => {
    const backend = withLog(JSON.stringify({ events: [{ ...eventAt(1), action: "restore" }] }));
    await appendEvents(backend, [eventAt(2)], { clock: countingClock() });
    expect((await storedEvents(backend)).map((event) => event["action"])).toEqual(["restore", "push"]);
  });

  test("appendEvents: keeps the last 200", async () => {
    const old = Array.from({ length: MAX_EVENTS }, (_, i) => eventAt(i % 60, `m${i}`));
    const backend = withLog(formatLog(old));
    await appendEvents(backend, [eventAt(1)], { clock: countingClock() });
    const events = await storedEvents(backend);
    expect(events).toHaveLength(MAX_EVENTS);
    expect(events[0]?.["machine"]).toBe("m1");
    expect(events.at(-1)?.["machine"]).toBe("desk");
  });

  test("appendEvents: an entry that another machine adds meanwhile is kept", async () => {
    for (const start of [memoryBackend(), withLog(formatLog([eventAt(1)]))]) {
      const had = start.store.files.size;
      let late = 0;
      const backend = interrupted(start, async () => {
        if (late++ < 2) await appendEvents(start, [eventAt(10 + late, "other")], { clock: countingClock() });
      });
      const clock = countingClock();
      expect(await appendEvents(backend, [eventAt(2)], { clock })).toEqual({ kind: "appended" });
      expect((await storedEvents(start)).map((event) => event["machine"]).slice(had)).toEqual([
        "other",
        "other",
        "desk",
      ]);
      expect(clock.pauses).toBe(2);
    }
  });

  test("appendEvents: gives up after five tries and says so", async () => {
    let writes = 0;
    const backend: Backend = {
      ...memoryBackend(),
      write: async () => {
        writes++;
        throw new StaleError("changed");
      },
    };
    expect(await appendEvents(backend, [eventAt(1)], { clock: countingClock() })).toEqual({
      kind: "skipped",
      notice: "cannot add to the sync log: other machines changed it 5 times meanwhile",
      passing: true,
    });
    expect(writes).toBe(5);
  });

  test("appendEvents: a log that cannot be read is never overwritten", async () => {
    for (const text of ["", '{"events": [', "[]", '{"events": [{"later": 1}]}']) {
      const backend = withLog(text);
      const result = await appendEvents(backend, [eventAt(1)], { clock: countingClock() });
      expect(result.kind === "skipped" && result.notice).toContain("it was left as it is, remove or repair it");
      expect(await textAt(backend, SYNC_LOG_PATH)).toBe(text);
    }
  });

  test("appendEvents: a log that another machine is just writing is read again until it is whole", async () => {
    const kept = withLog(LOG_0531);
    let halves = 2;
    const read: Backend["read"] = async (path, options) => {
      const opened = await kept.read(path, options);
      return halves-- > 0 ? { ...opened, body: fromBytes(new TextEncoder().encode(LOG_0531.slice(0, 40))) } : opened;
    };
    const backend = { ...kept, read };
    expect(await appendEvents(backend, [eventAt(1)], { clock: countingClock() })).toEqual({ kind: "appended" });
    const log = await readLog(kept);
    expect(log.kind === "ok" && log.events.at(-1)).toEqual(eventAt(1));
  });

  test("appendEvents: a read that fails leaves the log and becomes a notice", async () => {
    const kept = withLog(LOG_0531);
    const backend = { ...kept, read: () => Promise.reject(new BackendError("line is down", { class: "TRANSIENT" })) };
    const result = await appendEvents(backend, [eventAt(1)], { clock: countingClock() });
    expect(result).toEqual({ kind: "skipped", notice: "cannot add to the sync log: line is down", passing: true });
    expect(await textAt(kept, SYNC_LOG_PATH)).toBe(LOG_0531);
  });

  test("appendEvents: an ended run throws instead of writing", async () => {
    const backend = memoryBackend();
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(appendEvents(backend, [eventAt(1)], { clock: countingClock(), signal })).rejects.toThrow("stop");
    expect(backend.store.files.size).toBe(0);
  });

  test("appendEvents: a log seen before is read and replaced in one step where that can be", async () => {
    const store = withLog(formatLog([eventAt(1)]));
    const spy = spyBackend(store);
    const options = { clock: countingClock(), wasSeen: true };
    for (let i = 0; i < 2; i++) await appendEvents(editing(spy, store), [eventAt(2)], options);
    expect(spy.requests).toEqual([]);
    expect(await storedEvents(store)).toEqual([eventAt(1), eventAt(2)].map((event) => ({ ...event })));
  });

  test("appendEvents: one step never overwrites a log that cannot be read", async () => {
    const store = withLog("[]");
    const result = await appendEvents(editing(store, store), [eventAt(1)], { clock: countingClock(), wasSeen: true });
    expect(result.kind === "skipped" && result.notice).toContain("it was left as it is, remove or repair it");
    expect(await textAt(store, SYNC_LOG_PATH)).toBe("[]");
  });

  test("appendEvents: a log that went away is made again, and one never seen is not locked", async () => {
    for (const wasSeen of [true, false]) {
      const store = memoryBackend();
      const spy = spyBackend(store);
      let edits = 0;
      const backend: Backend = {
        ...editing(spy, store),
        edit: async () => {
          edits++;
          throw new StaleError("gone");
        },
      };
      const options = { clock: countingClock(), wasSeen };
      expect(await appendEvents(backend, [eventAt(1)], options)).toEqual({ kind: "appended" });
      expect(edits).toBe(wasSeen ? 1 : 0);
      expect(await textAt(store, SYNC_LOG_PATH)).toBe(formatLog([eventAt(1)]));
    }
  });
});
