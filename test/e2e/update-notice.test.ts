import { afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { startInPty } from "../support/pty.ts";
import { oldProgram, type ReleaseServer, startReleases } from "../support/release-server.ts";
import { tempFolder } from "../support/temp.ts";

setDefaultTimeout(60_000);

const NOTICE = "claude-mirror 9.9.9 is available";
let binary: string;
let home: string;
let program: string;
let server: ReleaseServer;

beforeAll(async () => {
  binary = await compiledBinary();
});
beforeEach(() => {
  home = tempFolder("notice");
  mkdirSync(join(home, "bin"));
  program = join(home, "bin/claude-mirror");
  symlinkSync(binary, program);
  server = startReleases();
  server.publish("9.9.9", oldProgram("9.9.9"));
});
afterEach(() => server.stop());

const notesFile = () => join(home, ".local/state/claude-mirror/update-check.json");
const environment = (more: Record<string, string> = {}) => ({
  HOME: home,
  PATH: "/usr/bin:/bin",
  TERM: "xterm",
  CLAUDE_MIRROR_BASE_URL: server.url,
  ...more,
});

/** What a person at a terminal sees. */
async function seen(words: readonly string[], more: Record<string, string> = {}): Promise<string> {
  const pty = startInPty([program, ...words], { env: environment(more), cwd: home });
  expect([words, await pty.exited]).toEqual([words, 0]);
  return pty.shown();
}

/** Processes that were started with the notes of this home. */
function running(): readonly string[] {
  const mine = (pid: string) => {
    try {
      const [line, env] = ["cmdline", "environ"].map((name) => readFileSync(`/proc/${pid}/${name}`, "latin1"));
      return line?.includes("__check-update") && env?.includes(`HOME=${home}\0`);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && mine(name));
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let left = 1500; !isTrue(); left--) {
    if (left === 0) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(20);
  }
}

test("update notice: a process of its own asks, the next command tells, once a day, and nothing keeps running", async () => {
  expect(await seen(["help"])).not.toContain(NOTICE);
  await until("the newest version is noted", () => readFileSync(notesFile(), "utf8").includes("9.9.9"));
  await until("nothing keeps running", () => running().length === 0);
  const shown = await seen(["help"]);
  expect(shown).toContain(`${NOTICE} (you have `);
  expect(shown).toContain("Update: claude-mirror update --apply, or set CLAUDE_MIRROR_NO_UPDATE_CHECK=1 to silence");
  expect(await seen(["help"])).not.toContain(NOTICE);
  expect(server.asked).toEqual(["/latest/download/VERSION"]);
  const notes = JSON.parse(readFileSync(notesFile(), "utf8"));
  writeFileSync(notesFile(), JSON.stringify({ ...notes, toldAt: notes.toldAt - 86_400_000 }));
  expect(await seen(["help"])).toContain(NOTICE);
  expect(server.asked).toHaveLength(1);
});

test("update notice: a release server that is gone costs no command anything and leaves no process", async () => {
  await server.stop();
  expect(await seen(["help"])).toContain("Commands:");
  await until("nothing keeps running", () => existsSync(notesFile()) && running().length === 0);
  expect(JSON.parse(readFileSync(notesFile(), "utf8")).latest).toBe("");
});

test("update notice: nothing is told or asked where no person reads it, or where it is not wanted", async () => {
  mkdirSync(join(home, ".local/state/claude-mirror"), { recursive: true });
  const news = JSON.stringify({ url: server.url, askedAt: 0, toldAt: 0, latest: "9.9.9" });
  writeFileSync(notesFile(), news);
  for (const words of [
    ["version", "--json"],
    ["completion", "bash"],
    ["__complete", "--", "pu"],
    ["inbox"],
    ["prompt"],
    ["version"],
  ])
    expect([words, (await seen(words)).includes(NOTICE)]).toEqual([words, false]);
  const hook = Bun.spawnSync([program, "inbox", "--hook"], { env: environment(), cwd: home, stdin: Buffer.from("{}") });
  const piped = Bun.spawnSync([program, "help"], { env: environment(), cwd: home });
  expect([hook.stderr.toString(), piped.stderr.toString()]).toEqual(["", ""]);
  expect(await seen(["help"], { CLAUDE_MIRROR_NO_UPDATE_CHECK: "1" })).not.toContain(NOTICE);
  expect(await seen(["help"], { CLAUDE_MIRROR_BASE_URL: "" })).not.toContain(NOTICE);
  const redirected = startInPty(["sh", "-c", `'${program}' help 2>'${home}/said'`], { env: environment(), cwd: home });
  expect([await redirected.exited, readFileSync(join(home, "said"), "utf8")]).toEqual([0, ""]);
  expect([server.asked, running(), readFileSync(notesFile(), "utf8")]).toEqual([[], [], news]);
  expect(await seen(["help"])).toContain(NOTICE);
});
