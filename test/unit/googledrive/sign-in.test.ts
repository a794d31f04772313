import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { parseDriveToken } from "../../../src/backends/googledrive/credentials.ts";
import { googledrive } from "../../../src/backends/googledrive/index.ts";
import type { Talk } from "../../../src/backends/module.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { type MemoryTokens, memoryTokens } from "../../support/backend-config.ts";
import { credentialsJson, drivePlace, driveToken } from "../../support/googledrive.ts";
import { driveLab } from "../../support/googledrive-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const clock = { ms: Date.parse("2026-11-20T10:00:00Z") };
const fake = await startFakeDrive({ now: () => clock.ms });
afterAll(() => fake.stop());
const base = tempFolder("drive-sign-in");
const slept: number[] = [];
const ticking = {
  now: () => clock.ms,
  sleep: (ms: number, signal?: AbortSignal) => {
    // Waiting for the person lasts until somebody is there.
    if (ms > 60_000)
      return new Promise<void>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    slept.push(ms);
    return Promise.resolve();
  },
};
beforeEach(() => {
  fake.oauth.consent = "all";
  fake.oauth.refreshError = undefined;
  fake.oauth.rotates = false;
  slept.length = 0;
  fake.reset();
});

/** A browser in front of the person, who agrees. */
function browser(): Talk & { readonly printed: string[] } {
  const printed: string[] = [];
  return {
    printed,
    print: (line) => void printed.push(line),
    async open(url) {
      void fetch(url);
      return true;
    },
    ask: undefined,
  };
}

const place = (tokens: MemoryTokens = memoryTokens()) => drivePlace(fake, base, { deps: { clock: ticking, tokens } });
const signIn = (talk: Talk, at = place()) => googledrive.signIn?.(at.config, at.deps, talk);
const failure = (call: Promise<unknown> | undefined) =>
  Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => error as Error & { hint?: string; class?: string },
  );

describe("sign-in", () => {
  test("the browser comes back to this machine; both scopes, PKCE and a token that the Python tool reads", async () => {
    const tokens = memoryTokens();
    const talk = browser();
    expect(await signIn(talk, place(tokens))).toMatchObject({ account: "owner@example.com", notes: [] });
    const page = new URL(talk.printed.find((line) => line.startsWith("http")) ?? "");
    expect(Object.fromEntries(page.searchParams)).toMatchObject({
      prompt: "consent",
      access_type: "offline",
      code_challenge_method: "S256",
    });
    expect(page.searchParams.get("scope")).toBe(
      "https://www.googleapis.com/auth/drive https://www.googleapis.com/auth/pubsub",
    );
    const json = JSON.parse(tokens.text ?? "") as Record<string, unknown>;
    expect(Object.keys(json)).toEqual([
      "token",
      "refresh_token",
      "token_uri",
      "client_id",
      "client_secret",
      "scopes",
      "universe_domain",
      "account",
      "expiry",
    ]);
    expect(json["expiry"]).toBe("2026-11-20T10:59:59.000000Z");
  });

  test("over SSH the address is pasted, and one of another attempt is refused", async () => {
    const pasting = (change: (address: string) => string): Talk => {
      const printed: string[] = [];
      return {
        print: (line) => void printed.push(line),
        open: async () => false,
        async ask() {
          const page = printed.find((line) => line.startsWith("http")) ?? "";
          const answer = await fetch(page, { redirect: "manual" });
          return change(answer.headers.get("location") ?? "");
        },
      };
    };
    expect(await signIn(pasting((address) => address))).toMatchObject({ account: "owner@example.com" });
    const other = await failure(signIn(pasting((address) => address.replace(/state=\w+/, "state=0"))));
    expect(other).toMatchObject({ class: "AUTH", message: expect.stringContaining("another attempt") });
  });

  test("a refusal, and a consent that leaves Drive out, say what to do", async () => {
    fake.oauth.consent = "deny";
    expect(await failure(signIn(browser()))).toMatchObject({
      class: "AUTH",
      message: expect.stringContaining("refused"),
    });
    fake.oauth.consent = "first scope only";
    const partly = await signIn(browser());
    expect(partly?.notes?.[0]).toContain("Pub/Sub");
  });

  test.each([
    ["web", JSON.stringify({ web: {} }), "web application"],
    ["no JSON", "nonsense", "no JSON"],
    ["a service account", JSON.stringify({ type: "service_account" }), "service account"],
  ])("a credentials file that is %s", async (_, text, words) => {
    const at = place();
    writeFileSync(at.config.credentialsFile, text);
    expect(await failure(signIn(browser(), at))).toMatchObject({
      class: "AUTH",
      message: expect.stringContaining(words),
    });
  });
});

describe("refresh", () => {
  test("five minutes ahead, once for many calls at once, and the file is written whole", async () => {
    const tokens = memoryTokens(driveToken(fake));
    const at = place(tokens);
    const backend = await at.open();
    await Promise.all([backend.list(""), backend.list(""), backend.list("")]);
    expect(fake.count("token")).toBe(1);
    clock.ms += 56 * 60 * 1000;
    await backend.list("");
    expect(fake.count("token")).toBe(2);
    expect(parseDriveToken(tokens.text ?? "")?.expiresMs).toBe(clock.ms + 3_599_000);
    await backend.close();
  });

  test("two processes with one token file spend a rotating token once", async () => {
    fake.oauth.rotates = true;
    const tokens = memoryTokens(driveToken(fake));
    const [one, two] = [await place(tokens).open(), await place(tokens).open()];
    await Promise.all([one.list(""), two.list("")]);
    clock.ms += 3_600_000;
    await Promise.all([one.list(""), two.list("")]);
    expect(fake.count("token")).toBe(2);
    await Promise.all([one.close(), two.close()]);
  });

  test("a token that Google takes back in the middle of a run is renewed once", async () => {
    const backend = await place(memoryTokens(driveToken(fake))).open();
    await backend.list("");
    fake.oauth.expireAccess();
    await backend.list("");
    expect(fake.count("token")).toBe(2);
    await backend.close();
  });

  test("a passing failure is tried three times more, and keeps the token", async () => {
    const tokens = memoryTokens(driveToken(fake));
    const before = tokens.text;
    fake.fault("token", { reply: { status: 503, body: "" }, times: 4 });
    const at = place(tokens);
    expect(await failure(at.open().then((backend) => backend.list("")))).toMatchObject({ class: "TRANSIENT" });
    expect(slept.length).toBe(3);
    expect(tokens.text).toBe(before);
    fake.fault("token", { cut: "request" });
    await (await at.open()).list("");
  });

  test.each([
    [
      "RefreshError: Reauthentication is needed",
      { error: "invalid_grant", error_description: "Reauthentication is needed", error_subtype: "invalid_rapt" },
      "session control",
    ],
    [
      "expired or revoked",
      { error: "invalid_grant", error_description: "Token has been expired or revoked." },
      "PUBLISH APP",
    ],
    [
      "a client that was deleted",
      { error: "deleted_client", error_description: "The OAuth client was deleted." },
      "Credentials",
    ],
    ["an administrator's rule", { error: "admin_policy_enforced" }, "administrator"],
  ])("RefreshError, %s: AUTH at once, with the next step, and the token file stays", async (_, refusal, words) => {
    const tokens = memoryTokens(driveToken(fake));
    const before = tokens.text;
    fake.oauth.refreshError = refusal;
    const at = place(tokens);
    const error = await failure(googledrive.check(at.config, at.deps));
    expect(error?.class).toBe("AUTH");
    for (const part of [words, "claude-mirror auth"]) expect(error?.hint).toContain(part);
    expect(fake.count("token")).toBe(1);
    expect(tokens.text).toBe(before);
  });

  test("a clock that is far off is named as the cause", async () => {
    fake.oauth.refreshError = { error: "invalid_grant", error_description: "Bad Request" };
    const at = drivePlace(fake, base, { deps: { clock: { ...ticking, now: () => clock.ms + 600_000 } } });
    expect(await failure(googledrive.check(at.config, at.deps))).toMatchObject({
      message: expect.stringContaining("10 minutes ahead"),
    });
  });
});

describe("the commands", () => {
  test("auth, auth --check and doctor: signed in, checked, and each trouble with its next step", async () => {
    clock.ms = Date.now();
    const lab = await driveLab(fake, { signedIn: false });
    expect(await lab.run(["status"])).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("Not authenticated. Run claude-mirror auth first."),
    });
    writeFileSync(lab.token, driveToken(fake, lab.user));
    const checked = await lab.run(["auth", "--check"]);
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining(lab.user) });
    fake.oauth.refreshError = { error: "invalid_grant", error_description: "Token has been expired or revoked." };
    const before = readFileSync(lab.token, "utf8");
    const failed = await lab.run(["auth", "--check"]);
    expect(failed.code).toBe(6);
    expect(failed.stderr).toContain("PUBLISH APP");
    expect((await lab.run(["doctor"])).stdout).toContain("claude-mirror auth");
    expect(readFileSync(lab.token, "utf8")).toBe(before);
    fake.oauth.refreshError = undefined;
    fake.store.unshare(lab.root, lab.user);
    fake.store.update(lab.user, lab.root, { trashed: true });
    expect((await lab.run(["doctor"])).stdout).toContain("trash");
  });

  test("CLAUDE_MIRROR_AUTH_VERBOSE=1 tells of every refresh, on stderr", async () => {
    clock.ms = Date.now();
    const lab = await driveLab(fake);
    const { stderr, code } = await lab.run(["status"], { env: { CLAUDE_MIRROR_AUTH_VERBOSE: "1" } });
    expect(code).toBe(0);
    expect(stderr).toContain("the sign-in was refreshed");
    expect(stderr).not.toContain("refresh-");
  });

  test("a push mends what is there twice and says so; a status only shows it", async () => {
    clock.ms = Date.now();
    const lab = await driveLab(fake);
    for (const text of ["old", "newer"]) {
      clock.ms += 1000;
      fake.store.create(lab.user, { name: "twice.md", parents: [lab.root] }, Buffer.from(text));
    }
    const names = () =>
      [...fake.store.items.values()].filter(({ parent }) => parent === lab.root).map(({ name }) => name);
    await lab.requests(["status"]);
    expect(names().filter((name) => name === "twice.md")).toHaveLength(2);
    await lab.run(["push", "--dry-run"]);
    expect(names().filter((name) => name === "twice.md")).toHaveLength(2);
    expect((await lab.json(["push"]))["notices"]).toEqual([
      expect.stringContaining("there twice with different bytes"),
    ]);
    expect(names().filter((name) => name.startsWith("twice.conflict-"))).toHaveLength(1);
    await lab.run(["pull"]);
    expect((await lab.json(["status"]))["summary"]).toMatchObject({ in_sync: 2 });
  });

  test("a refresh leaves the token file to its owner alone", async () => {
    clock.ms = Date.now();
    const lab = await driveLab(fake);
    await lab.requests(["status"]);
    expect(statSync(lab.token).mode & 0o777).toBe(0o600);
    expect(existsSync(`${lab.token}.lock`)).toBe(false);
    expect(credentialsJson()).toContain("installed");
  });
});
