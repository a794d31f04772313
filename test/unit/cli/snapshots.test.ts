import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type SetupLab, setupLab } from "../../support/setup-lab.ts";

interface Lab extends SetupLab {
  readonly mirror: string;
  write(path: string, text: string): void;
  /** Names of what lies in the snapshots folder. */
  names(): readonly string[];
}

/** A project on a local folder, in this format. */
async function labOf(format: "blobs" | "full"): Promise<Lab> {
  const lab = setupLab();
  const mirror = join(lab.home, "mirror");
  await lab.run(["init", "--local-folder", mirror, "--snapshot-format", format]);
  return {
    ...lab,
    mirror,
    write(path, text) {
      mkdirSync(dirname(join(lab.project, path)), { recursive: true });
      writeFileSync(join(lab.project, path), text);
    },
    names: () => readdirSync(join(mirror, "_claude_mirror_snapshots")).sort(),
  };
}

/** The result of a command that must succeed, in the shape that the assertions expect. */
// biome-ignore lint/suspicious/noExplicitAny: each command has a shape of its own
async function result(lab: Lab, words: readonly string[]): Promise<any> {
  return lab.json(words);
}

describe.each(["blobs", "full"] as const)("snapshot commands, %s format", (format) => {
  test("snapshot: holds what both sides agreed on, carries its tag and message, and is found by the tag", async () => {
    const lab = await labOf(format);
    lab.write("a.md", "one\n");
    await lab.json(["push"]);
    lab.write("a.md", "edited, not pushed\n");
    const run = await lab.run(["snapshot", "--tag", "v1.0", "--message", "first"]);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain("1 file(s) differ between here and the remote");
    expect(run.stdout).toMatch(new RegExp(`^Snapshot \\S+Z of 1 file\\(s\\) \\(${format}, tagged v1\\.0\\)\\.\n$`));
    expect((await result(lab, ["snapshots"]))[0]).toMatchObject({
      action: "manual",
      tag: "v1.0",
      message: "first",
      format,
      file_count: 1,
    });
    expect((await lab.run(["snapshots"])).stdout).toContain("v1.0: first");
    await lab.run(["restore", "--tag", "v1.0", "--output", join(lab.home, "out")]);
    expect(readFileSync(join(lab.home, "out/a.md"), "utf8")).toBe("one\n");
  });

  test("snapshot: a tag of the wrong form, a long message and a tag that is taken are refused", async () => {
    const lab = await labOf(format);
    lab.write("a.md", "one\n");
    expect((await lab.run(["snapshot"])).stderr).toContain("nothing was pushed or pulled yet");
    await lab.json(["push"]);
    await lab.json(["snapshot", "--tag", "v1"]);
    const before = lab.names();
    for (const words of [
      ["--tag", "a b"],
      ["--tag", "x".repeat(65)],
      ["--message", "x".repeat(1025)],
      ["--tag", "v1"],
    ]) {
      expect((await lab.run(["snapshot", ...words])).code).toBe(2);
    }
    expect(await result(lab, ["snapshot", "--tag", "v2", "--dry-run"])).toEqual({
      dry_run: true,
      timestamp: null,
      format,
      total_files: 1,
      tag: "v2",
      message: null,
    });
    expect(lab.names()).toEqual(before);
  });

  test("snapshot-diff: added, removed, modified with its lines, and latest; --unified shows one file", async () => {
    const lab = await labOf(format);
    lab.write("same.md", "same\n");
    lab.write("gone.md", "gone\n");
    lab.write("sub/a.md", "1\n2\n3\n");
    lab.write("data.bin.md", "a\0b");
    await lab.json(["push"]);
    rmSync(join(lab.project, "gone.md"));
    lab.write("new.md", "new\n");
    lab.write("sub/a.md", "1\ntwo\n3\n4\n");
    lab.write("data.bin.md", "a\0c");
    await lab.json(["push"]);
    const [first = ""] = lab.names().map((name) => name.replace(".json", ""));
    const diff = await result(lab, ["snapshot-diff", first, "latest"]);
    expect(diff.summary).toEqual({ added: 1, removed: 1, modified: 2, unchanged: 1 });
    expect(diff.files).toEqual([
      { path: "data.bin.md", status: "modified", added_lines: null, removed_lines: null },
      { path: "gone.md", status: "removed", added_lines: null, removed_lines: null },
      { path: "new.md", status: "added", added_lines: null, removed_lines: null },
      { path: "sub/a.md", status: "modified", added_lines: 2, removed_lines: 1 },
    ]);
    const text = (await lab.run(["snapshot-diff", first, "latest", "--paths", "sub"])).stdout;
    expect(text).toContain("+2 -1");
    expect(text).toContain("0 added, 0 removed, 1 modified, 0 unchanged.");
    expect((await lab.run(["snapshot-diff", first, "latest", "--all"])).stdout).toContain("same.md");
    const patch = (await lab.run(["snapshot-diff", first, "latest", "--unified", "sub/a.md"])).stdout;
    expect(patch).toContain("@@ -1,3 +1,4 @@\n 1\n-2\n+two\n 3\n+4\n");
    expect((await lab.run(["snapshot-diff", first, "latest", "--unified", "nope.md"])).code).toBe(1);
  });

  test("reference 5.2 row 25: restore --delete-extra asks, moves what the snapshot lacks to the trash, and touches nothing out of scope", async () => {
    const lab = await labOf(format);
    lab.write("a.md", "one\n");
    await lab.json(["push"]);
    const [first = ""] = lab.names().map((name) => name.replace(".json", ""));
    lab.write("deep/extra.md", "extra\n");
    lab.write("image.png", "not in scope\n");
    const words = ["restore", first, "--delete-extra"];
    const dry = await lab.run([...words, "--dry-run"]);
    expect(dry.stdout).toContain("- to trash  deep/extra.md");
    const refused = await lab.run(words);
    expect([refused.code, refused.stderr.includes("--yes")]).toEqual([2, true]);
    expect(existsSync(join(lab.project, "deep/extra.md"))).toBe(true);
    expect((await result(lab, [...words, "--yes"])).extras).toEqual([{ path: "deep/extra.md", status: "trashed" }]);
    expect(readdirSync(lab.project).filter((name) => !name.startsWith("."))).toEqual(["a.md", "image.png"]);
    const trash = await result(lab, ["trash"]);
    expect(trash.items.map(({ path }: { path: string }) => path)).toEqual(["deep/extra.md"]);
  });

  test("history: --since and --until show a part, and versions keep their labels", async () => {
    const lab = await labOf(format);
    for (const text of ["one", "two", "three"]) {
      lab.write("a.md", text);
      await lab.json(["push"]);
    }
    const [first = "", second = "", third = ""] = lab.names().map((name) => name.replace(".json", ""));
    const shown = async (...words: string[]) => {
      const history = await result(lab, ["history", "a.md", ...words]);
      return history.versions.map(({ timestamp, version }: Record<string, string>) => [timestamp, version]);
    };
    const label = (version: string) => (format === "blobs" ? version : "?");
    expect(await shown("--since", second)).toEqual([
      [third, label("v3")],
      [second, label("v2")],
    ]);
    expect(await shown("--until", first)).toEqual([[first, label("v1")]]);
    expect((await lab.run(["history", "a.md", "--since", "yesterday"])).code).toBe(2);
  });
});

test("restore: a full snapshot without its marker is not put over the project, and can be looked at elsewhere", async () => {
  const lab = await labOf("full");
  lab.write("a.md", "one\n");
  await lab.json(["push"]);
  const [first = ""] = lab.names();
  rmSync(join(lab.mirror, "_claude_mirror_snapshots", first, "_snapshot_meta.json"));
  lab.write("a.md", "mine\n");
  const refused = await lab.run(["restore", first, "--yes"]);
  expect([refused.code, refused.stderr.includes("incomplete")]).toEqual([5, true]);
  expect(readFileSync(join(lab.project, "a.md"), "utf8")).toBe("mine\n");
  const elsewhere = await lab.run(["restore", first, "--output", join(lab.home, "out")]);
  expect([elsewhere.code, elsewhere.stderr.includes("incomplete")]).toEqual([0, true]);
  expect((await lab.run(["snapshots"])).stdout).toContain("incomplete");
});
