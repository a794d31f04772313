import { expect, test } from "bun:test";
import { eventFiles, makeEvent } from "../../../src/activity/event.ts";

const facts = { machine: "laptop", user: "alice", action: "push", project: "notes" } as const;

test("makeEvent: has the six keys in the shared order and a Python timestamp", () => {
  const event = makeEvent({ ...facts, files: ["a.md"] }, Date.UTC(2026, 10, 20, 17, 40, 51) + 492.379);
  expect(JSON.stringify(event)).toBe(
    '{"machine":"laptop","user":"alice","timestamp":"2026-11-20T17:40:51.492379+00:00","files":["a.md"],"action":"push","project":"notes"}',
  );
});

test("makeEvent: names 100 files and counts the rest in one last entry", () => {
  const names = Array.from({ length: 102 }, (_, i) => `f${i}.md`);
  expect(makeEvent({ ...facts, files: names.slice(0, 100) }, 0).files).toEqual(names.slice(0, 100));
  expect(makeEvent({ ...facts, files: names }, 0).files).toEqual([...names.slice(0, 100), "... and 2 more"]);
});

test("eventFiles: a list that was cut tells how many it stands for, and its end is no file", () => {
  const files = Array.from({ length: 250 }, (_, at) => `${at}.md`);

  const found = eventFiles(makeEvent({ ...facts, files }, 0));
  expect([found.named.length, found.count]).toEqual([100, 250]);
  expect(eventFiles({ files: ["a.md", "... and 3 more"] })).toEqual({ named: ["a.md", "... and 3 more"], count: 2 });
});
