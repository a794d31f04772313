import { expect, test } from "bun:test";
import { compileScope } from "../../../src/sync/scope.ts";

const everything = compileScope({ filePatterns: ["**/*"], excludePatterns: [] });

test("compileScope: state files of both tools, .git and reserved folders are out", () => {
  const out = [
    ".claude_mirror_manifest.json",
    "sub/.claude_mirror_manifest.json",
    ".claude_mirror_manifest.json.corrupt",
    ".claude_mirror_manifest.json.lock",
    ".claude_mirror_manifest.json.12.34.tmp",
    ".claude_mirror_hash_cache.json",
    ".claude_mirror_inbox.jsonl",
    ".claude_mirror_prompt_cache.json",
    ".claude_mirror_ignore",
    ".claude_mirror_tmp_0a1b2c",
    "d/.claude_mirror_tmp_0a1b2c",
    ".git",
    ".git/config",
    "sub/.git/HEAD",
    "_claude_mirror_logs/x",
    "_claude_mirror_snapshots/x/y",
    "_claude_mirror_blobs",
  ];
  expect(out.filter((path) => everything.includes(path))).toEqual([]);
});

test("compileScope: names that only look like ours are in", () => {
  const inside = [
    "_index.md",
    "__init__.py",
    "_claude_mirror_logs2/x",
    "d/_claude_mirror_logs/x",
    ".gitignore",
    "x.git/a",
    ".github/a",
    ".claude_mirror_notes.md",
    ".env",
  ];
  expect(inside.filter((path) => !everything.includes(path))).toEqual([]);
});

test("compileScope: folders that are out as a whole are not entered", () => {
  const scope = compileScope({
    filePatterns: ["**/*.md"],
    excludePatterns: ["archive/**"],
    ignoreText: "node_modules/\n!node_modules/keep.md\n*.draft.md\n",
  });
  expect(
    [".git", "a/.git", "_claude_mirror_blobs", "archive", "x/node_modules"].filter((f) => scope.descends(f)),
  ).toEqual([]);
  expect(["src", "a/_claude_mirror_blobs", "archive2"].filter((f) => !scope.descends(f))).toEqual([]);
  const paths = [
    "a.md",
    "a.draft.md",
    "archive/a.md",
    "node_modules/keep.md",
    "x/node_modules/r.md",
    "a.txt",
    "x/b.md",
  ];
  expect(paths.filter((path) => scope.includes(path))).toEqual(["a.md", "x/b.md"]);
});
