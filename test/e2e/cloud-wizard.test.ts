import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { type FakeDrive, startFakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER } from "../fakes/googledrive/store.ts";
import { type FakeOneDrive, startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { compiledBinary } from "../support/binary.ts";
import { credentialsJson, driveEnv, OWNER } from "../support/googledrive.ts";
import { endpointsOf } from "../support/onedrive-setup.ts";
import { type Pty, startInPty } from "../support/pty.ts";
import { tempFolder } from "../support/temp.ts";
import { userFiles } from "../support/tree.ts";

setDefaultTimeout(120_000);

const DOWN = "\x1b[B";

/** A cloud as its owner meets it: how the wizard asks for it, how one signs in, and how another machine clones from it. */
interface Cloud {
  readonly env: Readonly<Record<string, string>>;
  /** Keys that choose it in the list. */
  readonly choice: string;
  /** Between the project folder and the config file. */
  readonly answers: readonly (readonly [string, string])[];
  readonly polls: boolean;
  readonly flags: readonly string[];
  /** What the person does when asked to sign in. */
  signIn(pty: Pty): Promise<void>;
}

let binary: string;
let dropbox: FakeDropbox;
let onedrive: FakeOneDrive;
let drive: FakeDrive;
let clouds: Readonly<Record<string, Cloud>>;

beforeAll(async () => {
  binary = await compiledBinary();
  [dropbox, onedrive, drive] = await Promise.all([FakeDropbox.start(), startFakeOneDrive(), startFakeDrive()]);
  const folder = drive.store.create(OWNER, { name: "project", mimeType: FOLDER }, undefined).id;
  const browser = join(tempFolder("browser"), "browser");
  writeFileSync(browser, '#!/bin/sh\nexec curl -sL -o /dev/null "$1"\n', { mode: 0o755 });
  const clientId = onedrive.identity.clientId;
  clouds = {
    googledrive: {
      env: { ...driveEnv(drive), BROWSER: browser },
      choice: "",
      answers: [
        ["Credentials file", "~/client.json"],
        ["Drive folder ID", `https://drive.google.com/drive/u/0/folders/${folder}?resourcekey=0-x`],
        ["GCP project ID", ""],
        ["Token file", ""],
      ],
      polls: false,
      flags: ["--credentials-file", "~/client.json", "--drive-folder-id", folder],
      signIn: async () => undefined,
    },
    dropbox: {
      env: dropbox.env(),
      choice: DOWN,
      answers: [
        ["Dropbox app key", dropbox.appKey],
        ["Dropbox folder", ""],
        ["Token file", ""],
      ],
      polls: false,
      flags: ["--dropbox-app-key", dropbox.appKey, "--dropbox-folder", "/claude-mirror/notes"],
      async signIn(pty) {
        await pty.waitFor("Code from Dropbox");
        const address = /http\S*oauth2\/authorize[\w?=&.%-]*/.exec(pty.shown())?.[0] ?? "";
        pty.type(`${dropbox.consent(address)}\r`);
      },
    },
    onedrive: {
      env: endpointsOf(onedrive),
      choice: DOWN.repeat(2),
      answers: [
        ["OneDrive client ID", clientId],
        ["OneDrive folder", ""],
        ["Token file", ""],
      ],
      polls: true,
      flags: ["--onedrive-client-id", clientId, "--onedrive-folder", "claude-mirror/notes"],
      signIn: (pty) => pty.waitFor("ABCD2345"),
    },
  };
});
afterAll(async () => {
  await Promise.all([dropbox?.stop(), onedrive?.stop(), drive?.stop()]);
});

/** A computer with nothing but the client file that Google gives out. */
function machine(cloud: Cloud) {
  const home = tempFolder("cloud-wizard");
  writeFileSync(join(home, "client.json"), credentialsJson());
  const env = { HOME: home, TERM: "xterm", NO_COLOR: "1", PATH: process.env["PATH"] ?? "", ...cloud.env };
  const project = join(home, "notes");
  const start = (words: readonly string[], cwd: string) =>
    startInPty([binary, ...words.map((word) => word.replace(/^~/, home))], { env, cwd });
  return { home, project, start, config: join(home, ".config/claude_mirror/notes.yaml") };
}

test.each(["googledrive", "dropbox", "onedrive"])(
  "wizard and clone: %s is set up by answers alone, pushed to, and cloned on another machine",
  async (name) => {
    const cloud = clouds[name] ?? expect.unreachable();
    const first = machine(cloud);
    mkdirSync(first.project);
    writeFileSync(join(first.project, "CLAUDE.md"), "# Notes\n");
    const pty = first.start(["init"], first.project);
    await pty.converse([
      ["Storage backend", cloud.choice],
      ["Project directory", ""],
      ...cloud.answers,
      ["Config file", ""],
      ...(cloud.polls ? [["Poll interval", ""] as const] : []),
      ["File patterns", ""],
      ["Exclude", ""],
      ["Snapshot format", ""],
      ["Slack? [y/N]", ""],
      ["Save this configuration? [Y/n]", ""],
      [`Sign in to ${name} now? [Y/n]`, ""],
    ]);
    await cloud.signIn(pty);
    await pty.converse([["Push this now? [Y/n]", ""]]);
    expect([await pty.exited, pty.shown()]).toEqual([0, expect.stringContaining("1 file(s) pushed")]);
    expect(readFileSync(first.config, "utf8")).toContain(`backend: ${name}`);

    const second = machine(cloud);
    const cloned = second.start(["clone", "--project", "notes", ...cloud.flags], second.home);
    await cloud.signIn(cloned);
    expect([await cloned.exited, cloned.shown()]).toEqual([0, expect.stringContaining("CLAUDE.md")]);
    expect(userFiles(second.project)).toEqual({ "CLAUDE.md": "# Notes\n" });
    expect(existsSync(second.config)).toBe(true);
    const status = second.start(["status", "--short"], second.project);
    expect([await status.exited, status.shown()]).toEqual([0, expect.stringContaining("All 1 file(s) in sync.")]);
  },
);
