import { afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { acquireLock } from "../../src/lib/lock.ts";
import { compiledBinary } from "../support/binary.ts";
import { oldProgram, type ReleaseServer, startReleases } from "../support/release-server.ts";
import { tempFolder } from "../support/temp.ts";

setDefaultTimeout(60_000);

const home = tempFolder("update");
const program = join(home, "bin/claude-mirror");
let binary: string;
let server: ReleaseServer;
let version: string;

beforeAll(async () => {
  binary = await compiledBinary();
  mkdirSync(join(home, "bin"));
  version = Bun.spawnSync([binary, "--version"]).stdout.toString().split(" ")[1]?.trim() ?? "";
});
beforeEach(() => {
  copyFileSync(binary, program);
  server = startReleases();
  server.publish("9.9.9", oldProgram("9.9.9"));
});
afterEach(() => server.stop());

async function run(words: readonly string[], env: Record<string, string> = {}) {
  const all = { HOME: home, PATH: "/usr/bin:/bin", CLAUDE_MIRROR_BASE_URL: server.url, ...env };
  const child = Bun.spawn([program, ...words], {
    env: all,
    cwd: home,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

/** The old program as it was, and nothing beside it. */
function expectUntouched(): void {
  expect(readFileSync(program).equals(readFileSync(binary))).toBe(true);
  expect(readdirSync(join(home, "bin"))).toEqual(["claude-mirror"]);
}

describe("check-update", () => {
  test("check-update: says what is newer, the same or older", async () => {
    expect((await run(["check-update"])).stdout).toContain(`Update available: ${version} → 9.9.9`);
    server.publish(version, oldProgram(version));
    expect((await run(["check-update"])).stdout).toContain("is the newest version");
    server.publish("0.0.1", oldProgram("0.0.1"));
    const { code, stdout } = await run(["check-update", "--json"]);
    expect([code, JSON.parse(stdout).result]).toEqual([0, { current: version, latest: "0.0.1", state: "ahead" }]);
  });

  test("check-update: without an address 2, without an answer 1, at an unsafe address 1", async () => {
    expect(await run(["check-update"], { CLAUDE_MIRROR_BASE_URL: "" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("CLAUDE_MIRROR_BASE_URL"),
    });
    expect((await run(["check-update"], { CLAUDE_MIRROR_BASE_URL: "http://127.0.0.1:1" })).code).toBe(1);
    expect(await run(["check-update"], { CLAUDE_MIRROR_BASE_URL: "http://192.0.2.1" })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("must be https"),
    });
    expect(await run(["check-update"], { CLAUDE_MIRROR_BASE_URL: `${server.url}/elsewhere` })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("must be https"),
    });
    expect((await run(["check-update"], { CLAUDE_MIRROR_BASE_URL: `${server.url}/moved` })).stdout).toContain("9.9.9");
  });
});

describe("update", () => {
  test("update: changes nothing until it is told to", async () => {
    for (const words of [[], ["--apply", "--yes", "--dry-run"]])
      expect(await run(["update", ...words])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("add --apply"),
      });
    expect(await run(["update", "--apply"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    expectUntouched();
  });

  test("update --apply: puts the new program in place, and names a watcher and the parts that are out of date", async () => {
    const lock = acquireLock(join(home, ".local/state/claude-mirror/watch-all.lock"), {
      command: "watch-all",
      clock: systemClock,
    });
    const { code, stdout } = await run(["update", "--apply", "--yes"]);
    lock.release();
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Updated ${version} → 9.9.9`)]);
    expect(stdout).toContain(`process ${process.pid}`);
    expect(stdout).toContain("Out of date: skill.");
    expect(readFileSync(join(home, "renewed"), "utf8")).toBe("install --only man --yes\n");
    expect(readFileSync(program).equals(Buffer.from(oldProgram("9.9.9")))).toBe(true);
    expect(statSync(program).mode & 0o777).toBe(statSync(binary).mode & 0o777);
    expect(readdirSync(join(home, "bin"))).toEqual(["claude-mirror"]);
  });

  test.each(["one bit", "cut off", "no checksum"] as const)(
    "update --apply: %s on the way changes nothing",
    async (damage) => {
      server.damage = damage;
      expect(await run(["update", "--apply", "--yes"])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/SHA-?256/),
      });
      expectUntouched();
    },
  );

  test.each([
    ["does not run", "exit 3"],
    ["is another version", "echo claude-mirror 1.2.3; exit 0"],
    ["runs everywhere but in its place", 'case "$0" in */claude-mirror) exit 4 ;; esac'],
  ])("update --apply: a new program that %s leaves the old one", async (_what, fault) => {
    server.publish("9.9.9", oldProgram("9.9.9", fault));
    expect(await run(["update", "--apply", "--yes"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("the old one stays"),
    });
    expectUntouched();
  });
});
