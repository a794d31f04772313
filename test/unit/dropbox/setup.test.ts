import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { routeOf } from "../../../src/backends/dropbox/client.ts";
import type { Talk } from "../../../src/backends/module.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { loadConfig } from "../../../src/settings/load.ts";
import { machineFrom } from "../../../src/settings/machine.ts";
import { signIn } from "../../../src/setup/auth.ts";
import { FakeDropbox } from "../../fakes/dropbox.ts";
import { contentHashOf } from "../../fakes/dropbox-tree.ts";
import { type DropboxLab, dropboxLab } from "../../support/dropbox-lab.ts";
import { setupLab } from "../../support/setup-lab.ts";

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

/** A person who allows the app, or does what the test says with the address. */
function person(act: (address: string) => string = (address) => fake.consent(address)) {
  const said: string[] = [];
  const opened: string[] = [];
  const address = (): string => said.find((line) => line.includes("/oauth2/authorize"))?.trim() ?? "";
  const talk: Talk = {
    print: (line) => void said.push(line),
    async open(url) {
      opened.push(url);
      return false;
    },
    ask: async () => act(address()),
  };
  return { said, opened, talk, address };
}

function auth(lab: DropboxLab, talk: Talk, dryRun = false) {
  const env = { ...lab.env, ...fake.env() };
  const config = loadConfig(lab.configFile, machineFrom(env));
  const signal = new AbortController().signal;
  const world = { env, cwd: lab.project, home: lab.home, clock: systemClock, signal, note: () => {} };
  return signIn(world, config, { talk, dryRun });
}

const tokenIn = (lab: DropboxLab) => JSON.parse(readFileSync(lab.token, "utf8")) as Record<string, string>;

describe("auth with Dropbox", () => {
  test("auth: the address asks for what is needed and no more", async () => {
    const lab = await dropboxLab(fake, { signedIn: false });
    const { talk, address, opened } = person();
    const result = await auth(lab, talk);
    expect(result).toMatchObject({
      username: "ada@example.com",
      tokenWritten: true,
      created: true,
      guard: "native",
      mode: "signed in",
    });
    const url = new URL(address());
    expect(url.origin + url.pathname).toBe(`${fake.origin}/oauth2/authorize`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: fake.appKey,
      response_type: "code",
      token_access_type: "offline",
      code_challenge_method: "S256",
    });
    expect(url.searchParams.has("scope")).toBe(false);
    expect(opened).toEqual([address()]);
    expect(Object.keys(tokenIn(lab))).toEqual(["app_key", "refresh_token"]);
    expect(statSync(lab.token).mode & 0o777).toBe(0o600);
    expect(fake.tree.get(lab.root)?.is).toBe("folder");
    expect((await lab.run(["push"])).code).toBe(0);
  });

  test("auth: code and token stand in the body of their request, never in an address", async () => {
    const lab = await dropboxLab(fake, { signedIn: false });
    fake.tokenRequests.length = 0;
    await auth(lab, person().talk);
    await lab.run(["status"]);
    expect(fake.tokenRequests.length).toBeGreaterThan(1);
    for (const { url, body } of fake.tokenRequests) {
      expect(new URL(url).search).toBe("");
      expect(body).toMatch(/code_verifier=|refresh_token=/);
    }
  });

  const failures: readonly (readonly [string, (address: string) => string, string])[] = [
    [
      "a code that expired",
      (address) => {
        const code = fake.consent(address);
        fake.expireCodes();
        return code;
      },
      "code doesn't exist or has expired",
    ],
    ["a code that was made up", () => "nonsense & worse", "code doesn't exist or has expired"],
    ["no code at all", () => "  ", "no code was given"],
    [
      "a server that is down",
      (address) => {
        fake.fail("oauth2/token", { status: 503, text: "down" });
        return fake.consent(address);
      },
      "503",
    ],
    [
      "a folder that cannot be made",
      (address) => {
        fake.fail("files/create_folder_v2", {
          status: 409,
          json: { error: { ".tag": "path", path: { ".tag": "no_write_permission" } } },
        });
        return fake.consent(address);
      },
      "does not allow it",
    ],
  ];
  test.each(failures)("auth: %s leaves the token that was there", async (_what, act, told) => {
    const lab = await dropboxLab(fake, { signedIn: false });
    writeFileSync(lab.token, "the old one", { mode: 0o600 });
    const error = await auth(lab, person(act).talk).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error?.message).toContain(told);
    expect(readFileSync(lab.token, "utf8")).toBe("the old one");
    fake.reset();
  });

  test("auth: an expired code says to be quick with the next one", async () => {
    const lab = await dropboxLab(fake, { signedIn: false });
    await expect(auth(lab, person(() => "old").talk)).rejects.toMatchObject({
      class: "AUTH",
      hint: expect.stringContaining("run claude-mirror auth again"),
    });
  });

  test("auth: an app that may not write is told by the permission that it lacks", async () => {
    const lab = await dropboxLab(fake, { signedIn: false });
    fake.scopes.delete("files.content.write");
    const error = await auth(lab, person().talk).catch(
      (thrown: unknown) => thrown as { message: string; hint: string },
    );
    fake.scopes.add("files.content.write");
    expect(error).toMatchObject({
      message: expect.stringContaining("files.content.write"),
      hint: expect.stringContaining("Permissions tab"),
    });
    expect(existsSync(lab.token)).toBe(false);
  });

  test("auth: an unknown app key names the key", async () => {
    const lab = await dropboxLab(fake, { signedIn: false });
    await lab.run(["init", "--dropbox-app-key", "another-app"]);
    const error = await auth(lab, person(() => "code").talk).catch((thrown: unknown) => thrown as { hint: string });
    expect(error).toMatchObject({ class: "AUTH", hint: expect.stringContaining("--dropbox-app-key") });
  });

  test("auth: without a terminal it exits 6 and says where to run it; --dry-run asks nobody and changes nothing", async () => {
    const lab = await dropboxLab(fake, { signedIn: false });
    const run = await lab.run(["auth"]);
    expect(run.code).toBe(6);
    expect(run.stderr).toContain("in a terminal");
    const dry = await lab.run(["auth", "--dry-run"]);
    expect(dry.code).toBe(0);
    expect(dry.stdout).toContain("Nobody is signed in yet");
    expect(dry.stdout).not.toContain("Signed in");
    expect(existsSync(lab.token)).toBe(false);
    expect(fake.tree.get(lab.root)).toBeUndefined();
  });

  test("auth --check: who is signed in; a revoked sign-in and a missing folder exit 6 with the next step", async () => {
    const lab = await dropboxLab(fake);
    const fine = await lab.json(["auth", "--check"]);
    expect(fine).toMatchObject({ username: "ada@example.com", mode: "check", guard: "native" });
    fake.tree.remove({ path: lab.root });
    const missing = await lab.run(["auth", "--check"]);
    expect(missing.code).toBe(6);
    expect(missing.stderr).toContain("auth makes the folder");
    fake.revoke();
    const revoked = await lab.run(["auth", "--check"]);
    expect(revoked.code).toBe(6);
    expect(revoked.stderr).toContain("Run claude-mirror auth");
  });
});

test("commands: before auth they exit 6 and say so", async () => {
  const lab = await dropboxLab(fake, { signedIn: false });
  const run = await lab.run(["push"]);
  expect(run.code).toBe(6);
  expect(run.stderr).toContain("Not authenticated. Run claude-mirror auth first.");
});

test("projects that share a token file: both work, and signing one in signs in the other", async () => {
  const one = await dropboxLab(fake, { signedIn: false });
  const two = await dropboxLab(fake, { signedIn: false });
  await two.run(["init", "--token-file", one.token]);
  await auth(one, person().talk);
  fake.tree.createFolder(two.root);
  two.write("a.md", "a\n");
  expect((await two.run(["push"])).code).toBe(0);
  expect(fake.tree.get(`${two.root}/a.md`)?.is).toBe("file");
});

describe("doctor with Dropbox", () => {
  const checks = async (lab: DropboxLab) => {
    const { stdout } = await lab.run(["doctor", "--json"]);
    return (
      JSON.parse(stdout) as { result: { checks: { name: string; state: string; detail: string; advice?: string }[] } }
    ).result.checks;
  };
  const failed = async (lab: DropboxLab) => (await checks(lab)).filter(({ state }) => state !== "ok");

  test("doctor: all is well", async () => {
    const lab = await dropboxLab(fake);
    expect(await failed(lab)).toEqual([]);
    const found = await checks(lab);
    expect(found.find(({ name }) => name === "sign-in")?.detail).toBe("as ada@example.com");
    expect(found.find(({ name }) => name === "guarantee")?.detail).toStartWith("native");
  });

  const troubles: readonly (readonly [string, (lab: DropboxLab) => unknown, string, string])[] = [
    ["nobody signed in", (lab) => writeFileSync(lab.token, ""), "sign-in", "Run claude-mirror auth."],
    [
      "a token of another kind",
      (lab) => writeFileSync(lab.token, '{"token": 1}'),
      "sign-in",
      "Run claude-mirror auth.",
    ],
    [
      "a token that others can read",
      (lab) => chmodSync(lab.token, 0o644),
      "permissions of the token file",
      "chmod 600",
    ],
    ["a sign-in that was revoked", () => fake.revoke(), "sign-in", "Run claude-mirror auth."],
    ["a folder that is gone", (lab) => fake.tree.remove({ path: lab.root }), "remote folder", "auth makes the folder"],
    [
      "a token of another app",
      (lab) => lab.run(["init", "--dropbox-app-key", "another-app"]),
      "app",
      "Run claude-mirror auth.",
    ],
    [
      "an app without permissions",
      () =>
        fake.fail("files/get_metadata", {
          status: 401,
          json: { error: { ".tag": "missing_scope", required_scope: "files.metadata.read" } },
        }),
      "sign-in",
      "Permissions tab",
    ],
  ];
  test.each(troubles)("doctor: %s, and the next step", async (_what, spoil, name, advice) => {
    const lab = await dropboxLab(fake);
    await spoil(lab);
    const found = (await failed(lab)).find((check) => check.name === name);
    fake.reset();
    expect(found?.advice).toContain(advice);
  });
});

describe("init with Dropbox", () => {
  test("init: the flags of the seed, the folder's name by default, a token file of its own, and auth as next step", async () => {
    const lab = setupLab();
    const result = await lab.json(["init", "--dropbox-app-key", "abc123"]);
    expect(result).toMatchObject({
      backend: "dropbox",
      next: "claude-mirror auth",
      remote: "dropbox://abc123/claude-mirror/notes",
    });
    expect(loadConfig(lab.configFile, machineFrom(lab.env))).toMatchObject({
      backend: "dropbox",
      dropboxAppKey: "abc123",
      dropboxFolder: "/claude-mirror/notes",
      tokenFile: join(lab.configDir, "dropbox-notes-token.json"),
    });
    const folder = await lab.json(["init", "--dropbox-folder", "team//notes/"]);
    expect(folder).toMatchObject({ changed: ["dropbox_folder"], remote: "dropbox://abc123/team/notes" });
  });

  test.each([
    [["--backend", "dropbox"], "--dropbox-app-key"],
    [["--dropbox-app-key", "not a key"], "App key"],
    [["--dropbox-app-key", "k", "--dropbox-folder", "/a/../b"], "--dropbox-folder"],
    [["--dropbox-app-key", "k", "--dropbox-folder", "/back\\slash"], "--dropbox-folder"],
    [["--dropbox-app-key", "k", "--webdav-url", "https://a.example"], "do not go together"],
    [["--backend", "local", "--dropbox-app-key", "k"], "does not go with --backend local"],
  ] as const)("init %p: refused with exit 2, and nothing is written", async (flags, told) => {
    const lab = setupLab();
    const run = await lab.run(["init", ...flags]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(told);
    expect(existsSync(lab.configFile)).toBe(false);
  });
});

test("routeOf: the vendor's own hosts are used unless the environment names others, each for its role", () => {
  const hosts = [
    "https://api.dropboxapi.com/2/x",
    "https://content.dropboxapi.com/2/x",
    "https://notify.dropboxapi.com/2/x",
  ];
  expect(hosts.map(routeOf({}))).toEqual(hosts);
  const env = {
    CLAUDE_MIRROR_ENDPOINT_DROPBOX_UPLOAD: "https://upload.example",
    CLAUDE_MIRROR_ENDPOINT_DROPBOX_AUTH: "http://127.0.0.1:1",
  };
  const route = routeOf(env);
  expect(hosts.map(route)).toEqual([hosts[0] as string, "https://upload.example/2/x", hosts[2] as string]);
  expect(route("https://api.dropboxapi.com/oauth2/token")).toBe("http://127.0.0.1:1/oauth2/token");
  expect(route("https://www.dropbox.com/oauth2/authorize?a=b")).toBe("http://127.0.0.1:1/oauth2/authorize?a=b");
  expect(() => routeOf({ CLAUDE_MIRROR_ENDPOINT_DROPBOX_API: "http://evil.example" })).toThrow("https");
});

test("names: what Dropbox does not keep is held and named, and the rest goes on", async () => {
  const lab = await dropboxLab(fake);
  const odd = ["ends with space ", "Thumbs.db", "back\\slash.md"];
  for (const name of [...odd, "fine.md"]) lab.write(name, `${name}\n`);
  const { uploaded, held, failed } = await lab.json(["push"]);
  expect(uploaded).toEqual(["fine.md"]);
  expect(failed).toEqual([]);
  expect((held as readonly { path: string }[]).map(({ path }) => path).sort()).toEqual([...odd].sort());
});

test("auth verbose: every refresh and its end are told on stderr, and no token", async () => {
  const lab = await dropboxLab(fake);
  const verbose = { env: { CLAUDE_MIRROR_AUTH_VERBOSE: "1" } };
  const first = await lab.run(["status"], verbose);
  expect(first.stderr).toContain("asking for another");
  expect(first.stderr).toContain("signed in for another 240 minutes");
  expect((await lab.run(["status"], verbose)).stderr).not.toContain("Dropbox:");
  fake.revoke();
  fake.fail("files/list_folder/continue", { status: 401, json: { error: { ".tag": "expired_access_token" } } });
  const over = await lab.run(["status"], verbose);
  fake.reset();
  expect(over.code).toBe(6);
  expect(over.stderr).toContain("refresh token is invalid or revoked");
  for (const { stderr } of [first, over]) expect(stderr).not.toMatch(/sl\.|refresh_[0-9a-f]/);
});

describe("the shared manifest", () => {
  const manifestOf = (lab: DropboxLab) => join(lab.project, ".claude_mirror_manifest.json");

  test("manifest: one that the Python tool wrote is taken up without reading a file", async () => {
    const lab = await dropboxLab(fake);
    const entries: Record<string, object> = {};
    for (const name of ["a.md", "b.md", "changed there.md"]) {
      const bytes = Buffer.from(`in ${name}\n`);
      lab.write(name, bytes.toString());
      fake.tree.commit(
        { path: `${lab.root}/${name}` },
        name.startsWith("c") ? Buffer.from("new\n") : bytes,
        (error) => error,
      );
      entries[name] = {
        synced_hash: createHash("md5").update(bytes).digest("hex"),
        remote_file_id: `${lab.root}/${name}`,
        synced_at: "2026-11-20T17:08:28.677552+00:00",
        synced_remote_hash: contentHashOf(bytes),
      };
    }
    writeFileSync(manifestOf(lab), JSON.stringify(entries, null, 2));
    fake.reset();
    const { summary } = await lab.json(["status"]);
    expect(summary).toMatchObject({ in_sync: 2, remote_ahead: 1, conflict: 0 });
    expect(fake.count("files/download")).toBe(0);
  });
});
