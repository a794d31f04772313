import { afterEach, beforeEach, expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import type { BackendDeps, Talk } from "../../../src/backends/module.ts";
import { onedrive } from "../../../src/backends/onedrive/index.ts";
import { relPath } from "../../../src/lib/path.ts";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { memoryTokens } from "../../support/backend-config.ts";
import { oneDriveConfig, oneDriveMachine, tokenFileText } from "../../support/onedrive-setup.ts";

let fake: FakeOneDrive;
let nowMs: number;
beforeEach(async () => {
  nowMs = Date.now();
  fake = await startFakeOneDrive({ now: () => nowMs });
});
afterEach(() => fake.stop());

function talk(): Talk & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, print: (line) => void lines.push(line), open: async () => false, ask: undefined };
}

const signIn = (deps: BackendDeps, more = {}) =>
  onedrive.signIn?.(oneDriveConfig(fake, more), deps, talk()) ?? expect.unreachable();
const trouble = async (act: Promise<unknown>): Promise<BackendError> => {
  const error = await act.catch((it: unknown) => it);
  return error instanceof BackendError ? error : expect.unreachable(String(error));
};

test("signIn: shows address and code, waits for the person, and writes the token file of the Python tool's form", async () => {
  fake.identity.answers = ["authorization_pending", "authorization_pending"];
  const tokens = memoryTokens();
  const { config, deps } = oneDriveMachine(fake, { tokens });
  const shown = talk();
  expect(await onedrive.signIn?.(config, deps, shown)).toEqual({ account: "alice@outlook.example" });
  expect(shown.lines.join("\n")).toMatch(/https:\/\/microsoft\.com\/devicelogin\n.*ABCD2345/);
  const file = JSON.parse(tokens.text ?? "") as Record<string, string>;
  expect(Object.keys(file)).toEqual(["client_id", "token_cache"]);
  expect(Object.keys(JSON.parse(file["token_cache"] ?? ""))).toEqual(
    expect.arrayContaining(["Account", "IdToken", "AccessToken", "RefreshToken", "AppMetadata"]),
  );
  expect((await onedrive.prepare(config, deps)).created).toBe(true);
  expect(await onedrive.check(config, deps)).toMatchObject({ account: "alice@outlook.example" });
});

test("signIn: slow_down is heeded, although the library knows no such word", async () => {
  fake.identity.answers = ["slow_down", "slow_down", "authorization_pending"];
  const waits: number[] = [];
  const clock = { now: () => nowMs, sleep: async (ms: number) => void waits.push(ms) };
  const { deps } = oneDriveMachine(fake, { tokens: memoryTokens(), clock });
  await signIn(deps);
  expect(waits).toEqual([5000, 10_000, 10_000]);
});

test("signIn: a code that is declined or runs out writes nothing and says what to do", async () => {
  for (const [answer, text] of [
    ["authorization_declined", "declined"],
    ["expired_token", "not used in time"],
    ["bad_verification_code", "bad_verification_code"],
  ] as const) {
    fake.identity.answers = [answer];
    const tokens = memoryTokens();
    const error = await trouble(signIn(oneDriveMachine(fake, { tokens }).deps));
    expect([error.class, tokens.text]).toEqual(["AUTH", undefined]);
    expect(error.message).toContain(text);
    expect(error.hint).toContain("claude-mirror auth");
  }
});

test("signIn: an app that Microsoft does not know is named as the thing to check", async () => {
  const { deps } = oneDriveMachine(fake, { tokens: memoryTokens() });
  const error = await trouble(signIn(deps, { onedriveClientId: "99999999-2222-3333-4444-555555555555" }));
  expect([error.class, error.hint]).toEqual(["AUTH", expect.stringContaining("onedrive_client_id")]);
  expect((await trouble(signIn(deps, { onedriveClientId: "" }))).hint).toContain("--onedrive-client-id");
});

test("signIn: ends with the program", async () => {
  fake.identity.answers = Array(1000).fill("authorization_pending");
  const stop = new AbortController();
  const { deps } = oneDriveMachine(fake, { tokens: memoryTokens(), signal: stop.signal });
  fake.fault("token", { before: () => stop.abort(new Error("stopped")) });
  await expect(signIn(deps)).rejects.toThrow("stopped");
});

test("tokens: one that ends in the middle of a run is renewed once for all calls, and the file keeps what came", async () => {
  fake.identity.spends = true;
  const tokens = memoryTokens(tokenFileText(fake));
  const { config, deps } = oneDriveMachine(fake, { tokens });
  await onedrive.prepare(config, deps);
  const [one, two] = [await onedrive.open(config, deps), await onedrive.open(config, deps)];
  for (let round = 1; round <= 3; round++) {
    fake.identity.expireAccess();
    const paths = Array.from({ length: 6 }, (_, i) => relPath(`${round}-${i}.md`));
    await Promise.all(paths.map((path, i) => (i % 2 ? one : two).stat(path)));
    expect(fake.identity.refreshes).toBe(round);
  }
  expect(tokens.writes).toBe(3);
  await one.close();
  await two.close();
});

test("tokens: one that ends soon is renewed before it is used", async () => {
  const told: string[] = [];
  const tokens = memoryTokens(tokenFileText(fake, nowMs - 3_400_000));
  const { config, deps } = oneDriveMachine(fake, { tokens, authLog: (line) => void told.push(line) });
  await onedrive.prepare(config, deps);
  expect(fake.identity.refreshes).toBe(1);
  expect(told).toEqual([expect.stringContaining("about to"), expect.stringContaining("good until")]);
  expect(told.join()).not.toMatch(/access-|refresh-/);
});

test("tokens: a failure that passes is no end of the sign-in, and leaves the file alone", async () => {
  const text = tokenFileText(fake, nowMs - 3_600_000);
  const tokens = memoryTokens(text);
  const { config, deps } = oneDriveMachine(fake, { tokens });
  for (const fault of [
    { reply: { status: 503, headers: { "Retry-After": "9" }, body: "" } },
    { reply: { status: 200, body: "<html>" } },
    { cut: "request" },
  ] as const) {
    fake.fault("token", fault);
    fake.fault("token", fault);
    const error = await trouble(onedrive.check(config, deps));
    expect([error.class, tokens.text]).toEqual(["TRANSIENT", text]);
  }
});

const ENDED = [50058, 70008, 700082, 50173];
test.each(ENDED)("tokens: AADSTS%i means that somebody has to sign in again", async (code) => {
  const { config, deps } = oneDriveMachine(fake);
  fake.identity.revoke(code);
  const error = await trouble(onedrive.check(config, deps));
  expect([error.class, error.hint]).toEqual(["AUTH", "Run claude-mirror auth."]);
  expect(error.message).toContain(`AADSTS${code}`);
});

const TOKEN_FILES: readonly (readonly [string, string | undefined, string])[] = [
  ["is missing", undefined, "Not authenticated"],
  ["is no JSON", "{", "no Microsoft sign-in"],
  ["is of another backend", '{"app_key":"x","refresh_token":"y"}', "no Microsoft sign-in"],
  ["holds an empty cache", JSON.stringify({ client_id: "x", token_cache: "{}" }), "no cached accounts found"],
  ["holds a torn cache", JSON.stringify({ client_id: "x", token_cache: '{"Account":{' }), "no Microsoft sign-in"],
];
test.each(TOKEN_FILES)("tokens: a file that %s", async (_, text, wanted) => {
  const { config, deps } = oneDriveMachine(fake, { tokens: memoryTokens(text) });
  const error = await trouble(onedrive.check(config, deps));
  expect([error.class, error.message]).toEqual(["AUTH", expect.stringContaining(wanted)]);
  if (text === undefined) return;
  expect(onedrive.inspect?.(config, deps)).toMatchObject([{ state: "failed", hint: "Run claude-mirror auth." }]);
});

test("tokens: a file that another app signed in for is no sign-in for this one", async () => {
  const { deps } = oneDriveMachine(fake);
  const config = oneDriveConfig(fake, { onedriveClientId: "99999999-2222-3333-4444-555555555555" });
  expect((await trouble(onedrive.check(config, deps))).class).toBe("AUTH");
});

test("check: a folder that is not there is named, with what makes it", async () => {
  const { config, deps } = oneDriveMachine(fake);
  const error = await trouble(onedrive.check(config, deps));
  expect([error.message, error.hint]).toEqual([
    expect.stringContaining('"claude-mirror/notes"'),
    expect.stringContaining("claude-mirror auth"),
  ]);
});

test("prepare: finds out that uploads ignore preconditions, and leaves nothing behind", async () => {
  fake.habits.honoursIfMatch = false;
  const { config, deps } = oneDriveMachine(fake);
  const probed = await onedrive.prepare(config, deps);
  expect([probed.created, probed.can.guard, probed.notes.join(" ")]).toEqual([
    true,
    "look",
    expect.stringContaining("ignore"),
  ]);
  expect([...fake.drive.items.values()].map(({ name }) => name)).toEqual(["root", "claude-mirror", "notes"]);
  expect((await onedrive.known(config, deps))?.can.guard).toBe("look");
  fake.habits.honoursIfMatch = true;
  expect(await onedrive.prepare(config, deps)).toMatchObject({ created: false, can: { guard: "native" } });
});
