import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import type { CloudLab } from "../../support/cloud-lab.ts";
import { oneDriveLab } from "../../support/onedrive-lab.ts";
import { FOLDER } from "../../support/onedrive-setup.ts";
import { filesBelow } from "../../support/setup-lab.ts";

let fake: FakeOneDrive;
let lab: CloudLab;
beforeEach(async () => {
  fake = await startFakeOneDrive();
  lab = await oneDriveLab(fake);
});
afterEach(() => fake.stop());

const at = (path: string) => fake.drive.find(fake.drive.root, `${FOLDER}/${path}`);
const result = async (...words: string[]) =>
  (JSON.parse((await lab.run([...words, "--json"])).stdout) as { result: Record<string, never> }).result;

test("push: names that OneDrive refuses are held and named, the rest goes", async () => {
  const refused = ["a:b.md", "~$draft.md", "ends. /x.md", "con", "deep/desktop.ini", `${"long/".repeat(90)}x.md`];
  for (const path of [...refused, "fine.md", "con.md"]) lab.write(path, "x");
  const { uploaded, held } = (await result("push")) as unknown as {
    uploaded: string[];
    held: { path: string; reason: string }[];
  };
  expect([...uploaded].sort()).toEqual(["con.md", "fine.md"]);
  expect(held.map(({ path }) => path).sort()).toEqual([...refused].sort());
  for (const { reason } of held) expect(reason.length).toBeGreaterThan(10);
});

test("status: a hash that is worked out later, or a version that changes without its content, is no change", async () => {
  lab.write("a.md", "a");
  lab.write("b.md", "b");
  fake.habits.hashes = false;
  await lab.ok("push");
  const inSync = async () => ((await result("status")) as unknown as { summary: { in_sync: number } }).summary.in_sync;
  expect(await inSync()).toBe(2);
  fake.habits.hashes = true;
  fake.drive.touch(at("a.md")?.id ?? "");
  fake.drive.touch(at("b.md")?.id ?? "");
  expect(await inSync()).toBe(2);
  expect(await inSync()).toBe(2);
  expect(await lab.requests(["status"])).toBe(1);
});

test("push --dry-run: leaves what is known of OneDrive alone, and OneDrive as well", async () => {
  lab.write("a.md", "a");
  await lab.ok("push");
  fake.drive.put(at("")?.id ?? "", "theirs.md", Buffer.from("x"));
  const state = () => filesBelow(join(lab.home, ".local/state")).filter(({ path }) => path.endsWith("-nodes"));
  const [before, seq] = [state(), fake.drive.seq()];
  expect(before).toHaveLength(1);
  lab.write("b.md", "b");
  await lab.ok("push", "--dry-run");
  expect([state(), fake.drive.seq()]).toEqual([before, seq]);
});

test("snapshots of the full format are copied on the server, and come back", async () => {
  const yaml = readFileSync(lab.configFile, "utf8").replace(/snapshot_format: \w+/, "snapshot_format: full");
  await Bun.write(lab.configFile, yaml);
  for (const path of ["a.md", "docs/b.md"]) lab.write(path, `${path}\n`);
  await lab.ok("push");
  expect(fake.calls.get("copy")).toBe(2);
  const { stdout } = await lab.ok("snapshots", "--json");
  const [snapshot] = (JSON.parse(stdout) as { result: { timestamp: string }[] }).result;
  rmSync(join(lab.project, "docs"), { recursive: true });
  await lab.ok("restore", snapshot?.timestamp ?? "", "docs/b.md", "--output", join(lab.home, "out"));
  expect(readFileSync(join(lab.home, "out/docs/b.md"), "utf8")).toBe("docs/b.md\n");
});

test("a remote folder that is gone refuses, and nothing here is deleted", async () => {
  for (let i = 0; i < 6; i++) lab.write(`${i}.md`, "x");
  await lab.ok("push");
  fake.drive.remove(at("")?.id ?? "");
  const { code, stderr } = await lab.run(["sync"]);
  expect([code, stderr]).toEqual([5, expect.stringContaining("remote-gone")]);
  expect(at("")).toBeUndefined();
});

test("a push that a full OneDrive breaks off tells so, keeps what fitted, and goes on when there is room", async () => {
  for (let i = 0; i < 5; i++) lab.write(`${i}.md`, "0123456789");
  fake.drive.quota = fake.drive.used() + 25;
  const { code, stderr, stdout } = await lab.run(["push"]);
  expect([code, stdout + stderr]).toEqual([6, expect.stringContaining("no space left")]);
  fake.drive.quota = Number.POSITIVE_INFINITY;
  await lab.ok("push");
  expect(((await result("status")) as unknown as { summary: { in_sync: number } }).summary.in_sync).toBe(5);
});
