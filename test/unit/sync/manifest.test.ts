import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RelPath } from "../../../src/lib/path.ts";
import { relPath } from "../../../src/lib/path.ts";
import { MANIFEST_NAME } from "../../../src/sync/files.ts";
import {
  baseFromManifest,
  formatManifestEntry,
  type ManifestEntry,
  manifestFromBase,
  parseManifestEntry,
  readManifestKey,
} from "../../../src/sync/manifest.ts";
import { readManifest, rewriteManifest, setCorruptAside } from "../../../src/sync/manifest-file.ts";
import { MalformedObjectError, objectMembers } from "../../../src/sync/manifest-tokens.ts";
import type { BaseEntry } from "../../../src/sync/model.ts";
import { tempFolder } from "../../support/temp.ts";

const WEBDAV = { backend: "webdav" } as const;

function fixture(version: string): string {
  return readFileSync(
    join(import.meta.dir, "../../fixtures", `claude-mirror-${version}/project`, MANIFEST_NAME),
    "utf8",
  );
}

function fileWith(text: string): string {
  const file = join(tempFolder("manifest"), MANIFEST_NAME);
  writeFileSync(file, text);
  return file;
}

function entries(file: string): Map<RelPath, ManifestEntry> {
  const found = new Map<RelPath, ManifestEntry>();
  const result = readManifest(file, (path, entry) => void found.set(path, entry));
  expect(result.kind).toBe("ok");
  return found;
}

function base(path: string, md5 = "0".repeat(32)): BaseEntry {
  return {
    path: relPath(path),
    md5,
    remoteId: `/${path}`,
    nativeHash: 'W/"4-66',
    racy: false,
    syncedAt: "2026-11-20T17:39:57.856997+00:00",
  };
}

function entry(fields: Record<string, unknown> = {}): ManifestEntry {
  return parseManifestEntry({ synced_hash: "m", remote_file_id: "id", ...fields }) as ManifestEntry;
}

describe.each(["0.5.31", "0.5.70"])("golden %s", (version) => {
  test("formatManifestEntry: every entry read is written byte for byte", () => {
    for (const member of objectMembers(once(fixture(version)))) {
      const parsed = parseManifestEntry(JSON.parse(member.value)) as ManifestEntry;
      expect(formatManifestEntry(parsed)).toBe(member.value);
    }
  });

  test("rewriteManifest: all entries written from their base records give the same file", () => {
    const text = fixture(version);
    const changes = new Map<RelPath, BaseEntry>();
    for (const [path, found] of entries(fileWith(text))) {
      changes.set(
        path,
        baseFromManifest(path, found, (stored) => stored),
      );
    }
    const file = join(tempFolder("manifest"), MANIFEST_NAME);
    const result = rewriteManifest(file, changes, WEBDAV);
    expect(result).toMatchObject({ kind: "ok", entries: changes.size, written: true });
    expect(readFileSync(file, "utf8").length).toBe(text.length);
    const attempts = /"last_attempt": "[^"]*"/g;
    expect(readFileSync(file, "utf8").replace(attempts, "")).toBe(text.replace(attempts, ""));
  });

  test("rewriteManifest: what does not change keeps its bytes, and nothing changed writes nothing", () => {
    const file = fileWith(fixture(version));
    const before = statSync(file, { bigint: true });
    expect(rewriteManifest(file, new Map(), WEBDAV).written).toBe(false);
    const same = new Map(
      [...entries(file)].map(([path, found]) => [path, baseFromManifest(path, found, (stored) => stored)]),
    );
    const fresh = [...same].filter(([path]) => entries(file).get(path)?.syncedAt === attemptOf(file, path));
    expect(fresh.length).toBeGreaterThan(0);
    expect(rewriteManifest(file, new Map(fresh), WEBDAV).written).toBe(false);
    expect(statSync(file, { bigint: true }).mtimeNs).toBe(before.mtimeNs);

    rewriteManifest(file, new Map([[relPath("new.md"), base("new.md")]]), WEBDAV);
    expect(readFileSync(file, "utf8").startsWith(fixture(version).slice(0, -2))).toBe(true);
    rewriteManifest(file, new Map([[relPath("new.md"), undefined]]), WEBDAV);
    expect(readFileSync(file, "utf8")).toBe(fixture(version));
  });
});

function attemptOf(file: string, path: RelPath): unknown {
  const record = entries(file).get(path)?.remotes.get("webdav") as Record<string, unknown> | undefined;
  return record?.["last_attempt"];
}

function once(text: string): () => string | undefined {
  const parts = [text];
  return () => parts.shift();
}

test("parseManifestEntry: the first format's drive_file_id and missing fields are read", () => {
  expect(parseManifestEntry({ synced_hash: "abc", drive_file_id: "d1" })).toEqual({
    syncedHash: "abc",
    remoteFileId: "d1",
    syncedAt: "",
    syncedRemoteHash: "abc",
    remotes: new Map(),
  });
});

test("parseManifestEntry: numbers become text and remotes that are no objects are skipped", () => {
  const found = entry({ synced_remote_hash: 12, remotes: { a: 1, b: null, c: [], d: { attempts: "3" } } });
  expect(found.syncedRemoteHash).toBe("12");
  expect([...found.remotes.keys()]).toEqual(["d"]);
  expect(entry({ remotes: "x" }).remotes.size).toBe(0);
});

test("parseManifestEntry: other shapes are not guessed at", () => {
  for (const value of [4, "x", null, [], {}, { files: {} }, { sha: "x" }]) {
    expect(parseManifestEntry(value)).toBeUndefined();
  }
});

test("formatManifestEntry: remotes is left out when empty", () => {
  expect(formatManifestEntry(entry())).not.toContain("remotes");
});

test("manifestFromBase: other backends' records stay untouched and in place", () => {
  const previous = entry({
    remotes: { dropbox: { state: "failed_perm", attempts: 7, odd: "é" }, webdav: { state: "ok" } },
  });
  const next = manifestFromBase(base("a.md"), "webdav", previous);
  expect([...next.remotes.keys()]).toEqual(["dropbox", "webdav"]);
  expect(next.remotes.get("dropbox")).toEqual({ state: "failed_perm", attempts: 7, odd: "é" });
  expect(next.remotes.get("webdav")).toMatchObject({ state: "ok", intended_hash: "", attempts: 0 });
});

test("readManifestKey: backslashes of old Windows releases are separators unless the remote id has one too", () => {
  expect(readManifestKey("sub\\b.md", entry({ remote_file_id: "/sub/b.md" }))).toEqual({
    kind: "path",
    path: relPath("sub/b.md"),
  });
  expect(readManifestKey("a\\b.md", entry({ remote_file_id: "/a\\b.md" }))).toEqual({
    kind: "path",
    path: relPath("a\\b.md"),
  });
});

test.each(["", "/x", "\\x", "a/../../x", "..\\x", "a\0b", "./x", "a//b"])("readManifestKey: %j is unsafe", (key) => {
  expect(readManifestKey(key, entry()).kind).toBe("unsafe");
});

test("readManifestKey: a name that is not Unicode text is left alone", () => {
  expect(readManifestKey("x\udc80.md", entry()).kind).toBe("foreign");
});

test("readManifest: unsafe keys are named and never handed on", () => {
  const file = fileWith(
    '{"../x": {"synced_hash": "a"}, "ok.md": {"synced_hash": "b"}, "x\\udc80": {"synced_hash": "c"}}',
  );
  const seen: string[] = [];
  expect(readManifest(file, (path) => void seen.push(path))).toEqual({ kind: "ok", entries: 1, unsafe: ["../x"] });
  expect(seen).toEqual(["ok.md"]);
  rewriteManifest(file, new Map([[relPath("n"), base("n")]]), WEBDAV);
  expect(readFileSync(file, "utf8")).toContain('"x\\udc80": {"synced_hash": "c"}');
  expect(readFileSync(file, "utf8")).not.toContain("../x");
});

test("readManifest: a missing file is missing and an empty object is empty", () => {
  expect(readManifest(join(tempFolder(), "none"), () => {})).toEqual({ kind: "missing" });
  expect(readManifest(fileWith(" {\n} \n"), () => {})).toEqual({ kind: "ok", entries: 0, unsafe: [] });
});

test.each([
  "",
  "[]",
  "[{}]",
  "null",
  "4",
  "{",
  '{"a"',
  '{"a":',
  '{"a": {',
  '{"a": {"synced_hash": "x"}',
  "{}}",
  "{} x",
  '{"a": {"synced_hash": "x"}}}',
  '{"a": {"synced_hash": "x",}}',
  '{"a": nonsense}',
  '{"a": {]}',
  "{a: 1}",
  '{"\\x": {}}',
  "{,}",
])("readManifest: %j is corrupt and is not overwritten", (text) => {
  const file = fileWith(text);
  expect(readManifest(file, () => {}).kind).toBe("corrupt");
  expect(rewriteManifest(file, new Map([[relPath("a"), base("a")]]), WEBDAV)).toMatchObject({
    kind: "corrupt",
    written: false,
  });
  expect(readFileSync(file, "utf8")).toBe(text);
  expect(readdirSync(join(file, ".."))).toEqual([MANIFEST_NAME]);
});

test("readManifest: every truncation of a real manifest is corrupt", () => {
  const text = fixture("0.5.70");
  const file = fileWith("");
  for (let length = 0; length < text.length; length++) {
    writeFileSync(file, text.slice(0, length));
    expect(readManifest(file, () => {}).kind).toBe("corrupt");
  }
});

test("readManifest: bytes that are not UTF-8 are corrupt", () => {
  const file = fileWith("");
  writeFileSync(file, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
  expect(readManifest(file, () => {}).kind).toBe("corrupt");
});

test.each(['{"version": 4, "files": {}}', '{"a.md": {"digest": "x"}}', '{"a.md": {"synced_hash": "x"}, "b.md": []}'])(
  "readManifest: %j is from the future and is not overwritten",
  (text) => {
    const file = fileWith(text);
    expect(readManifest(file, () => {}).kind).toBe("future");
    expect(rewriteManifest(file, new Map([[relPath("a"), base("a")]]), WEBDAV)).toMatchObject({
      kind: "future",
      written: false,
    });
    expect(readFileSync(file, "utf8")).toBe(text);
  },
);

test("rewriteManifest: the last entry removed leaves {} and removals from nothing write nothing", () => {
  const file = join(tempFolder(), MANIFEST_NAME);
  expect(rewriteManifest(file, new Map([[relPath("a"), undefined]]), WEBDAV)).toEqual({
    kind: "missing",
    written: false,
  });
  expect(existsSync(file)).toBe(false);
  rewriteManifest(file, new Map([[relPath("a"), base("a")]]), WEBDAV);
  rewriteManifest(file, new Map([[relPath("a"), undefined]]), WEBDAV);
  expect(readFileSync(file, "utf8")).toBe("{}");
});

test("rewriteManifest: two spellings of one path become one entry and the mode is kept", () => {
  const file = fileWith('{"s\\\\a": {"synced_hash": "1"}, "s/a": {"synced_hash": "2"}}');
  chmodSync(file, 0o640);
  rewriteManifest(file, new Map([[relPath("s/a"), base("s/a")]]), WEBDAV);
  expect(Object.keys(JSON.parse(readFileSync(file, "utf8")))).toEqual(["s/a"]);
  expect(statSync(file).mode & 0o777).toBe(0o640);
});

test("setCorruptAside: an earlier one is never replaced", () => {
  const file = fileWith("first");
  expect(setCorruptAside(file)).toBe(`${file}.corrupt`);
  writeFileSync(file, "second");
  expect(setCorruptAside(file)).toBe(`${file}.corrupt-2`);
  expect(readFileSync(`${file}.corrupt`, "utf8")).toBe("first");
  expect(existsSync(file)).toBe(false);
});

test("readManifest: a folder in its place is a local error that names it", () => {
  const file = join(tempFolder(), MANIFEST_NAME);
  mkdirSync(file);
  expect(() => readManifest(file, () => {})).toThrow(file);
});

test("objectMembers: any splitting into pieces gives the same members", () => {
  const text = fixture("0.5.31");
  const whole = [...objectMembers(once(text))];
  for (const size of [1, 2, 7, 64, 1000]) {
    let at = 0;
    const next = () => {
      const piece = text.slice(at, at + size);
      at += size;
      return piece === "" ? undefined : piece;
    };
    expect([...objectMembers(next)]).toEqual(whole);
  }
});

test("objectMembers: quotes and backslashes inside strings do not end them", () => {
  const text = '{"a\\"\\\\": "}\\\\\\"{", "b": [1, "]", {"c": "\\\\"}], "d": 12 }';
  expect([...objectMembers(once(text))].map((member) => member.value)).toEqual([
    '"}\\\\\\"{"',
    '[1, "]", {"c": "\\\\"}]',
    "12",
  ]);
  expect(() => [...objectMembers(once('{"a": "x\\"}'))]).toThrow(MalformedObjectError);
});

test("rewriteManifest: 100,000 entries stream through without holding the file", () => {
  const file = join(tempFolder(), MANIFEST_NAME);
  const many = new Map<RelPath, BaseEntry>();
  for (let i = 0; i < 100_000; i++)
    many.set(relPath(`folder-${i % 100}/file-${i}.md`), base(`folder-${i % 100}/file-${i}.md`));
  rewriteManifest(file, many, WEBDAV);
  many.clear();
  expect(statSync(file).size).toBeGreaterThan(45_000_000);
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  const changed = new Map([[relPath("folder-0/file-0.md"), base("folder-0/file-0.md", "1".repeat(32))]]);
  expect(rewriteManifest(file, changed, WEBDAV)).toMatchObject({ entries: 100_000, written: true });
  expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
});
