import { expect, test } from "bun:test";
import type { RemoteFile, Rev } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { hashSet } from "../../../src/snapshots/hash-set.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import { openManifestCache } from "../../../src/snapshots/manifest-cache.ts";
import { formatManifest } from "../../../src/snapshots/manifest-codec.ts";
import type { BlobsManifest } from "../../../src/snapshots/model.ts";
import { tempFolder } from "../../support/temp.ts";

const NAME = "2026-11-20T17-40-26Z";
const [ONE, TWO] = ["one", "two"].map((text) => hashBytes("sha256", text)) as [string, string];

function manifest(files: Readonly<Record<string, string>>, extra: Partial<BlobsManifest> = {}): BlobsManifest {
  const entries = Object.entries(files).map(([path, sha256]): [RelPath, string] => [relPath(path), sha256]);
  return {
    timestamp: NAME,
    format: "blobs",
    triggeredBy: "a@b",
    action: "push",
    filesChanged: [],
    totalFiles: entries.length,
    tag: null,
    message: null,
    files: new Map(entries),
    ...extra,
  };
}

test("ManifestCache: digests are those of the files alone, whatever else the manifest says and however files are called", () => {
  const hex = "f".repeat(64);
  for (const [files, extra] of [
    [
      { 'odd": "name.md': ONE, "}": TWO },
      { tag: "v1", message: "good", migratedFrom: "full" },
    ],
    [
      { "a.md": ONE, "b.md": TWO },
      { message: hex, tag: hex, filesChanged: [hex, '": "'], triggeredBy: `": "${hex}` },
    ],
    [{}, { message: hex, action: '"files": {' }],
  ] as const) {
    const cache = openManifestCache(tempFolder("cache"));
    const made = manifest(files, extra as Partial<BlobsManifest>);
    const text = formatManifest(made);
    const file = { path: manifestPath(NAME), rev: "r1" as Rev, size: text.length } as RemoteFile;
    cache.put(made, file);
    expect([...cache.digestsOf([NAME])].sort()).toEqual(Object.values(files).sort());
    expect([...(cache.digestsIfSame(NAME, text) ?? ["none"])].sort()).toEqual(Object.values(files).sort());
    expect(cache.digestsIfSame(NAME, `${text} `)).toBeUndefined();
  }
});

test("namesAll: a snapshot names what its record says on top of those before it, and a body of many pieces is read whole", () => {
  const cache = openManifestCache(tempFolder("cache"));
  const digest = (i: number) => hashBytes("sha256", String(i));
  const long = "x".repeat(1_200_000);
  const many = Array.from({ length: 15_000 }, (_, i) => [`folder/${i}${i === 7 ? long : ""}`, digest(i)] as const);
  const first = manifest(Object.fromEntries(many));
  const changed = { ...Object.fromEntries(many.slice(1)), "folder/2": digest(77_777) };
  const second = { ...manifest(changed), timestamp: "2026-11-20T17-40-27Z" };
  for (const one of [first, second]) cache.put(one, { rev: "r", size: 1 });
  const names = (name: string, ...wanted: number[]) => {
    const set = hashSet();
    for (const i of wanted) set.add(digest(i));
    return cache.namesAll(name, set);
  };
  expect(names(first.timestamp, ...many.keys())).toBe(true);
  expect(names(second.timestamp, ...[...many.keys()].filter((i) => i !== 0 && i !== 2), 77_777)).toBe(true);
  expect([names(second.timestamp, 0), names(second.timestamp, 2), names(first.timestamp, 77_777)]).toEqual([
    false,
    false,
    false,
  ]);
  expect(names("2026-11-20T17-40-28Z", 1)).toBe(false);
});
