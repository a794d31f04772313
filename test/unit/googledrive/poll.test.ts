import { afterAll, beforeEach, expect, test } from "bun:test";
import type { Backend } from "../../../src/backends/types.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { type DrivePlace, drivePlace } from "../../support/googledrive.ts";
import { driveLab } from "../../support/googledrive-lab.ts";
import { addToLog, type LogWatcher, logWatcher } from "../../support/log-watcher.ts";
import { tempFolder } from "../../support/temp.ts";

const fake = await startFakeDrive();
afterAll(() => fake.stop());
const base = tempFolder("drive-poll");

let user = "";
let place: DrivePlace;
let backend: Backend;
let colleague: Backend;
let watcher: LogWatcher;
let accounts = 0;
beforeEach(async () => {
  user = `watcher-${++accounts}@example.com`;
  place = drivePlace(fake, base, { user });
  backend = await place.open();
  colleague = await place.other().open();
  await addToLog(colleague, "ws", "old.md");
  watcher = logWatcher();
  expect(await watcher.look(backend)).toEqual([]);
  await watcher.look(backend);
  fake.reset();
});

const elsewhere = (name: string) => fake.store.create(user, { name }, Buffer.from(name));

test("poll on Google Drive: one changes.list a look, whatever else happens in the account, in the next process too", async () => {
  for (let i = 0; i < 3; i++) {
    elsewhere(`letter ${i}.md`);
    expect(await watcher.look(backend)).toEqual([]);
  }
  expect(fake.history).toEqual(["changes.list", "changes.list", "changes.list"]);
  const next = await place.open();
  elsewhere("letter.md");
  expect(await watcher.look(next)).toEqual([]);
  expect(fake.history.filter((call) => call !== "token")).toHaveLength(4);
  await next.close();
});

test("poll on Google Drive: what a colleague adds is brought by the poll and the log's bytes alone", async () => {
  await addToLog(colleague, "ws", "a.md");
  fake.reset();
  expect(await watcher.look(backend)).toEqual(["ws a.md"]);
  expect(fake.history).toEqual(["changes.list", "files.media"]);
  expect(await watcher.look(backend)).toEqual([]);
});

test("poll on Google Drive: a page token that is no longer known, or another account's, costs a look and no notice", async () => {
  await addToLog(colleague, "ws", "a.md");
  fake.refuse("changes.list", { status: 400, reason: "invalid" });
  fake.reset();
  expect(await watcher.look(backend)).toEqual(["ws a.md"]);
  expect(fake.history.slice(0, 2)).toEqual(["changes.list", "changes.getStartPageToken"]);
  fake.reset();
  expect(await watcher.look(backend)).toEqual([]);
  expect(fake.count()).toBe(1);
});

test("poll on Google Drive: a token that was taken back is refreshed, and the poll goes on", async () => {
  await addToLog(colleague, "ws", "a.md");
  fake.oauth.expireAccess();
  fake.reset();
  expect(await watcher.look(backend)).toEqual(["ws a.md"]);
  expect(fake.count("token")).toBe(1);
});

test("poll on Google Drive: many pages of changes are one look, from the last of which the next one goes on", async () => {
  for (let i = 0; i < 1200; i++) elsewhere(`${i}.txt`);
  expect(await watcher.look(backend)).toEqual([]);
  expect(fake.history).toEqual(["changes.list", "changes.list"]);
  await watcher.look(backend);
  expect(fake.count()).toBe(3);
});

test("poll on Google Drive: a log that came back with its folder is read", async () => {
  const logs = [...fake.store.items.values()].find(
    (item) => item.parent === place.root && item.name === "_claude_mirror_logs",
  );
  const id = logs?.id ?? expect.unreachable();
  fake.store.update(user, id, { trashed: true });
  expect(await watcher.look(backend)).toEqual([]);
  fake.store.update(user, id, { trashed: false });
  await addToLog(colleague, "ws", "a.md");
  expect(await watcher.look(backend)).toEqual(["ws a.md"]);
});

test("watch --once without a topic: one changes.list, run after run", async () => {
  const lab = await driveLab(fake);
  lab.write("a.md", "a\n");
  await lab.requests(["push"]);
  await lab.requests(["watch", "--once"]);
  await lab.requests(["watch", "--once"]);
  for (let run = 0; run < 2; run++) {
    expect(await lab.requests(["watch", "--once"])).toBe(1);
    expect(fake.history).toEqual(["changes.list"]);
  }
});
