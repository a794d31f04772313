import { afterAll, beforeAll, expect, test } from "bun:test";
import type { OwnMachine } from "./own-machine.ts";
import type { RemoteKind } from "./remote-place.ts";
import { type Team, team } from "./team.ts";

interface Scenario {
  readonly name: string;
  play(a: OwnMachine, b: OwnMachine, team: Team): Promise<void>;
}

const ODD = [
  "with space & #hash.md",
  "naïve – dash.md",
  "100%.md",
  "50%25 off.md",
  "a+b?.md",
  "semi;colon,comma.md",
  'quote\'s "double".md',
  "emoji 🎈 [x] {y}.md",
  "back\\slash.md",
  "_underscored.md",
  "日本/語 フォルダ/ファイル.md",
  "_folder/_index.md",
  "deep/er/and/deep er/#/?/file",
];
const BINARY = Uint8Array.from([0, 255, 13, 10, 0, 0, 200, 10, 13, 128, 0]);
const ALL_BYTES = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7 + (at >> 8)) & 255);

const SCENARIOS: readonly Scenario[] = [
  {
    name: "odd names, empty files and binary files go there, come back and are edited from the other side",
    async play(a, b, { ok, settle, place }) {
      const odd = ODD.filter((path) => !place.refuses?.test(path));
      for (const [at, path] of odd.entries()) a.write(path, `content ${at}\r\n`);
      a.write("empty.md", "");
      a.write("binary.bin", BINARY);
      a.write("all.bin", ALL_BYTES);
      expect((await ok(a, ["push"])).json.uploaded).toHaveLength(odd.length + 3);
      expect((await ok(b, ["pull"])).json.downloaded).toHaveLength(odd.length + 3);
      expect(b.files()).toEqual(a.files());
      for (const path of odd) b.write(path, `edited ${b.read(path)}`);
      b.write("empty.md", BINARY);
      b.write("binary.bin", "");
      expect((await ok(b, ["push"])).json.uploaded).toHaveLength(odd.length + 2);
      expect((await ok(a, ["pull"])).json.downloaded).toHaveLength(odd.length + 2);
      for (const path of odd.slice(3)) a.remove(path);
      expect((await ok(a, ["push"])).json.deleted_remote).toHaveLength(odd.length - 3);
      expect(Object.keys(await settle())).toHaveLength(6);
    },
  },
  {
    name: "edits of the same length in quick turns are all seen",
    async play(a, b, { ok, settle }) {
      a.write("turns.md", "turn 0\n");
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      for (let turn = 1; turn < 5; turn++) {
        const [from, to] = turn % 2 ? [b, a] : [a, b];
        from.write("turns.md", `turn ${turn}\n`);
        expect((await ok(from, ["push"])).json.uploaded).toEqual(["turns.md"]);
        expect((await ok(to, ["pull"])).json.downloaded).toEqual(["turns.md"]);
        expect(to.read("turns.md")).toBe(`turn ${turn}\n`);
      }
      expect(await settle()).toEqual({ "turns.md": "turn 4\n" });
    },
  },
  {
    name: "renames, moved folders, and files and folders that change places",
    async play(a, b, { ok, settle }) {
      for (const path of ["docs/one.md", "docs/sub/two.md", "docs/sub/three.md", "swap", "keep.md", "case.md"])
        a.write(path, `${path}\n`);
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      b.rename("docs", "papers/2026");
      b.rename("keep.md", "kept.md");
      await ok(b, ["push"]);
      await ok(a, ["pull"]);
      expect(a.files()).toEqual(b.files());
      a.remove("swap");
      a.write("swap/inside.md", "a folder now\n");
      a.rename("case.md", "Case.md");
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      expect(b.files()).toEqual(a.files());
      expect(Object.keys(await settle()).sort()).toEqual([
        "Case.md",
        "kept.md",
        "papers/2026/one.md",
        "papers/2026/sub/three.md",
        "papers/2026/sub/two.md",
        "swap/inside.md",
      ]);
    },
  },
  {
    name: "a file takes the place of an emptied folder, and of a folder with a file in it it does not",
    async play(a, b, { ok, run }) {
      for (const path of ["x/y/z.md", "w/kept.md", "other.md"]) a.write(path, `${path}\n`);
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      b.write("w/new.md", "new by b\n");
      await ok(b, ["push"]);
      for (const path of ["x", "w"]) {
        a.remove(path);
        a.write(path, `${path}, a file now\n`);
      }
      a.write("other.md", "edited\n");
      const pushed = await run(a, ["push"]);
      expect([...pushed.json.failed, ...pushed.json.held].map(({ path }) => path)).toEqual(["w"]);
      expect([...pushed.json.uploaded].sort()).toEqual(["other.md", "x"]);
      await ok(b, ["pull"]);
      expect(b.files()).toEqual({ "other.md": "edited\n", "w/new.md": "new by b\n", x: "x, a file now\n" });
      a.rename("w", "w.md");
      await ok(a, ["sync"]);
      await ok(b, ["pull"]);
      expect(b.files()).toEqual(a.files());
    },
  },
  {
    name: "names that begin with a dot go along, or are told where the server never lists them",
    async play(a, b, { ok, run, place }) {
      a.write(".hidden", "hidden\n");
      a.write(".folder/file.md", "in a hidden folder\n");
      a.write("seen.md", "seen\n");
      const pushed = await run(a, ["push"]);
      expect(pushed.code).toBe(0);
      const told = [...pushed.json.failed, ...pushed.json.held].map(({ path }) => path);
      expect(told).toEqual(place.hidesDotNames ? [".folder/file.md", ".hidden"] : []);
      await ok(b, ["pull"]);
      expect(Object.keys(b.files())).toEqual(place.hidesDotNames ? ["seen.md"] : Object.keys(a.files()));
      await run(a, ["push"]);
      await ok(b, ["pull"]);
      expect(Object.keys(a.files())).toHaveLength(3);
    },
  },
  {
    name: "both edit, create and delete different files at the same time",
    async play(a, b, { ok, settle }) {
      for (let at = 0; at < 8; at++) a.write(`files/${at}.md`, `version 1 of ${at}\n`);
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      a.write("files/0.md", "edited by a\n");
      a.remove("files/1.md");
      a.write("new/by a.md", "new by a\n");
      b.write("files/2.md", "edited by b\n");
      b.remove("files/3.md");
      b.write("new/by b.md", "new by b\n");
      await ok(a, ["push"]);
      await ok(b, ["push"]);
      const agreed = await settle();
      expect(Object.keys(agreed).sort()).toEqual([
        "files/0.md",
        "files/2.md",
        "files/4.md",
        "files/5.md",
        "files/6.md",
        "files/7.md",
        "new/by a.md",
        "new/by b.md",
      ]);
      expect(agreed["files/2.md"]).toBe("edited by b\n");
    },
  },
  {
    name: "the same edit, the same new file and the same delete on both sides are no conflicts",
    async play(a, b, { ok, settle }) {
      a.write("same.md", "old\n");
      a.write("gone.md", "gone\n");
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      for (const machine of [a, b]) {
        machine.write("same.md", "new\n");
        machine.write("both new.md", "equal\n");
        machine.remove("gone.md");
      }
      await ok(a, ["push"]);
      const { json } = await ok(b, ["push"]);
      expect(json.uploaded).toEqual([]);
      expect(json.adopted).toEqual(["both new.md", "same.md"]);
      expect(await settle()).toEqual({ "same.md": "new\n", "both new.md": "equal\n" });
    },
  },
  {
    name: "conflicts of every kind keep both contents with keep-both and converge",
    async play(a, b, { ok, run, settle }) {
      for (const path of ["edit.md", "mine gone.md", "theirs gone.md", "bin.dat"]) a.write(path, `base of ${path}\n`);
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      a.write("edit.md", "edited by a\n");
      a.write("bin.dat", BINARY);
      a.write("mine gone.md", "edited by a, deleted by b\n");
      a.remove("theirs gone.md");
      a.write("new.md", "new by a\n");
      b.write("edit.md", "edited by b\n");
      b.write("bin.dat", Uint8Array.from([...BINARY, 1]));
      b.remove("mine gone.md");
      b.write("theirs gone.md", "edited by b, deleted by a\n");
      b.write("new.md", "new by b\n");
      await ok(a, ["push"]);
      const left = await run(b, ["sync"]);
      expect(left.code).toBe(4);
      expect(left.json.conflicts.map(({ path, kind }) => `${path}: ${kind}`)).toEqual([
        "bin.dat: edit/edit",
        "edit.md: edit/edit",
        "mine gone.md: delete/edit",
        "new.md: new/new",
        "theirs gone.md: edit/delete",
      ]);
      expect((await ok(b, ["sync", "--strategy", "keep-both"])).json.copies).toHaveLength(3);
      const agreed = await settle();
      expect(Object.keys(agreed)).toHaveLength(8);
      const values = Object.values(agreed);
      expect(values).toEqual(expect.arrayContaining(["edited by a\n", "edited by b\n", "new by a\n", "new by b\n"]));
      expect(agreed["mine gone.md"]).toBe("edited by a, deleted by b\n");
      expect(agreed["theirs gone.md"]).toBe("edited by b, deleted by a\n");
    },
  },
  {
    name: "conflicts settled on both machines in turn make no copies of copies",
    async play(a, b, { ok, settle }) {
      a.write("note.md", "base\n");
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      for (let round = 0; round < 3; round++) {
        a.write("note.md", `a ${round}\n`);
        b.write("note.md", `b ${round}\n`);
        await ok(a, ["sync", "--strategy", "keep-both"]);
        await ok(b, ["sync", "--strategy", "keep-both"]);
        await ok(a, ["sync", "--strategy", "keep-both"]);
        expect(a.files()).toEqual(b.files());
      }
      const names = Object.keys(await settle());
      expect(names).toHaveLength(4);
      for (const name of names) expect(name).toMatch(/^note(\.conflict-[0-9a-f]{8})?\.md$/);
    },
  },
  {
    name: "somebody else's hand on the remote counts like a machine",
    async play(a, b, { ok, settle, place }) {
      a.write("one.md", "one\n");
      a.write("two.md", "two\n");
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      place.put("one.md", "ONE\n");
      place.put("by hand/three.md", "three\n");
      place.remove("two.md");
      expect((await ok(b, ["status"])).json.summary).toMatchObject({
        remote_ahead: 1,
        new_remote: 1,
        deleted_remote: 1,
        in_sync: 0,
      });
      expect(await settle()).toEqual({ "one.md": "ONE\n", "by hand/three.md": "three\n" });
    },
  },
  {
    name: "a lost state folder, manifest or hash cache costs time only",
    async play(a, b, { ok, run, settle }) {
      for (let at = 0; at < 6; at++) a.write(`${at}.md`, `file ${at}\n`);
      await ok(a, ["push"]);
      await ok(b, ["pull"]);
      b.write("0.md", "edited by b\n");
      b.remove("1.md");
      await ok(b, ["push"]);
      a.rename("../.local/state", "../.local/old state");
      a.remove(".claude_mirror_hash_cache.json");
      a.write("2.md", "edited by a\n");
      const { json } = await ok(a, ["sync"]);
      expect(json.conflicts).toEqual([]);
      expect(await settle()).toMatchObject({ "0.md": "edited by b\n", "2.md": "edited by a\n" });
      b.rename("../.local/state", "../.local/old state");
      b.remove(".claude_mirror_manifest.json");
      b.write("3.md", "edited by b without a base\n");
      b.remove("4.md");
      const second = await run(b, ["sync"]);
      expect(second.json.conflicts).toEqual([{ path: "3.md", kind: "new/new" }]);
      expect(second.json.downloaded).toEqual(["4.md"]);
      await ok(b, ["sync", "--strategy", "keep-local"]);
      expect(await settle()).toMatchObject({ "3.md": "edited by b without a base\n", "4.md": "file 4\n" });
    },
  },
];

/** Two machines that share one remote of this kind, in every scenario. */
export function twoMachineScenarios(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    remote = await kind.start();
  });
  afterAll(() => remote.stop());

  for (const { name, play } of SCENARIOS) {
    test(`two machines: ${name}`, async () => {
      const both = await team(remote.place(), ["anna", "bert"]);
      await play(both.machines[0] as OwnMachine, both.machines[1] as OwnMachine, both);
    });
  }
}
