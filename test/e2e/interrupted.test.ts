import { afterAll, beforeAll, expect, test } from "bun:test";
import { startApache } from "../support/apache.ts";
import { leftoversOf, sides } from "../support/crash-check.ts";
import { newWorld, put, type World } from "../support/crash-world.ts";
import type { TestServer } from "../support/server-process.ts";

const FILES = 200;
let server: TestServer;

beforeAll(async () => {
  server = await startApache();
});
afterAll(() => server.stop());

test("push: Ctrl-C ends it in order, exit 130, and the next run sends nothing again that was confirmed", async () => {
  const { world, child, first } = await underWay();
  child.kill("SIGINT");
  const { code, stdout } = await ended(child);
  expect(code).toBe(130);
  const done = stdout.split("\n").filter((line) => line.startsWith("  ↑ ")).length;
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(FILES);
  expect(stdout).toContain(`${done} file(s) pushed`);
  expect(stdout).toContain("Interrupted: run the same command again to go on where it stopped.");
  const sent = puts() - first;
  const next = await world.run(["push"]);
  expect(next.code, next.stderr).toBe(0);
  // Two for each file, one for the snapshot and one for the log, and what was broken off is sent again: four at most.
  expect(puts() - first).toBeLessThanOrEqual(2 * FILES + 2 + 4);
  expect(puts() - first - sent).toBeLessThanOrEqual(2 * (FILES - done) + 2);
  expectDone(world);
});

test("push: a second signal ends it at once, exit 130, and the next run goes on", async () => {
  const { world, child } = await underWay();
  // Both wait for a process that stands still.
  child.kill("SIGSTOP");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  child.kill("SIGCONT");
  const { code, stdout } = await ended(child);
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect((await world.run(["push"])).code).toBe(0);
  expectDone(world);
});

test("push: a second run at the same time names the process that holds the lock, exit 7", async () => {
  const { world, child } = await underWay();
  child.kill("SIGSTOP");
  const { code, stdout, stderr } = await world.run(["push"]);
  const json = await world.run(["pull", "--json"]);
  child.kill("SIGCONT");
  expect({ code, stdout }).toEqual({ code: 7, stdout: "" });
  expect(stderr).toContain(`(push, process ${child.pid} on `);
  expect(json.code).toBe(7);
  expect(JSON.parse(json.stderr).error.type).toBe("locked");
  expect((await ended(child)).code).toBe(0);
  expectDone(world);
});

/** A push of many files of which some have arrived. */
async function underWay() {
  const world = await newWorld({ server, settings: { parallel_workers: 4 } });
  for (let n = 0; n < FILES; n++) put(world.project, `many/${n}.md`, `note ${n}\n`);
  // Finds out what the server can do, so that all further requests are the push's own.
  expect((await world.run(["status"])).code).toBe(0);
  const first = puts();
  const child = world.start(["push"]);
  while (puts() < first + 40) await nextRequests();
  return { world, child, first };
}

function puts(): number {
  return server.counts().get("PUT") ?? 0;
}

/** The server writes its log while the push goes on. */
function nextRequests(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function ended(child: ReturnType<World["start"]>) {
  const [stdout] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code: child.exitCode, stdout };
}

function expectDone(world: World): void {
  const { project, remote } = sides(world);
  expect(Object.keys(project)).toHaveLength(FILES);
  expect(remote).toEqual(project);
  expect(leftoversOf(world)).toEqual([]);
}
