import { expect, test } from "bun:test";
import type { RemoteFile, Rev } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
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
