import { describe, expect, test } from "bun:test";
import type { Clock } from "../../../src/lib/clock.ts";
import { openProgress } from "../../../src/ui/progress.ts";
import { openTerminal } from "../../../src/ui/terminal.ts";

function setUp({ isTTY }: { readonly isTTY: boolean }) {
  let text = "";
  let now = 1000;
  const sleepers = new Set<() => void>();
  const clock: Clock = {
    now: () => now,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        sleepers.add(resolve);
        signal?.addEventListener("abort", () => {
          sleepers.delete(resolve);
          reject(signal.reason);
        });
      }),
  };
  const write = (more: string) => {
    text += more;
  };
  const sink = { write, isTTY, columns: isTTY ? 60 : undefined };
  const progress = openProgress(openTerminal(sink, { NO_COLOR: "1" }), { clock });
  const taken = () => {
    const said = text;
    text = "";
    return said;
  };
  const pass = (ms: number) => {
    now += ms;
  };
  const wake = async () => {
    for (const resolve of sleepers) resolve();
    await Promise.resolve();
  };
  return { progress, taken, pass, wake, sleepers };
}

const done = { kind: "item", outcome: { path: "a" as never, action: "upload", status: "done" } } as const;

describe("openProgress", () => {
  test("openProgress: on a terminal the counters are redrawn in place", () => {
    const { progress, taken, pass } = setUp({ isTTY: true });
    progress.event({ kind: "scan", files: 10, done: false });
    expect(taken()).toBe("Local   10 file(s) ...\n");
    progress.event({ kind: "scan", files: 11, done: false });
    expect(taken()).toBe("");
    pass(100);
    progress.event({ kind: "list", files: 3, done: false });
    expect(taken()).toBe("\x1b[1A\x1b[0JLocal   11 file(s) ...\nRemote  3 file(s) ...\n");
    progress.close();
    expect(taken()).toBe("\x1b[2A\x1b[0J");
  });

  test("openProgress: what came too soon after the last drawing is drawn a moment later, and not once it is closed", async () => {
    const { progress, taken, pass, wake, sleepers } = setUp({ isTTY: true });
    progress.event({ kind: "begin", items: 2, bytes: 0 });
    taken();
    progress.event(done);
    progress.event(done);
    expect(taken()).toBe("");
    pass(80);
    await wake();
    expect(taken()).toBe("\x1b[1A\x1b[0JFiles   2/2\n");
    progress.event(done);
    progress.close();
    taken();
    expect(sleepers.size).toBe(0);
    await wake();
    expect(taken()).toBe("");
  });

  test("openProgress: transfers show counts, bytes, rate and time left", () => {
    const { progress, taken, pass } = setUp({ isTTY: true });
    progress.event({ kind: "begin", items: 10, bytes: 4096 });
    expect(taken()).toBe("Files   0/10  0 B of 4.0 KB\n");
    pass(1000);
    progress.event({ kind: "bytes", bytes: 1024 });
    progress.event(done);
    pass(1000);
    progress.event({ kind: "bytes", bytes: 1024 });
    expect(taken()).toEndWith("Files   1/10  2.0 KB of 4.0 KB  1.0 KB/s  0:02 left\n");
  });

  test("openProgress: lines that stay are printed above the live ones", () => {
    const { progress, taken } = setUp({ isTTY: true });
    progress.event({ kind: "begin", items: 1, bytes: 0 });
    taken();
    progress.event({ kind: "notice", message: "watch out" });
    expect(taken()).toBe("\x1b[1A\x1b[0Jwatch out\nFiles   0/1\n");
  });

  test("openProgress: elsewhere one plain line a stage, and one every ten seconds", () => {
    const { progress, taken, pass } = setUp({ isTTY: false });
    progress.event({ kind: "scan", files: 5, done: false });
    progress.event({ kind: "scan", files: 1234, done: true });
    progress.event({ kind: "list", files: 3, done: true });
    progress.event({ kind: "begin", items: 2, bytes: 2048 });
    expect(taken()).toBe("Local   1,234 file(s)\nRemote  3 file(s)\nFiles   0/2  0 B of 2.0 KB\n");
    progress.event(done);
    expect(taken()).toBe("");
    pass(10_000);
    progress.event({ kind: "bytes", bytes: 1024 });
    expect(taken()).toBe("Files   1/2  1.0 KB of 2.0 KB  102 B/s  0:10 left\n");
    progress.close();
    expect(taken()).toBe("");
  });
});
