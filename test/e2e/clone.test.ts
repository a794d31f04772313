import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { startInPty } from "../support/pty.ts";
import type { TestServer } from "../support/server-process.ts";
import { filesBelow } from "../support/setup-lab.ts";
import { tempFolder } from "../support/temp.ts";
import { giveToServer } from "../support/webdav-setup.ts";

setDefaultTimeout(60_000);

let binary: string;
let server: TestServer;

beforeAll(async () => {
  [binary, server] = await Promise.all([compiledBinary(), startApache({ auth: "basic" })]);
  mkdirSync(join(server.root, "notes/memory"), { recursive: true });
  writeFileSync(join(server.root, "notes/CLAUDE.md"), "# Notes\n");
  writeFileSync(join(server.root, "notes/memory/a.md"), "a\n");
  giveToServer(server.root);
});
afterAll(() => server.stop());

/** A computer that has nothing yet. */
function newMachine() {
  const home = tempFolder("clone");
  const env = { HOME: home, TERM: "xterm", NO_COLOR: "1", PATH: process.env["PATH"] ?? "" };
  return {
    home,
    env,
    project: join(home, "work/notes"),
    config: join(home, ".config/claude_mirror/notes.yaml"),
    everything: () => [readdirSync(home, { recursive: true }).sort(), filesBelow(home)],
    async run(words: readonly string[], password?: string) {
      const more = password === undefined ? {} : { CLAUDE_MIRROR_WEBDAV_PASSWORD: password };
      const child = Bun.spawn([binary, "clone", "--project", "work/notes", ...words], {
        cwd: home,
        env: { ...env, ...more },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return { code: await child.exited, stdout, stderr };
    },
  };
}

const webdav = (folder = "notes") => [
  ...["--webdav-url", `${server.origin}/dav/${folder}`, "--webdav-username", APACHE_USER.username],
  "--webdav-insecure-http",
];

describe("clone", () => {
  test("clone: a missing folder becomes the project, with everything that the remote holds", async () => {
    const own = newMachine();
    const { code, stdout } = await own.run([...webdav(), "--json"], APACHE_USER.password);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).result).toMatchObject({
      config: own.config,
      created: true,
      auth: { mode: "signed-in", token_written: true },
      pull: { downloaded: ["CLAUDE.md", "memory/a.md"] },
    });
    expect(readFileSync(join(own.project, "memory/a.md"), "utf8")).toBe("a\n");
    const again = await own.run(webdav(), APACHE_USER.password);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("it is set up already");
  });

  test("clone: --no-pull fetches nothing yet, --dry-run does nothing at all", async () => {
    const own = newMachine();
    const before = own.everything();
    const dry = await own.run([...webdav(), "--dry-run"], APACHE_USER.password);
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.stdout).toContain("Would set up");
    expect(own.everything()).toEqual(before);
    const { code, stdout } = await own.run([...webdav(), "--no-pull"], APACHE_USER.password);
    expect(code).toBe(0);
    expect(stdout).toContain("Next: claude-mirror pull");
    expect(readdirSync(own.project)).toEqual([]);
  });

  test.each([
    ["a wrong password", () => webdav(), "wr0ng", 6],
    ["a remote folder that is not there", () => webdav("gone"), APACHE_USER.password, 1],
    ["a local remote that is not there", () => ["--local-folder", "/nowhere/at/all"], undefined, 1],
    ["no password at all", () => webdav(), undefined, 2],
  ])("clone: %s leaves nothing behind, here and there", async (_what, words, password, code) => {
    const own = newMachine();
    const before = own.everything();
    expect(await own.run(words(), password)).toMatchObject({ code });
    expect(own.everything()).toEqual(before);
    expect(existsSync(join(server.root, "gone"))).toBe(false);
  });

  test("clone: files that were there stay, those that differ are conflicts", async () => {
    const own = newMachine();
    mkdirSync(own.project, { recursive: true });
    writeFileSync(join(own.project, "CLAUDE.md"), "mine\n");
    expect((await own.run(webdav(), APACHE_USER.password)).code).toBe(4);
    expect(readFileSync(join(own.project, "CLAUDE.md"), "utf8")).toBe("mine\n");
    expect(existsSync(join(own.project, "memory/a.md"))).toBe(true);
  });

  test("clone: an interrupted pull is taken back, what was in the folder stays", async () => {
    const own = newMachine();
    const remote = join(own.home, "remote");
    mkdirSync(own.project, { recursive: true });
    mkdirSync(remote);
    writeFileSync(join(own.project, "mine.md"), "mine\n");
    for (let n = 0; n < 1500; n++) writeFileSync(join(remote, `${n}.md`), `${n}\n`);
    const before = own.everything();
    const words = [binary, "clone", "--local-folder", remote, "--project", own.project];
    const pty = startInPty(words, { cwd: own.home, env: own.env });
    await pty.waitFor("Files ");
    pty.type("\x03");
    expect(await pty.exited).toBe(130);
    expect(pty.shown()).toContain("removed again");
    expect(own.everything()).toEqual(before);
  });

  test("clone: in a terminal it asks, and Ctrl-D leaves nothing behind", async () => {
    const own = newMachine();
    mkdirSync(own.project, { recursive: true });
    const before = own.everything();
    const start = () =>
      startInPty([binary, "clone", "--webdav-insecure-http", "--wizard"], { cwd: own.project, env: own.env });
    const answers = [
      ["Storage backend", "\x1b[B\x1b[B\x1b[B"],
      ["Project directory", ""],
      ["WebDAV URL", `${server.origin}/dav/notes`],
      ["WebDAV username", APACHE_USER.username],
      ["WebDAV password", APACHE_USER.password],
      ["Token file", ""],
      ["Config file", ""],
      ["Poll interval", ""],
      ["File patterns", ""],
      ["Exclude", ""],
      ["Snapshot format", ""],
      ["Slack? [y/N]", ""],
      ["Clone this? [Y/n]", ""],
    ] as const;
    const left = start();
    await left.converse(answers.slice(0, 5));
    await left.waitFor("Token file");
    left.type("\x04");
    expect(await left.exited).toBe(130);
    expect(own.everything()).toEqual(before);
    const pty = start();
    await pty.converse(answers);
    expect(await pty.exited).toBe(0);
    expect(readFileSync(join(own.project, "CLAUDE.md"), "utf8")).toBe("# Notes\n");
  });
});
