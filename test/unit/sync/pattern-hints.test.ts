import { expect, test } from "bun:test";
import { patternHints } from "../../../src/sync/pattern-hints.ts";

test.each([
  ["dir/", "write dir"],
  ["/dir", "write dir"],
  ["./dir", "write dir"],
  ["**/x", "at the root"],
  ["a/**/b.md", "add a/b.md"],
  ["[^a].md", "write [!a].md"],
  ["**", "every file"],
])("patternHints: the exclude pattern %p gets a hint", (pattern, hint) => {
  const hints = patternHints({ filePatterns: [], excludePatterns: [pattern] });
  expect(hints).toHaveLength(1);
  expect(hints[0]).toContain(hint);
  expect(hints[0]).toStartWith(`exclude pattern ${JSON.stringify(pattern)}: `);
});

test.each([
  ["**", "write **/*"],
  ["dir/**", "write dir/**/*"],
  ["dir/", "write dir/**/*"],
  ["a/../b.md", "cannot leave"],
  ["[^a].md", "write [!a].md"],
])("patternHints: the file pattern %p gets a hint", (pattern, hint) => {
  const hints = patternHints({ filePatterns: [pattern], excludePatterns: [] });
  expect(hints).toHaveLength(1);
  expect(hints[0]).toContain(hint);
});

test("patternHints: usual patterns get none", () => {
  const filePatterns = ["**/*.md", "CLAUDE.md", "memory/**/*", "**/*"];
  expect(patternHints({ filePatterns, excludePatterns: ["archive/**", "*.tmp", "node_modules"] })).toEqual([]);
});
