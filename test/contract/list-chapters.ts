import { expect, test } from "bun:test";
import type { Backend, RemoteFile } from "../../src/backends/types.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { sourceOf, textAt } from "../support/bodies.ts";
import { create, fails, fileAt, foldersIn, namesIn, pathsOf } from "./asserts.ts";
import type { ContractContext } from "./suite.ts";

/** What a listing shows, and under which names. */
export function listChapters(context: ContractContext): void {
  listing(context);
  names(context);
  dotNames(context);
  scale(context);
  vanishedRoot(context);
  changes(context);
}

async function smallTree(backend: Backend): Promise<void> {
  for (const path of ["a.md", "docs/b.md", "docs/deep/er/c.md", "other/d.md", "docsish.md"]) {
    await create(backend, path, `at ${path}`);
  }
}

function listing({ chapter, at }: ContractContext): void {
  chapter("list", () => {
    test("list: an empty root exists and holds nothing", async () => {
      const found = await at().backend.list("");
      expect(found).toMatchObject({ files: [], folders: [], unusable: [], exists: true });
    });

    test("list: every file at every depth, with its size and the facts that stat gives", async () => {
      const { backend } = at();
      await smallTree(backend);
      const found = await backend.list("");
      expect(namesIn(found)).toEqual(["a.md", "docs/b.md", "docs/deep/er/c.md", "docsish.md", "other/d.md"]);
      expect(foldersIn(found)).toEqual(["docs", "docs/deep", "docs/deep/er", "other"]);
      for (const file of found.files) {
        const { racy: _listed, ...listed } = file;
        const { racy: _seen, ...seen } = await fileAt(backend, file.path);
        expect(listed).toEqual(seen);
        expect(file.size).toBe(`at ${file.path}`.length);
      }
    });

    test("list: a sub-folder gives paths, ids and revs from the remote root, and nothing of its neighbours", async () => {
      const { backend } = at();
      await smallTree(backend);
      const found = await backend.list(relPath("docs"));
      expect(namesIn(found)).toEqual(["docs/b.md", "docs/deep/er/c.md"]);
      expect(foldersIn(found)).toEqual(["docs/deep", "docs/deep/er"]);
      const whole = new Map((await backend.list("")).files.map((file) => [file.path, file]));
      for (const file of found.files) {
        expect(whole.get(file.path)).toMatchObject({ id: file.id, rev: file.rev, nativeHash: file.nativeHash });
      }
    });

    test("list: files that are sifted out are left out of the answer, each asked about once", async () => {
      const { backend } = at();
      await smallTree(backend);
      const asked: string[] = [];
      let counted = 0;
      const sift = () => {
        asked.length = 0;
        return ({ path }: RemoteFile) => asked.push(path) > 0 && path.startsWith("docs/");
      };
      const onCount = (files: number) => {
        counted = files;
      };
      const found = await backend.list("", { sift, onCount });
      if (asked.length === 0) return; // It may do without.
      expect(namesIn(found)).toEqual(["docs/b.md", "docs/deep/er/c.md"]);
      expect(asked.sort()).toEqual(["a.md", "docs/b.md", "docs/deep/er/c.md", "docsish.md", "other/d.md"]);
      expect(counted).toBe(5);
    });

    test("list: skipped folders are named and not walked", async () => {
      const { backend } = at();
      await smallTree(backend);
      const found = await backend.list("", { skip: [relPath("docs"), relPath("never-there")] });
      expect(namesIn(found)).toEqual(["a.md", "docsish.md", "other/d.md"]);
      expect(foldersIn(found)).toEqual(["docs", "other"]);
    });

    test("list: skip works below a sub-folder too", async () => {
      const { backend } = at();
      await smallTree(backend);
      const found = await backend.list(relPath("docs"), { skip: [relPath("docs/deep")] });
      expect(namesIn(found)).toEqual(["docs/b.md"]);
      expect(foldersIn(found)).toEqual(["docs/deep"]);
    });

    test("list: shallow shows what lies directly in the folder", async () => {
      const { backend } = at();
      await smallTree(backend);
      const root = await backend.list("", { shallow: true });
      expect(namesIn(root)).toEqual(["a.md", "docsish.md"]);
      expect(foldersIn(root)).toEqual(["docs", "other"]);
      const docs = await backend.list(relPath("docs"), { shallow: true });
      expect(namesIn(docs)).toEqual(["docs/b.md"]);
      expect(foldersIn(docs)).toEqual(["docs/deep"]);
    });

    test("list: a missing folder does not exist, and neither does one below a missing one", async () => {
      const { backend } = at();
      await smallTree(backend);
      for (const path of ["nowhere", "docs/nowhere", "nowhere/at/all"]) {
        expect(await backend.list(relPath(path))).toMatchObject({ files: [], folders: [], exists: false });
      }
    });

    test("list: tells how many files it has seen", async () => {
      const { backend } = at();
      await smallTree(backend);
      const counts: number[] = [];
      await backend.list("", { onCount: (files) => counts.push(files) });
      expect(counts.at(-1)).toBe(5);
    });

    test("stat: answers undefined for what is surely not there", async () => {
      const { backend } = at();
      await smallTree(backend);
      for (const path of ["nowhere.md", "docs/nowhere.md", "no/where/at/all.md"]) {
        expect(await backend.stat(relPath(path))).toBeUndefined();
      }
    });

    test("nativeHash: is in canonical form already, and changes with the size", async () => {
      const { backend } = at();
      const before = await create(backend, "a.md", "one");
      expect(backend.canonicalHash(before.nativeHash)).toBe(before.nativeHash);
      await backend.write(relPath("a.md"), sourceOf("three"), { expect: before.rev });
      expect((await fileAt(backend, "a.md")).nativeHash).not.toBe(before.nativeHash);
    });

    test("rev: two contents of one size have one rev only while the file is called racy", async () => {
      const { backend } = at();
      let last = await create(backend, "a.md", "0000");
      for (let i = 1; i <= 20; i++) {
        const before = await fileAt(backend, "a.md");
        await backend.write(relPath("a.md"), sourceOf(String(i).padStart(4, "0")), { expect: "any" });
        const after = await fileAt(backend, "a.md");
        if (after.rev === before.rev) expect(before.racy).toBe(true);
        last = after;
      }
      expect(last.size).toBe(4);
    });
  });
}

const ODD_NAMES = [
  "hash#mark.md",
  "100%.md",
  "%41.md",
  "A.md",
  "%2e%2e%2f.md",
  "what?.md",
  "a+b.md",
  "a b  c.md",
  "a&b=c;d.md",
  "it's.md",
  'say "hi".md',
  "<tag>&amp;.md",
  "semi;colon,comma@at!$(x)[y]{z}.md",
  "~tilde^caret`tick|bar.md",
  "colon:name.md",
  "star*.md",
  "back\\slash.md",
  "_underscore.md",
  "_claude_mirror_notours/x.md",
  "-dash.md",
  "ünïcödé.md",
  "日本語.md",
  "family-👨‍👩‍👧.md",
  "folder #1 50%/in ner?/file+1.md",
  "no-extension",
  "two..dots.md",
  "CON.md",
  "x".repeat(200),
  `${"é".repeat(100)}.md`,
];

function names({ chapter, at, can }: ContractContext): void {
  const possible = ODD_NAMES.filter(
    (name) =>
      ![...can.names.forbidden].some((char) => name.replaceAll("/", "").includes(char)) &&
      name.split("/").every((part) => Buffer.byteLength(part) <= can.names.maxNameBytes),
  );

  chapter("names", () => {
    test("names: every odd name is written, listed, looked up, read and removed under itself", async () => {
      const { backend } = at();
      for (const name of possible) await create(backend, name, `in ${name}`);
      expect(await pathsOf(backend, "")).toEqual([...possible].sort());
      for (const name of possible) {
        expect(await textAt(backend, relPath(name))).toBe(`in ${name}`);
        await backend.remove(relPath(name), { expect: (await fileAt(backend, name)).rev });
        expect(await backend.stat(relPath(name))).toBeUndefined();
      }
      expect(await pathsOf(backend, "")).toEqual([]);
    });

    test("names: two Unicode forms of one name are kept apart or the second is refused, never merged", async () => {
      await neverMerged(at().backend, "caf\u00e9.md", "cafe\u0301.md");
    });

    test("names: two cases of one name are kept apart or the second is refused, never merged", async () => {
      const { backend } = at();
      const kept = await neverMerged(backend, "Read.md", "read.md");
      expect(kept).toBe(can.names.caseSensitive ? 2 : 1);
    });

    test("names: a name that is too long is refused for good, and nothing is left behind", async () => {
      const { backend } = at();
      const error = await fails(create(backend, `${"n".repeat(2000)}.md`, "x"));
      expect(error.class).toBe("FILE_REJECTED");
      expect(await pathsOf(backend, "")).toEqual([]);
    });
  });
}

/** Creates both and proves that each one that was accepted still holds its own content; gives how many were. */
async function neverMerged(backend: Backend, first: string, second: string): Promise<number> {
  await create(backend, first, "first");
  const accepted = await backend.write(relPath(second), sourceOf("second"), { expect: "absent" }).then(
    () => true,
    () => false,
  );
  const files = (await backend.list("")).files;
  const contents = await Promise.all(files.map((file) => textAt(backend, file.path)));
  expect(contents.sort()).toEqual(accepted ? ["first", "second"] : ["first"]);
  return files.length;
}

function dotNames({ chapter, at }: ContractContext): void {
  chapter("dot names", () => {
    test("names: a leading dot hides nothing", async () => {
      const { backend } = at();
      const dotted = [".env.md", ".claude/settings.md", "docs/.hidden/x.md", "docs/.y.md"];
      for (const name of dotted) await create(backend, name, name);
      expect(await pathsOf(backend, "")).toEqual([...dotted].sort());
      for (const name of dotted) expect(await textAt(backend, relPath(name))).toBe(name);
    });
  });
}

function scale({ chapter, at }: ContractContext): void {
  chapter("scale", () => {
    test("list: 1,100 files of one folder, all of them", async () => {
      const { backend } = at();
      const wanted = Array.from({ length: 1100 }, (_, i) => `many/${String(i).padStart(4, "0")}.md`);
      for (let i = 0; i < wanted.length; i += 20) {
        await Promise.all(wanted.slice(i, i + 20).map((path) => create(backend, path, path)));
      }
      expect(await pathsOf(backend, "")).toEqual(wanted);
    });

    test("list: a file twenty folders down", async () => {
      const { backend } = at();
      const folders = Array.from({ length: 20 }, (_, i) => `level${i}`).join("/");
      await create(backend, `${folders}/deep.md`, "deep");
      const found = await backend.list("");
      expect(namesIn(found)).toEqual([`${folders}/deep.md`]);
      expect(found.folders.length).toBe(20);
    });

    test("write: many files into the same new folders at once", async () => {
      const { backend } = at();
      const wanted = Array.from({ length: 40 }, (_, i) => `new/f${i % 4}/er/${i}.md`);
      await Promise.all(wanted.map((path) => create(backend, path, path)));
      expect(await pathsOf(backend, "")).toEqual([...wanted].sort());
    });
  });
}

function vanishedRoot({ chapter, at, has }: ContractContext): void {
  if (!has.removeRoot) return;
  chapter("vanished root", () => {
    test("a remote folder that is gone: listed as missing, and no write brings it back", async () => {
      const { backend, removeRoot } = at();
      await create(backend, "docs/a.md", "a");
      await removeRoot?.();
      expect(await backend.list("")).toMatchObject({ exists: false, files: [] });
      for (const path of ["new.md", "docs/a.md", "docs/deep/er/new.md"]) {
        await fails(backend.write(relPath(path), sourceOf("x"), { expect: "absent" }));
      }
      expect(await backend.list("")).toMatchObject({ exists: false, files: [] });
    });
  });
}

function changes({ chapter, at, has }: ContractContext): void {
  if (!has.changes) return;
  chapter("changes", () => {
    test("changes: none when nothing happened; otherwise the whole truth or the order to list again", async () => {
      const { backend } = at();
      await create(backend, "docs/a.md", "a");
      const { cursor } = await backend.list("");
      if (cursor === undefined) throw new Error("a backend with changes must give a cursor");
      expect(await backend.changes?.(cursor)).toEqual({ kind: "none" });
      await create(backend, "docs/deep/b.md", "b");
      await backend.remove(relPath("docs/a.md"), { expect: "any" });
      const found = await backend.changes?.(cursor);
      if (found?.kind === "some") {
        expect(found.changed.map((file) => file.path)).toContain("docs/deep/b.md" as RelPath);
        expect(found.removed).toEqual(["docs/a.md" as RelPath]);
      } else expect(found).toEqual({ kind: "relist" });
    });

    test("changes: a cursor that is not known means list again", async () => {
      expect(await at().backend.changes?.("not a cursor of ours")).toEqual({ kind: "relist" });
    });
  });
}
