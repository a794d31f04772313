import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type OwnMachine, ownMachine } from "./own-machine.ts";
import type { RemoteKind } from "./remote-place.ts";
import { type Team, team } from "./team.ts";
import { filesBelow } from "./tree.ts";

/** The cases of reference section 0 in which the Python tool loses data; case 10 is among the tests of its projects. */
export function dataLossScenarios(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    remote = await kind.start();
  });
  afterAll(() => remote.stop());

  /** Anna and Bert in sync with these files. */
  async function inSync(
    files: Readonly<Record<string, string>>,
    settings: Readonly<Record<string, unknown>> = {},
  ): Promise<readonly [Team, OwnMachine, OwnMachine]> {
    const both = await team(remote.place(), ["anna", "bert"], { settings });
    const [anna, bert] = both.machines as readonly [OwnMachine, OwnMachine];
    for (const [path, content] of Object.entries(files)) anna.write(path, content);
    await both.ok(anna, ["push"]);
    await both.ok(bert, ["pull"]);
    expect(bert.files()).toEqual({ ...files });
    return [both, anna, bert];
  }

  const DRAFTS = { "note.md": "note\n", "drafts/a.md": "a\n", "drafts/b.md": "b\n" };

  test.each(["blobs", "full"])(
    "data-loss case 1: a restore gives the snapshot's bytes and never the live ones, on a new machine too, %s format",
    async (format) => {
      const settings = { snapshot_format: format };
      const first = { "note.md": "one\n", "memory/a.md": "first\n", "memory/deep/empty.md": "" };
      const [both, anna] = await inSync(first, settings);
      anna.write("memory/a.md", "second, longer\n");
      anna.write("note.md", "two\n");
      await both.ok(anna, ["push"]);
      const names = (await both.ok(anna, ["snapshots"])).rows.map((row) => String(row["timestamp"]));
      expect(names).toHaveLength(2);
      const carol = await ownMachine("carol", both.place, { settings });
      for (const machine of [anna, carol]) {
        const output = join(machine.home, "out");
        await both.ok(machine, ["restore", names[1] ?? "", "--output", output]);
        const restored = Object.fromEntries(
          filesBelow(output).map((at) => [at, readFileSync(join(output, at), "utf8")]),
        );
        expect(restored).toEqual(first);
      }
      await both.ok(carol, ["restore", names[0] ?? "", "--yes"]);
      expect(carol.files()).toEqual({ ...first, "memory/a.md": "second, longer\n", "note.md": "two\n" });
    },
  );

  test("data-loss case 2: adding an exclude pattern never deletes, on either side", async () => {
    const [both, anna, bert] = await inSync(DRAFTS);
    anna.configure({ exclude_patterns: ["drafts/**"] });
    for (const command of ["push", "sync", "pull"]) {
      const { json } = await both.ok(anna, [command]);
      expect({ command, gone: [...json.deleted_remote, ...json.deleted_local] }).toEqual({ command, gone: [] });
    }
    anna.remove("drafts/a.md");
    anna.write("drafts/b.md", "edited, excluded\n");
    await both.ok(anna, ["sync"]);
    expect(both.remoteFiles()).toEqual(DRAFTS);
    await both.ok(bert, ["sync"]);
    expect(bert.files()).toEqual(DRAFTS);
    anna.configure({ exclude_patterns: [] });
    const { code, json } = await both.run(anna, ["sync"]);
    expect({ code, conflicts: json.conflicts.map(({ path }) => path) }).toEqual({
      code: 4,
      conflicts: ["drafts/b.md"],
    });
    expect(anna.files()).toEqual({ ...DRAFTS, "drafts/b.md": "edited, excluded\n" });
    expect(both.remoteFiles()).toEqual(DRAFTS);
  });

  test("data-loss case 2: narrowing file_patterns and an ignore file delete nothing either", async () => {
    const [both, anna] = await inSync({ ...DRAFTS, "image.png": "png" });
    anna.configure({ file_patterns: ["*.md"] });
    await both.ok(anna, ["sync"]);
    expect(Object.keys(both.remoteFiles()).sort()).toEqual(["drafts/a.md", "drafts/b.md", "image.png", "note.md"]);
    anna.configure({ file_patterns: ["**/*"] });
    anna.write(".claude_mirror_ignore", "drafts/\n*.png\n");
    await both.ok(anna, ["sync"]);
    expect(both.remoteFiles()).toMatchObject({ ...DRAFTS, "image.png": "png" });
    expect(anna.files()).toMatchObject({ ...DRAFTS, "image.png": "png" });
  });

  test("data-loss case 3: a remote file outside the patterns is neither pulled nor deleted", async () => {
    const [both, anna] = await inSync({ "note.md": "note\n" }, { file_patterns: ["**/*.md"] });
    both.place.put("image.png", "png");
    both.place.put("sub/data.json", "{}");
    for (const command of ["pull", "push", "sync", "push"]) {
      const { json } = await both.ok(anna, [command]);
      expect({ command, planned: json.planned }).toEqual({ command, planned: [] });
    }
    expect(anna.files()).toEqual({ "note.md": "note\n" });
    expect(both.remoteFiles()).toEqual({ "note.md": "note\n", "image.png": "png", "sub/data.json": "{}" });
    expect((await both.ok(anna, ["status"])).json.files.map(({ path }) => path)).toEqual(["note.md"]);
  });

  test("data-loss case 4: deleted here and edited there is a conflict, and the edit survives every command", async () => {
    const [both, anna, bert] = await inSync({ "a.md": "base\n", "b.md": "b\n" });
    bert.write("a.md", "edited by bert\n");
    await both.ok(bert, ["push"]);
    anna.remove("a.md");
    for (const command of ["push", "sync", "pull"]) {
      const { code, json } = await both.run(anna, [command]);
      expect({ command, code, conflicts: json.conflicts }).toEqual({
        command,
        code: 4,
        conflicts: [{ path: "a.md", kind: "delete/edit" }],
      });
    }
    expect(both.remoteFiles()["a.md"]).toBe("edited by bert\n");
    await both.ok(anna, ["sync", "--strategy", "keep-remote"]);
    expect(await both.settle()).toEqual({ "a.md": "edited by bert\n", "b.md": "b\n" });
  });

  test("data-loss case 5: deleted there is visible, and goes to the trash here, from where it comes back", async () => {
    const [both, anna, bert] = await inSync({ "a.md": "base\n", "b.md": "b\n" });
    bert.remove("a.md");
    await both.ok(bert, ["push"]);
    expect((await both.ok(anna, ["status"])).json.summary).toMatchObject({ deleted_remote: 1, in_sync: 1 });
    expect((await both.ok(anna, ["push"])).json.planned).toEqual([]);
    expect((await both.ok(anna, ["pull"])).json.deleted_local).toEqual(["a.md"]);
    expect(anna.files()).toEqual({ "b.md": "b\n" });
    const { items } = (await both.ok(anna, ["trash"])).json;
    expect(items.map(({ path }) => path)).toEqual(["a.md"]);
    await both.ok(anna, ["trash", "restore", "a.md"]);
    expect(anna.read("a.md")).toBe("base\n");
    await both.ok(anna, ["push"]);
    expect(await both.settle()).toEqual({ "a.md": "base\n", "b.md": "b\n" });
  });

  test("data-loss case 5: deleted there and edited here is a conflict, and the edit survives every command", async () => {
    const [both, anna, bert] = await inSync({ "a.md": "base\n", "b.md": "b\n" });
    bert.remove("a.md");
    await both.ok(bert, ["push"]);
    anna.write("a.md", "edited by anna\n");
    for (const command of ["pull", "sync", "push"]) {
      const { code, json } = await both.run(anna, [command]);
      expect({ command, code, conflicts: json.conflicts }).toEqual({
        command,
        code: 4,
        conflicts: [{ path: "a.md", kind: "edit/delete" }],
      });
      expect(anna.read("a.md")).toBe("edited by anna\n");
    }
    await both.ok(anna, ["push", "--force-local"]);
    expect(await both.settle()).toEqual({ "a.md": "edited by anna\n", "b.md": "b\n" });
  });

  test("data-loss case 6: files that begin with _ are pushed, seen, pulled, kept in snapshots and deleted like others", async () => {
    const files = { "_index.md": "root\n", "sub/__init__.py": "init\n", "_folder/_sidebar.md": "bar\n" };
    const [both, anna, bert] = await inSync(files);
    const { timestamp } = (await both.ok(anna, ["snapshots"])).rows[0] as { timestamp: string };
    const inside = (await both.ok(bert, ["inspect", timestamp])).json.files.map(({ path }) => path);
    expect(inside.sort()).toEqual(Object.keys(files).sort());
    bert.write("_index.md", "edited\n");
    bert.remove("sub/__init__.py");
    await both.ok(bert, ["push"]);
    await both.ok(anna, ["pull"]);
    expect(await both.settle()).toEqual({ "_index.md": "edited\n", "_folder/_sidebar.md": "bar\n" });
  });

  test("data-loss case 7: every run adds one log entry, and one that changes nothing adds none", async () => {
    const [both, anna, bert] = await inSync({ "a.md": "a\n", "b.md": "b\n" });
    const log = () => {
      both.place.refresh?.();
      const text = readFileSync(join(both.place.folder, "_claude_mirror_logs/_sync_log.json"), "utf8");
      return (JSON.parse(text).events as { action: string; machine: string; files: string[] }[]).map(
        ({ machine, action, files }) => `${machine} ${action} ${files.join(" ")}`,
      );
    };
    expect(log()).toEqual(["anna push a.md b.md", "bert pull a.md b.md"]);
    for (const command of ["status", "push", "pull", "sync"]) await both.ok(anna, [command]);
    expect(log()).toHaveLength(2);
    anna.write("a.md", "edited\n");
    anna.write("c.md", "c\n");
    await both.ok(anna, ["push"]);
    bert.write("b.md", "edited\n");
    await both.ok(bert, ["sync"]);
    anna.remove("c.md");
    await both.ok(anna, ["push"]);
    expect(log().slice(2)).toEqual(["anna push a.md c.md", "bert sync a.md b.md c.md", "anna delete c.md"]);
    expect((await both.ok(bert, ["log"])).rows).toHaveLength(5);
    expect((await both.ok(bert, ["log", "--limit", "1"])).rows).toMatchObject([{ action: "delete", files: ["c.md"] }]);
  });

  test("both sides deleted: the entry is forgotten and never comes back", async () => {
    const [both, anna, bert] = await inSync({ "a.md": "a\n", "b.md": "b\n" });
    anna.remove("a.md");
    bert.remove("a.md");
    await both.ok(anna, ["push"]);
    const { json } = await both.ok(bert, ["push"]);
    expect(json.failed).toEqual([]);
    expect(JSON.parse(bert.read(".claude_mirror_manifest.json"))).not.toHaveProperty(["a.md"]);
    bert.write("a.md", "new\n");
    expect((await both.ok(bert, ["status"])).json.summary).toMatchObject({ new_local: 1, deleted_local: 0 });
    await both.ok(bert, ["push"]);
    expect(await both.settle()).toEqual({ "a.md": "new\n", "b.md": "b\n" });
  });

  test("a second machine with the same files: adopts them without a conflict, a transfer or a log entry", async () => {
    const place = remote.place();
    const both = await team(place, ["anna", "bert"]);
    const [anna, bert] = both.machines as readonly [OwnMachine, OwnMachine];
    for (const machine of [anna, bert]) {
      for (let at = 0; at < 6; at++) machine.write(`folder ${at % 2}/${at}.md`, `file ${at}\n`);
      machine.write("empty.md", "");
    }
    bert.write("other.md", "bert's\n");
    await both.ok(anna, ["push"]);
    const before = (await both.ok(anna, ["log"])).rows.length;
    const status = (await both.ok(bert, ["status"])).json;
    expect(status.summary).toMatchObject({ conflict: 0, in_sync: 7, new_local: 1 });
    const { json } = await both.ok(bert, ["pull"]);
    expect({ adopted: json.adopted.length, downloaded: json.downloaded, conflicts: json.conflicts }).toEqual({
      adopted: 7,
      downloaded: [],
      conflicts: [],
    });
    expect((await both.ok(anna, ["log"])).rows).toHaveLength(before);
    expect((await both.ok(bert, ["push"])).json.uploaded).toEqual(["other.md"]);
    await both.settle();
  });

  test("status --json: has the keys, words and hashes of the shared shape", async () => {
    const [both, anna, bert] = await inSync({ "same.md": "same\n", "edited.md": "edited\n", "gone.md": "gone\n" });
    bert.write("theirs.md", "theirs\n");
    await both.ok(bert, ["push"]);
    anna.write("edited.md", "edited here\n");
    anna.write("mine.md", "mine\n");
    anna.remove("gone.md");
    const { json, stdout } = await both.ok(anna, ["status"]);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, command: "status" });
    expect(Object.keys(json)).toEqual(["config_path", "summary", "files"]);
    expect((json as unknown as { config_path: string }).config_path).toBe(anna.config);
    expect(json.summary).toEqual({
      in_sync: 1,
      local_ahead: 1,
      remote_ahead: 0,
      conflict: 0,
      new_local: 1,
      new_remote: 1,
      deleted_local: 1,
      deleted_remote: 0,
      held: 0,
    });
    const md5 = (text: string) => new Bun.CryptoHasher("md5").update(text).digest("hex");
    const rows = json.files.map(({ remote_hash, ...rest }) => ({ ...rest, there: remote_hash !== null }));
    expect(rows).toEqual([
      row("edited.md", "local_ahead", [md5("edited here\n"), true, md5("edited\n")]),
      row("gone.md", "deleted_local", [null, true, md5("gone\n")]),
      row("mine.md", "new_local", [md5("mine\n"), false, null]),
      row("same.md", "in_sync", [md5("same\n"), true, md5("same\n")]),
      row("theirs.md", "new_remote", [null, true, null]),
    ]);
  });
}

function row(
  path: string,
  status: string,
  [local_hash, there, manifest_hash]: readonly [string | null, boolean, string | null],
) {
  return { path, status, local_hash, there, manifest_hash };
}
