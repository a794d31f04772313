import { afterEach, beforeEach, expect, test } from "bun:test";
import { onedrive } from "../../../src/backends/onedrive/index.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { addToLog, type LogWatcher, logWatcher } from "../../support/log-watcher.ts";
import { oneDriveLab } from "../../support/onedrive-lab.ts";
import { type Machine, oneDriveMachine } from "../../support/onedrive-setup.ts";

let fake: FakeOneDrive;
let machine: Machine;
let backend: Backend;
let colleague: Backend;
let watcher: LogWatcher;
beforeEach(async () => {
  fake = await startFakeOneDrive();
  machine = oneDriveMachine(fake);
  await onedrive.prepare(machine.config, machine.deps);
  backend = await machine.open();
  const other = oneDriveMachine(fake);
  await onedrive.prepare(other.config, other.deps);
  colleague = await other.open();
  await addToLog(colleague, "ws", "old.md");
  watcher = logWatcher();
  expect(await watcher.look(backend)).toEqual([]);
  await watcher.look(backend);
  fake.reset();
});
afterEach(async () => {
  await backend.close();
  await colleague.close();
  await fake.stop();
});

const elsewhere = (name: string) => fake.drive.put(fake.drive.root, name, Buffer.from(name));

test("poll on OneDrive: one delta a look, whatever else happens on the drive, in the next process too", async () => {
  for (let i = 0; i < 3; i++) {
    elsewhere(`letter ${i}.md`);
    expect(await watcher.look(backend)).toEqual([]);
  }
  const next = await machine.open();
  elsewhere("letter.md");
  expect(await watcher.look(next)).toEqual([]);
  expect(fake.history).toEqual(["delta", "delta", "delta", "delta"]);
  await next.close();
});

test("poll on OneDrive: what a colleague adds is brought, and the poll after it is one request again", async () => {
  await addToLog(colleague, "ws", "a.md");
  fake.reset();
  expect(await watcher.look(backend)).toEqual(["ws a.md"]);
  expect(fake.history).toEqual(["delta", "item", "download"]);
  fake.reset();
  expect(await watcher.look(backend)).toEqual([]);
  expect(fake.count()).toBe(1);
});

test.each(["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"] as const)(
  "poll on OneDrive: a link that is gone (%s) costs a look and no notice",
  async (code) => {
    await addToLog(colleague, "ws", "a.md");
    fake.expireDelta(code);
    fake.reset();
    expect(await watcher.look(backend)).toEqual(["ws a.md"]);
    expect(fake.history.slice(0, 2)).toEqual(["delta", "delta"]);
    fake.reset();
    expect(await watcher.look(backend)).toEqual([]);
    expect(fake.count()).toBe(1);
  },
);

test("poll on OneDrive: a token that has ended is renewed, and the poll goes on", async () => {
  await addToLog(colleague, "ws", "a.md");
  fake.identity.expireAccess();
  expect(await watcher.look(backend)).toEqual(["ws a.md"]);
});

test("poll on OneDrive: many pages of changes are one look, from the last of which the next one goes on", async () => {
  for (let i = 0; i < 500; i++) elsewhere(`${i}.txt`);
  expect(await watcher.look(backend)).toEqual([]);
  expect(fake.history).toEqual(["delta", "delta", "delta"]);
  await watcher.look(backend);
  expect(fake.count()).toBe(4);
});

test("poll on OneDrive: without the remote folder nothing is taken for news, and when it is back it goes on", async () => {
  const { drive } = fake;
  const folder = drive.find(drive.root, "claude-mirror/notes") ?? expect.unreachable();
  drive.remove(folder.id);
  const next = await machine.open();
  expect(await watcher.look(next)).toEqual([]);
  expect(await watcher.look(next)).toEqual([]);
  await onedrive.prepare(machine.config, machine.deps);
  const back = await machine.open();
  await addToLog(back, "ws", "a.md");
  expect(await watcher.look(back)).toEqual(["ws a.md"]);
  await next.close();
  await back.close();
});

test("watch --once: one delta, run after run", async () => {
  const lab = await oneDriveLab(fake);
  lab.write("a.md", "a\n");
  await lab.requests(["push"]);
  await lab.requests(["watch", "--once"]);
  await lab.requests(["watch", "--once"]);
  for (let run = 0; run < 2; run++) {
    expect(await lab.requests(["watch", "--once"])).toBe(1);
    expect(fake.history).toEqual(["delta"]);
  }
});
