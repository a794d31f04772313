import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requestsDuring } from "../../support/access-log.ts";
import { APACHE_USER, startApache } from "../../support/apache.ts";
import type { TestServer } from "../../support/server-process.ts";
import { filesBelow, type SetupLab, setupLab } from "../../support/setup-lab.ts";
import { giveToServer } from "../../support/webdav-setup.ts";

let server: TestServer;
let open: TestServer;

beforeAll(async () => {
  [server, open] = await Promise.all([startApache({ auth: "basic" }), startApache()]);
});
afterAll(async () => {
  await Promise.all([server.stop(), open.stop()]);
});

let labs = 0;

interface Signing {
  readonly lab: SetupLab;
  readonly token: string;
  /** The remote folder on the server's disk. */
  readonly folder: string;
}

/** A project set up on a remote folder of its own that does not exist yet. */
async function signing(flags: readonly string[] = [], stdin = ""): Promise<Signing> {
  const lab = setupLab();
  const name = `auth ${++labs}`;
  const url = `${server.origin}/dav/${encodeURIComponent(name)}`;
  const words = ["init", "--webdav-url", url, "--webdav-username", "me", "--webdav-insecure-http", ...flags];
  const run = await lab.run(words, { stdin });
  if (run.code !== 0) throw new Error(run.stderr);
  return { lab, token: join(lab.configDir, "webdav-notes-token.json"), folder: join(server.root, name) };
}

const STDIN = "--webdav-password-stdin";
const tokenIn = (file: string) => JSON.parse(readFileSync(file, "utf8")) as unknown;

/** Nothing that was said, and nothing that others may read, holds the password. */
function expectHidden({ lab }: Signing, said: string, password: string): void {
  expect(said).not.toContain(password);
  const holders = filesBelow(lab.home).filter(({ text }) => Buffer.from(text, "latin1").toString().includes(password));
  for (const { path, mode } of holders) expect([path, mode]).toEqual([path, 0o600]);
}

describe("auth with WebDAV", () => {
  test("auth: makes the folder, keeps the password with mode 0600, and says what the server guarantees", async () => {
    const here = await signing();
    const run = await here.lab.run(["auth", STDIN], { stdin: `${APACHE_USER.password}\n` });
    expect(run.stderr).toBe("");
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("Signed in as me");
    expect(run.stdout).toContain("(created)");
    expect(run.stdout).toContain("Server: Apache");
    expect(run.stdout).toMatch(/Guarantee: .+\./);
    expect(existsSync(here.folder)).toBe(true);
    expect(tokenIn(here.token)).toEqual({ ...APACHE_USER });
    expect(statSync(here.token).mode & 0o777).toBe(0o600);
    expectHidden(here, run.stdout + run.stderr, "secret");
  });

  test("auth: a wrong password exits 6, keeps the old token and names the ways to give another", async () => {
    const here = await signing([STDIN], APACHE_USER.password);
    const before = readFileSync(here.token);
    const run = await here.lab.run(["auth", STDIN], { stdin: "wr0ng one" });
    expect(run.code).toBe(6);
    expect(run.stderr).toContain("app password");
    expect(run.stderr).toContain("CLAUDE_MIRROR_WEBDAV_PASSWORD");
    expect(readFileSync(here.token)).toEqual(before);
    expectHidden(here, run.stdout + run.stderr, "wr0ng");
  });

  test("auth: an unreachable server keeps the old token", async () => {
    const here = await signing([STDIN], APACHE_USER.password);
    const before = readFileSync(here.token);
    await here.lab.run(["init", "--webdav-url", "http://127.0.0.1:9/dav"]);
    const run = await here.lab.run(["auth", STDIN], { stdin: "another" });
    expect(run.code).toBe(1);
    expect(run.stderr).toContain("127.0.0.1:9");
    expect(readFileSync(here.token)).toEqual(before);
  });

  test("auth: a password in the settings moves to the token file, comments stay, and only after it worked", async () => {
    const here = await signing();
    const { configFile } = here.lab;
    const clean = readFileSync(configFile, "utf8");
    const withPassword = (password: string) =>
      `# mine\n${clean.replace("webdav_password: ''", `webdav_password: ${password}  # oops`)}`;
    writeFileSync(configFile, withPassword("wr0ng"));
    chmodSync(configFile, 0o600);
    const wrong = await here.lab.run(["auth"]);
    expect(wrong.code).toBe(6);
    expect(readFileSync(configFile, "utf8")).toBe(withPassword("wr0ng"));
    writeFileSync(configFile, withPassword(APACHE_USER.password));
    const right = await here.lab.run(["auth"]);
    expect(right.code).toBe(0);
    expect(right.stdout).toContain("taken out of");
    expect(readFileSync(configFile, "utf8")).toBe(withPassword("''"));
    expect(tokenIn(here.token)).toEqual({ ...APACHE_USER });
    expectHidden(here, wrong.stdout + wrong.stderr + right.stdout + right.stderr, "secret");
  });

  test("auth: the stored password is checked again, and a run that finds nothing new leaves the token as it is", async () => {
    const here = await signing([STDIN], APACHE_USER.password);
    await here.lab.run(["auth"]);
    const before = statSync(here.token).ino;
    const result = await here.lab.json(["auth"]);
    expect(result).toMatchObject({ created: false, token_written: false, moved: false, username: "me" });
    expect(statSync(here.token).ino).toBe(before);
  });

  test("auth: without a password and without a terminal it exits 2 and names the flag", async () => {
    const { lab } = await signing();
    const run = await lab.run(["auth"]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(STDIN);
    expect(run.stderr).toContain("CLAUDE_MIRROR_WEBDAV_PASSWORD");
  });

  test("auth: another webdav_username does not sign in with the old account's password", async () => {
    const here = await signing([STDIN], APACHE_USER.password);
    await here.lab.run(["init", "--webdav-username", "somebody"]);
    const run = await here.lab.run(["auth"]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(STDIN);
    expect(tokenIn(here.token)).toEqual({ ...APACHE_USER });
  });

  test("auth: --dry-run signs in and changes nothing, on the server neither", async () => {
    const here = await signing();
    const run = await here.lab.run(["auth", "--dry-run"], {
      env: { CLAUDE_MIRROR_WEBDAV_PASSWORD: APACHE_USER.password },
    });
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("Dry run");
    expect(existsSync(here.token)).toBe(false);
    expect(existsSync(here.folder)).toBe(false);
  });

  test("auth: a server that wants no sign-in needs no account, and push then works", async () => {
    const lab = setupLab();
    const flags = ["--webdav-url", `${open.origin}/dav/free`, "--webdav-insecure-http"];
    await lab.run(["init", ...flags]);
    expect((await lab.run(["push"])).code).toBe(6);
    const run = await lab.run(["auth"]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("without an account");
    writeFileSync(join(lab.project, "a.md"), "a");
    expect((await lab.run(["push"])).code).toBe(0);
    expect(readFileSync(join(open.root, "free", "a.md"), "utf8")).toBe("a");
  });

  test("auth: without an account on a server that wants one it says what to set", async () => {
    const lab = setupLab();
    await lab.run(["init", "--webdav-url", `${server.origin}/dav/x`, "--webdav-insecure-http"]);
    const run = await lab.run(["auth"]);
    expect(run.code).toBe(6);
    expect(run.stderr).toContain("webdav_username");
  });
});

describe("auth in a terminal", () => {
  test("auth: asks for the password without showing it, also after a stored one was refused", async () => {
    const here = await signing([STDIN], "wr0ng one");
    const run = await here.lab.run(["auth"], { terminal: true, stdin: `${APACHE_USER.password}\r` });
    expect(run.code).toBe(0);
    expect(run.stderr).toContain("The password from the token file is not accepted.");
    expect(tokenIn(here.token)).toEqual({ ...APACHE_USER });
    expectHidden(here, run.stdout + run.stderr, "secret");
  });
});

describe("commands before auth", () => {
  test.each([["push"], ["pull"], ["sync"], ["status"], ["snapshots"], ["log"]])(
    "%s: says exactly that auth comes first, exits 6 and asks the server nothing",
    async (name) => {
      const { lab } = await signing();
      const { result: run, requests } = await requestsDuring(server, () => lab.run([name]));
      expect(run.code).toBe(6);
      expect(run.stderr).toBe("Not authenticated. Run claude-mirror auth first.\n");
      expect(requests).toEqual([]);
    },
  );
});

describe("auth --check", () => {
  test("auth --check: passes after auth, changes nothing and makes no folder before it", async () => {
    const here = await signing([STDIN], APACHE_USER.password);
    const before = await here.lab.run(["auth", "--check"]);
    expect(before.code).toBe(6);
    expect(before.stderr).toContain("claude-mirror auth");
    expect(existsSync(here.folder)).toBe(false);
    await here.lab.run(["auth"]);
    const result = await here.lab.json(["auth", "--check"]);
    expect(result).toMatchObject({ mode: "check", username: "me", token_written: false });
  });

  test("auth --check: without a token it says what to run", async () => {
    const { lab } = await signing();
    const run = await lab.run(["auth", "--check"]);
    expect(run.code).toBe(6);
    expect(run.stderr).toBe("Not authenticated. Run claude-mirror auth first.\n");
  });

  test("auth --check: a password that is no longer right exits 6 with the next step", async () => {
    const { lab, token } = await signing([STDIN], APACHE_USER.password);
    await lab.run(["auth"]);
    writeFileSync(token, '{"username": "me", "password": "wr0ng"}');
    const run = await lab.run(["auth", "--check"]);
    expect(run.code).toBe(6);
    expect(run.stderr).toContain("Run claude-mirror auth.");
    expect(run.stderr).not.toContain("wr0ng");
  });

  test("auth --check: a missing folder of a local mirror exits 6", async () => {
    const lab = setupLab();
    await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    expect((await lab.run(["auth", "--check"])).code).toBe(0);
    Bun.spawnSync(["rm", "-r", join(lab.home, "m")]);
    expect((await lab.run(["auth", "--check"])).code).toBe(6);
  });
});

test("auth: a local folder is made, and no sign-in is asked for", async () => {
  const lab = setupLab();
  await lab.run(["init", "--local-folder", join(lab.home, "m")]);
  Bun.spawnSync(["rm", "-r", join(lab.home, "m")]);
  const dry = await lab.run(["auth", "--dry-run"]);
  expect(dry.code).toBe(0);
  expect(existsSync(join(lab.home, "m"))).toBe(false);
  const run = await lab.run(["auth"]);
  expect(run.code).toBe(0);
  expect(run.stdout).toContain("no sign-in is needed");
  expect(existsSync(join(lab.home, "m"))).toBe(true);
});

test("auth: a remote folder that cannot be written to keeps the old token", async () => {
  const here = await signing([STDIN], "the old one");
  mkdirSync(here.folder);
  giveToServer(here.folder);
  chmodSync(here.folder, 0o500);
  const before = readFileSync(here.token);
  const run = await here.lab.run(["auth", STDIN], { stdin: APACHE_USER.password });
  chmodSync(here.folder, 0o700);
  expect(run.code).not.toBe(0);
  expect(readFileSync(here.token)).toEqual(before);
});
