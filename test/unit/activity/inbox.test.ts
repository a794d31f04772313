import { expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { appendNotice, type Batch, type InboxPlaces, peekNotices, takeNotices } from "../../../src/activity/inbox.ts";
import { hasNotices, INBOX_FILE, READING_FILE } from "../../../src/activity/inbox-files.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { acquireLock } from "../../../src/lib/lock.ts";
import { tempFolder } from "../../support/temp.ts";

function inbox(): InboxPlaces {
  const folder = tempFolder("inbox");
  return { folder, lockFile: join(folder, "lock"), asideFile: join(folder, "aside.jsonl"), clock: systemClock };
}

function pushed(...files: string[]) {
  const event = { user: "alice", machine: "ws", files, project: "notes", action: "push" };
  return { title: "claude-mirror", message: "alice@ws updated", event };
}

function taken(places: InboxPlaces): string[][] {
  const batches: Batch[] = [];
  while (takeNotices(places, (batch) => void batches.push(batch)).kind === "delivered");
  return batches.flatMap(({ notices }) => notices.map(({ event }) => [...(event?.files ?? [])]));
}

test("appendNotice: one line in the Python tool's form, readable by nobody else", () => {
  const { folder } = inbox();
  appendNotice(folder, pushed("é.md"), Date.UTC(2026, 2, 5, 11, 30, 0, 5));
  expect(readFileSync(join(folder, INBOX_FILE), "utf8")).toBe(
    '{"timestamp": "2026-03-05T11:30:00.005000+00:00", "title": "claude-mirror", "message": "alice@ws updated", ' +
      '"user": "alice", "machine": "ws", "files": ["\\u00e9.md"], "project": "notes", "action": "push"}\n',
  );
  expect(statSync(join(folder, INBOX_FILE)).mode & 0o777).toBe(0o600);
});

test("takeNotices: hands out what came, in order, once", () => {
  const places = inbox();
  expect(takeNotices(places, () => undefined).kind).toBe("empty");
  for (const name of ["a.md", "b.md"]) appendNotice(places.folder, pushed(name), 0);
  expect(hasNotices(places.folder)).toBe(true);
  expect(peekNotices(places.folder).notices).toHaveLength(2);
  expect(taken(places)).toEqual([["a.md"], ["b.md"]]);
  expect(hasNotices(places.folder)).toBe(false);
  expect(taken(places)).toEqual([]);
});

test("takeNotices: one bad line loses no other, and is set aside (defect of the Python tool: the whole batch was lost)", () => {
  const places = inbox();
  appendNotice(places.folder, pushed("a.md"), 0);
  appendFileSync(join(places.folder, INBOX_FILE), '{"user": "half\n[]\nnull\n');
  appendNotice(places.folder, pushed("b.md"), 0);
  const batches: Batch[] = [];
  takeNotices(places, (batch) => void batches.push(batch));
  expect(batches.map(({ notices, unreadable }) => [notices.length, unreadable])).toEqual([[2, 3]]);
  expect(readFileSync(places.asideFile, "utf8")).toBe('{"user": "half\n[]\nnull\n');
});

test("appendNotice: a line that a killed writer left unfinished does not spoil the next", () => {
  const places = inbox();
  writeFileSync(join(places.folder, INBOX_FILE), '{"timestamp": "2026');
  appendNotice(places.folder, pushed("a.md"), 0);
  expect(taken(places)).toEqual([["a.md"]]);
});

test("takeNotices: what was not delivered waits on, in front of what came later", () => {
  const places = inbox();
  appendNotice(places.folder, pushed("a.md"), 0);
  const broken = () => {
    throw new Error("the pipe is gone");
  };
  expect(() => takeNotices(places, broken)).toThrow("the pipe is gone");
  expect(hasNotices(places.folder)).toBe(true);
  appendNotice(places.folder, pushed("b.md"), 0);
  expect(peekNotices(places.folder).notices.map(({ event }) => event?.files)).toEqual([["a.md"], ["b.md"]]);
  expect(taken(places)).toEqual([["a.md"], ["b.md"]]);
});

test("takeNotices: what a writer adds while it is delivered is for the next reader", () => {
  const places = inbox();
  appendNotice(places.folder, pushed("a.md"), 0);
  const line = readFileSync(join(places.folder, INBOX_FILE), "utf8").replace("a.md", "late.md");
  // The Python tool had the file open before it was taken.
  const late = () => appendFileSync(join(places.folder, READING_FILE), line);
  expect(takeNotices(places, late)).toMatchObject({ kind: "delivered", more: true });
  expect(taken(places)).toEqual([["late.md"]]);
  expect(existsSync(join(places.folder, READING_FILE))).toBe(false);
});

test("takeNotices: while one reader delivers another gets nothing", () => {
  const places = inbox();
  appendNotice(places.folder, pushed("a.md"), 0);
  const lock = acquireLock(places.lockFile, { command: "inbox", clock: systemClock });
  expect(takeNotices(places, () => undefined)).toEqual({ kind: "busy" });
  lock.release();
  expect(taken(places)).toEqual([["a.md"]]);
});

test("takeNotices: a message that tells of no event is a notice too", () => {
  const places = inbox();
  writeFileSync(join(places.folder, INBOX_FILE), '{"title": "claude-mirror", "message": "a new version", "x": 1}\n');
  expect(peekNotices(places.folder).notices).toEqual([
    { timestamp: "", title: "claude-mirror", message: "a new version" },
  ]);
});
