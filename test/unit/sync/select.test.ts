import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { selectFiles } from "../../../src/sync/select.ts";
import { tempFolder } from "../../support/temp.ts";

function project(): { readonly root: string; readonly cwd: string } {
  const root = tempFolder("select");
  mkdirSync(join(root, "docs"));
  writeFileSync(join(root, "docs/a.md"), "a");
  return { root, cwd: root };
}

test("selectFiles: a file and what is not there are looked at one by one, a folder and a glob are not", () => {
  const where = project();
  expect(selectFiles(["docs/a.md", "gone.md"], where)?.exact).toEqual([relPath("docs/a.md"), relPath("gone.md")]);
  expect(selectFiles(["docs"], where)?.exact).toBeUndefined();
  expect(selectFiles(["*.md"], where)?.exact).toBeUndefined();
});

test("selectFiles: a path or a glob below what is a file here names something of the remote", () => {
  const where = project();
  expect(selectFiles(["docs/a.md/x"], where)?.exact).toEqual([relPath("docs/a.md/x")]);
  expect(selectFiles(["docs/a.md/**"], where)?.matches(relPath("docs/a.md/x"))).toBe(true);
});

test("selectFiles: a glob stops at folders unless it has **, and a folder that it names counts with all below it", () => {
  const where = project();
  const paths = ["top.md", "docs/a.md", "docs/ü.md", "docs/deep/b.md", "docs2/c.md"].map((path) => relPath(path));
  const meant = (glob: string, cwd = where.root) =>
    paths.filter(selectFiles([glob], { ...where, cwd })?.matches ?? Boolean);
  expect(meant("*.md")).toEqual([relPath("top.md")]);
  expect(meant("docs/*.md")).toEqual(["docs/a.md", "docs/ü.md"].map((path) => relPath(path)));
  expect(meant("docs/?.md")).toEqual(["docs/a.md"].map((path) => relPath(path)));
  expect(meant("docs/**/*.md")).toEqual(["docs/a.md", "docs/ü.md", "docs/deep/b.md"].map((path) => relPath(path)));
  expect(meant("docs/**")).toEqual(["docs/a.md", "docs/ü.md", "docs/deep/b.md"].map((path) => relPath(path)));
  expect(meant("**/*.md")).toEqual(paths);
  expect(meant("docs*")).toEqual(paths.slice(1));
  expect(meant("d*", join(where.root, "docs"))).toEqual([relPath("docs/deep/b.md")]);
});

test("selectFiles: the folder that a glob is typed in is no glob itself", () => {
  const { root } = project();
  mkdirSync(join(root, "docs [1]"));
  const selection = selectFiles(["*.md"], { root, cwd: join(root, "docs [1]") });
  expect(selection?.matches(relPath("docs [1]/a.md"))).toBe(true);
  expect(selection?.matches(relPath("docs 1/a.md"))).toBe(false);
});

test("selectFiles: an empty argument is refused, never all files", () => {
  expect(() => selectFiles([""], project())).toThrow('"" names no file');
});
