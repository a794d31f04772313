import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { driveLab } from "../../support/googledrive-lab.ts";
import { unwaiting } from "../../support/leaping-clock.ts";

const fake = await startFakeDrive();
afterAll(() => fake.stop());

interface Told {
  readonly uploaded: readonly string[];
  readonly snapshot: { readonly timestamp: string } | null;
  readonly backends: readonly { readonly name: string; readonly state: string; readonly pending: number }[];
}

/** A project whose primary is a local folder and whose mirror is the fake. */
async function mirrored() {
  const lab = unwaiting(await driveLab(fake));
  const folder = join(lab.home, "primary");
  mkdirSync(folder);
  const keys = { project_path: lab.project, backend: "local", local_folder: folder, snapshot_format: "blobs" };
  const lines = Object.entries(keys).map(([key, value]) => `${key}: ${value}\n`);
  // The lab's own config becomes the mirror's.
  const more = `file_patterns: ["**/*"]\nmirror_config_paths: ["${lab.configFile}"]\n`;
  writeFileSync(join(lab.configDir, "primary.yaml"), lines.join("") + more);
  const push = async (expected = 0) => {
    const { code, stdout, stderr } = await lab.run(["push", "--json"]);
    expect([code, code === expected ? "" : stderr + stdout]).toEqual([expected, ""]);
    const { uploaded, backends, snapshot } = (JSON.parse(stdout) as { result: Told }).result;
    return { uploaded, snapshot, mirror: backends.find(({ name }) => name === "googledrive") };
  };
  const onDrive = (name: string) =>
    [...fake.store.items.values()]
      .find((item) => item.owner === lab.user && item.name === name && !fake.store.isTrashed(item))
      ?.content?.toString();
  return { lab, folder, push, onDrive };
}

test("mirror on Google Drive: pushes and deletes reach it; full or down it waits, and retry or the next push brings the rest", async () => {
  const { lab, push, onDrive } = await mirrored();
  for (let i = 0; i < 5; i++) lab.write(`notes/${i}.md`, `note ${i}\n`);
  expect(await push()).toMatchObject({ mirror: { state: "ok", pending: 0 } });
  expect(onDrive("3.md")).toBe("note 3\n");
  rmSync(join(lab.project, "notes/3.md"));
  await push();
  expect(onDrive("3.md")).toBeUndefined();

  fake.store.free = 0;
  lab.write("notes/4.md", "a longer note than before\n");
  const full = await push(6);
  expect(full.uploaded).toEqual(["notes/4.md"]);
  expect(full.mirror?.state).not.toBe("ok");
  fake.store.free = Number.POSITIVE_INFINITY;
  expect((await lab.run(["retry"])).code).toBe(0);
  expect(onDrive("4.md")).toBe("a longer note than before\n");

  fake.fault("*", { times: 1000, reply: { status: 503, body: "down" } });
  lab.write("notes/5.md", "note 5\n");
  const down = await push();
  expect(down.uploaded).toEqual(["notes/5.md"]);
  expect(down.mirror?.pending).toBeGreaterThan(0);
  fake.endFaults();
  expect((await push()).mirror).toMatchObject({ state: "ok", pending: 0 });
  expect(onDrive("5.md")).toBe("note 5\n");
});

test("mirror on Google Drive: restore falls back to it when the primary is lost, after a yes", async () => {
  const { lab, folder, push } = await mirrored();
  lab.write("kept.md", "kept\n");
  const { snapshot } = await push();
  renameSync(folder, `${folder}-lost`);
  const words = ["restore", snapshot?.timestamp ?? "", "--output", join(lab.home, "out")];
  expect((await lab.run(words)).code).toBe(2);
  const restored = await lab.run([...words, "--yes"]);
  expect([restored.code, restored.code === 0 ? "" : restored.stderr]).toEqual([0, ""]);
  expect(readFileSync(join(lab.home, "out/kept.md"), "utf8")).toBe("kept\n");
});
