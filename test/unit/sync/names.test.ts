import { expect, test } from "bun:test";
import { conflictCopyPath } from "../../../src/lib/copy-name.ts";
import { relPath } from "../../../src/lib/path.ts";
import { foldName, localNameProblem, remoteNameProblem } from "../../../src/sync/names.ts";

const SHA = `1234abcd${"0".repeat(56)}`;
const OTHER = `99998888${"0".repeat(56)}`;

test("foldName: case and Unicode form do not matter", () => {
  expect(foldName("README.md")).toBe(foldName("readme.MD"));
  expect(foldName("café.md")).toBe(foldName("cafe\u0301.md"));
  expect(foldName("CAFÉ.md")).toBe(foldName("cafe\u0301.md"));
  expect(foldName("STRASSE")).toBe(foldName("straße"));
  expect(foldName("ΟΔΟΣ")).toBe(foldName("οδος"));
  expect(foldName("a.md")).not.toBe(foldName("b.md"));
  expect(foldName("e.md")).not.toBe(foldName("é.md"));
});

const COPIES: readonly (readonly [path: string, copy: string])[] = [
  ["a.md", "a.conflict-1234abcd.md"],
  ["docs/a.b.md", "docs/a.b.conflict-1234abcd.md"],
  ["Makefile", "Makefile.conflict-1234abcd"],
  [".env", ".env.conflict-1234abcd"],
  [".env.local", ".env.conflict-1234abcd.local"],
  ["a.conflict-99998888.md", "a.conflict-1234abcd.md"],
  ["a.conflict-11112222.conflict-99998888.md", "a.conflict-1234abcd.md"],
  ["Makefile.conflict-99998888", "Makefile.conflict-1234abcd"],
  [".env.conflict-99998888", ".env.conflict-1234abcd"],
  ["a.conflict-xyz.md", "a.conflict-xyz.conflict-1234abcd.md"],
  [".conflict-99998888", ".conflict-99998888.conflict-1234abcd"],
];

for (const [path, copy] of COPIES) {
  test(`conflictCopyPath: ${path} goes to ${copy}`, () => {
    expect(conflictCopyPath(relPath(path), SHA)).toBe(relPath(copy));
  });
}

test("conflictCopyPath: the copy of a copy is the copy of the original", () => {
  const first = conflictCopyPath(relPath("notes/x.tar.gz"), SHA);
  expect(conflictCopyPath(first, OTHER)).toBe(conflictCopyPath(relPath("notes/x.tar.gz"), OTHER));
  expect(conflictCopyPath(first, SHA)).toBe(first);
});

test("conflictCopyPath: a long name is cut between characters so that the copy can exist", () => {
  const copy = conflictCopyPath(relPath(`${"é".repeat(126)}.md`), SHA);
  expect(new TextEncoder().encode(copy).length).toBeLessThanOrEqual(255);
  expect(copy).toMatch(/^é+\.conflict-1234abcd\.md$/);
  expect(conflictCopyPath(copy, SHA)).toBe(copy);
  expect(conflictCopyPath(relPath(`a.${"x".repeat(250)}`), SHA)).toContain(".conflict-1234abcd.");
});

test("remoteNameProblem: forbidden characters and long components are named", () => {
  const rules = { forbidden: '<>:"', maxNameBytes: 10, caseSensitive: true };
  expect(remoteNameProblem(relPath("a/b.md"), rules)).toBeUndefined();
  expect(remoteNameProblem(relPath("a:b/c.md"), rules)).toContain('":"');
  expect(remoteNameProblem(relPath("a/éééééé"), rules)).toContain("12 bytes");
});

test("localNameProblem: Windows refuses devices, its forbidden characters and trailing dots", () => {
  for (const bad of [
    "con",
    "a/NUL.txt",
    "Com1.md",
    "lpt9",
    "com¹.md",
    "a?.md",
    "a|b",
    "end.",
    "end ",
    "x/tab\t.md",
    "a\\b",
  ]) {
    expect(localNameProblem(relPath(bad), "windows")).toBeString();
    expect(localNameProblem(relPath(bad), "posix")).toBeUndefined();
  }
  for (const good of ["console.md", "com10", "a.b", ".env", "nul-1"]) {
    expect(localNameProblem(relPath(good), "windows")).toBeUndefined();
  }
  expect(localNameProblem(relPath("é".repeat(128)), "posix")).toContain("256 bytes");
});

test("remoteNameProblem: a name that the remote hides from listings is never sent there", () => {
  const rules = { forbidden: "", maxNameBytes: 255, caseSensitive: true, hiddenPrefix: "." };
  expect(remoteNameProblem(relPath("a/.hidden/b.md"), rules)).toContain("hides names");
  expect(remoteNameProblem(relPath("a/b.md"), rules)).toBeUndefined();
});

test("remoteNameProblem: names that a remote reserves, and paths that are too long for it, are told with the reason", () => {
  const rules = {
    forbidden: "",
    maxNameBytes: 255,
    caseSensitive: false,
    reserved: [{ pattern: "^con$", why: "it is a device" }],
    maxPathLength: 12,
  };
  expect(remoteNameProblem(relPath("docs/CON/a"), rules)).toContain("it is a device");
  expect(remoteNameProblem(relPath("docs/con.md"), rules)).toBeUndefined();
  expect(remoteNameProblem(relPath("docs/icon.txt"), rules)).toContain("13 characters");
});
