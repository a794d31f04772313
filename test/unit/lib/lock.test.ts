import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/lib/clock.ts";
import { acquireLock, LockedError, readLock } from "../../../src/lib/lock.ts";
import { liveness, ownIdentity } from "../../../src/lib/process-identity.ts";
import { tempFolder } from "../../support/temp.ts";

const dir = tempFolder("lock");
const clock = systemClock;
let count = 0;
const newFile = () => join(dir, `${count++}`, "lock");

function plant(file: string, change: Record<string, unknown>): void {
  fs.mkdirSync(join(file, ".."), { recursive: true });
  const content = { ...ownIdentity(), startedAt: "2026-11-20T10:00:00+00:00", command: "push", nonce: "n", ...change };
  fs.writeFileSync(file, JSON.stringify(content));
}

/** The number of a process that has ended and been waited for. */
async function deadPid(): Promise<number> {
  const child = Bun.spawn(["true"]);
  await child.exited;
  return child.pid;
}

function expectLocked(file: string): LockedError {
  try {
    acquireLock(file, { command: "pull", clock }).release();
  } catch (error) {
    if (error instanceof LockedError) return error;
    throw error;
  }
  throw new Error("the lock was given away");
}

test("acquireLock: the second run is told who holds it, and gets it after release", () => {
  const file = newFile();
  const lock = acquireLock(file, { command: "push", clock });
  const error = expectLocked(file);
  expect(error.owner).toMatchObject({ pid: process.pid, command: "push" });
  expect(error.message).toContain(`cannot start "pull": another run holds the lock (push, process ${process.pid}`);
  expect(readLock(file, { clock }).kind).toBe("held");
  lock.release();
  lock.release();
  expect(readLock(file, { clock })).toEqual({ kind: "free" });
  acquireLock(file, { command: "pull", clock }).release();
  expect(fs.readdirSync(join(file, ".."))).toEqual([]);
});

test("acquireLock: release leaves a lock alone that is not ours any more", () => {
  const file = newFile();
  const lock = acquireLock(file, { command: "push", clock });
  plant(file, { nonce: "other" });
  lock.release();
  expect(fs.existsSync(file)).toBe(true);
});

test("acquireLock: the lock of a process that is gone is taken over", async () => {
  const file = newFile();
  plant(file, { pid: await deadPid() });
  expect(readLock(file, { clock }).kind).toBe("stale");
  acquireLock(file, { command: "pull", clock }).release();
  expect(fs.readdirSync(join(file, ".."))).toEqual([]);
});

test("acquireLock: a reused process number and another boot are seen through", () => {
  for (const change of [{ processStart: "1" }, { boot: "another-boot" }]) {
    const file = newFile();
    plant(file, change);
    acquireLock(file, { command: "pull", clock }).release();
  }
});

test("acquireLock: where there is no boot id, a lock from before the start of the machine is stale", () => {
  const file = newFile();
  plant(file, { boot: "", startedAt: "2001-01-01T00:00:00+00:00" });
  acquireLock(file, { command: "pull", clock }).release();
  plant(file, { boot: "", startedAt: new Date(clock.now()).toISOString() });
  expectLocked(file);
});

test.each([{ host: "another-host" }, { pidSpace: "pid:[1]" }])(
  "acquireLock: a lock from elsewhere (%p) is respected for 24 hours without refresh",
  (change) => {
    const file = newFile();
    plant(file, { pid: 1, ...change });
    expectLocked(file);
    const hour = 3600;
    const now = clock.now() / 1000;
    fs.utimesSync(file, now - 23 * hour, now - 23 * hour);
    expectLocked(file);
    fs.utimesSync(file, now - 25 * hour, now - 25 * hour);
    acquireLock(file, { command: "pull", clock }).release();
  },
);

test("Lock.refresh: sets the time of the file to now", () => {
  const file = newFile();
  const lock = acquireLock(file, { command: "watch", clock: { ...clock, now: () => clock.now() - 1e8 } });
  fs.utimesSync(file, 1000, 1000);
  lock.refresh();
  expect(fs.statSync(file).mtimeMs).toBeGreaterThan(1e12);
  lock.release();
});

test.each(["", "{", "[]", "null", '{"pid":0}', '{"pid":"12"}', '{"pid":-1}'])(
  "acquireLock: an unreadable lock (%p) is respected for 10 seconds only",
  (text) => {
    const file = newFile();
    fs.mkdirSync(join(file, ".."));
    fs.writeFileSync(file, text);
    expect(expectLocked(file).owner).toBeUndefined();
    expect(readLock(file, { clock })).toEqual({ kind: "unreadable" });
    const later = { ...clock, now: () => clock.now() + 11_000 };
    acquireLock(file, { command: "pull", clock: later }).release();
  },
);

test("acquireLock: a take-over that was killed half way does not block the next", async () => {
  const file = newFile();
  const pid = await deadPid();
  plant(file, { pid });
  plant(`${file}.take`, { pid });
  plant(`${file}.take.take`, { pid });
  acquireLock(file, { command: "pull", clock }).release();
  expect(fs.readdirSync(join(file, ".."))).toEqual([]);
});

test("acquireLock: while another run takes a stale lock over, it is taken", async () => {
  const file = newFile();
  plant(file, { pid: await deadPid() });
  plant(`${file}.take`, {});
  expectLocked(file);
  expect(readLock(file, { clock }).kind).toBe("stale");
});

test("acquireLock: a folder that cannot be made is named", () => {
  const file = newFile();
  fs.writeFileSync(join(file, ".."), "a file");
  expect(() => acquireLock(file, { command: "pull", clock })).toThrow(
    `cannot start "pull": its lock "${file}" cannot be made: a file stands where a folder is needed`,
  );
});

test("acquireLock: of processes that start at the same instant on a stale lock exactly one wins", async () => {
  for (let round = 0; round < 8; round++) {
    const file = newFile();
    plant(file, { pid: await deadPid() });
    const start = `${file}.start`;
    const takers = Array.from({ length: 5 }, () =>
      Bun.spawn([process.execPath, join(import.meta.dir, "lock-taker.ts"), file, start], {
        stdin: "pipe",
        stdout: "pipe",
      }),
    );
    const readers = takers.map((taker) => lines(taker.stdout));
    for (const reader of readers) expect(await reader()).toBe("ready");
    fs.writeFileSync(start, "");
    const results = await Promise.all(readers.map((reader) => reader()));
    for (const taker of takers) taker.stdin.end();
    await Promise.all(takers.map((taker) => taker.exited));
    expect(results.sort()).toEqual(["lost", "lost", "lost", "lost", "won"]);
    // Released when the winner exits.
    expect(fs.readdirSync(join(file, ".."))).toEqual(["lock.start"]);
  }
}, 60_000);

test("liveness: a killed child that nobody waited for counts as dead", async () => {
  const parent = Bun.spawn(["sh", "-c", "sleep 60 & echo $!; exec sleep 60"], { stdout: "pipe" });
  const pid = Number(await lines(parent.stdout)());
  // A shell would collect it.
  while (fs.readFileSync(`/proc/${parent.pid}/comm`, "utf8") !== "sleep\n");
  process.kill(pid, "SIGKILL");
  const stateOf = () => fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0];
  while (stateOf() !== "Z");
  expect(liveness({ ...ownIdentity(), pid, processStart: "" })).toBe("dead");
  parent.kill("SIGKILL");
  await parent.exited;
});

/** Reads a process's output line by line. */
function lines(stream: ReadableStream<Uint8Array>): () => Promise<string | undefined> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async () => {
    while (!text.includes("\n")) {
      const step = await reader.read();
      if (step.done) return undefined;
      text += decoder.decode(step.value, { stream: true });
    }
    const [line, ...rest] = text.split("\n");
    text = rest.join("\n");
    return line;
  };
}
