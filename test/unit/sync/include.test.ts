import { describe, expect, test } from "bun:test";
import { compileInclude, PatternError } from "../../../src/sync/include.ts";

const matches = (pattern: string, path: string) => compileInclude([pattern]).matches(path);

/** Table 2.15 of the reference, and rows tried on Python 3.11: pattern, what it selects, what it does not. */
const TABLE: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["**/*.md", ["a.md", "d/e/a.md", ".x.md", ".hid/a.md", "node_modules/p/r.md"], ["A.MD", "a.md/b", "amd"]],
  ["*.md", ["a.md", ".x.md"], ["d/a.md"]],
  ["**/*", ["a", ".x", ".hid/a", "d/e/f"], []],
  ["**", [], ["a.md", "d/a.md"]],
  ["d/**", [], ["d/a.md", "d/e/a.md"]],
  ["d/**/*.md", ["d/a.md", "d/e/a.md", "d/e/f/a.md"], ["a.md", "dd/a.md", "d/a.txt"]],
  ["linkdir/*.md", ["linkdir/a.md"], ["linkdir/x/a.md"]],
  ["[x].md", ["x.md"], ["[x].md"]],
  ["**/**/*.md", ["a.md", "d/a.md", "d/e/a.md"], ["a.txt"]],
  ["./*.md", ["a.md"], ["d/a.md"]],
  ["d//a.md", ["d/a.md"], ["a.md"]],
  ["d/./a.md", ["d/a.md"], []],
  ["d/../a.md", [], ["a.md", "d/a.md"]],
  ["d/", [], ["d", "d/a.md"]],
  ["*.md/", [], ["a.md"]],
  ["**/notes/*.md", ["notes/a.md", "x/notes/a.md"], ["notes/x/a.md", "xnotes/a.md"]],
  ["a?c", ["abc", "a\u{1f600}c"], ["a/c", "ac"]],
  ["[!a]*.md", ["b.md"], ["a.md", "b/c.md"]],
  ["[^a].md", ["a.md", "^.md"], ["b.md"]],
  ["x[!a]y", ["xby"], ["x/y"]],
  ["x[+-9]y", ["x5y"], ["x/y"]],
  ["[a.md", ["[a.md"], ["a.md"]],
  ["CLAUDE.md", ["CLAUDE.md"], ["claude.md", "d/CLAUDE.md"]],
  ["memory/*", ["memory/a"], ["memory/a/b"]],
  ["*/y.md", ["d/y.md"], ["y.md", "d/e/y.md"]],
];

describe("compileInclude", () => {
  for (const [pattern, inside, outside] of TABLE) {
    test(`compileInclude: ${pattern} selects what pathlib selects`, () => {
      expect(inside.filter((path) => !matches(pattern, path))).toEqual([]);
      expect(outside.filter((path) => matches(pattern, path))).toEqual([]);
    });
  }

  test.each(["**.md", "a**", "d/x**/a", "", "/abs/*", ".", "./"])(
    "compileInclude: %p is an error that names it",
    (pattern) => {
      expect(() => compileInclude(["**/*.md", pattern])).toThrow(PatternError);
      expect(() => compileInclude([pattern])).toThrow(JSON.stringify(pattern));
    },
  );

  test("compileInclude: several patterns select their union, none selects nothing", () => {
    const both = compileInclude(["*.md", "d/*.txt"]);
    expect(["a.md", "d/a.txt", "d/a.md", "a.txt"].filter((path) => both.matches(path))).toEqual(["a.md", "d/a.txt"]);
    expect(compileInclude([]).matches("a.md")).toBe(false);
    expect(compileInclude([]).descends("d")).toBe(false);
  });

  test("compileInclude: folders that can hold no match are not entered", () => {
    const some = compileInclude(["*.md", "memory/**/*.md", "a/b/*.md"]);
    expect(["memory", "memory/x/y", "a", "a/b"].filter((folder) => !some.descends(folder))).toEqual([]);
    expect(["src", "a/c", "a/b/c", "x/memory"].filter((folder) => some.descends(folder))).toEqual([]);
    expect(compileInclude(["**/*.md"]).descends("any/where")).toBe(true);
    expect(compileInclude(["d/**"]).descends("d")).toBe(false);
  });

  test("compileInclude: a link to a folder is passed by a name or *, never by **", () => {
    const descends = (pattern: string, folder: string, links: number[]) =>
      compileInclude([pattern]).descends(folder, links);
    expect(descends("**/*.md", "link", [0])).toBe(false);
    expect(descends("link/*.md", "link", [0])).toBe(true);
    expect(descends("*/y.md", "link", [0])).toBe(true);
    expect(descends("**/link/*.md", "d/link", [1])).toBe(true);
    expect(descends("**/link/**/*.md", "link/link", [0, 1])).toBe(false);
    const mixed = compileInclude(["**/*.md", "link/*.md"]);
    expect(mixed.matches("link/a.md", [0])).toBe(true);
    expect(mixed.matches("link/sub/a.md", [0])).toBe(false);
    expect(mixed.matches("link/sub/a.md")).toBe(true);
    expect(compileInclude(["link/**/*.md"]).matches("link/sub/a.md", [0])).toBe(true);
  });
});
