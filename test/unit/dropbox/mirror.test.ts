import { afterAll, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeDropbox } from "../../fakes/dropbox.ts";
import { dropboxLab } from "../../support/dropbox-lab.ts";
import { unwaiting } from "../../support/leaping-clock.ts";

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

interface Told {
  readonly uploaded: readonly string[];
  readonly adopted: readonly string[];
  readonly backends: readonly {
    readonly name: string;
    readonly role: string;
    readonly state: string;
    readonly pending: number;
  }[];
}

/** A project whose primary is a local folder and whose mirror is the fake, the state of which is given back. */
async function mirrored() {
  // Its own config becomes the mirror's.
  const lab = unwaiting(await dropboxLab(fake));
  const primary = join(lab.configDir, "primary.yaml");
  const folder = join(lab.home, "primary");
  mkdirSync(folder);
  const keys = {
    project_path: lab.project,
    backend: "local",
    local_folder: folder,
    snapshot_format: "blobs",
    machine_name: "a",
    user: "a",
  };
  const lines = Object.entries(keys).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(primary, `${lines.join("")}file_patterns: ["**/*"]\n`);
  appendFileSync(primary, `mirror_config_paths: ["${lab.configFile}"]\n`);
  const push = async (code = 0): Promise<Told> => {
    const run = await lab.run(["push", "--json"]);
    expect([run.code, run.code === code ? "" : run.stderr + run.stdout]).toEqual([code, ""]);
    return (JSON.parse(run.stdout) as { result: Told }).result;
  };
  const onDropbox = (path: string) => {
    const entry = fake.tree.get(`${lab.root}/${path}`);
    return entry?.is === "file" ? entry.bytes.toString() : undefined;
  };
  const mirror = ({ backends }: Told) => backends.find(({ name }) => name === "dropbox");
  return { lab, push, onDropbox, mirror };
}

test("mirror on Dropbox: a push brings files, deletes and snapshots there, in batches", async () => {
  const { lab, push, onDropbox, mirror } = await mirrored();
  for (let i = 0; i < 50; i++) lab.write(`notes/${i}.md`, `note ${i}\n`);
  fake.reset();
  const told = await push();
  expect(told.uploaded).toHaveLength(50);
  expect(mirror(told)).toMatchObject({ role: "mirror", state: "ok", pending: 0 });
  expect(onDropbox("notes/7.md")).toBe("note 7\n");
  expect(fake.total()).toBeLessThanOrEqual(3 * 2 + 8);
  rmSync(join(lab.project, "notes/7.md"));
  lab.write("notes/8.md", "changed\n");
  await push();
  expect(onDropbox("notes/7.md")).toBeUndefined();
  expect(onDropbox("notes/8.md")).toBe("changed\n");
  const snapshots = [...fake.tree.entries.keys()].filter((path) =>
    path.startsWith(`${lab.root}/_claude_mirror_snapshots/`),
  );
  expect(snapshots.length).toBe(2);
});

test("mirror on Dropbox: while it is full or throttled the primary goes on, and retry brings the rest", async () => {
  const { lab, push, onDropbox, mirror } = await mirrored();
  lab.write("first.md", "first\n");
  await push();
  fake.tree.quota = fake.tree.used();
  lab.write("second.md", "second\n");
  const full = await push(6);
  expect(full.uploaded).toEqual(["second.md"]);
  expect(mirror(full)?.state).not.toBe("ok");
  fake.tree.quota = Number.POSITIVE_INFINITY;
  fake.reset();
  expect((await lab.run(["retry"])).code).toBe(0);
  expect(onDropbox("second.md")).toBe("second\n");

  lab.write("third.md", "third\n");
  fake.fail("files/upload", ...Array.from({ length: 20 }, () => ({ status: 500, text: "down" })));
  const down = await push();
  expect(down.uploaded).toEqual(["third.md"]);
  expect(mirror(down)?.pending).toBeGreaterThan(0);
  fake.reset();
  await push();
  expect(onDropbox("third.md")).toBe("third\n");
});

test("mirror on Dropbox: a signed-out mirror needs its person, and loses nothing", async () => {
  const { lab, push, onDropbox } = await mirrored();
  lab.write("first.md", "first\n");
  await push();
  rmSync(lab.token);
  lab.write("second.md", "second\n");
  expect((await push(6)).uploaded).toEqual(["second.md"]);
  writeFileSync(lab.token, fake.tokenFile(), { mode: 0o600 });
  expect((await lab.run(["retry"])).code).toBe(0);
  expect(onDropbox("second.md")).toBe("second\n");
});
