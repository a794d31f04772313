import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { type Pty, startInPty } from "../support/pty.ts";
import type { TestServer } from "../support/server-process.ts";
import { filesBelow } from "../support/setup-lab.ts";
import { tempFolder } from "../support/temp.ts";

const DOWN = "\x1b[B";
const LOCAL = `${DOWN.repeat(4)}`;
const WEBDAV = `${DOWN.repeat(3)}`;

setDefaultTimeout(60_000);

let binary: string;
let server: TestServer;

beforeAll(async () => {
  [binary, server] = await Promise.all([compiledBinary(), startApache({ auth: "basic" })]);
});
afterAll(() => server.stop());

interface Place {
  readonly home: string;
  readonly project: string;
  readonly config: string;
  start(...words: string[]): Pty;
  /** Every file and folder of the home folder. */
  everything(): unknown;
}

/** A new computer with one project and nothing else. */
function place(more: Readonly<Record<string, string>> = {}): Place {
  const home = tempFolder("wizard");
  const project = join(home, "notes");
  mkdirSync(project);
  writeFileSync(join(project, "CLAUDE.md"), "# Notes\n");
  const config = join(home, ".config/claude_mirror/notes.yaml");
  const env = { HOME: home, TERM: "xterm", NO_COLOR: "1", PATH: process.env["PATH"] ?? "", ...more };
  return {
    home,
    project,
    config,
    start: (...words) => startInPty([binary, ...words], { env, cwd: project }),
    everything: () => [readdirSync(home, { recursive: true }).sort(), filesBelow(home)],
  };
}

/** From the choice of a local folder to the question whether to save. */
function localAnswers(folder: string): [string, string][] {
  return [
    ["Storage backend", LOCAL],
    ["Project directory", ""],
    ["Folder that plays the remote", folder],
    ["Config file", ""],
    ["File patterns", ""],
    ["Exclude", "drafts/**, *.tmp"],
    ["Snapshot format", ""],
    ["Slack? [y/N]", ""],
  ];
}

describe("init in a terminal", () => {
  test("wizard: plain init asks, shows a summary, saves and pushes", async () => {
    const { home, start, config } = place();
    const mirror = join(home, "mirror");
    const pty = start("init");
    await pty.converse([...localAnswers(mirror), ["Save this configuration? [Y/n]", ""], ["Push this now? [Y/n]", ""]]);
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).toContain("Folder:          ~/mirror");
    expect(readFileSync(config, "utf8")).toContain("drafts/**");
    expect(readFileSync(join(mirror, "CLAUDE.md"), "utf8")).toBe("# Notes\n");
  });

  test("wizard: an answer that cannot be is asked again with what is wrong", async () => {
    const { home, project, start } = place();
    const pty = start("init", "--wizard", "--backend", "local");
    await pty.converse([
      ["Storage backend", ""],
      ["Project directory", "/nowhere/at/all"],
      ["there is no such folder", `\x15${project}`],
      ["Folder that plays the remote", "inner"],
      ["lies inside the project", `\x15${join(home, "mirror")}`],
    ]);
    await pty.waitFor("Config file");
    pty.type("\x03");
    expect(await pty.exited).toBe(130);
  });

  const endings = [
    ["Ctrl-C", (pty: Pty) => pty.type("\x03")],
    ["Ctrl-D", (pty: Pty) => pty.type("\x04")],
    ["SIGHUP", (pty: Pty) => pty.signal("SIGHUP")],
    ["a terminal that is gone", (pty: Pty) => pty.hangUp()],
  ] as const;
  const questions = [0, 1, 2, 6, 7, 8];
  test.each(endings)("wizard: %s at any question ends with 130 and leaves nothing behind", async (_name, end) => {
    await Promise.all(
      questions.map(async (count) => {
        const own = place();
        const before = own.everything();
        const answers: [string, string][] = [
          ...localAnswers(join(own.home, "mirror")),
          ["Save this configuration? [Y/n]", ""],
        ];
        const pty = own.start("init");
        await pty.converse(answers.slice(0, count));
        await pty.waitFor(answers[count]?.[0] ?? "");
        end(pty);
        expect(await pty.exited).toBe(130);
        expect(own.everything()).toEqual(before);
      }),
    );
  });

  test("wizard: settings that exist are changed only when that is asked for, and a copy is kept", async () => {
    const { home, config, start, everything } = place();
    const mirror = join(home, "mirror");
    expect(await start("init", "--local-folder", mirror).exited).toBe(0);
    const [before, text] = [everything(), `${readFileSync(config, "utf8")}# mine\n`];
    const refused = start("init");
    await refused.converse([
      ["Storage backend", ""],
      ["Project directory", ""],
      ["Change it (a copy is kept)? [y/N]", ""],
    ]);
    expect(await refused.exited).toBe(1);
    expect(everything()).toEqual(before);
    writeFileSync(config, text);
    const changed = start("init");
    await changed.converse([
      ["Storage backend", ""],
      ["Project directory", ""],
      ["Change it (a copy is kept)? [y/N]", "y"],
      ["Folder that plays the remote", ""],
      ["Config file", ""],
      ["File patterns", "**/*.txt"],
      ["Exclude", ""],
      ["Snapshot format", ""],
      ["Slack? [y/N]", ""],
      ["Save this configuration? [Y/n]", ""],
    ]);
    expect(await changed.exited).toBe(0);
    expect(changed.shown()).toContain("nothing to push");
    expect(readFileSync(`${config}.bak`, "utf8")).toBe(text);
    expect(statSync(`${config}.bak`).mode & 0o777).toBe(0o600);
    expect(readFileSync(config, "utf8")).toContain("**/*.txt");
    expect(readFileSync(config, "utf8")).toContain("# mine");
  });

  test("wizard: WebDAV hides the password, tries it before anything is saved, and pushes", async () => {
    const own = place();
    const pty = own.start("init", "--wizard", "--webdav-insecure-http");
    const url = `${server.origin}/dav/notes`;
    await pty.converse([
      ["Storage backend", WEBDAV],
      ["Project directory", ""],
      ["WebDAV URL", "no address"],
      ["it is no web address", `\x15${url}`],
      ["WebDAV username", APACHE_USER.username],
      ["WebDAV password", "wr0ng"],
      ["Token file", ""],
      ["Config file", ""],
      ["Poll interval", ""],
      ["File patterns", ""],
      ["Exclude", ""],
      ["Snapshot format", ""],
      ["Slack? [y/N]", ""],
      ["Save this configuration? [Y/n]", ""],
      ["Sign in to webdav now? [Y/n]", ""],
    ]);
    await pty.waitFor("That did not work");
    expect(existsSync(join(own.home, ".config"))).toBe(false);
    expect(existsSync(join(server.root, "notes"))).toBe(false);
    await pty.converse([
      ["That did not work", ""],
      ["Storage backend", ""],
      ["Project directory", ""],
      ["WebDAV URL", ""],
      ["WebDAV username", ""],
      ["Enter keeps the one", APACHE_USER.password],
      ["Token file", ""],
      ["Config file", ""],
      ["Poll interval", "45"],
      ["File patterns", ""],
      ["Exclude", ""],
      ["Snapshot format", ""],
      ["Slack? [y/N]", ""],
      ["Save this configuration? [Y/n]", ""],
      ["Sign in to webdav now? [Y/n]", ""],
      ["Push this now? [Y/n]", ""],
    ]);
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).not.toContain("wr0ng");
    expect(pty.shown()).not.toContain(APACHE_USER.password);
    expect(pty.shown()).toContain("Signed in");
    expect(readFileSync(own.config, "utf8")).toContain("poll_interval: 45");
    expect(existsSync(join(server.root, "notes/CLAUDE.md"))).toBe(true);
  });

  test("wizard: a cloud is signed in to at once, and only then saved; leaving at the code leaves nothing behind", async () => {
    const fake = await FakeDropbox.start();
    try {
      const own = place(fake.env());
      const before = own.everything();
      const answers: [string, string][] = [
        ["Storage backend", DOWN],
        ["Project directory", ""],
        ["Dropbox app key", fake.appKey],
        ["Dropbox folder", ""],
        ["Token file", ""],
        ["Config file", ""],
        ["File patterns", ""],
        ["Exclude", ""],
        ["Snapshot format", ""],
        ["Slack? [y/N]", ""],
        ["Save this configuration? [Y/n]", ""],
        ["Sign in to dropbox now? [Y/n]", ""],
      ];
      const left = own.start("init");
      await left.converse(answers);
      await left.waitFor("Code from Dropbox");
      left.type("\x04");
      expect(await left.exited).toBe(130);
      expect(own.everything()).toEqual(before);
      const pty = own.start("init");
      await pty.converse(answers);
      await pty.waitFor("Code from Dropbox");
      const address = /http\S*oauth2\/authorize[\w?=&.%-]*/.exec(pty.shown())?.[0] ?? "";
      pty.type(`${fake.consent(address)}\r`);
      await pty.converse([["Push this now? [Y/n]", ""]]);
      expect(await pty.exited).toBe(0);
      expect(fake.tree.entries.has("/claude-mirror/notes/claude.md")).toBe(true);
    } finally {
      await fake.stop();
    }
  });

  test("wizard: without a terminal it exits 2 and names the flag", () => {
    const { home, project } = place();
    const { exitCode, stderr } = Bun.spawnSync([binary, "init", "--wizard"], { cwd: project, env: { HOME: home } });
    expect(exitCode).toBe(2);
    expect(stderr.toString()).toContain("--backend");
  });
});
