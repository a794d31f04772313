import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../../src/lib/clock.ts";
import { acquireLock } from "../../../src/lib/lock.ts";
import { openTokenStore, stageTokens } from "../../../src/setup/token-store.ts";
import { tempFolder } from "../../support/temp.ts";

function lab() {
  const file = join(tempFolder("tokens"), "config/dropbox-notes-token.json");
  return { file, open: () => openTokenStore(file, { clock: systemClock }) };
}

test("openTokenStore: none at first; what is written is readable by the owner alone and leaves nothing else behind", () => {
  const { file, open } = lab();
  expect(open().read()).toBeUndefined();
  mkdirSync(dirname(file));
  writeFileSync(file, "old", { mode: 0o644 });
  open().write("new");
  expect(open().read()).toBe("new");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(file))).toEqual(["dropbox-notes-token.json"]);
});

test("openTokenStore: a file that cannot be read is a matter of signing in", () => {
  const { file, open } = lab();
  mkdirSync(file, { recursive: true });
  expect(() => open().read()).toThrow(expect.objectContaining({ class: "AUTH" }));
});

test("locked: one at a time for one file, across stores, whatever the one before came to", async () => {
  const { open } = lab();
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await Promise.resolve();
    inside--;
    throw new Error("failed inside");
  };
  const stores = [open(), open()];
  const ends = await Promise.allSettled([0, 1, 0, 1].map((at) => stores[at]?.locked(work)));
  expect(ends.every((end) => end.status === "rejected" && end.reason.message === "failed inside")).toBe(true);
  expect(most).toBe(1);
});

test("locked: waits for another process, and gives up with a passing failure", async () => {
  const { file } = lab();
  const lock = acquireLock(`${file}.lock`, { command: "refresh of the sign-in", clock: systemClock });
  let slept = 0;
  const clock = {
    now: systemClock.now,
    sleep: async () => {
      if (++slept === 3) lock.release();
    },
  };
  expect(await openTokenStore(file, { clock }).locked(async () => "done")).toBe("done");
  expect(slept).toBe(3);
  const again = acquireLock(`${file}.lock`, { command: "refresh of the sign-in", clock: systemClock });
  const endless = openTokenStore(file, { clock: { now: systemClock.now, sleep: async () => {} } });
  await expect(endless.locked(async () => "never")).rejects.toMatchObject({ class: "TRANSIENT" });
  again.release();
  expect(existsSync(`${file}.lock`)).toBe(false);
});

test("stageTokens: the file changes only when it is kept, and keep says whether it did", async () => {
  const { file, open } = lab();
  open().write("old");
  const staged = stageTokens(open());
  expect(staged.read()).toBe("old");
  expect(await staged.keep()).toBe(false);
  staged.write("new");
  expect(staged.read()).toBe("new");
  expect(readFileSync(file, "utf8")).toBe("old");
  expect(await staged.keep()).toBe(true);
  expect(readFileSync(file, "utf8")).toBe("new");
  chmodSync(file, 0o644);
  expect(await staged.keep()).toBe(false);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
