import { expect, test } from "bun:test";
import { NotFoundError, StaleError } from "../../src/backends/errors.ts";
import type { Backend, Change, RemoteFile, Rev } from "../../src/backends/types.ts";
import { relPath } from "../../src/lib/path.ts";
import { drain, sourceOf, textAt } from "../support/bodies.ts";
import { create, fails, failure, fileAt, pathsOf, unless } from "./asserts.ts";
import type { ContractContext } from "./suite.ts";

const A = relPath("docs/a.md");
const B = relPath("docs/b.md");
const WRONG = "0-never" as Rev;

/** What a write, remove, copy or move refuses to touch. */
export function guardChapters(context: ContractContext): void {
  writing(context);
  editing(context);
  removing(context);
  copying(context, "copy");
  copying(context, "move");
  clashes(context);
}

function writing({ chapter, at }: ContractContext): void {
  chapter("guards", () => {
    test("write absent: refused where a file is, which stays", async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      expect(await failure(backend.write(A, sourceOf("new"), { expect: "absent" }))).toBeInstanceOf(StaleError);
      expect(await textAt(backend, A)).toBe("old");
      expect((await fileAt(backend, A)).rev).toBe(before.rev);
    });

    test("write rev: done for the right version", async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      await backend.write(A, sourceOf("newer"), { expect: before.rev });
      expect(await textAt(backend, A)).toBe("newer");
    });

    test("write rev: refused for another version, which stays", async () => {
      const { backend, second } = at();
      const before = await create(backend, A, "old");
      const other = await second();
      await other.write(A, sourceOf("theirs"), { expect: before.rev });
      await other.close();
      for (const expected of [before.rev, WRONG]) {
        expect(await failure(backend.write(A, sourceOf("ours"), { expect: expected }))).toBeInstanceOf(StaleError);
      }
      expect(await textAt(backend, A)).toBe("theirs");
    });

    test("write rev: refused where the file is gone, and it stays gone", async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      await backend.remove(A, { expect: before.rev });
      expect(await failure(backend.write(A, sourceOf("new"), { expect: before.rev }))).toBeInstanceOf(StaleError);
      expect(await backend.stat(A)).toBeUndefined();
    });

    test("write rev: refused where the file went away just after it was looked at, and nothing is left there", async () => {
      const { backend, second } = at();
      const before = await create(backend, A, "old");
      const other = await second();
      expect((await fileAt(backend, A)).rev).toBe(before.rev);
      await other.remove(A, { expect: "any" });
      expect(await failure(backend.write(A, sourceOf("new"), { expect: before.rev }))).toBeInstanceOf(StaleError);
      expect(await pathsOf(other, "")).toEqual([]);
    });

    test("write any: creates and replaces", async () => {
      const { backend } = at();
      await backend.write(A, sourceOf("one"), { expect: "any" });
      await backend.write(A, sourceOf("three"), { expect: "any" });
      expect(await textAt(backend, A)).toBe("three");
    });

    test("write: a long chain of guarded updates, each from the version before", async () => {
      const { backend } = at();
      let rev = (await create(backend, A, "start")).rev;
      for (let i = 0; i < 10; i++) {
        const written = await backend.write(A, sourceOf("x".repeat(i + 1)), { expect: rev });
        rev = (written.file ?? (await fileAt(backend, A))).rev;
      }
      expect(await textAt(backend, A)).toBe("x".repeat(10));
    });
  });
}

function editing({ chapter, at, has }: ContractContext): void {
  if (!has.edit) return;
  const edit = async (backend: Backend, change: Change) => backend.edit?.(A, change);
  const adding =
    (text: string): Change =>
    async ({ body }) =>
      sourceOf(`${Buffer.from(await drain(body)).toString()}${text}`);

  chapter("edit", () => {
    test("edit: what is made of the present content takes its place", async () => {
      const { backend } = at();
      const before = await create(backend, A, "one");
      let seen: RemoteFile | undefined;
      await edit(backend, (opened) => {
        seen = opened.file;
        return adding(" two")(opened);
      });
      expect(seen).toMatchObject({ path: A, size: 3, rev: before.rev });
      expect(await textAt(backend, A)).toBe("one two");
    });

    test("edit: nothing answered, or a change that fails, leaves the file to the next writer", async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      await edit(backend, async () => undefined);
      const broken = edit(backend, () => Promise.reject(new NotFoundError("planted")));
      expect(String(await failure(broken))).toContain("planted");
      expect(await textAt(backend, A)).toBe("old");
      await backend.write(A, sourceOf("newer"), { expect: before.rev });
      expect(await textAt(backend, A)).toBe("newer");
    });

    test("edit: a file that is absent is refused and stays absent", async () => {
      const { backend } = at();
      await create(backend, B, "b");
      let called = 0;
      const error = await failure(
        edit(backend, async () => {
          called++;
          return undefined;
        }),
      );
      expect(error instanceof NotFoundError || error instanceof StaleError).toBe(true);
      expect(called).toBe(0);
      expect(await pathsOf(backend, "")).toEqual([B]);
      const nowhere = await failure(Promise.resolve(backend.edit?.(relPath("no/such/folder.md"), adding("x"))));
      expect(nowhere instanceof NotFoundError || nowhere instanceof StaleError).toBe(true);
      await create(backend, A, "made after all");
    });

    test("edit: another machine's write is refused meanwhile", async () => {
      const { backend, second } = at();
      const before = await create(backend, A, "old");
      const other = await second();
      await edit(backend, async (opened) => {
        await fails(other.write(A, sourceOf("theirs"), { expect: before.rev }));
        return adding(" and new")(opened);
      });
      expect(await textAt(other, A)).toBe("old and new");
    });
  });
}

function removing({ chapter, at, has }: ContractContext): void {
  chapter("remove", () => {
    test("remove rev: done for the right version, and only that file", async () => {
      const { backend } = at();
      const before = await create(backend, A, "a");
      await create(backend, B, "b");
      await backend.remove(A, { expect: before.rev });
      expect(await backend.stat(A)).toBeUndefined();
      expect(await pathsOf(backend, "")).toEqual([B]);
    });

    test("remove rev: refused for another version, which stays", async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      await backend.write(A, sourceOf("newer"), { expect: before.rev });
      for (const expected of [before.rev, WRONG]) {
        expect(await failure(backend.remove(A, { expect: expected }))).toBeInstanceOf(StaleError);
      }
      expect(await textAt(backend, A)).toBe("newer");
    });

    test("remove rev: of something absent is StaleError", async () => {
      expect(await failure(at().backend.remove(A, { expect: WRONG }))).toBeInstanceOf(StaleError);
    });

    test("remove any: done, and done again for what is absent", async () => {
      const { backend } = at();
      await create(backend, A, "a");
      await backend.remove(A, { expect: "any" });
      await backend.remove(A, { expect: "any" });
      await backend.remove(relPath("no/such/folder.md"), { expect: "any" });
      expect(await pathsOf(backend, "")).toEqual([]);
    });

    unless(!has.removeFolder)("remove folder: refused while a file is in it, then done, and done again", async () => {
      const { backend } = at();
      const remove = async (path: string) => backend.removeFolder?.(relPath(path));
      const inner = await create(backend, relPath("docs/deep/er/c.md"), "c");
      await create(backend, relPath("docsets/d.md"), "d");
      expect(await failure(remove("docs"))).toMatchObject({ class: "FILE_REJECTED" });
      expect(await textAt(backend, inner.path)).toBe("c");
      // A file is no folder: refused or nothing done, never removed.
      await remove("docsets/d.md").catch(() => undefined);
      await backend.remove(inner.path, { expect: inner.rev });
      await remove("docs");
      await remove("docs");
      const { files, folders } = await backend.list("");
      expect([files.map(({ path }) => path as string), folders as readonly string[]]).toEqual([
        ["docsets/d.md"],
        ["docsets"],
      ]);
      await create(backend, A, "again");
      expect(await textAt(backend, A)).toBe("again");
    });
  });
}

function copying({ chapter, at, has }: ContractContext, verb: "copy" | "move"): void {
  if (!has[verb]) return;
  const left = (kept: string): string[] => (verb === "copy" ? [A, kept] : [kept]);
  chapter(verb, () => {
    test(`${verb}: onto a free name, into a new folder`, async () => {
      const { backend } = at();
      const source = await create(backend, A, "content");
      const to = relPath("new folder/deep/c.md");
      const written = await backend[verb]?.(A, to, { expectSource: source.rev });
      expect(await textAt(backend, to)).toBe("content");
      expect(await pathsOf(backend, "")).toEqual(left(to));
      const seen = await fileAt(backend, to);
      if (written?.file) expect(written.file).toMatchObject({ path: to, size: 7, rev: seen.rev });
    });

    test(`${verb}: never onto a name that is taken`, async () => {
      const { backend } = at();
      await create(backend, A, "content");
      await create(backend, B, "precious");
      expect(await failure(Promise.resolve(backend[verb]?.(A, B)))).toBeInstanceOf(StaleError);
      expect(await textAt(backend, A)).toBe("content");
      expect(await textAt(backend, B)).toBe("precious");
    });

    test(`${verb}: refused for another version of the source`, async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      await backend.write(A, sourceOf("newer"), { expect: before.rev });
      const call = Promise.resolve(backend[verb]?.(A, B, { expectSource: before.rev }));
      expect(await failure(call)).toBeInstanceOf(StaleError);
      expect(await pathsOf(backend, "")).toEqual([A]);
    });

    test(`${verb}: a source that is absent`, async () => {
      const { backend } = at();
      const error = await failure(Promise.resolve(backend[verb]?.(A, B)));
      expect(error instanceof NotFoundError || error instanceof StaleError).toBe(true);
      expect(await backend.stat(B)).toBeUndefined();
    });

    test(`${verb}: odd names at both ends`, async () => {
      const { backend } = at();
      const from = relPath("from #1 50%/a+b&c.md");
      const to = relPath("to %41/ünï '日本'.md");
      await create(backend, from, "content");
      await backend[verb]?.(from, to);
      expect(await textAt(backend, to)).toBe("content");
    });
  });
}

function clashes({ chapter, at }: ContractContext): void {
  chapter("clash", () => {
    test("a folder where a file is asked for: not there, not readable, not replaced, not removed", async () => {
      const { backend } = at();
      await create(backend, A, "inside");
      const folder = relPath("docs");
      expect(await backend.stat(folder)).toBeUndefined();
      await fails(backend.read(folder));
      await fails(backend.write(folder, sourceOf("x"), { expect: "absent" }));
      await fails(backend.write(folder, sourceOf("x"), { expect: "any" }));
      await fails(backend.remove(folder, { expect: WRONG }));
      await fails(backend.remove(folder, { expect: "any" }));
      expect(await textAt(backend, A)).toBe("inside");
    });

    test("a file where a folder is needed: it stays, and nothing is below it", async () => {
      const { backend } = at();
      await create(backend, A, "a file");
      const below = relPath("docs/a.md/below.md");
      await fails(backend.write(below, sourceOf("x"), { expect: "absent" }));
      await fails(backend.write(relPath("docs/a.md/much/below.md"), sourceOf("x"), { expect: "any" }));
      expect(await backend.stat(below)).toBeUndefined();
      expect((await backend.list(A)).exists).toBe(false);
      expect(await textAt(backend, A)).toBe("a file");
    });
  });
}
