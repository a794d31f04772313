import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { FakeDropbox } from "../../fakes/dropbox.ts";
import { amongMany } from "../../support/among-many.ts";
import { sourceOf } from "../../support/bodies.ts";
import { dropboxLab } from "../../support/dropbox-lab.ts";
import { dropboxFolder } from "../../support/dropbox-setup.ts";

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

const K = 1000;

test("budget: pushing 1,000 small files with their snapshot takes 3 requests twice, and at most 6 more", async () => {
  const lab = await dropboxLab(fake);
  for (let i = 0; i < K; i++) lab.write(`notes/${i % 20}/${i}.md`, `note ${i}\n`);
  expect(await lab.requests(["push"])).toBeLessThanOrEqual(3 * 2 + 6);
  expect(fake.count("files/upload_session/finish_batch_v2")).toBe(2);

  // The cursor first passes what this machine did itself: 2,000 files and blobs with their folders, 2,000 a page.
  expect(await lab.requests(["push"])).toBe(2);
  expect(await lab.requests(["push"])).toBe(1);
  expect(await lab.requests(["status"])).toBe(1);

  lab.write("notes/7/7.md", "changed\n");
  expect(await lab.requests(["push"])).toBeLessThanOrEqual(8);

  rmSync(join(lab.project, "notes"), { recursive: true });
  lab.write("left.md", "left\n");
  await lab.run(["push", "left.md"]);
  fake.reset();
  const emptied = await lab.run(["push", "--allow", "mass-delete"]);
  expect(emptied.code).toBe(0);
  expect(fake.count("files/delete_batch") + fake.count("files/delete_batch/check")).toBe(2);
  const listAndDelete = { "files/list_folder/continue": 1, "files/delete_batch": 1, "files/delete_batch/check": 1 };
  expect(Object.keys(listAndDelete)).toHaveLength(K / 1000 + 2);
  // Two looks at snapshots, the new one, and the log read and written.
  const snapshotAndLog = { "files/get_metadata": 2, "files/upload": 2, "files/download": 1 };
  expect(Object.fromEntries(fake.counts)).toEqual({ ...listAndDelete, ...snapshotAndLog });
});

test("budget: one changed file among 10,000 takes at most 8 requests", async () => {
  const lab = await dropboxLab(fake);
  const textFor = await amongMany(lab, (folder, name, bytes) => {
    fake.tree.commit({ path: `${lab.root}/${folder}/${name}` }, bytes, (error) => error);
  });
  for (const blobFolder of ["there", "missing"] as const) {
    lab.write("own/7.md", textFor(blobFolder));
    const took = await lab.requests(["push"]);
    expect(took).toBeLessThanOrEqual(8);
  }
});

test("budget: a second machine with the same files takes them over without reading one from the remote", async () => {
  const one = await dropboxLab(fake);
  const two = await dropboxLab(fake, { root: one.root });
  for (const lab of [one, two]) for (let i = 0; i < 40; i++) lab.write(`${i}.md`, `note ${i}\n`);
  two.write("7.md", "other\n");
  await one.run(["push"]);
  fake.reset();
  const { adopted, conflicts } = JSON.parse((await two.run(["pull", "--json"])).stdout).result;
  expect(adopted).toHaveLength(39);
  expect(conflicts).toMatchObject([{ path: "7.md" }]);
  // The one that differs, and the log.
  expect(fake.count("files/download")).toBeLessThanOrEqual(3);
});

test("budget: the first listing takes a page of 2,000 each, and one that finds nothing new one request", async () => {
  const { backend, root, open, deps } = await dropboxFolder(fake);
  const bytes = Buffer.from("x");
  for (let i = 0; i < 4500; i++) fake.tree.commit({ path: `${root}/${i % 9}/${i}.md` }, bytes, (error) => error);
  fake.reset();
  const listing = await backend.list("");
  expect(listing.files).toHaveLength(4500);
  expect(fake.total()).toBeLessThanOrEqual(Math.ceil(4500 / 2000) + 1);
  await backend.close();

  fake.reset();
  const later = await open(deps);
  expect((await later.list("")).files).toHaveLength(4500);
  expect(fake.total()).toBe(1);
  await later.close();
});

test("budget: 1,000 deletes are one batch and a look at its job", async () => {
  const { backend } = await dropboxFolder(fake);
  const paths = Array.from({ length: K }, (_, i) => relPath(`${i}.md`));
  const written = await Promise.all(paths.map((path) => backend.write(path, sourceOf("x"), { expect: "absent" })));
  fake.reset();
  await Promise.all(paths.map((path, i) => backend.remove(path, { expect: written[i]?.file?.rev ?? "any" })));
  expect(fake.total()).toBeLessThanOrEqual(K / 1000 + 2);
  expect((await backend.list("")).files).toEqual([]);
  await backend.close();
});

test("budget: copies go by the thousand, too", async () => {
  const { backend } = await dropboxFolder(fake);
  const paths = Array.from({ length: 50 }, (_, i) => relPath(`${i}.md`));
  await Promise.all(paths.map((path) => backend.write(path, sourceOf(path), { expect: "absent" })));
  fake.reset();
  const made = await Promise.all(paths.map((path) => backend.copy?.(path, relPath(`copies/${path}`))));
  expect(made.map((written) => written?.file?.size)).toEqual(paths.map((path) => path.length));
  expect(fake.total()).toBe(2);
  await backend.close();
});

test("budget: signing in costs one request in hours, not one in each run", async () => {
  const lab = await dropboxLab(fake);
  await lab.requests(["status"]);
  expect(fake.count("oauth2/token")).toBe(1);
  await lab.requests(["status"]);
  expect(fake.count("oauth2/token")).toBe(0);
});
