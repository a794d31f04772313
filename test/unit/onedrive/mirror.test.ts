import { afterAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { oneDriveLab } from "../../support/onedrive-lab.ts";
import { FOLDER } from "../../support/onedrive-setup.ts";

const fake = await startFakeOneDrive();
afterAll(() => fake.stop());

interface Told {
  readonly uploaded: readonly string[];
  readonly backends: readonly { readonly name: string; readonly state: string; readonly pending: number }[];
}

test("mirror on OneDrive: pushes reach it, a full one is told and waits, and the next push brings the rest", async () => {
  const lab = await oneDriveLab(fake);
  const folder = join(lab.home, "primary");
  mkdirSync(folder);
  // The lab's own config becomes the mirror's.
  const keys = { project_path: lab.project, backend: "local", local_folder: folder, snapshot_format: "blobs" };
  const lines = Object.entries(keys).map(([key, value]) => `${key}: ${value}\n`);
  const more = `file_patterns: ["**/*"]\nmirror_config_paths: ["${lab.configFile}"]\n`;
  writeFileSync(join(lab.configDir, "primary.yaml"), lines.join("") + more);
  const push = async (...words: string[]) => {
    const { code, stdout } = await lab.run(["push", ...words, "--json"]);
    const { uploaded, backends } = (JSON.parse(stdout) as { result: Told }).result;
    return { code, uploaded, mirror: backends.find(({ name }) => name === "onedrive") };
  };
  const at = (path: string) => fake.drive.find(fake.drive.root, `${FOLDER}/${path}`);
  const textAt = (path: string) => Buffer.from(at(path)?.bytes ?? []).toString();

  for (let i = 0; i < 5; i++) lab.write(`notes/${i}.md`, `note ${i}\n`);
  expect(await push()).toMatchObject({ code: 0, mirror: { state: "ok", pending: 0 } });
  expect(textAt("notes/3.md")).toBe("note 3\n");
  rmSync(join(lab.project, "notes/3.md"));
  fake.drive.quota = fake.drive.used();
  lab.write("notes/4.md", "a longer note than before\n");
  const full = await push();
  expect([full.code, full.uploaded]).toEqual([6, ["notes/4.md"]]);
  expect(full.mirror?.state).not.toBe("ok");
  fake.drive.quota = Number.POSITIVE_INFINITY;
  await lab.ok("retry");
  expect([textAt("notes/4.md"), at("notes/3.md")]).toEqual(["a longer note than before\n", undefined]);
});
