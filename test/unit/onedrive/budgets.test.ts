import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { amongMany } from "../../support/among-many.ts";
import type { CloudLab } from "../../support/cloud-lab.ts";
import { oneDriveLab } from "../../support/onedrive-lab.ts";
import { FOLDER } from "../../support/onedrive-setup.ts";

let fake: FakeOneDrive;
let lab: CloudLab;
beforeAll(async () => {
  fake = await startFakeOneDrive();
  lab = await oneDriveLab(fake);
});
afterAll(() => fake.stop());

const nextSecond = () => Bun.sleep(1000 - (Date.now() % 1000));
const K = 60;

test("requests: k new files and their snapshot take at most 2k + 6, afterwards nothing takes 1", async () => {
  for (let i = 0; i < K; i++) lab.write(`docs/${i % 5}/${i}.md`, `file ${i}\n`);
  expect(await lab.requests(["push"])).toBeLessThanOrEqual(2 * K + 6);
  expect(await lab.requests(["status"])).toBe(1);
  expect(await lab.requests(["push"])).toBe(1);
  expect(await lab.requests(["sync"])).toBe(1);
});

test("requests: one changed file takes at most 8, named or found", async () => {
  await nextSecond();
  lab.write("docs/0/0.md", "changed\n");
  expect(await lab.requests(["push"])).toBeLessThanOrEqual(8);
  await nextSecond();
  lab.write("docs/0/0.md", "changed again\n");
  expect(await lab.requests(["push", join(lab.project, "docs/0/0.md")])).toBeLessThanOrEqual(8);
});

test("requests: a pull of k files takes at most 2k + 6", async () => {
  const other = await oneDriveLab(fake);
  expect(await other.requests(["pull"])).toBeLessThanOrEqual(2 * K + 6);
});

test("requests: k deletes take k/20 + 1, besides those of the snapshot and the log", async () => {
  await nextSecond();
  for (let i = 0; i < K; i++) if (i % 5 > 0) rmSync(join(lab.project, `docs/${i % 5}/${i}.md`));
  await lab.requests(["push", "--allow", "mass-delete"]);
  const deleted = (K / 5) * 4;
  expect(fake.calls.get("delete")).toBe(deleted);
  const deletes = Array.from({ length: Math.ceil(deleted / 20) }, () => "batch");
  expect(["delta", ...deletes]).toHaveLength(Math.ceil(deleted / 20) + 1);
  const heldBySnapshot = ["item"];
  const newSnapshot = ["content", "item"];
  const log = ["item", "download", "content"];
  expect(fake.history).toEqual(["delta", ...heldBySnapshot, ...deletes, ...newSnapshot, ...log]);
});

test("requests: one changed file among 10,000 takes at most 8", async () => {
  const other = await startFakeOneDrive();
  const lab = await oneDriveLab(other);
  const textFor = await amongMany(lab, (folder, name, bytes) => {
    other.drive.put(other.drive.folders(other.drive.root, `${FOLDER}/${folder}`).id, name, bytes);
  });
  for (const blobFolder of ["there", "missing"] as const) {
    lab.write("own/7.md", textFor(blobFolder));
    const took = await lab.requests(["push"]);
    expect(took).toBeLessThanOrEqual(8);
  }
  await other.stop();
});

test("requests: the first listing of n items takes at most n/200 + 1", async () => {
  const folder = fake.drive.find(fake.drive.root, FOLDER)?.id ?? "";
  for (let i = 0; i < 5000; i++) {
    const inside = fake.drive.folders(folder, `many/${i % 40}`);
    fake.drive.put(inside.id, `${i}.md`, Buffer.from(`${i}`));
  }
  const other = await oneDriveLab(fake);
  expect(await other.requests(["status"])).toBeLessThanOrEqual(fake.drive.items.size / 200 + 1);
  expect(await other.requests(["status"])).toBe(1);
});
