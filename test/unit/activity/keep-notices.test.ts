import { expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { INBOX_FILE } from "../../../src/activity/inbox-files.ts";
import { keepNotices } from "../../../src/activity/keep-notices.ts";
import type { StoredEvent } from "../../../src/activity/log.ts";
import { pythonIso } from "../../../src/lib/clock.ts";
import { tempFolder } from "../../support/temp.ts";

let ticks = 0;
const event = (file: string): StoredEvent => ({
  ...{ machine: "m", user: "u", action: "push", project: "p", files: [file] },
  timestamp: pythonIso(++ticks * 1000),
});

/** An inbox whose writer can be killed before the line about one event. */
function lab() {
  const folder = tempFolder("keep");
  const inboxFile = join(folder, INBOX_FILE);
  let nowMs = 0;
  return {
    read: () => rmSync(inboxFile),
    lines: () => {
      const lines = readFileSync(inboxFile, "utf8").trim().split("\n");
      return lines.map((line) => (JSON.parse(line) as { files: string[] }).files[0]);
    },
    keep(events: readonly StoredEvent[], killedBefore?: StoredEvent): void {
      nowMs += 60_000;
      const noticeOf = (one: StoredEvent) => {
        const { timestamp: _, ...noticed } = one;
        return {
          title: "t",
          // Read when the line is written.
          get message(): string {
            if (one === killedBefore) throw new Error("killed");
            return "m";
          },
          event: noticed,
        };
      };
      keepNotices(events, { folder, intentFile: join(folder, "intent.json"), nowMs, noticeOf });
    },
  };
}

test("keepNotices: what is brought again because its writer was killed stays one line, wherever it was killed", () => {
  for (const at of [0, 1, 2, 3]) {
    const it = lab();
    it.keep([event("earlier")]);
    const events = [event("same"), event("same"), event("other")];
    try {
      it.keep(events, events[at]);
    } catch {
      // Killed.
    }
    it.keep(events);
    expect(it.lines()).toEqual(["earlier", "same", "same", "other"]);
    it.keep([...events, event("new")]);
    expect(it.lines()).toEqual(["earlier", "same", "same", "other", "new"]);
  }
});

test("keepNotices: equal changes at different times are told each, and what was read meanwhile is rather told again than lost", () => {
  const it = lab();
  it.keep([event("a")]);
  it.keep([event("a")]);
  expect(it.lines()).toEqual(["a", "a"]);
  const last = event("b");
  it.keep([last]);
  it.read();
  it.keep([last]);
  expect(it.lines()).toEqual(["b"]);
});
