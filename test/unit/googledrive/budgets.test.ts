import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { googledrive } from "../../../src/backends/googledrive/index.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { FOLDER } from "../../fakes/googledrive/store.ts";
import { amongMany } from "../../support/among-many.ts";
import { drivePlace } from "../../support/googledrive.ts";
import { driveLab } from "../../support/googledrive-lab.ts";
import { addToLog } from "../../support/log-watcher.ts";
import { tempFolder } from "../../support/temp.ts";

const fake = await startFakeDrive();
afterAll(() => fake.stop());
const base = tempFolder("drive-budgets");
const K = 200;

test("budget: the very first push of a project takes 2 requests a file, one for 100 new folders, and 6 more", async () => {
  const lab = await driveLab(fake, { signedIn: "by auth" });
  const before = foldersThere();
  for (let i = 0; i < K; i++) lab.write(`notes/${i % 40}/${i}.md`, `note ${i}\n`);
  const took = await lab.requests(["push"]);
  const newFolders = foldersThere() - before;
  expect(newFolders).toBeGreaterThan(100);
  expect(took).toBeLessThanOrEqual(2 * K + Math.ceil(newFolders / 100) + 6);
});

const foldersThere = () => [...fake.store.items.values()].filter(({ mimeType }) => mimeType === FOLDER).length;

test("budget: k small files with their snapshot, nothing changed, one changed, k deleted", async () => {
  const lab = await driveLab(fake);
  lab.write("first.md", "first\n");
  await lab.requests(["push"]);
  for (let i = 0; i < K; i++) lab.write(`notes/${i % 40}/${i}.md`, `note ${i}\n`);
  const before = foldersThere();
  const took = await lab.requests(["push"]);
  expect(took).toBeLessThanOrEqual(2 * K + Math.ceil((foldersThere() - before) / 100) + 6);

  expect(await lab.requests(["push"])).toBe(1);
  expect(await lab.requests(["status"])).toBe(1);

  lab.write("notes/7/7.md", changedText());
  expect(await lab.requests(["push"])).toBeLessThanOrEqual(8);

  rmSync(join(lab.project, "notes"), { recursive: true });
  lab.write("left.md", "left\n");
  await lab.run(["push", "left.md"]);
  fake.reset();
  expect((await lab.run(["push", "--allow", "mass-delete"])).code).toBe(0);
  const trashed = fake.calls.get("files.update") ?? 0;
  expect(trashed).toBe(K);
  const heldBySnapshot = ["batch"];
  const deletes = Array.from({ length: K / 100 }, () => "batch");
  expect(["changes.list", ...deletes]).toHaveLength(K / 100 + 1);
  const newSnapshot = ["upload.create", "batch"];
  const log = ["files.media", "upload.update"];
  expect(fake.history).toEqual(["changes.list", ...heldBySnapshot, ...deletes, ...newSnapshot, ...log]);
});

/** Another text whose blob lies in a folder that is there, as nearly all are among 10,000 files. */
function changedText(): string {
  const there = new Set(
    Array.from({ length: K }, (_, i) => hashBytes("sha256", Buffer.from(`note ${i}\n`)).slice(0, 2)),
  );
  for (let i = 0; ; i++) {
    const text = `changed ${i}\n`;
    if (there.has(hashBytes("sha256", Buffer.from(text)).slice(0, 2))) return text;
  }
}

test.each([
  ["a look", true],
  ["v2", "by auth"],
] as const)("budget: one changed file among 10,000 takes at most 8, writes guarded by %s", async (_, signedIn) => {
  const lab = await driveLab(fake, { signedIn });
  const { user, root } = lab;
  const folder = (name: string, parent: string) =>
    fake.store.create(user, { name, mimeType: FOLDER, parents: [parent] }, undefined).id;
  const many = folder("many", root);
  const folders = new Map<string, string>();
  const textFor = await amongMany(lab, (path, name, bytes) => {
    const parent = folders.get(path) ?? folder(path.slice("many/".length), many);
    folders.set(path, parent);
    fake.store.create(user, { name, parents: [parent] }, bytes);
  });
  const colleague = await drivePlace(fake, base, { user, root }).open();
  for (const blobFolder of ["there", "missing", "there", "missing"] as const) {
    lab.write("own/7.md", textFor(blobFolder));
    expect(await lab.requests(["push"])).toBeLessThanOrEqual(8);
    expect(fake.count("upload.update")).toBe(2);
    // Another machine's line in the log costs nothing.
    await addToLog(colleague, "ws", "a.md");
  }
  await colleague.close();
});

test("budget: the first listing takes a page of 1,000 each, however many folders, and two more", async () => {
  const user = "lister@example.com";
  const place = drivePlace(fake, base, { user });
  await googledrive.prepare(place.config, place.deps);
  const folders = Array.from({ length: 300 }, (_, i) => {
    return fake.store.create(user, { name: `f${i}`, mimeType: FOLDER, parents: [place.root] }, undefined).id;
  });
  for (let i = 0; i < 2400; i++) {
    fake.store.create(user, { name: `${i}.md`, parents: [folders[i % 300] ?? ""] }, Buffer.from("x"));
  }
  fake.reset();
  const first = await place.open();
  expect((await first.list("")).files).toHaveLength(2400);
  expect(fake.count()).toBeLessThanOrEqual(Math.ceil(2701 / 1000) + 2);
  await first.close();
  fake.reset();
  const later = await place.open();
  expect((await later.list("")).files).toHaveLength(2400);
  expect(fake.count()).toBe(1);
  await later.close();
});

test("budget: signing in costs one request in an hour, not one in each run", async () => {
  const lab = await driveLab(fake);
  await lab.requests(["status"]);
  expect(fake.count("token")).toBe(1);
  await lab.requests(["status"]);
  expect(fake.count("token")).toBe(0);
});
