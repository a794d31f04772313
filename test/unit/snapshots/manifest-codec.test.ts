import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { formatManifest, parseManifest, parseMeta } from "../../../src/snapshots/manifest-codec.ts";
import type { BlobsManifest } from "../../../src/snapshots/model.ts";

const fixtures = join(import.meta.dir, "../../fixtures");
const HASH = "ab".repeat(32);
const NAME = "2026-11-20T17-39-57Z";

function parsed(text: string): BlobsManifest {
  const result = parseManifest(text, NAME);
  if (result.kind !== "ok") throw new Error(result.reason);
  return result.manifest;
}

function reasonFor(text: string): string {
  const result = parseManifest(text, NAME);
  return result.kind === "ok" ? "ok" : result.reason;
}

test("formatManifest: every manifest of 0.5.31 and 0.5.70 is written back byte for byte", () => {
  const files = [...new Bun.Glob("claude-mirror-*/**/_claude_mirror_snapshots/*.json").scanSync(fixtures)];
  expect(files.length).toBeGreaterThanOrEqual(7);
  for (const file of files) {
    const text = readFileSync(join(fixtures, file), "utf8");
    const result = parseManifest(text, basename(file, ".json"));
    if (result.kind !== "ok") throw new Error(`${file}: ${result.reason}`);
    expect(formatManifest(result.manifest)).toBe(text);
    expect(result.manifest.problem).toBeUndefined();
  }
});

test("formatManifest: sorts paths by code point and writes seven keys when there is no tag or message", () => {
  const text = formatManifest({
    timestamp: NAME,
    format: "blobs",
    triggeredBy: "a@b",
    action: "push",
    filesChanged: [],
    totalFiles: 4,
    tag: null,
    message: null,
    files: new Map(["\u{1f600}.md", "\uff5e.md", "b/a.md", "b.md"].map((path) => [relPath(path), HASH])),
  });
  expect(Object.keys(JSON.parse(text))).toEqual([
    "action",
    "files",
    "files_changed",
    "format",
    "timestamp",
    "total_files",
    "triggered_by",
  ]);
  expect(Object.keys(JSON.parse(text).files)).toEqual(["b.md", "b/a.md", "\uff5e.md", "\u{1f600}.md"]);
  expect(text).not.toEndWith("\n");
});

test("formatManifest: a tag brings both keys, and migrated_from takes its place in the order", () => {
  const base = parsed(JSON.stringify({ files: {}, format: "v2", migrated_from: "full" }));
  const keys = Object.keys(JSON.parse(formatManifest({ ...base, tag: "v1" })));
  expect(keys.slice(3, 7)).toEqual(["format", "message", "migrated_from", "tag"]);
  expect(JSON.parse(formatManifest({ ...base, tag: "v1" }))).toMatchObject({ message: null, tag: "v1" });
});

test("parseManifest: missing keys get empty values, unknown ones are dropped, the name is the timestamp", () => {
  const manifest = parsed(JSON.stringify({ files: { "a.md": HASH.toUpperCase() }, later: 1, timestamp: "elsewhere" }));
  expect(manifest).toEqual({
    timestamp: NAME,
    format: "blobs",
    triggeredBy: "",
    action: "",
    filesChanged: [],
    totalFiles: 1,
    tag: null,
    message: null,
    files: new Map([[relPath("a.md"), HASH]]),
  });
});

test("parseManifest: unsafe paths and bad hashes are left out and counted", () => {
  const files = { "../x": HASH, "/etc/passwd": HASH, "a//b": HASH, "good.md": HASH, "short.md": "ab", "n.md": 7 };
  const manifest = parsed(JSON.stringify({ files }));
  expect([...manifest.files.keys()]).toEqual([relPath("good.md")]);
  expect(manifest.problem).toBe("5 of its entries cannot be used");
});

test("parseManifest: the path __proto__ is a path like any other", () => {
  expect([...parsed(`{"files": {"__proto__": "${HASH}"}}`).files]).toEqual([[relPath("__proto__"), HASH]]);
});

test("parseManifest: backslashes separate only where the whole manifest has no slash", () => {
  const windows = parsed(JSON.stringify({ files: { "memory\\a.md": HASH, "b.md": HASH } }));
  expect([...windows.files.keys()] as string[]).toEqual(["memory/a.md", "b.md"]);
  const posix = parsed(JSON.stringify({ files: { "odd\\name.md": HASH, "d/b.md": HASH } }));
  expect([...posix.files.keys()] as string[]).toEqual(["odd\\name.md", "d/b.md"]);
});

test("formatManifest: names with backslashes in a flat project are read back as they are", () => {
  const paths = ["odd\\name.md", "q\\\\:*.md", "\\lead.md", "plain.md"].map(relPath);
  for (const some of [paths, paths.slice(0, 1)]) {
    const manifest = { ...parsed('{"files": {}}'), files: new Map(some.map((path) => [path, HASH])) };
    expect([...parsed(formatManifest(manifest)).files.keys()].sort()).toEqual(some.toSorted());
  }
});

test("parseManifest: backslashes that would make no path are part of names", () => {
  const python = parsed(JSON.stringify({ files: { "q\\\\a.md": HASH, "b.md": HASH } }));
  expect([...python.files.keys()] as string[]).toEqual(["q\\\\a.md", "b.md"]);
  expect(python.problem).toBeUndefined();
});

test("parseManifest: what is no manifest says why", () => {
  expect(reasonFor("")).toBe("it is empty");
  expect(reasonFor('{"files": {"a')).toBe("it is not valid JSON");
  expect(reasonFor("[]")).toBe("it is not a JSON object");
  expect(reasonFor("{}")).toBe("it has no list of files");
  expect(reasonFor('{"files": []}')).toBe("it has no list of files");
  expect(reasonFor('{"files": {}, "format": "v3"}')).toBe('its format is "v3", which this version does not know');
});

test("parseMeta: reads the completion marker of a full snapshot of 0.5.31", () => {
  const file = "claude-mirror-0.5.31/remote-full/_claude_mirror_snapshots/2026-11-20T17-40-26Z/_snapshot_meta.json";
  expect(parseMeta(readFileSync(join(fixtures, file), "utf8"), "2026-11-20T17-40-26Z")).toEqual({
    kind: "ok",
    info: {
      timestamp: "2026-11-20T17-40-26Z",
      format: "full",
      triggeredBy: "alice@workstation",
      action: "push",
      filesChanged: ["memory/notes.md"],
      totalFiles: 5,
      tag: null,
      message: null,
    },
  });
});
