import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/table.ts";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { messagesOf, runLine } from "../support/page-reader.ts";
import { commandsOf, readPage, somePlace } from "../support/pages.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const PAGE = "docs/dropbox.md";
const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

test("docs/dropbox.md: every command of it works, and the project is on the Dropbox then", async () => {
  const person = await somePlace();
  const run = (line: string) => runLine(person, line, fake.env());
  const token = join(person.home, ".config/claude_mirror/dropbox-my-project-token.json");
  const lines = commandsOf(PAGE).map((line) => line.replaceAll("APP-KEY", fake.appKey));
  expect(lines.length).toBeGreaterThanOrEqual(6);
  for (const line of lines) {
    if (line === "claude-mirror auth") {
      // A person types the code at the prompt; test/e2e/dropbox.test.ts does that.
      expect((await run(line)).code).toBe(6);
      writeFileSync(token, fake.tokenFile(), { mode: 0o600 });
      fake.tree.createFolder("/claude-mirror/my-project");
      continue;
    }
    expect(await run(line)).toMatchObject({ code: 0 });
  }
  const held = [...fake.tree.entries.values()].flatMap((entry) => (entry.is === "file" ? entry.display : []));
  expect(held).toContain("/claude-mirror/my-project/CLAUDE.md");
  expect(held).toContain("/claude-mirror/my-project/memory/notes.md");
  expect(readPage(PAGE)).toContain(token.slice(person.home.length));
});

test("docs/dropbox.md: the messages that it explains are the ones that are shown", () => {
  const folder = join(import.meta.dir, "../../src/backends/dropbox");
  const sources = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  const names = readFileSync(join(import.meta.dir, "../../src/sync/names.ts"), "utf8");
  const vendors = readFileSync(join(import.meta.dir, "../fakes/dropbox.ts"), "utf8");
  const messages = messagesOf(PAGE).filter(
    (message) => /^[A-Z]?[a-z].* /.test(message) && !message.includes("claude-mirror"),
  );
  expect(messages.length).toBeGreaterThanOrEqual(7);
  for (const message of messages) {
    const part = message.replace(" ...", "");
    expect([part, [...sources, names, vendors].some((text) => text.includes(part))]).toEqual([part, true]);
  }
});

test("docs/dropbox.md: names commands that exist", () => {
  const named = [...readPage(PAGE).matchAll(/`claude-mirror ([a-z-]+)/g)].map(([, name = ""]) => name);
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((name) => !(name in COMMANDS))).toEqual([]);
});

test("docs/dropbox.md: is linked from the README", () => {
  expect(readPage("README.md")).toContain("(docs/dropbox.md)");
});
