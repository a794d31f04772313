import { expect, test } from "bun:test";
import { relPath } from "../../../src/lib/path.ts";
import { pathMatcher, selectPaths } from "../../../src/snapshots/path-match.ts";

const TABLE: readonly (readonly [pattern: string, path: string, expected: boolean])[] = [
  ["CLAUDE.md", "CLAUDE.md", true],
  ["CLAUDE.md", "sub/CLAUDE.md", false],
  ["claude.md", "CLAUDE.md", false],
  ["*.md", "CLAUDE.md", true],
  ["*.md", "a/b.md", true],
  ["*.md", "a/b.mdx", false],
  ["memory", "memory/a/b.md", true],
  ["memory/", "memory/a.md", true],
  ["memory/", "memory", true],
  ["memory", "memory2/a.md", false],
  ["memory/**", "memory/x.md", true],
  ["memory/**", "memory/x/y.md", true],
  ["memory/**", "memory", false],
  ["mem*", "memory/x/y.md", true],
  ["me?ory", "memory/x.md", true],
  ["**/CLAUDE.md", "CLAUDE.md", true],
  ["**/CLAUDE.md", "a/b/CLAUDE.md", true],
  ["**/CLAUDE.md", "a/MY-CLAUDE.md", false],
  ["**/sub", "sub/a.md", true],
  ["./a.md", "a.md", true],
  [".", "a/b.md", true],
  ["", "a.md", false],
  ["/", "a.md", false],
  ["[ab].md", "b.md", true],
  ["[ab].md", "[ab].md", true],
  ["[!a].md", "b.md", true],
  ["[!a].md", "a.md", false],
  ["[^a].md", "^.md", true],
  ["[^a].md", "b.md", false],
  ["[a-c]x", "bx", true],
  ["[]]x", "]x", true],
  ["[a", "[a", true],
  ["[a*", "[abc", true],
  ["?.md", "\u{1f600}.md", true],
];

test("pathMatcher: reads a pattern as the table says", () => {
  for (const [pattern, path, expected] of TABLE) {
    expect(`${pattern} ~ ${path}: ${pathMatcher(pattern)(relPath(path))}`).toBe(`${pattern} ~ ${path}: ${expected}`);
  }
});

test("pathMatcher: many stars stay fast", () => {
  const matches = pathMatcher(`${"*a".repeat(200)}b`);
  const started = performance.now();
  expect(matches(relPath("a".repeat(5000)))).toBe(false);
  expect(performance.now() - started).toBeLessThan(2000);
});

test("selectPaths: names the patterns that match nothing; no pattern means every path", () => {
  const paths = ["a.md", "b/c.md"].map(relPath);
  expect(selectPaths(paths, [])).toEqual({ selected: paths, unmatched: [] });
  expect(selectPaths(paths, ["b", "*.md", "nope*", "x.md"])).toEqual({ selected: paths, unmatched: ["nope*", "x.md"] });
  expect(selectPaths(paths, ["b"]).selected).toEqual([relPath("b/c.md")]);
});
