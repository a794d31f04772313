import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import type { ConflictQuestion } from "../../../src/project/model.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";

const BASE = "1\n2\n3\n4\n5\n";

/** Both sides changed `a.md` since they agreed on it. */
async function edited(local: string, remote: string, base = BASE): Promise<ProjectLab> {
  const lab = projectLab();
  lab.write("a.md", base);
  await lab.push();
  lab.write("a.md", local);
  lab.put("a.md", remote);
  return lab;
}

test("sync --strategy merge: edits of different lines become one file on both sides, and no version is lost", async () => {
  const lab = await edited("one\r\n2\n3\n4\n5", "1\n2\n3\n4\nfive\n");
  const result = await lab.sync({ strategy: "merge" });
  expect(result).toMatchObject({ conflicts: [], failed: [], uploaded: ["a.md"] });
  expect([lab.read("a.md"), lab.remoteText("a.md")]).toEqual(["one\r\n2\n3\n4\nfive", "one\r\n2\n3\n4\nfive"]);
  expect(lab.trashed().map(({ text }) => text)).toEqual(expect.arrayContaining(["1\n2\n3\n4\nfive\n"]));
  expect(lab.trashed()).toHaveLength(2);
  expect((await lab.sync()).planned).toEqual([]);
});

test("sync --strategy merge: what cannot be merged is left as it is", async () => {
  const lab = await edited("mine\n2\n3\n4\n5\n", "theirs\n2\n3\n4\n5\n");
  lab.write("new.md", "mine\n");
  lab.put("new.md", "theirs\n");
  lab.write("gone.md", "edited here\n");
  const result = await lab.sync({ strategy: "merge" });
  expect(result.conflicts.map(({ path }) => path)).toEqual(["a.md", "new.md"]);
  expect(lab.read("a.md")).toBe("mine\n2\n3\n4\n5\n");
  expect(lab.remoteText("a.md")).toBe("theirs\n2\n3\n4\n5\n");
  expect(lab.remoteText("gone.md")).toBe("edited here\n");
});

test("sync --strategy merge: both sides' lines of a log are kept, also where nothing was agreed on", async () => {
  const lab = projectLab();
  lab.write("log.jsonl", '{"n":1}\n');
  await lab.push();
  for (const path of ["log.jsonl", "new.jsonl"]) {
    lab.write(path, '{"n":1}\n{"here":1}\n');
    lab.put(path, '{"n":1}\n{"there":1}\n');
  }
  expect((await lab.sync({ strategy: "merge" })).conflicts).toEqual([]);
  for (const path of ["log.jsonl", "new.jsonl"]) {
    expect(lab.read(path)).toBe('{"n":1}\n{"here":1}\n{"there":1}\n');
    expect(lab.remoteText(path)).toBe(lab.read(path) as string);
  }
});

test("sync --strategy merge: the agreed version comes from a full snapshot's copy as well", async () => {
  const lab = projectLab({ config: { snapshotFormat: "full" } });
  lab.write("a.md", BASE);
  await lab.push();
  lab.write("other.md", "a later snapshot\n");
  await lab.push();
  lab.write("a.md", "one\n2\n3\n4\n5\n");
  lab.put("a.md", "1\n2\n3\n4\nfive\n");
  expect((await lab.sync({ strategy: "merge" })).conflicts).toEqual([]);
  expect(lab.remoteText("a.md")).toBe("one\n2\n3\n4\nfive\n");
});

test.each(["blobs", "full"] as const)(
  "sync --strategy merge: where only the MD5 of the agreed version is known, as after the Python tool, %s snapshots are searched for it",
  async (snapshotFormat) => {
    const lab = projectLab({ config: { snapshotFormat } });
    lab.write("a.md", BASE);
    lab.write("agreed.md", "what shows that the manifest is of this remote\n");
    await lab.push();
    lab.write("a.md", "a version in between\n");
    await lab.push();
    lab.write("a.md", BASE);
    await lab.push();
    for (const file of [lab.stateFolder, join(lab.root, ".claude_mirror_hash_cache.json")])
      rmSync(file, { recursive: true });
    lab.write("a.md", "one\n2\n3\n4\n5\n");
    lab.put("a.md", "1\n2\n3\n4\nfive\n");
    expect((await lab.sync({ strategy: "merge" })).conflicts).toEqual([]);
    expect(lab.remoteText("a.md")).toBe("one\n2\n3\n4\nfive\n");
  },
);

test("sync --strategy merge: a text whose agreed version is in no snapshot any more is left", async () => {
  const lab = await edited("one\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n");
  for (const { path } of lab.remote.store.view("").files)
    if (path.startsWith("_claude_mirror_blobs/")) lab.remote.store.delete(path);
  rmSync(join(lab.stateFolder, "snapshots"), { recursive: true, force: true });
  expect((await lab.sync({ strategy: "merge" })).conflicts).toHaveLength(1);
  expect(lab.read("a.md")).toBe("one\n2\n3\n4\n5\n");
});

test("sync --strategy merge: markers that one side brought along are no clean merge", async () => {
  const lab = await edited("<<<<<<< LOCAL\n=======\n>>>>>>> DRIVE\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n");
  expect((await lab.sync({ strategy: "merge" })).conflicts).toHaveLength(1);
});

test("sync: a conflict comes with its merge and both contents, and the merge replaces nothing that has moved on", async () => {
  const asked: ConflictQuestion[] = [];
  const lab = await edited("one\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n");
  lab.write("b.md", "new\n");
  lab.put("b.md", "newer\n");
  const result = await lab.sync({
    ask: async (question) => {
      asked.push(question);
      lab.write("a.md", "one, once more\n");
      return { kind: "content", bytes: new TextEncoder().encode(question.merge?.text ?? "none\n") };
    },
  });
  expect(asked.map(({ path, merge }) => [path, merge])).toEqual([
    ["a.md", { kind: "clean", text: "one\n2\n3\n4\nfive\n" }],
    ["b.md", undefined],
  ]);
  expect(result.conflicts.map(({ path }) => path)).toEqual(["a.md"]);
  expect([lab.read("a.md"), lab.remoteText("a.md")]).toEqual(["one, once more\n", "1\n2\n3\n4\nfive\n"]);
});

test("sync: a merge is not sent over a remote version that came while it was asked about", async () => {
  const lab = await edited("one\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n");
  const result = await lab.sync({
    ask: async ({ merge }) => {
      lab.remote.store.put(relPath("a.md"), "1\n2\n3\n4\nsix\n");
      return { kind: "content", bytes: new TextEncoder().encode(merge?.text) };
    },
  });
  expect(result.failed).toHaveLength(1);
  expect(lab.remoteText("a.md")).toBe("1\n2\n3\n4\nsix\n");
});
