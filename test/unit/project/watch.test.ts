import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { heartbeatFile, readHeartbeat } from "../../../src/activity/heartbeat.ts";
import { appendEvents } from "../../../src/activity/log.ts";
import type { Beat, LogEvent, NoticedEvent } from "../../../src/activity/model.ts";
import { pythonIso, systemClock } from "../../../src/lib/clock.ts";
import type { ProjectDeps } from "../../../src/project/service.ts";
import { watchOnce, watchProject } from "../../../src/project/watch.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { tempFolder } from "../../support/temp.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

/** One machine that watches a remote in memory. */
function lab({ pollInterval = 30 } = {}) {
  const home = tempFolder("watch");
  const projectPath = join(home, "project");
  const stateFolder = join(home, "state");
  for (const folder of [projectPath, stateFolder]) mkdirSync(folder);
  const remote = memoryBackend();
  const clock = virtualClock();
  const stop = new AbortController();
  const config = { projectPath, pollInterval };
  const deps = { config, clock, signal: stop.signal, stateFolder, openBackend: async () => remote };
  const beats: Beat[] = [];
  const inbox = join(projectPath, ".claude_mirror_inbox.jsonl");
  let ticks = 0;
  return {
    clock,
    beats,
    stateFolder,
    watch: (onNews: (news: readonly NoticedEvent[]) => void | Promise<void>) =>
      watchProject(deps as unknown as ProjectDeps, { onNews, onBeat: (beat) => void beats.push(beat) }),
    once: () => watchOnce(deps as unknown as ProjectDeps, { onNews: () => undefined }),
    async add(file: string) {
      const timestamp = pythonIso(++ticks * 1000);
      const event: LogEvent = { machine: "ws", user: "u", timestamp, files: [file], action: "push", project: "p" };
      await appendEvents(remote, [event], { clock: systemClock });
    },
    inbox: () =>
      existsSync(inbox)
        ? readFileSync(inbox, "utf8")
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line).files[0])
        : [],
    stop: () => stop.abort(),
  };
}

test("watchProject: a desktop that hangs holds up no notice, and a kill meanwhile brings none twice", async () => {
  const it = lab();
  const shown: string[] = [];
  const hangs = Promise.withResolvers<void>();
  const watching = it.watch(async ([event]) => {
    shown.push(event?.files[0] ?? "");
    await hangs.promise;
  });
  await it.clock.advance(1);
  await it.add("a.md");
  await it.clock.advance(30_000);
  await it.add("b.md");
  await it.clock.advance(30_000);
  expect(it.inbox()).toEqual(["a.md", "b.md"]);
  expect(shown).toEqual(["a.md"]);
  // What the next process finds when this one is killed here: its lock, and the mark.
  rmSync(join(it.stateFolder, "watch.lock"));
  expect(await it.once()).toEqual([]);
  hangs.resolve();
  await it.clock.advance(0);
  expect(shown).toEqual(["a.md", "b.md"]);
  it.stop();
  await watching;
  expect(it.inbox()).toEqual(["a.md", "b.md"]);
});

test("watchProject: says that it lives every minute, however seldom it looks", async () => {
  const it = lab({ pollInterval: 86_400 });
  const watching = it.watch(() => undefined);
  const began = it.clock.now();
  await it.clock.advance(3_600_000);
  const heard = readHeartbeat(heartbeatFile(it.stateFolder));
  expect(heard).toMatchObject({ state: "ok", lastLook: pythonIso(began) });
  expect(it.clock.now() - Date.parse(heard?.at ?? "")).toBeLessThanOrEqual(63_000);
  it.stop();
  await watching;
});

test("watchProject: a screen that cannot be written to is told, and costs no notice", async () => {
  const it = lab();
  const watching = it.watch(() => {
    throw new Error("no screen");
  });
  await it.clock.advance(1);
  for (const file of ["a.md", "b.md"]) {
    await it.add(file);
    await it.clock.advance(30_000);
  }
  expect(it.inbox()).toEqual(["a.md", "b.md"]);
  expect(it.beats).toContainEqual({ state: "failing", error: "no screen", failures: 1 });
  it.stop();
  await watching;
});

test("watchProject: an inbox that cannot be written to gets what is new as soon as it can, once", async () => {
  const it = lab();
  const watching = it.watch(() => undefined);
  await it.clock.advance(1);
  for (const file of ["a.md", "b.md"]) await it.add(file);
  const folder = join(it.stateFolder, "..", "project");
  await it.clock.advance(1);
  // Nothing can be written where a folder stands in the inbox's place.
  mkdirSync(join(folder, ".claude_mirror_inbox.jsonl"));
  await it.clock.advance(60_000);
  rmSync(join(folder, ".claude_mirror_inbox.jsonl"), { recursive: true });
  writeFileSync(join(folder, ".claude_mirror_inbox.jsonl"), "");
  await it.clock.advance(120_000);
  expect(it.inbox()).toEqual(["a.md", "b.md"]);
  it.stop();
  await watching;
});
