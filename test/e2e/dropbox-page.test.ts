import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { runLine } from "../support/page-reader.ts";
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
