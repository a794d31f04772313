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
