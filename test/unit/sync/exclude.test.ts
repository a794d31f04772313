import { describe, expect, test } from "bun:test";
import { compileExclude } from "../../../src/sync/exclude.ts";

/** Table 2.15 of the reference with decision 9: pattern, what it excludes, what it does not. */
const TABLE: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["archive/**", ["archive/x.md", "archive/a/b.md"], ["archive"]],
  ["archive", ["archive", "archive/x/y.md"], ["archive2/x.md", "x/archive"]],
  ["archive/", [], ["archive/x.md"]],
  ["/archive", [], ["archive/x.md"]],
  ["./archive", [], ["archive/x.md"]],
  ["**/*_draft.md", ["d/x_draft.md", "x_draft.md"], ["x_draft.txt"]],
  ["private.md", ["private.md"], ["sub/private.md"]],
  ["*.tmp", ["a/b/c.tmp", ".tmp"], ["c.tmp2"]],
  ["node_modules", ["node_modules/x"], ["pkg/node_modules/x"]],
  ["**/node_modules", ["pkg/node_modules/x", "node_modules/x", "node_modules"], ["node_modules2/x"]],
  ["docs/**/*.md", ["docs/a/b.md"], ["docs/a.md"]],
  ["a/**/b.md", ["a/x/b.md", "a/x/y/b.md"], ["a/b.md"]],
  ["memory/*", ["memory/x/y.md"], ["memory"]],
  ["drafts*", ["drafts2/x.md", "drafts"], ["my/drafts"]],
  ["Archive/**", ["Archive/x"], ["archive/x.md"]],
  ["[!a].md", ["b.md", "/.md"], ["a.md"]],
  ["[^a].md", ["a.md", "^.md"], ["b.md"]],
  ["[a", ["[a", "[a/x"], ["a"]],
  ["[]].md", ["].md"], ["[].md"]],
  ["{a,b}", ["{a,b}"], ["a", "b"]],
  ["a?b", ["a/b", "axb/c"], ["ab"]],
  ["[z-a]x", [], ["zx", "ax", "-x"]],
  ["[!z-a]x", ["ax", "qx"], ["x"]],
  ["[a-]x", ["ax", "-x"], ["bx"]],
  ["", [], ["a", "a/b"]],
  ["d[1]", ["d1", "d[1]/x"], ["d[1]"]],
];

describe("compileExclude", () => {
  for (const [pattern, inside, outside] of TABLE) {
    test(`compileExclude: ${pattern || "an empty pattern"} excludes what fnmatch says`, () => {
      const { excludes } = compileExclude([pattern]);
      expect(inside.filter((path) => !excludes(path))).toEqual([]);
      expect(outside.filter((path) => excludes(path))).toEqual([]);
    });
  }

  test("compileExclude: a folder is pruned when all below it is excluded, and only then", () => {
    const prunes = (pattern: string, folder: string) => compileExclude([pattern]).prunes(folder);
    for (const pattern of ["archive", "archive/**", "archive/*", "**/archive", "arch*", "a?chive", "*"]) {
      expect([pattern, prunes(pattern, "archive")]).toEqual([pattern, true]);
      expect([pattern, prunes(pattern, "archive/sub")]).toEqual([pattern, true]);
    }
    for (const pattern of ["archive/*.md", "archive/", "*.md", "archive2", "archive/sub", "archive/[*]"]) {
      expect([pattern, prunes(pattern, "archive")]).toEqual([pattern, false]);
    }
  });

  test("compileExclude: whatever lies below a pruned folder is excluded", () => {
    const patterns = ["a", "a/*", "**/b", "a*", "*b/**", "[ab]", "a/b/**", "?", "**/a/*b*", "b/"];
    const folders = ["a", "b", "a/b", "b/a", "ab", "a/a/b", "b/b"];
    for (const pattern of patterns) {
      const { prunes, excludes } = compileExclude([pattern]);
      for (const folder of folders.filter(prunes)) {
        for (const name of ["x", "b", "x/y", ".md"]) {
          expect([pattern, folder, name, excludes(`${folder}/${name}`)]).toEqual([pattern, folder, name, true]);
        }
      }
    }
  });
});
