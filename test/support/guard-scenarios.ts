import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { OwnMachine } from "./own-machine.ts";
import { type RemoteKind, remoteFingerprint } from "./remote-place.ts";
import { type Team, team } from "./team.ts";
import { fingerprint } from "./tree.ts";
import { giveToServer } from "./webdav-setup.ts";

/**
 * Everything that a run must leave as it is that is refused, dry or without work. Refused ones may remember what they
 * saw; of our state, the times of folders (a lock comes and goes) and copies of unchanging remote manifests do not count.
 */
function world({ place, machines }: Team, options: { readonly state: boolean }) {
  const state = (home: string) =>
    fingerprint(join(home, ".local/state")).filter(
      (line) => !line.endsWith(" folder") && !line.includes("/manifests/"),
    );
  return {
    remote: remoteFingerprint(place),
    projects: machines.map(({ project }) => fingerprint(project)),
    trash: machines.map(({ home }) => fingerprint(join(home, ".local/share"))),
    settings: machines.map(({ home }) => fingerprint(join(home, ".config"))),
    ...(options.state ? { state: machines.map(({ home }) => state(home)) } : {}),
  };
}

/** What refuses, and what changes nothing, on one kind of remote. */
export function guardScenarios(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    remote = await kind.start();
  });
  afterAll(() => remote.stop());

  /** Anna and Bert in sync with `count` files. */
  async function inSync(count: number): Promise<{ both: Team; anna: OwnMachine; bert: OwnMachine }> {
    const both = await team(remote.place(), ["anna", "bert"]);
    const [anna, bert] = both.machines as readonly [OwnMachine, OwnMachine];
    for (let at = 0; at < count; at++) anna.write(`folder ${at % 3}/${at}.md`, `file ${at}\n`);
    await both.ok(anna, ["push"]);
    await both.ok(bert, ["pull"]);
    return { both, anna, bert };
  }

  async function refused(both: Team, machine: OwnMachine, words: readonly string[], guard: string): Promise<void> {
    const before = world(both, { state: false });
    const { code, stdout, stderr } = await both.run(machine, words);
    expect({ words, code, stdout }).toEqual({ words, code: 5, stdout: "" });
    const { error } = JSON.parse(stderr.slice(stderr.indexOf("{")));
    expect(error.type).toBe("refused");
    expect(error.message).toContain(guard);
    expect(world(both, { state: false })).toEqual(before);
  }

  test("mass delete: all but one of six is refused by push, sync and pull before anything happens, and lifted by --allow", async () => {
    const { both, anna, bert } = await inSync(6);
    for (let at = 0; at < 5; at++) anna.remove(`folder ${at % 3}/${at}.md`);
    for (const words of [["push"], ["sync"], ["sync", "--strategy", "keep-local"], ["push", "--dry-run"]])
      await refused(both, anna, words, "--allow mass-delete");
    await refused(both, anna, ["push", "--allow", "empty-root", "--allow", "remote-gone"], "--allow mass-delete");
    const { json } = await both.ok(anna, ["push", "--allow", "mass-delete"]);
    expect(json.deleted_remote).toHaveLength(5);
    for (const words of [["pull"], ["sync"]]) await refused(both, bert, words, "--allow mass-delete");
    expect((await both.ok(bert, ["pull", "--allow", "mass-delete"])).json.deleted_local).toHaveLength(5);
    expect(await both.settle()).toEqual({ "folder 2/5.md": "file 5\n" });
  });

  test("mass delete: the delete command is held to the same limit", async () => {
    const { both, anna } = await inSync(6);
    await refused(both, anna, ["delete", "folder *"], "--allow mass-delete");
    await refused(both, anna, ["delete", "folder *", "--local"], "--allow mass-delete");
    await both.ok(anna, ["delete", "folder *", "--local", "--allow", "mass-delete"]);
    expect({ there: both.remoteFiles(), here: anna.files() }).toEqual({ there: {}, here: {} });
  });

  test("empty root: an emptied project folder is refused by push and sync and pull, and lifted by --allow", async () => {
    const { both, anna } = await inSync(4);
    for (const folder of ["folder 0", "folder 1", "folder 2"]) anna.remove(folder);
    for (const words of [["push"], ["sync"]]) await refused(both, anna, words, "--allow empty-root");
    await both.ok(anna, ["push", "--allow", "empty-root"]);
    expect(both.remoteFiles()).toEqual({});
    const { json } = await both.ok(anna, ["snapshots"]).then(({ rows }) => ({ json: rows }));
    await both.ok(anna, ["restore", String(json[1]?.["timestamp"] ?? json[0]?.["timestamp"]), "--yes"]);
    expect(Object.keys(anna.files())).toHaveLength(4);
  });

  test("empty root: an empty folder mounted over the project is refused; its manifest was hidden with it", async () => {
    const { both, anna } = await inSync(4);
    renameSync(anna.project, join(anna.home, "unmounted"));
    mkdirSync(anna.project);
    const before = both.remoteFiles();
    const { code } = await both.run(anna, ["push"]);
    expect({ code, there: both.remoteFiles() }).toEqual({ code: 0, there: before });
  });

  test("a project folder that is missing is told, and nothing is made in its place", async () => {
    const { both, anna } = await inSync(4);
    renameSync(anna.project, join(anna.home, "unmounted"));
    const before = remoteFingerprint(both.place);
    for (const command of ["push", "pull", "sync", "status"]) {
      const { code, stderr } = await anna.run([command, "--config", anna.config], { cwd: anna.home });
      expect({ command, code }).toEqual({ command, code: 2 });
      expect(stderr).toContain(anna.project);
    }
    expect(existsSync(anna.project)).toBe(false);
    expect(remoteFingerprint(both.place)).toEqual(before);
  });

  test("remote gone: a vanished remote root is refused and never made anew unless allowed", async () => {
    const { both, anna, bert } = await inSync(4);
    const back = both.place.vanish();
    const before = anna.files();
    for (const words of [["push"], ["pull"], ["sync"], ["pull", "--dry-run"]]) {
      const { code, stderr } = await both.run(anna, words);
      expect({ words, code, told: stderr.includes("remote-gone") }).toEqual({ words, code: 5, told: true });
    }
    expect(anna.files()).toEqual(before);
    back();
    expect((await both.ok(bert, ["sync"])).json.planned).toEqual([]);
    await both.settle();
  });

  test("remote gone: a remote that lost all its files is refused, and --allow carries the deletes here, into the trash", async () => {
    const { both, anna, bert } = await inSync(4);
    for (const folder of ["folder 0", "folder 1", "folder 2"]) both.place.remove(folder);
    for (const words of [["pull"], ["sync"]]) await refused(both, anna, words, "--allow remote-gone");
    expect((await both.ok(anna, ["pull", "--allow", "remote-gone"])).json.deleted_local).toHaveLength(4);
    expect(anna.files()).toEqual({});
    bert.write("new.md", "new\n");
    await refused(both, bert, ["sync"], "--allow remote-gone");
  });

  test("future manifest: is refused by every run, told by status, and cannot be lifted", async () => {
    const { both, anna } = await inSync(2);
    anna.write("new.md", "new\n");
    for (const text of ['{"version": 99, "entries": []}', '{"folder 0/0.md": {"hash": 7}, "version": 4}']) {
      anna.write(".claude_mirror_manifest.json", text);
      for (const words of [
        ["push"],
        ["pull"],
        ["sync"],
        ["sync", "--allow", "mass-delete", "--allow", "empty-root", "--allow", "remote-gone"],
        ["delete", "new.md"],
      ])
        await refused(both, anna, words, "later version");
      expect(anna.read(".claude_mirror_manifest.json")).toBe(text);
    }
  });

  test("--dry-run: changes nothing anywhere, our own state included, and plans what the run then does", async () => {
    const { both, anna, bert } = await inSync(6);
    await both.ok(bert, ["status"]);
    anna.write("folder 0/0.md", "edited\n");
    anna.write("new.md", "new\n");
    await both.ok(anna, ["push"]);
    bert.write("folder 0/0.md", "conflict\n");
    bert.write("folder 1/1.md", "edited by bert\n");
    bert.remove("folder 2/2.md");
    const commands = [
      ["push"],
      ["push", "--force-local"],
      ["pull"],
      ["pull", "--output", "elsewhere"],
      ["sync"],
      ["sync", "--strategy", "keep-both"],
      ["sync", "--strategy", "keep-remote"],
      ["delete", "folder 1/1.md"],
      ["delete", "folder 1/1.md", "--local"],
      ["trash", "empty", "--delete", "--yes"],
    ];
    const [snapshot] = (await both.ok(bert, ["snapshots"])).rows;
    commands.push(["restore", String(snapshot?.["timestamp"]), "--yes"]);
    const before = world(both, { state: true });
    for (const words of commands) {
      const { code } = await bert.run([...words, "--dry-run", "--json"]);
      expect({ words, code }).toEqual({ words, code: 0 });
      expect({ words, ...world(both, { state: true }) }).toEqual({ words, ...before });
    }
    const planned = (await bert.run(["sync", "--strategy", "keep-both", "--dry-run", "--json"])).json;
    const done = await both.ok(bert, ["sync", "--strategy", "keep-both"]);
    expect(done.json.planned).toEqual(planned.planned);
  });

  test("a round without changes writes nothing on any side, manifest and hash cache included", async () => {
    const { both, anna } = await inSync(5);
    await both.settle();
    for (const command of ["status", "push", "pull", "sync"]) await both.ok(anna, [command]);
    const before = world(both, { state: false });
    for (const command of ["status", "push", "pull", "sync", "status", "log", "snapshots", "trash"]) {
      await both.ok(anna, [command]);
      expect({ command, ...world(both, { state: false }) }).toEqual({ command, ...before });
    }
  });

  test("touching a file without changing it changes nothing on any other side", async () => {
    const { both, anna } = await inSync(3);
    await both.settle();
    const there = remoteFingerprint(both.place);
    const manifest = fingerprint(anna.project).filter((line) => line.includes("manifest"));
    anna.write("folder 0/0.md", anna.read("folder 0/0.md"));
    expect((await both.ok(anna, ["status"])).json.summary["in_sync"]).toBe(3);
    for (const command of ["push", "sync", "pull"]) {
      const { json } = await both.ok(anna, [command]);
      expect({ command, planned: json.planned }).toEqual({ command, planned: [] });
    }
    expect(remoteFingerprint(both.place)).toEqual(there);
    expect(fingerprint(anna.project).filter((line) => line.includes("manifest"))).toEqual(manifest);
  });

  if (kind.name === "Apache") {
    test("remote gone: with --allow the remote is filled again from here by another push", async () => {
      const { both, anna } = await inSync(4);
      renameSync(both.place.folder, `${both.place.folder} away`);
      mkdirSync(both.place.folder);
      giveToServer(both.place.folder);
      anna.write("new.md", "new\n");
      await refused(both, anna, ["push"], "--allow remote-gone");
      await both.ok(anna, ["push", "--allow", "remote-gone"]);
      expect(both.remoteFiles()).toEqual({ "new.md": "new\n" });
      expect(Object.keys(anna.files())).toHaveLength(5);
    });
  }
}
