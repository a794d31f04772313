import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { tempFolder } from "../support/temp.ts";

setDefaultTimeout(60_000);

const SCREENS = join(import.meta.dir, "../fixtures/screens");
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

/** The wizard up to its last question, as a terminal of 80 columns shows it. */
async function screen(env: readonly string[], capture: readonly string[]): Promise<string> {
  const home = tempFolder("screen");
  mkdirSync(join(home, "notes"));
  const tmux = (...words: string[]) =>
    Bun.spawnSync(["tmux", "-S", join(home, "tmux"), "-f", "/dev/null", ...words], {
      env: { PATH: process.env["PATH"] ?? "", HOME: home, LANG: "C.UTF-8", TERM: "xterm-256color" },
    }).stdout.toString();
  const shown = async (text: string) => {
    while (!tmux("capture-pane", "-p").includes(text)) await Bun.sleep(20);
  };
  const own = ["env", "-i", `HOME=${home}`, "TERM=screen-256color", "LANG=C.UTF-8", ...env, await compiledBinary()];
  tmux("new-session", "-d", "-x", "80", "-y", "50", "-c", join(home, "notes"), ...own, "init");
  try {
    for (const [question, keys] of ANSWERS) {
      await shown(question);
      for (const key of [...keys, "Enter"]) tmux("send-keys", key);
    }
    await shown("Save this configuration?");
    return `${tmux("capture-pane", "-p", ...capture).trimEnd()}\n`;
  } finally {
    tmux("kill-server");
  }
}

test.each([
  ["wizard.txt", ["NO_COLOR=1"], []],
  ["wizard-colour.txt", [], ["-e"]],
])("wizard: the screen of 80 columns is the one in %s", async (name, env, capture) => {
  const found = await screen(env, capture);
  if (process.env["UPDATE_SCREENS"]) writeFileSync(join(SCREENS, name), found);
  expect(found).toBe(readFileSync(join(SCREENS, name), "utf8"));
});
