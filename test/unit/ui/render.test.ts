import { describe, expect, test } from "bun:test";
import { relPath } from "../../../src/lib/path.ts";
import type { RunResult, StatusResult } from "../../../src/project/model.ts";
import type { Status } from "../../../src/sync/model.ts";
import { diffLines, unifiedDiff } from "../../../src/ui/render/diff.ts";
import { doctorLines } from "../../../src/ui/render/doctor.ts";
import { historyLines } from "../../../src/ui/render/history.ts";
import { inspectLines } from "../../../src/ui/render/inspect.ts";
import { logLines } from "../../../src/ui/render/log.ts";
import { columnLines } from "../../../src/ui/render/mirrors.ts";
import { runLines } from "../../../src/ui/render/run.ts";
import { snapshotsLines } from "../../../src/ui/render/snapshots.ts";
import { statusLines, summaryLine } from "../../../src/ui/render/status.ts";
import { verifyLines } from "../../../src/ui/render/verify.ts";
import { makeStyle } from "../../../src/ui/terminal.ts";

const plain = makeStyle(false);
const colour = makeStyle(true);

const none: Record<Status, number> = {
  conflict: 0,
  local_ahead: 0,
  remote_ahead: 0,
  new_local: 0,
  new_remote: 0,
  deleted_local: 0,
  deleted_remote: 0,
  held: 0,
  in_sync: 0,
};

describe("summaryLine", () => {
  test("summaryLine: says what the seed says", () => {
    const counts = { ...none, conflict: 1, local_ahead: 2, remote_ahead: 1, in_sync: 5 };
    expect(summaryLine(counts, plain)).toBe("  1 conflict  ·  2 local ahead  ·  1 remote ahead  ·  5 in sync");
    expect(summaryLine({ ...none, in_sync: 5 }, plain)).toBe("All 5 file(s) in sync.");
  });

  test("summaryLine: every status has its words", () => {
    const all = Object.fromEntries(Object.keys(none).map((key) => [key, 1])) as Record<Status, number>;
    expect(summaryLine(all, plain)).toBe(
      "  1 conflict  ·  1 local ahead  ·  1 remote ahead  ·  1 new local  ·  1 new on remote  ·  1 deleted local  ·  1 deleted on remote  ·  1 held  ·  1 in sync",
    );
  });
});

describe("statusLines", () => {
  test("statusLines: a table of what differs, with what to do", () => {
    const file = (path: string, status: Status) => ({
      path,
      status,
      local_hash: null,
      remote_hash: null,
      manifest_hash: null,
    });
    const result: StatusResult = {
      configFile: "/c.yaml",
      counts: { ...none, conflict: 1, new_remote: 1, held: 1, in_sync: 2 },
      differing: [file("a.md", "conflict"), file("b\x1b.md", "new_remote")],
      held: [{ path: "C.md", reason: "differs from c.md only by case" }],
      notices: [],
      files: () => [],
      uploadBytes: 0,
      downloadBytes: 2048,
    };
    expect(statusLines(result, plain)).toEqual([
      "┏━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━┓",
      "┃ File     ┃ Status        ┃ Action ┃",
      "┡━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━┩",
      "│ a.md     │ conflict      │ sync   │",
      "│ b\\x1b.md │ new on remote │ pull   │",
      "└──────────┴───────────────┴────────┘",
      "Held C.md: differs from c.md only by case",
      "  1 conflict  ·  1 new on remote  ·  1 held  ·  2 in sync",
      "  2.0 KB to pull",
    ]);
  });
});

describe("runLines", () => {
  const nothing: RunResult = {
    command: "push",
    dryRun: false,
    planned: [],
    uploaded: [],
    downloaded: [],
    deletedRemote: [],
    deletedLocal: [],
    adopted: [],
    copies: [],
    failed: [],
    conflicts: [],
    held: [],
    inSync: 3,
    bytes: 0,
    snapshot: null,
    output: null,
    notices: [],
    interrupted: false,
    backends: [],
    announcements: [],
  };

  test("runLines: steps, what is left, the summary and the snapshot", () => {
    const result: RunResult = {
      ...nothing,
      uploaded: ["CLAUDE.md", "memory/notes.md"],
      downloaded: ["x.md"],
      deletedRemote: ["old.md"],
      bytes: 1536,
      conflicts: [{ path: "c.md", kind: "edit/delete" }],
      failed: [{ path: "f.md", action: "upload", error: { class: "QUOTA", message: "no space", hint: "Free some." } }],
      snapshot: { timestamp: "2026-11-20T17-40-26Z", format: "blobs" },
    };
    expect(runLines(result, plain)).toEqual([
      "  ↑ CLAUDE.md",
      "  ↑ memory/notes.md",
      "  ↓ x.md",
      "  ✗ remote old.md",
      "  ✗ f.md: no space",
      "    Free some.",
      "  ! c.md: edited here, deleted on the remote",
      "2 file(s) pushed, 1 file(s) pulled, 1 file(s) deleted on remote (1.5 KB).",
      "Snapshot 2026-11-20T17-40-26Z",
      "1 file(s) failed and will be tried again next time.",
      "1 conflict(s) left: run claude-mirror sync to resolve them.",
    ]);
  });

  test("runLines: nothing to do is said, and not said over trouble", () => {
    expect(runLines(nothing, plain)).toEqual(["Nothing to push."]);
    expect(runLines({ ...nothing, command: "sync" }, plain)).toEqual(["Everything is in sync."]);
    expect(runLines({ ...nothing, held: [{ path: "a", reason: "r" }] }, plain)).toContain("Nothing was transferred.");
    const folder = ["a", "a/b", "a/c/d", "ab"].map((path) => ({ path, reason: "r" }));
    const held = runLines({ ...nothing, held: [...folder, { path: "a/e", reason: 'cannot read "a/e"' }] }, plain);
    expect(held.filter((line) => line.startsWith("Held"))).toEqual([
      "Held a: r",
      "Held ab: r",
      'Held: cannot read "a/e"',
    ]);
  });

  test("runLines: a dry run shows the steps and that nothing was done", () => {
    const planned = [{ path: "a.md", action: "upload" as const }];
    expect(runLines({ ...nothing, dryRun: true, planned }, plain)).toEqual([
      "  ↑ a.md",
      "Dry run: 1 step(s) would be done, nothing was.",
    ]);
    expect(runLines({ ...nothing, dryRun: true }, plain)).toEqual(["Dry run: nothing would be done."]);
  });
});

describe("historyLines", () => {
  const history = {
    path: relPath("MEMORY.md"),
    versions: [
      { timestamp: "2026-05-05T10-03-06Z", sha256: "cf5b4d78fb59aaaa", version: "v2", format: "blobs", changed: false },
      { timestamp: "2026-05-04T10-03-06Z", sha256: "cf5b4d78fb59aaaa", version: "v2", format: "blobs", changed: true },
      { timestamp: "2026-04-29T14-22-10Z", sha256: null, version: "?", format: "full", changed: true },
    ],
    distinctVersions: 13,
    totalAppearances: 47,
  } as const;

  test("historyLines: looks as in the seed", () => {
    expect(historyLines(history, plain)).toEqual([
      "History of MEMORY.md",
      "  distinct versions:    13  (by SHA-256)",
      "  total appearances:    47",
      "",
      "    Snapshot timeline (newest first)",
      "┏━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━━━┓",
      "┃ Snapshot             ┃ Version ┃ Format ┃ SHA-256 (12) ┃",
      "┡━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━━━┩",
      "│ 2026-05-05T10-03-06Z │ v2      │ blobs  │ cf5b4d78fb59 │",
      "│ 2026-05-04T10-03-06Z │ v2      │ blobs  │ cf5b4d78fb59 │",
      "│ 2026-04-29T14-22-10Z │ ?       │ full   │ —            │",
      "└──────────────────────┴─────────┴────────┴──────────────┘",
    ]);
  });

  test("historyLines: changes are bold green, repeated content is dim", () => {
    const lines = historyLines(history, colour);
    expect(lines[8]).toContain("\x1b[2m2026-05-05T10-03-06Z\x1b[22m");
    expect(lines[9]).toContain("\x1b[1m\x1b[32m2026-05-04T10-03-06Z\x1b[39m\x1b[22m");
  });
});

describe("snapshotsLines", () => {
  const info = {
    timestamp: "2026-05-05T10-03-06Z",
    format: "blobs",
    triggeredBy: "alice@workstation",
    action: "push",
    filesChanged: ["a.md"],
    totalFiles: 12,
    tag: null,
    message: null,
  } as const;

  test("snapshotsLines: one row a snapshot, a broken one says why", () => {
    const lines = snapshotsLines([info, { ...info, problem: "incomplete" }], plain);
    expect(lines[3]).toBe("│ 2026-05-05T10-03-06Z │ blobs  │    12 │       1 │ push   │ alice@workstation │");
    expect(lines[4]).toBe("│ 2026-05-05T10-03-06Z │ blobs  │     ? │       ? │ push   │ incomplete        │");
    expect(snapshotsLines([], plain)[0]).toContain("No snapshots yet");
  });

  test("inspectLines: hashes for blobs, sizes for full", () => {
    const path = relPath("a.md");
    const blobs = inspectLines({ info, files: [{ path, sha256: "0123456789abcdef", size: null }] }, plain);
    expect(blobs).toContain("│ a.md │ 0123456789ab │");
    expect(blobs).toContain("  files:    1 of 12 match");
    const full = inspectLines(
      { info: { ...info, format: "full" }, files: [{ path, sha256: null, size: 2048 }] },
      plain,
    );
    expect(full).toContain("│ a.md │ 2.0 KB │");
  });
});

describe("logLines", () => {
  test("logLines: actions in the seed's colours, long file lists shortened", () => {
    const event = {
      machine: "ws",
      user: "alice",
      timestamp: "2026-11-20T17:08:28.677552+00:00",
      files: ["a", "b", "c", "d", "e"],
      action: "push",
      project: "p",
    } as const;
    const lines = logLines([event, { ...event, action: "delete" }, { ...event, action: "pull" }], colour);
    expect(lines[3]).toContain("\x1b[36mpush\x1b[39m");
    expect(lines[3]).toContain("a, b, c and 2 more");
    expect(lines[3]).toContain("2026-11-20 17:08:28");
    expect(lines[4]).toContain("\x1b[31mdelete\x1b[39m");
    expect(lines[5]).toContain("\x1b[34mpull\x1b[39m");
    expect(logLines([], plain)).toEqual(["No activity yet."]);
  });
});

describe("diffLines", () => {
  const diff = { kind: "text", path: "a.md", remote: "one\ntwo\n", local: "one\nTWO\n" } as const;

  test("unifiedDiff: is what patch(1) reads", () => {
    expect(unifiedDiff(diff, 3)).toBe("--- remote/a.md\n+++ local/a.md\n@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n");
  });

  test("diffLines: additions green, removals red", () => {
    const lines = diffLines(diff, colour, { context: 3 });
    expect(lines).toContain("\x1b[31m-two\x1b[39m");
    expect(lines).toContain("\x1b[32m+TWO\x1b[39m");
  });

  test("diffLines: says it when there is nothing to show", () => {
    expect(diffLines({ kind: "equal", path: "a" }, plain, { context: 3 })).toEqual([
      "a is the same here and on the remote.",
    ]);
    expect(diffLines({ kind: "binary", path: "a", localBytes: 1, remoteBytes: 2 }, plain, { context: 3 })[0]).toContain(
      "not text",
    );
  });
});

test("columnLines: a mirror that was never filled is told with the command that fills it", () => {
  const status = { differing: [] } as unknown as StatusResult;
  const filled = { name: "nas", error: null, files: new Map([["a.md", "ok" as const]]) };
  const empty = { name: "cloud", error: null, files: new Map([["a.md", "not sent" as const]]) };
  const lines = columnLines(status, [filled, empty], "local", plain);
  expect(lines.slice(-3)).toEqual([
    "nas: all 1 file ok",
    "cloud: 0 ok, 1 not",
    "1 file never sent to cloud: run claude-mirror seed-mirror --backend cloud",
  ]);
});

describe("doctorLines", () => {
  test("doctorLines: advice below its finding, the worst is the verdict", () => {
    const lines = doctorLines(
      {
        projects: [
          {
            configFile: "/c/notes.yaml",
            guard: null,
            checks: [
              { name: "YAML", state: "ok", detail: "fine" },
              { name: "Sign-in", state: "failed", detail: "wrong password", advice: "Run claude-mirror auth." },
            ],
          },
        ],
        installation: [{ name: "hook", state: "warning", detail: "is of another version" }],
      },
      plain,
    );
    expect(lines).toEqual([
      "/c/notes.yaml",
      "✓ YAML: fine",
      "✗ Sign-in: wrong password",
      "    Run claude-mirror auth.",
      "",
      "Installation",
      "! hook: is of another version",
      "",
      "1 problem(s), 1 warning(s).",
    ]);
  });
});

describe("verifyLines", () => {
  test("verifyLines: what could not be read is never told as repaired", () => {
    const about = { place: "webdav", phase: "manifests" } as const;
    const damaged = { ...about, kind: "corrupted", path: relPath("a.json"), detail: "it is not valid JSON" } as const;
    const unread = { ...about, kind: "failed", path: relPath("b.json"), detail: "access denied" } as const;
    const repairs = [{ finding: damaged, status: "repaired", from: "mirror" }] as const;
    const verdictOf = (findings: readonly (typeof damaged | typeof unread)[]) =>
      verifyLines({ checkedAtMs: 0, phases: [], findings, repairs, left: [], dryRun: false }, plain).at(-1);
    expect(verdictOf([damaged])).toBe("All damage is repaired.");
    expect(verdictOf([damaged, unread])).toBe("All damage that was found is repaired, but 1 thing could not be read.");
  });
});
