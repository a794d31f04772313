import { afterAll, beforeEach, expect, test } from "bun:test";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { troublesToldBy } from "../../support/doctor-checks.ts";
import { type DriveLab, driveLab } from "../../support/googledrive-lab.ts";

const fake = await startFakeDrive();
afterAll(() => fake.stop());

let lab: DriveLab;
beforeEach(async () => {
  fake.oauth.refreshError = undefined;
  fake.endFaults();
  lab = await driveLab(fake, { signedIn: "by auth" });
});

test("doctor: all is well, and who is signed in", async () => {
  // Two creations at one moment both succeed on Drive.
  expect(await troublesToldBy(lab)).toEqual({ code: 0, found: [expect.stringMatching(/^guarantee: look: /)] });
  expect((await lab.ok("doctor")).stdout).toContain(lab.user);
});

const credentials = () => join(lab.configDir, "credentials.json");
const refuse = (status: number, reason: string) => fake.refuse("*", { status, reason, times: 99 });
function refreshFails(error_description: string, error_subtype?: string): void {
  fake.oauth.refreshError = { error: "invalid_grant", error_description, ...(error_subtype && { error_subtype }) };
  fake.oauth.expireAccess();
}

const TROUBLES: readonly (readonly [string, () => unknown, string, string])[] = [
  ["nobody signed in", () => rmSync(lab.token), "sign-in", "claude-mirror auth"],
  [
    "a token file of another program",
    () => writeFileSync(lab.token, '{"app_key":"x"}'),
    "sign-in",
    "claude-mirror auth",
  ],
  ["a token that others can read", () => chmodSync(lab.token, 0o644), "permissions of the token file", "chmod 600"],
  [
    "RefreshError: Reauthentication is needed",
    () => refreshFails("Reauthentication is needed", "invalid_rapt"),
    "Google asks for a new sign-in",
    "session control",
  ],
  [
    "RefreshError: expired or revoked",
    () => refreshFails("Token has been expired or revoked."),
    "expired or was revoked",
    "PUBLISH APP",
  ],
  ["a client file that is gone", () => rmSync(credentials()), "credentials.json", "Download"],
  [
    "a client of a web application",
    () => writeFileSync(credentials(), readFileSync(credentials(), "utf8").replace('"installed"', '"web"')),
    "web application",
    "Desktop app",
  ],
  ["an API that is not enabled", () => refuse(403, "accessNotConfigured"), "not enabled", "APIs & Services, Library"],
  ["a consent that left Drive out", () => refuse(403, "insufficientPermissions"), "does not cover", "tick every box"],
  ["a folder in the trash", () => fake.store.update(lab.user, lab.root, { trashed: true }), "trash", ""],
  [
    "a folder that is not shared with the account",
    () => fake.store.remove(lab.user, lab.root),
    "not there, or not shared",
    "share",
  ],
];
test.each(TROUBLES)("doctor: %s: what is wrong and the exact next step", async (_, spoil, wrong, step) => {
  await spoil();
  const { code, found } = await troublesToldBy(lab);
  expect(found.join("\n")).toContain(wrong);
  expect(found.join("\n").toLowerCase()).toContain(step.toLowerCase());
  expect(code === 0).toBe(wrong.endsWith("credentials.json") || wrong === "web application");
});
