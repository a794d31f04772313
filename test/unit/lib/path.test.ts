import { expect, test } from "bun:test";
import {
  childOf,
  compareCodePoints,
  comparePaths,
  foldersOf,
  isUnder,
  joinUnder,
  nameOf,
  parentOf,
  parseRelPath,
  relPath,
} from "../../../src/lib/path.ts";

test.each(["", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/..", "a/../b", "../a", "a\0b", "/"])(
  "parseRelPath: refuses %p",
  (text) => {
    expect(parseRelPath(text)).toBeUndefined();
    expect(() => relPath(text)).toThrow(RangeError);
  },
);

test.each(["a", "a/b", "...", "a/..b", "..a/b", ".a", "a b/#%?", "naïve – dash.md", "a\\b", "C:", " ", "\n"])(
  "parseRelPath: takes %p as it is",
  (text) => {
    expect(parseRelPath(text) as string | undefined).toBe(text);
  },
);

test("parentOf, nameOf, foldersOf, childOf, joinUnder: take paths apart and together", () => {
  const path = relPath("a/b/c.md");
  expect(parentOf(path)).toBe(relPath("a/b"));
  expect(parentOf(relPath("c.md"))).toBe("");
  expect(nameOf(path)).toBe("c.md");
  expect(foldersOf(path) as string[]).toEqual(["a", "a/b"]);
  expect(foldersOf(relPath("c.md"))).toEqual([]);
  expect(childOf("", "x") as string).toBe("x");
  expect(childOf(relPath("a"), "x") as string).toBe("a/x");
  expect(() => childOf(relPath("a"), "..")).toThrow(RangeError);
  expect(joinUnder("/", path)).toBe("/a/b/c.md");
  expect(joinUnder("/r", path)).toBe("/r/a/b/c.md");
});

test("isUnder: whole components only", () => {
  expect(isUnder(relPath("a/b"), relPath("a"))).toBe(true);
  expect(isUnder(relPath("a"), relPath("a"))).toBe(true);
  expect(isUnder(relPath("ab"), relPath("a"))).toBe(false);
  expect(isUnder(relPath("ab"), "")).toBe(true);
});

test("compareCodePoints: sorts as Python does, where UTF-16 order differs", () => {
  const [private_, emoji] = ["\uff5e", "😀"];
  expect(comparePaths(private_, emoji)).toBeGreaterThan(0);
  expect(compareCodePoints(private_, emoji)).toBeLessThan(0);
  expect(["😀b", "\uff5e", "a", "😀a", "", "aa"].sort(compareCodePoints)).toEqual([
    "",
    "a",
    "aa",
    "\uff5e",
    "😀a",
    "😀b",
  ]);
  expect(compareCodePoints("a", "a")).toBe(0);
});
