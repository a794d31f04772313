import { expect, test } from "bun:test";
import { appendEvents } from "../../../src/activity/log.ts";
import { changedByOthers, type LogMark } from "../../../src/activity/log-mark.ts";
import { messageOf, readMessage } from "../../../src/activity/message.ts";
import type { Beat, LogEvent } from "../../../src/activity/model.ts";
import { watchLog } from "../../../src/activity/watch.ts";
import type { Channel, ListenOptions, ReceivedMessage } from "../../../src/backends/channel.ts";
import { BackendError } from "../../../src/backends/errors.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { pythonIso, systemClock } from "../../../src/lib/clock.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

let ticks = 0;
function event(machine: string, file: string, action: LogEvent["action"] = "push"): LogEvent {
  return { machine, user: "u", timestamp: pythonIso(++ticks * 1000), files: [file], action, project: "p" };
}
const received = (said: LogEvent | string, sure = true): ReceivedMessage =>
  typeof said === "string" ? { data: said, attributes: {}, sure } : { ...messageOf(said), sure };

/** One listening that stands until it is ended. */
interface Stream extends ListenOptions {
  fail(error: Error): void;
}

/** A watcher of a remote in memory with a channel, on a clock of its own. */
function lab() {
  const remote = memoryBackend();
  const clock = virtualClock();
  const stop = new AbortController();
  const beats: Beat[] = [];
  const inbox: string[] = [];
  const notes: string[] = [];
  const streams: Stream[] = [];
  const counts = { looks: 0, opened: 0, closed: 0 };
  let refusal: Error | undefined;
  let full: Error | undefined;
  let mark: LogMark | undefined;
  const open = async (): Promise<Backend> => ({
    ...remote,
    stat: (path) => {
      counts.looks++;
      return remote.stat(path);
    },
    close: async () => undefined,
  });
  const channel: Channel = {
    publish: () => Promise.reject(new Error("nobody asked for that")),
    listen(options) {
      counts.opened++;
      if (refusal !== undefined) return Promise.reject(refusal);
      const ended = Promise.withResolvers<void>();
      options.signal.addEventListener("abort", () => ended.resolve());
      streams.push({ ...options, fail: (error) => ended.reject(error) });
      options.onOpen();
      return ended.promise;
    },
    close: () => void counts.closed++,
  };
  const watching = watchLog({
    clock,
    signal: stop.signal,
    random: () => 0.5,
    intervalMs: 30_000,
    open,
    readMark: () => mark,
    writeMark: (now) => {
      mark = now;
    },
    wanted: () => changedByOthers(new Set()),
    deliver(news) {
      if (full !== undefined) throw full;
      for (const one of news) inbox.push(`${one.machine} ${one.files[0]}`);
    },
    feed: {
      open: async () => channel,
      read: (message) => readMessage(message, "p"),
      note: (line) => void notes.push(line),
    },
    beat: (beat) => void beats.push(beat),
  });
  return {
    remote,
    clock,
    beats,
    inbox,
    notes,
    counts,
    refuse: (error: Error | undefined) => {
      refusal = error;
    },
    fill: (error: Error | undefined) => {
      full = error;
    },
    stream(): Stream {
      const last = streams.at(-1);
      if (last === undefined) throw new Error("nobody listens");
      return last;
    },
    add: (...events: LogEvent[]) => appendEvents(remote, events, { clock: systemClock }),
    async end() {
      stop.abort();
      await watching;
    },
  };
}

const LOST = new BackendError("Could not listen: it is away", { class: "TRANSIENT" });

test("feed: a message is brought at once and without a look, each event once whether it comes by message, again or by the log", async () => {
  const it = lab();
  await it.clock.advance(1);
  const looks = it.counts.looks;
  const first = event("ws", "a.md");
  await it.stream().take(received(first));
  expect(it.inbox).toEqual(["ws a.md"]);
  expect(it.counts.looks).toBe(looks);
  await it.stream().take(received(first));
  await it.add(first, event("ws", "b.md"));
  await it.clock.advance(300_000);
  expect(it.inbox).toEqual(["ws a.md", "ws b.md"]);
  await it.end();
});

test("feed: while it stands the log is looked at every 5 minutes, and every interval when it does not", async () => {
  const it = lab();
  await it.clock.advance(1);
  const before = it.counts.looks;
  await it.clock.advance(599_000);
  expect(it.counts.looks - before).toBe(1);
  expect(it.beats.at(-1)).toEqual({ state: "ok", told: true });
  it.refuse(LOST);
  it.stream().fail(LOST);
  await it.clock.advance(1);
  const down = it.counts.looks;
  await it.clock.advance(300_000);
  expect(it.counts.looks - down).toBe(10);
  expect(it.beats.at(-1)).toEqual({ state: "ok", told: false });
  await it.end();
});

test("case 2.14: a stream that ends is noticed and opened again, with growing pauses, and what lasts is said once", async () => {
  const it = lab();
  await it.clock.advance(1);
  it.stream().fail(LOST);
  await it.clock.advance(1_000);
  expect([it.counts.opened, it.notes]).toEqual([2, []]);
  it.refuse(LOST);
  it.stream().fail(LOST);
  await it.clock.advance(600_000);
  expect(it.notes).toEqual([
    "Changes are not told as they happen, the log is looked at every poll_interval instead: Could not listen: it is away.",
  ]);
  expect(it.counts.opened).toBeLessThan(25);
  it.refuse(undefined);
  await it.clock.advance(60_000);
  expect(it.notes.at(-1)).toBe("Changes are told as they happen again.");
  expect(it.counts.closed).toBe(it.counts.opened - 1);
  await it.end();
  expect(it.counts.closed).toBe(it.counts.opened);
});

test("feed: a right that is missing is told once with the step, and the log is looked at meanwhile", async () => {
  const it = lab();
  it.refuse(new BackendError("Could not listen: no right", { class: "PERMISSION", hint: "Ask for it." }));
  await it.clock.advance(1);
  await it.add(event("ws", "a.md"));
  await it.clock.advance(1_800_000);
  expect(it.inbox).toEqual(["ws a.md"]);
  expect(it.notes).toEqual([
    "Changes are not told as they happen, the log is looked at every poll_interval instead: Could not listen: no right. Ask for it.",
  ]);
  expect(it.beats.filter(({ state }) => state === "failing")).toEqual([]);
  await it.end();
});

test("case 1.10: a message is taken only once it is kept, and comes again when it could not be", async () => {
  const it = lab();
  await it.clock.advance(1);
  const news = received(event("ws", "a.md"));
  it.fill(new Error("no space left on device"));
  expect(
    await it
      .stream()
      .take(news)
      .catch((error: Error) => error.message),
  ).toBe("no space left on device");
  expect(it.inbox).toEqual([]);
  it.fill(undefined);
  await it.stream().take(news);
  expect(it.inbox).toEqual(["ws a.md"]);
  await it.end();
});

test("feed: what nobody understands is skipped with one line; one of another project asks for a look", async () => {
  const it = lab();
  await it.clock.advance(1);
  for (const text of ["", "{}", "[1", '{"machine":"m"}', "x".repeat(600_000)]) await it.stream().take(received(text));
  expect(it.notes).toEqual(["A message was skipped: it tells of nothing that this version knows."]);
  const other = { ...event("ws", "theirs.md"), project: "elsewhere" };
  const looks = it.counts.looks;
  await it.stream().take(received(other, false));
  await it.clock.advance(1);
  expect([it.inbox, it.counts.looks - looks]).toEqual([[], 1]);
  await it.stream().take(received({ ...other, files: ["renamed folder.md"] }));
  expect(it.inbox).toEqual(["ws renamed folder.md"]);
  await it.end();
});

test("case 0.10: newer versions' keys are dropped, and pulls change nothing for anybody else", async () => {
  const it = lab();
  await it.clock.advance(1);
  const newer = { ...event("ws", "a.md"), auto_resolved_files: [] };
  await it.stream().take(received(JSON.stringify(newer)));
  await it.stream().take(received(event("ws", "b.md", "pull")));
  expect(it.inbox).toEqual(["ws a.md"]);
  await it.end();
});

test("feed: after a sleep of the machine it is opened anew within 5 s, and nothing is lost or doubled", async () => {
  const it = lab();
  await it.clock.advance(1);
  const before = it.counts.opened;
  it.clock.suspend(3_600_000);
  await it.clock.advance(5_000);
  expect(it.counts.opened - before).toBe(1);
  expect(it.counts.closed).toBe(before);
  await it.stream().take(received(event("ws", "a.md")));
  expect(it.inbox).toEqual(["ws a.md"]);
  await it.end();
});
