import { expect, test } from "bun:test";
import { appendEvents, identity } from "../../../src/activity/log.ts";
import type { Beat, LogEvent } from "../../../src/activity/model.ts";
import { BackendError } from "../../../src/backends/errors.ts";
import { pythonIso, systemClock } from "../../../src/lib/clock.ts";
import { followLog } from "../../../src/project/follow-log.ts";
import { presenceIn } from "../../../src/project/presence.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

let ticks = 0;
function event(machine: string, file: string, action: LogEvent["action"] = "push", atMs = ++ticks * 1000): LogEvent {
  return { machine, user: "u", timestamp: pythonIso(atMs), files: [file], action, project: "p" };
}

function lab({ limit = 20 } = {}) {
  const remote = memoryBackend();
  const clock = virtualClock();
  const stop = new AbortController();
  const shown: string[] = [];
  const beats: Beat[] = [];
  let fault: Error | undefined;
  const openBackend = async () => {
    if (fault) throw fault;
    return {
      ...remote,
      stat: async (path: Parameters<typeof remote.stat>[0]) => (fault ? Promise.reject(fault) : remote.stat(path)),
    };
  };
  const request = {
    limit,
    intervalMs: 5000,
    onEvents: (events: readonly { readonly action: string; readonly files: readonly string[] }[]) => {
      for (const { action, files } of events) shown.push(`${action} ${files[0]}`);
    },
    onBeat: (beat: Beat) => void beats.push(beat),
  };
  return {
    clock,
    shown,
    beats,
    add: (...events: LogEvent[]) => appendEvents(remote, events, { clock: systemClock }),
    fail: (error: Error | undefined) => {
      fault = error;
    },
    follow: () => followLog({ clock, signal: stop.signal, openBackend }, request),
    stop: () => stop.abort(),
  };
}

test("followLog: shows the last entries, oldest first, then each new one once, pulls and twins included", async () => {
  const it = lab({ limit: 2 });
  await it.add(event("a", "1.md"), event("a", "2.md"), event("b", "3.md", "pull"));
  const following = it.follow();
  await it.clock.advance(1);
  expect(it.shown).toEqual(["push 2.md", "pull 3.md"]);
  const twin = event("b", "4.md");
  await it.add(twin);
  await it.add(twin);
  await it.clock.advance(60_000);
  expect(it.shown).toEqual(["push 2.md", "pull 3.md", "push 4.md"]);
  it.stop();
  await following;
  expect(it.clock.sleepers).toBe(0);
});

test("followLog: a log that does not exist yet is followed from its first entry on", async () => {
  const it = lab({ limit: 1 });
  const following = it.follow();
  await it.clock.advance(1);
  await it.add(event("a", "1.md"), event("a", "2.md"));
  await it.clock.advance(6000);
  expect(it.shown).toEqual(["push 1.md", "push 2.md"]);
  it.stop();
  await following;
});

test("followLog: what fails at first is thrown, what fails later is tried again and nothing is lost", async () => {
  const it = lab();
  const lost = new BackendError("cannot reach the server", { class: "TRANSIENT" });
  it.fail(lost);
  expect(it.follow()).rejects.toBe(lost);
  it.fail(undefined);
  const following = it.follow();
  await it.clock.advance(1);
  it.fail(lost);
  await it.clock.advance(20_000);
  expect(it.beats.at(-1)?.state).toBe("failing");
  await it.add(event("a", "1.md"));
  it.fail(undefined);
  await it.clock.advance(120_000);
  expect(it.shown).toEqual(["push 1.md"]);
  expect(it.beats.at(-1)?.state).toBe("ok");
  it.stop();
  await following;
});

test("presenceIn: others of the last 24 hours, the most recent first, each once with at most five files", () => {
  const nowMs = Date.UTC(2026, 2, 5);
  const ago = (hours: number) => nowMs - hours * 3_600_000;
  const sentUnderAnotherName = event("renamed", "x.md", "push", ago(1));
  const events = [
    event("old", "a.md", "push", ago(25)),
    event("me", "b.md", "push", ago(1)),
    sentUnderAnotherName,
    event("ws", "c.md", "push", ago(5)),
    { ...event("ws", "", "delete", ago(3)), files: ["c.md", "1", "2", "3", "4", "5"] },
    event("ahead", "d.md", "pull", ago(-2)),
    { ...event("bad", "e.md"), timestamp: "yesterday" },
  ];
  const own = new Set([identity(sentUnderAnotherName)]);
  expect(presenceIn(events, { machine: "me", user: "u", own, nowMs })).toEqual([
    { user: "u", machine: "ahead", last_action: "pull", last_timestamp: pythonIso(ago(-2)), recent_files: ["d.md"] },
    {
      user: "u",
      machine: "ws",
      last_action: "delete",
      last_timestamp: pythonIso(ago(3)),
      recent_files: ["c.md", "1", "2", "3", "4"],
    },
  ]);
});
