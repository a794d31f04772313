import { afterAll, beforeAll, setDefaultTimeout, test } from "bun:test";
import type { FakeRequest } from "../fakes/fake-http.ts";
import { type FakeNextcloud, NEXTCLOUD_USER, startFakeNextcloud } from "../fakes/nextcloud/server.ts";
import { compiledBinary } from "../support/binary.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { expectScreen, LOOKS, type Look, openScreen, type Screen } from "../support/screen.ts";
import { tempFolder } from "../support/temp.ts";

setDefaultTimeout(60_000);

let binary: string;
let server: FakeNextcloud;
beforeAll(async () => {
  binary = await compiledBinary();
  server = await startFakeNextcloud();
});
afterAll(() => server?.stop());

/** Runs a command of the program there until `shown` stands on the screen, and takes it. */
async function screenOf(
  machine: Pick<OwnMachine, "home" | "project">,
  words: readonly string[],
  look: Look,
  use: (screen: Screen) => Promise<void>,
): Promise<string> {
  const screen = openScreen([binary, ...words], { home: machine.home, cwd: machine.project, look });
  try {
    await use(screen);
    return screen.taken();
  } finally {
    screen.close();
  }
}

/** Two people on one folder, who have agreed on some files and then edited on. */
async function differing(): Promise<OwnMachine> {
  const remote = tempFolder("screens-remote");
  const place = { settings: { backend: "local", local_folder: remote }, token: undefined };
  const [ada, bob] = [await ownMachine("ada", place), await ownMachine("bob", place)];
  const agreed = {
    "CLAUDE.md": "# Notes\n\nUse pnpm, never npm.\nRun the tests before each commit.\n\nAsk before pushing.\n",
    "memory/decisions.md": "- SQLite\n",
    "memory/old.md": "old\n",
    "memory/gone.md": "gone\n",
    "plain.md": "plain\n",
  };
  for (const [path, text] of Object.entries(agreed)) ada.write(path, text);
  await ada.run(["push"]);
  await bob.run(["pull"]);
  bob.write("CLAUDE.md", agreed["CLAUDE.md"].replace("never npm", "never npm or yarn"));
  bob.write("memory/decisions.md", "- SQLite\n- Bun\n");
  bob.write("von-bob/Übersicht über 日本語 und 🎉.md", "neu\n");
  bob.remove("memory/gone.md");
  await bob.run(["push"]);
  ada.write("CLAUDE.md", agreed["CLAUDE.md"].replace("pnpm, never npm", "bun"));
  ada.write("plain.md", "plain, edited\n");
  ada.write(`docs/a-folder-with-a-long-name/and-another-one-inside/the-minutes-of-the-meeting-of-2026-03-05.md`, "x\n");
  ada.remove("memory/old.md");
  return ada;
}

test.each(LOOKS)("status: the screen of 80 columns is status$suffix.txt", async (look) => {
  const ada = await differing();
  const found = await screenOf(ada, ["status"], look, (screen) => screen.ended());
  expectScreen(found, `status${look.suffix}`);
});

test.each(LOOKS)(
  "conflict: the screen of 80 columns with the diff and the menu, and what is said after the answer",
  async (look) => {
    const ada = await differing();
    let asked = "";
    const after = await screenOf(ada, ["sync"], look, async (screen) => {
      await screen.shown("and Enter:");
      asked = screen.taken();
      screen.keys("b", "Enter");
      await screen.ended();
    });
    expectScreen(asked, `conflict${look.suffix}`);
    expectScreen(masked(after), `conflict-after${look.suffix}`);
  },
);

const masked = (text: string) => text.replace(/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ/g, "2026-03-05T10-30-00Z");

/** Holds the upload of each of these files until it is let go. */
function holdUploads(...names: readonly string[]): ReadonlyMap<string, () => void> {
  const gates = new Map<string, () => void>();
  for (const name of names) {
    const when = ({ url }: FakeRequest) => url.pathname.endsWith(name);
    const before = () => new Promise<void>((resolve) => void gates.set(name, resolve));
    server.fault("PUT files", { when, before });
  }
  return gates;
}

test.each(LOOKS)("progress: the screen of 80 columns while files are sent is progress$suffix.txt", async (look) => {
  const folder = `progress${look.suffix}`;
  server.files.makeFolder(folder);
  const place = {
    settings: {
      backend: "webdav",
      webdav_insecure_http: true,
      webdav_url: `${server.url}/${folder}`,
      webdav_username: NEXTCLOUD_USER.username,
    },
    token: NEXTCLOUD_USER,
  };
  const ada = await ownMachine("ada", place, { settings: { parallel_workers: 1 } });
  for (const name of ["a", "b", "c", "d"]) ada.write(`${name}.md`, `${name}\n`.repeat(50_000));
  await ada.run(["status"]);
  const gates = holdUploads("/a.md", "/c.md");
  const screen = openScreen([binary, "push"], { home: ada.home, cwd: ada.project, look });
  try {
    await screen.shown("0/4");
    while (!gates.has("/a.md")) await Bun.sleep(20);
    // A rate is shown from half a second on.
    await Bun.sleep(600);
    gates.get("/a.md")?.();
    await screen.shown(/2\/4 .*left/);
    expectScreen(
      screen.taken().replace(/ [\d.]+ [KM]?B\/s {2}\d+:\d\d left/, " 195.3 KB/s  0:01 left"),
      `progress${look.suffix}`,
    );
  } finally {
    server.endFaults();
    for (const open of gates.values()) open();
    screen.close();
  }
});
