import { describe, expect, test } from "bun:test";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { appendEvents } from "../../../src/activity/log.ts";
import type { LogEvent } from "../../../src/activity/model.ts";
import { BackendError } from "../../../src/backends/errors.ts";
import { pythonIso, systemClock } from "../../../src/lib/clock.ts";
import type { LocalHealth } from "../../../src/project/health.ts";
import { healthCheck, localChecks, mirrorChecks, overallOf } from "../../../src/project/health-checks.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { projectLab } from "../../support/project-lab.ts";

const HOUR = 3_600_000;
const PATIENCE = { warnMs: 24 * HOUR, failMs: 72 * HOUR };
const NOW = Date.UTC(2026, 2, 5);
const WELL: LocalHealth = {
  isKnown: true,
  inSync: 3,
  here: { files: 0, sinceMs: undefined },
  agreedMs: NOW - 200 * HOUR,
  problem: undefined,
  conflicts: 0,
  unread: 0,
  unreadable: 0,
};

function lastSync(facts: Partial<LocalHealth>, there?: { files: number; sinceMs: number | undefined }) {
  return localChecks({ ...WELL, ...facts, there, nowMs: NOW }, PATIENCE)[0];
}

describe("localChecks", () => {
  test("localChecks: a project that nobody touches for a week is well", () => {
    expect(lastSync({})).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("3 file(s) in sync; last change"),
    });
  });

  test.each([
    [1, "ok"],
    [25, "warn"],
    [73, "fail"],
  ] as const)("localChecks: a change that waits for %d hours is %s, on either side", (hours, status) => {
    const waiting = { files: 2, sinceMs: NOW - hours * HOUR };
    expect(lastSync({ here: waiting })).toMatchObject({ name: "last_sync", status });
    expect(lastSync({}, waiting)).toMatchObject({
      status,
      detail: expect.stringContaining("2 file(s) changed there wait since"),
    });
  });

  test("localChecks: what was never synced, cannot be read, is in conflict or garbled is said", () => {
    expect(lastSync({ isKnown: false })?.status).toBe("warn");
    expect(lastSync({ problem: "memory: permission denied" })).toMatchObject({
      status: "fail",
      detail: "memory: permission denied",
    });
    const checks = localChecks(
      { ...WELL, conflicts: 2, unread: 5, unreadable: 1, there: undefined, nowMs: NOW },
      PATIENCE,
    );
    expect(checks.map(({ name, status, detail }) => [name, status, detail])).toEqual([
      ["last_sync", "ok", expect.any(String)],
      ["conflicts", "warn", "2 left"],
      ["inbox", "warn", "1 line(s) are no notice"],
    ]);
  });
});

test("mirrorChecks: says what a mirror lacks, why, and the command that helps", () => {
  const none = { pending: 0, failed: 0, unsent: 0, snapshots: 0, error: undefined, problem: undefined };
  const checks = mirrorChecks([
    { ...none, backend: "webdav" },
    { ...none, backend: "dropbox", failed: 1, pending: 2, snapshots: 1, error: "quota" },
    { ...none, backend: "nas", unsent: 7 },
    { ...none, backend: "old", problem: "there is no such file" },
  ]);
  expect(checks.map(({ status, detail, advice }) => [status, detail, advice])).toEqual([
    ["ok", "has everything", null],
    [
      "warn",
      "1 file(s) failed, 2 file(s) wait, 1 snapshot(s) wait: quota",
      "Run claude-mirror retry --backend dropbox.",
    ],
    ["warn", "7 file(s) were never sent", "Run claude-mirror seed-mirror --backend nas."],
    ["fail", "there is no such file", "Run claude-mirror doctor."],
  ]);
});

test("overallOf: is the worst of all", () => {
  const of = (...all: ("ok" | "warn" | "fail")[]) => overallOf(all.map((status) => healthCheck("x", status, "")));
  expect([of(), of("ok"), of("ok", "warn"), of("warn", "fail", "ok")]).toEqual(["ok", "ok", "warn", "fail"]);
});

describe("a project's health", () => {
  const event = (action: LogEvent["action"], files: string[], inHours = 1): LogEvent => ({
    machine: "laptop",
    user: "bob",
    timestamp: pythonIso(systemClock.now() + inHours * HOUR),
    files,
    action,
    project: "project",
  });

  test("localHealth: what changed here waits since the oldest change; a deletion has no time", async () => {
    const lab = projectLab();
    lab.write("a.md", "a");
    lab.write("b.md", "b");
    expect(await lab.project().localHealth()).toMatchObject({ isKnown: false, agreedMs: undefined });
    await lab.push();
    expect(await lab.project().localHealth()).toMatchObject({
      isKnown: true,
      inSync: 2,
      here: { files: 0, sinceMs: undefined },
    });
    lab.write("a.md", "changed");
    utimesSync(join(lab.root, "a.md"), 1000, 1000);
    rmSync(join(lab.root, "b.md"));
    lab.write("c.md", "new");
    writeFileSync(join(lab.root, ".claude_mirror_inbox.jsonl"), "no json\n");
    const found = await lab.project().localHealth();
    expect(found).toMatchObject({ here: { files: 3, sinceMs: 1_000_000 }, unreadable: 1, unread: 0 });
    expect(found.agreedMs).toBeGreaterThan(systemClock.now() - HOUR);
  });

  test("waitingThere: what others pushed or deleted since our last run, by the log's order; what they fetched is no news", async () => {
    const lab = projectLab();
    lab.write("a.md", "a");
    lab.write("b.md", "b");
    const add = (...events: LogEvent[]) => appendEvents(lab.remote, events, { clock: systemClock });
    await add(event("push", ["old.md"], -30));
    await lab.push();
    expect(await lab.project().waitingThere()).toEqual({ files: 0, sinceMs: undefined });
    const pushed = event("push", ["a.md", "new.md"]);
    await add(
      pushed,
      event("sync", ["b.md"]),
      event("pull", ["b.md"]),
      event("push", ["gone.md"]),
      event("delete", ["gone.md"]),
    );
    const found = await lab.project().waitingThere();
    expect(found).toEqual({ files: 2, sinceMs: Date.parse(pushed.timestamp) });
    lab.write("c.md", "c");
    await lab.push();
    expect((await lab.project().waitingThere()).files).toBe(0);
  });

  test("mirrorBacklogs: what waits on a mirror that fails, nothing on one that took it", async () => {
    const broken = new BackendError("the disk is full", { class: "TRANSIENT" });
    const lab = projectLab({
      mirrors: [
        { name: "good", remote: memoryBackend() },
        {
          name: "bad",
          remote: memoryBackend(),
          wrap: (backend) => ({ ...backend, write: () => Promise.reject(broken) }),
        },
      ],
    });
    lab.write("a.md", "a");
    await lab.push();
    const [good, bad] = await lab.project().mirrorBacklogs();
    expect(good).toMatchObject({ backend: "good", pending: 0, failed: 0, unsent: 0, snapshots: 0, error: undefined });
    expect(bad).toMatchObject({ backend: "bad", pending: 1, failed: 0, snapshots: 1 });
    expect(bad?.error).toContain("the disk is full");
    expect(await projectLab().project().mirrorBacklogs()).toEqual([]);
  });
});
