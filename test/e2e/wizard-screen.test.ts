import { setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { expectScreen, LOOKS, openScreen } from "../support/screen.ts";
import { tempFolder } from "../support/temp.ts";

setDefaultTimeout(60_000);

const ANSWERS = [
  ["Storage backend", ["Down", "Down", "Down", "Down"]],
  ["Project directory", []],
  ["Folder that plays the remote", ["~/mirror"]],
  ["Config file", []],
  ["File patterns", []],
  ["Exclude", ["drafts/**"]],
  ["Snapshot format", []],
  ["Slack?", []],
] as const;

test.each(LOOKS)("wizard: the screen of 80 columns up to its last question is wizard$suffix.txt", async (look) => {
  const home = tempFolder("screen");
  const cwd = join(home, "notes");
  mkdirSync(cwd);
  const screen = openScreen([await compiledBinary(), "init"], { home, cwd, look });
  try {
    for (const [question, keys] of ANSWERS) {
      await screen.shown(question);
      for (const key of [...keys, "Enter"]) screen.keys(key);
    }
    await screen.shown("Save this configuration?");
    expectScreen(screen.taken(), `wizard${look.suffix}`);
  } finally {
    screen.close();
  }
});
