import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../../src/cli/table.ts";
import { messagesOf } from "../../support/page-reader.ts";
import { ROOT, readPage } from "../../support/pages.ts";

const textsIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(ROOT, folder, name), "utf8"));

/** What the vendor says in its own words, and what other rooms say of any remote. */
const ELSEWHERE = ["test/fakes", "src/setup", "src/sync"];

describe.each([
  ["docs/google-drive.md", "src/backends/googledrive"],
  ["docs/dropbox.md", "src/backends/dropbox"],
  ["docs/onedrive.md", "src/backends/onedrive"],
] as const)("%s", (page, backend) => {
  test("the messages that it explains are the ones that are shown", () => {
    const texts = [backend, ...ELSEWHERE].flatMap(textsIn);
    const messages = messagesOf(page).filter((text) => / |^AADSTS|_/.test(text) && !text.includes("claude-mirror"));
    expect(messages.length).toBeGreaterThanOrEqual(9);
    for (const message of messages.filter((text) => !/^OneDrive keeps N|[*?<>|]/.test(text))) {
      const part = message
        .replace(" ...", "")
        .replace(/ \(\d.*/, "")
        .replace("AADSTS", "");
      expect([part, texts.some((text) => text.includes(part))]).toEqual([part, true]);
    }
  });

  test("names commands that exist, and tells who never signed in, what is full and what is throttled", () => {
    const text = readPage(page);
    const named = [...text.matchAll(/`claude-mirror ([a-z-]+)/g)].map(([, name = ""]) => name);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((name) => !(name in COMMANDS))).toEqual([]);
    for (const told of [/Not authenticated/, /full|no space left/, /slow down/, /collaborator/i, /accounts/i])
      expect([told, told.test(text)]).toEqual([told, true]);
  });

  test("is linked from the README", () => {
    expect(readPage("README.md")).toContain(`(${page})`);
  });
});
