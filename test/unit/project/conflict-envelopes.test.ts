import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Rev } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { conflictFolder, openEnvelopes } from "../../../src/project/envelope-store.ts";
import type { ConflictEnvelope } from "../../../src/project/model.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const merge = (text: string, dryRun = false) => ({ bytes: new TextEncoder().encode(text), dryRun });
const folderOf = (lab: ProjectLab) => join(lab.stateFolder, "conflicts");
const noted = (lab: ProjectLab) =>
  lab
    .project()
    .conflicts()
    .map(({ path }) => path);

async function conflicting(): Promise<ProjectLab> {
  const lab = projectLab();
  for (const path of ["a.md", "b/c.md"]) lab.write(path, "one\ntwo\nthree\n");
  await lab.push();
  for (const path of ["a.md", "b/c.md"]) {
    lab.write(path, "mine\ntwo\nthree\n");
    lab.put(path, "theirs\ntwo\nthree\n");
  }
  return lab;
}

test("push, pull, sync: conflicts between texts that are left are noted with base and diff, for the owner alone", async () => {
  for (const run of ["push", "pull", "sync"] as const) {
    const lab = await conflicting();
    lab.write("bin", Uint8Array.of(0, 1));
    lab.put("bin", "\0other");
    await lab[run]();
    expect(readdirSync(folderOf(lab)).sort()).toEqual(["a.md.merge.json", "b__c.md.merge.json", "revs.json"]);
    const file = join(folderOf(lab), "b__c.md.merge.json");
    expect([statSync(folderOf(lab)).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      path: "b/c.md",
      local_text: "mine\ntwo\nthree\n",
      remote_text: "theirs\ntwo\nthree\n",
      local_hash: hashBytes("sha256", "mine\ntwo\nthree\n"),
      remote_hash: hashBytes("sha256", "theirs\ntwo\nthree\n"),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\+00:00$/),
      project_path: lab.root,
      backend: "local",
      unified_diff: "--- remote/b/c.md\n+++ local/b/c.md\n@@ -1,3 +1,3 @@\n-theirs\n+mine\n two\n three\n",
      base_text: "one\ntwo\nthree\n",
      base_hash: hashBytes("sha256", "one\ntwo\nthree\n"),
      version: 1,
    });
    expect(lab.project().conflict("a.md").merge).toEqual({
      kind: "conflict",
      text: "<<<<<<< LOCAL\nmine\n||||||| BASE\none\n=======\ntheirs\n>>>>>>> DRIVE\ntwo\nthree\n",
    });
  }
});

test("sync: a note goes when its conflict is settled, stays when the run did not look at it, and follows both sides", async () => {
  const lab = await conflicting();
  await lab.sync();
  await lab.sync({ files: [join(lab.root, "a.md")], strategy: "keep-local" });
  expect(noted(lab)).toEqual(["b/c.md"]);
  lab.put("b/c.md", "theirs, newer\n");
  await lab.sync({ dryRun: true });
  expect(lab.project().conflict("b/c.md").envelope.remote_text).toBe("theirs\ntwo\nthree\n");
  await lab.sync();
  expect(lab.project().conflict("b/c.md").envelope.remote_text).toBe("theirs, newer\n");
  await lab.sync({ strategy: "keep-remote" });
  expect(noted(lab)).toEqual([]);
});

test("sync: a conflict that is left again is not read again", async () => {
  const lab = await conflicting();
  await lab.sync();
  const { created_at } = lab.project().conflict("a.md").envelope;
  await lab.sync();
  expect(lab.project().conflict("a.md").envelope.created_at).toBe(created_at);
  lab.write("a.md", "mine, newer\n");
  await lab.sync();
  expect(lab.project().conflict("a.md").envelope.local_text).toBe("mine, newer\n");
});

test("applyConflict: the merge is on both sides, the versions before it are in the trash, the note is gone", async () => {
  const lab = await conflicting();
  await lab.sync();
  lab.write("other.md", "not meant\n");
  const result = await lab.project().applyConflict("a.md", merge("merged\r\n"));
  expect(result).toMatchObject({ uploaded: ["a.md"], conflicts: [], failed: [] });
  expect([lab.read("a.md"), lab.remoteText("a.md")]).toEqual(["merged\r\n", "merged\r\n"]);
  expect(
    lab
      .trashed()
      .map(({ text }) => text)
      .sort(),
  ).toEqual(["mine\ntwo\nthree\n", "theirs\ntwo\nthree\n"]);
  expect(noted(lab)).toEqual(["b/c.md"]);
  expect(lab.remoteText("other.md")).toBeUndefined();
});

test("applyConflict: refuses, and changes nothing, when a side has moved on, is settled, or markers are left", async () => {
  const moves: readonly ((lab: ProjectLab) => void)[] = [
    (lab) => lab.put("a.md", "theirs, newer\n"),
    (lab) => lab.write("a.md", "mine, newer\n"),
    (lab) => lab.put("a.md", "mine\ntwo\nthree\n"),
    (lab) => lab.put("a.md", "one\ntwo\nthree\n"),
    (lab) => lab.write("a.md", "one\ntwo\nthree\n"),
  ];
  for (const move of moves) {
    const lab = await conflicting();
    await lab.sync();
    move(lab);
    const before = [lab.read("a.md"), lab.remoteText("a.md")];
    const error = await lab
      .project()
      .applyConflict("a.md", merge("merged\n"))
      .catch((found: unknown) => found);
    expect(error).toMatchObject({ name: "RefusedError", guard: "conflict-changed" });
    expect([lab.read("a.md"), lab.remoteText("a.md")]).toEqual(before);
    expect(noted(lab)).toContain("a.md");
  }
  const lab = await conflicting();
  await lab.sync();
  const marked = merge(lab.project().conflict("a.md").merge.text);
  expect(
    await lab
      .project()
      .applyConflict("a.md", marked)
      .catch((found: Error) => found.name),
  ).toBe("UsageError");
  expect(
    await lab
      .project()
      .applyConflict("no.md", marked)
      .catch((found: Error) => found.name),
  ).toBe("MissingError");
});

test("applyConflict: a dry run says what it would send or why it would refuse, and changes nothing", async () => {
  const lab = await conflicting();
  await lab.sync();
  const result = await lab.project().applyConflict("a.md", merge("merged\n", true));
  expect(result).toMatchObject({ dryRun: true, planned: [{ path: "a.md", action: "upload" }], conflicts: [] });
  expect(lab.read("a.md")).toBe("mine\ntwo\nthree\n");
  lab.put("a.md", "theirs, newer\n");
  await expect(lab.project().applyConflict("a.md", merge("merged\n", true))).rejects.toThrow("remote file has changed");
  expect([lab.read("a.md"), noted(lab)]).toEqual(["mine\ntwo\nthree\n", ["a.md", "b/c.md"]]);
});

test("dropConflict: the note goes, the conflict stays and is noted again", async () => {
  const lab = await conflicting();
  await lab.sync();
  expect(lab.project().dropConflict("a.md")).toBe("a.md");
  expect(() => lab.project().dropConflict("a.md")).toThrow("no conflict");
  expect((await lab.sync()).conflicts).toHaveLength(2);
  expect(noted(lab)).toEqual(["a.md", "b/c.md"]);
});

test("sync: a folder that cannot hold the notes is a notice, no failure", async () => {
  const lab = await conflicting();
  mkdirSync(lab.stateFolder, { recursive: true });
  writeFileSync(folderOf(lab), "in the way");
  const result = await lab.sync();
  expect(result.conflicts).toHaveLength(2);
  expect(result.notices.join()).toContain("could be noted");
});

const ENVELOPE: ConflictEnvelope = {
  path: "a/b.md",
  local_text: "l",
  remote_text: "r",
  local_hash: "1",
  remote_hash: "2",
  created_at: "2026-11-20T17:40:26+00:00",
  project_path: "/p",
  backend: "local",
  unified_diff: "",
  base_text: null,
  base_hash: null,
  version: 1,
};

test("openEnvelopes: paths with one flat name, or too long a one, have files of their own", () => {
  const folder = join(tempFolder("envelopes"), "conflicts");
  const store = openEnvelopes(folder);
  const paths = ["a/b.md", "a__b.md", `${"ü/".repeat(200)}x.md`];
  for (const path of paths) store.write({ ...ENVELOPE, path }, "1" as Rev);
  for (const path of paths) store.write({ ...ENVELOPE, path, local_text: path }, "2" as Rev);
  expect(store.list().map(({ path }) => path)).toEqual([...paths].sort());
  expect(readdirSync(folder).filter((name) => name !== "revs.json")).toHaveLength(3);
  expect(store.revOf("a__b.md")).toBe("2" as Rev);
  expect(store.remove("a/b.md")).toBe(true);
  expect([store.find("a/b.md"), store.find("a__b.md")?.local_text]).toEqual([undefined, "a__b.md"]);
  store.write({ ...ENVELOPE, path: "a__b.md", local_text: "again" }, "3" as Rev);
  expect(store.list()).toHaveLength(2);
});

test("openEnvelopes: damaged and foreign files are passed over", () => {
  const folder = tempFolder("envelopes");
  for (const [name, text] of [
    ["a__b.md.merge.json", "{"],
    ["x.merge.json", "null"],
    ["y.merge.json", JSON.stringify({ ...ENVELOPE, version: 2 })],
    ["notes.txt", "x"],
  ] as const)
    writeFileSync(join(folder, name), text);
  const store = openEnvelopes(folder);
  expect(store.list()).toEqual([]);
  expect(store.remove("a/b.md")).toBe(false);
  store.write(ENVELOPE, "1" as Rev);
  expect(store.list()).toEqual([ENVELOPE]);
  expect(existsSync(join(folder, "notes.txt"))).toBe(true);
});

test("conflictFolder: the project's path is quoted whole, a very long one is cut", () => {
  expect(conflictFolder("/s", "/no/such (1)/ä~")).toBe("/s/%2Fno%2Fsuch%20%281%29%2F%C3%A4~/conflicts");
  const long = conflictFolder("/s", `/no/${"x".repeat(400)}`);
  expect(long.split("/")[2]?.length).toBeLessThan(255);
  expect(long).not.toBe(conflictFolder("/s", `/no/${"x".repeat(401)}`));
});
