import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { snapshotTime } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { GOLDENS } from "../../support/golden.ts";
import { blobSource, snapshotLab } from "../../support/snapshot-lab.ts";
import { filesBelow } from "../../support/tree.ts";

const SNAPSHOTS = "_claude_mirror_snapshots";
const FULL = "2026-11-20T17-40-26Z";

/** Every file below a folder, its bytes as Latin-1. */
function bytesBelow(folder: string): Record<string, string> {
  return Object.fromEntries(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path), "latin1")]));
}

function storedBelow(lab: ReturnType<typeof snapshotLab>, prefix: string): Record<string, string> {
  const below = lab.store.view("").files.filter(({ path }) => path.startsWith(`${prefix}/`));
  return Object.fromEntries(
    below.map(({ path, bytes }) => [path.slice(prefix.length + 1), Buffer.from(bytes).toString("latin1")]),
  );
}

describe("snapshots of the Python tool's contents", () => {
  test("createFull: the folder is its own byte for byte", async () => {
    const folder = join(GOLDENS.full.remote, SNAPSHOTS, FULL);
    const lab = snapshotLab({ copies: true });
    const { "_snapshot_meta.json": meta = "", ...files } = bytesBelow(folder);
    for (const [path, bytes] of Object.entries(files)) lab.store.put(relPath(path), Buffer.from(bytes, "latin1"));
    const { files_changed: filesChanged, triggered_by: by } = JSON.parse(meta);
    const [user = "", machine = ""] = by.split("@");
    await lab.fullSnapshot({ user, machine, filesChanged, atMs: snapshotTime(FULL) as number });
    expect(storedBelow(lab, `${SNAPSHOTS}/${FULL}`)).toEqual(bytesBelow(folder));
  });

  const manifests = [GOLDENS.blobs, GOLDENS.newest].flatMap(({ version, remote }) =>
    filesBelow(join(remote, SNAPSHOTS)).map((name) => [version, remote, name] as const),
  );
  test.each(manifests)("create: the manifest and the blobs are its own byte for byte, %s %s %s", async (...golden) => {
    const [, remote, name] = golden;
    const text = readFileSync(join(remote, SNAPSHOTS, name), "utf8");
    const manifest = JSON.parse(text);
    const lab = snapshotLab();
    const files = new Map(Object.entries<string>(manifest.files).map(([path, sha256]) => [relPath(path), sha256]));
    for (const sha256 of files.values()) {
      const bytes = readFileSync(join(remote, "_claude_mirror_blobs", sha256.slice(0, 2), sha256));
      await lab.service.store(blobSource(bytes));
    }
    const [user = "", machine = ""] = manifest.triggered_by.split("@");
    const facts = { action: manifest.action, user, machine, files, filesChanged: manifest.files_changed };
    const label = { tag: manifest.tag ?? null, message: manifest.message ?? null };
    const timestamp = name.replace(".json", "");
    await lab.service.create({ ...facts, ...label, atMs: snapshotTime(timestamp) as number });
    // 0.5.70 writes both keys also where neither says anything, which 0.5.31 does not; we do as 0.5.31.
    const bare = label.tag === null && label.message === null;
    const wanted = bare ? text.replace(/ {2}"(message|tag)": null,\n/g, "") : text;
    expect(storedBelow(lab, SNAPSHOTS)[name]).toBe(wanted);
    const blobs = bytesBelow(join(remote, "_claude_mirror_blobs"));
    for (const [path, bytes] of Object.entries(storedBelow(lab, "_claude_mirror_blobs")))
      expect(bytes).toBe(blobs[path] as string);
  });
});
