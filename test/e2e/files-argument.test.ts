import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { OwnMachine, Run } from "../support/own-machine.ts";
import { REMOTE_KINDS, type RemoteKind } from "../support/remote-place.ts";
import { type Team, team } from "../support/team.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const kind = REMOTE_KINDS[0] as RemoteKind;
let place: Awaited<ReturnType<RemoteKind["start"]>>["place"];
beforeAll(async () => {
  ({ place } = await kind.start());
});

const FILES = ["root.md", "docs/a.md", "docs/b.txt", "docs/deep/c.md", "docs [1]/d.md", "-dash.md", "sp ace.md"];

async function project(): Promise<readonly [Team, OwnMachine]> {
  const one = await team(place(), ["anna"]);
  const anna = one.machines[0] as OwnMachine;
  for (const path of FILES) anna.write(path, `${path}\n`);
  return [one, anna];
}

const FORMS: readonly (readonly [name: string, words: (root: string) => string[], cwd: string, expected: string[]])[] =
  [
    ["a path", () => ["docs/a.md"], ".", ["docs/a.md"]],
    ["./ in front", () => ["./docs/a.md"], ".", ["docs/a.md"]],
    ["a path from a sub-folder", () => ["a.md"], "docs", ["docs/a.md"]],
    ["../ out of a sub-folder", () => ["../root.md", "./deep/../a.md"], "docs", ["docs/a.md", "root.md"]],
    ["an absolute path", (root) => [join(root, "docs/a.md")], "docs/deep", ["docs/a.md"]],
    ["a folder", () => ["docs"], ".", ["docs/a.md", "docs/b.txt", "docs/deep/c.md"]],
    ["a folder with an end slash", () => ["docs/deep/"], ".", ["docs/deep/c.md"]],
    [". in a sub-folder", () => ["."], "docs", ["docs/a.md", "docs/b.txt", "docs/deep/c.md"]],
    ["a glob in one folder", () => ["docs/*.md"], ".", ["docs/a.md"]],
    ["a glob through folders", () => ["docs/**/*.md"], ".", ["docs/a.md", "docs/deep/c.md"]],
    ["a glob from a sub-folder", () => ["*.md"], "docs/deep", ["docs/deep/c.md"]],
    ["several", () => ["root.md", "docs/b.txt"], ".", ["docs/b.txt", "root.md"]],
    ["a name with brackets", () => ["docs [1]/d.md"], ".", ["docs [1]/d.md"]],
    ["a name with a dash in front, after --", () => ["--", "-dash.md"], ".", ["-dash.md"]],
    ["a name with a space", () => ["sp ace.md"], ".", ["sp ace.md"]],
  ];

describe("FILES", () => {
  for (const [name, words, cwd, expected] of FORMS) {
    test(`FILES: ${name} selects these files and no others, for push, pull and delete`, async () => {
      const [one, anna] = await project();
      const files = words(anna.project);
      const at = (command: string[]) => anna.run(["--json", ...command, ...files], { cwd });
      expect(await paths(at(["push", "--dry-run"]))).toEqual(expected);
      expect((await at(["push"])).json.uploaded).toEqual(expected);
      expect(Object.keys(one.remoteFiles()).sort()).toEqual(expected);
      for (const path of expected) one.place.put(path, "changed there\n");
      one.place.put("unrelated.md", "unrelated\n");
      expect((await at(["pull"])).json.downloaded).toEqual(expected);
      expect((await at(["delete"])).json.deleted_remote).toEqual(expected);
      expect(one.remoteFiles()).toEqual({ "unrelated.md": "unrelated\n" });
      expect(Object.keys(anna.files()).sort()).toEqual([...FILES].sort());
    });
  }

  test("FILES: an argument that matches nothing exits 2, names it, and nothing is done for the others", async () => {
    const [one, anna] = await project();
    await one.ok(anna, ["push", "root.md"]);
    for (const files of [["nothing.md"], ["docs/a.md", "no/such/*.md"], ["../outside.md"], ["/etc/passwd"], [""]]) {
      for (const command of ["push", "pull", "sync", "delete"]) {
        const { code, stdout, stderr } = await one.run(anna, [command, ...files]);
        expect({ command, files, code, stdout }).toEqual({ command, files, code: 2, stdout: "" });
        expect(stderr).toContain(files.at(-1) as string);
      }
    }
    expect(Object.keys(one.remoteFiles())).toEqual(["root.md"]);
    expect(Object.keys(anna.files()).sort()).toEqual([...FILES].sort());
  });

  test("FILES: a file deleted here is selected by its name, its folder and a glob", async () => {
    for (const files of [["docs/a.md"], ["docs"], ["docs/*.md"]]) {
      const [one, anna] = await project();
      await one.ok(anna, ["push"]);
      anna.remove("docs/a.md");
      anna.write("root.md", "edited, not named\n");
      const { json } = await one.ok(anna, ["push", ...files]);
      expect({ files, deleted: json.deleted_remote, uploaded: json.uploaded }).toEqual({
        files,
        deleted: ["docs/a.md"],
        uploaded: [],
      });
      expect(one.remoteFiles()["root.md"]).toBe("root.md\n");
    }
  });

  test("FILES: restore, history and diff understand paths from a sub-folder", async () => {
    const [one, anna] = await project();
    await one.ok(anna, ["push"]);
    anna.write("docs/a.md", "edited\n");
    const { timestamp } = (await one.ok(anna, ["snapshots"])).rows[0] as { timestamp: string };
    const history = (await one.ok(anna, ["history", "a.md"], { cwd: "docs" })).json;
    expect(history.versions).toHaveLength(1);
    const diff = await anna.run(["diff", "./a.md"], { cwd: "docs" });
    expect({
      code: diff.code,
      added: diff.stdout.includes("+edited"),
      removed: diff.stdout.includes("-docs/a.md"),
    }).toEqual({ code: 0, added: true, removed: true });
    await one.ok(anna, ["restore", timestamp, "docs/a.md", "--yes"]);
    expect(anna.read("docs/a.md")).toBe("docs/a.md\n");
    await one.ok(anna, ["restore", timestamp, "docs", "--output", "../out"]);
    expect(anna.read("../out/docs/deep/c.md")).toBe("docs/deep/c.md\n");
    expect((await anna.run(["restore", timestamp, "nothing.md", "--yes"])).code).toBe(1);
    expect((await anna.run(["restore", "2001-01-01T00-00-00Z", "--yes"])).code).toBe(1);
  });
});

async function paths(running: Promise<Run>): Promise<string[]> {
  return (await running).json.planned.map(({ path }) => path);
}
