import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import type { CloudLab } from "../../support/cloud-lab.ts";
import { troublesToldBy } from "../../support/doctor-checks.ts";
import { oneDriveLab } from "../../support/onedrive-lab.ts";
import { FOLDER } from "../../support/onedrive-setup.ts";

let fake: FakeOneDrive;
let lab: CloudLab;
let token: string;
beforeEach(async () => {
  fake = await startFakeOneDrive();
  lab = await oneDriveLab(fake);
  token = join(lab.configDir, "onedrive-notes-token.json");
});
afterEach(() => fake.stop());

/** The token file with another cache. */
const keepCache = (cache: string) =>
  writeFileSync(token, JSON.stringify({ ...JSON.parse(readFileSync(token, "utf8")), token_cache: cache }));

test("doctor: all is well, and who is signed in", async () => {
  expect(await troublesToldBy(lab)).toEqual({ code: 0, found: [] });
  expect((await lab.ok("doctor")).stdout).toContain("alice@outlook.example");
});

const TROUBLES: readonly (readonly [string, () => unknown, string, string])[] = [
  ["nobody signed in", () => writeFileSync(token, ""), "sign-in", "Run claude-mirror auth."],
  ["AADSTS50058", () => fake.identity.revoke(50058), "AADSTS50058", "Run claude-mirror auth."],
  ["an empty account cache", () => keepCache("{}"), "no cached accounts found", "Run claude-mirror auth."],
  ["a torn account cache", () => keepCache('{"Account":{'), "no Microsoft sign-in", "Run claude-mirror auth."],
  ["a token of another program", () => writeFileSync(token, '{"app_key":"x"}'), "sign-in", "Run claude-mirror auth."],
  ["a token that others can read", () => chmodSync(token, 0o644), "permissions of the token file", "chmod 600"],
  [
    "a folder that is gone",
    () => fake.drive.remove(fake.drive.find(fake.drive.root, FOLDER)?.id ?? ""),
    FOLDER,
    "claude-mirror auth",
  ],
  [
    "a folder that is shared for reading only",
    () => fake.refuse("item", { status: 403, code: "accessDenied", times: 9 }),
    "forbids it",
    "shared with you for editing",
  ],
  [
    "a client ID that is mistyped",
    () => lab.run(["init", "--onedrive-client-id", "99999999-2222-3333-4444-555555555555"]),
    "",
    "claude-mirror auth",
  ],
];
test.each(TROUBLES)("doctor: %s: what is wrong and the exact next step", async (_, spoil, wrong, step) => {
  await spoil();
  if (wrong === "AADSTS50058") fake.identity.expireAccess();
  const { code, found } = await troublesToldBy(lab);
  expect(found.join("\n")).toContain(wrong);
  expect(found.join("\n")).toContain(step);
  // 6 where somebody has to sign in.
  expect(code).toBe(step === "Run claude-mirror auth." || wrong === "" ? 6 : 1);
});
