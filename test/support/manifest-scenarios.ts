import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { ownMachine } from "./own-machine.ts";
import type { RemoteKind } from "./remote-place.ts";

const MANIFEST = ".claude_mirror_manifest.json";
const md5 = (text: string) => createHash("md5").update(text).digest("hex");

/** One project shared by the Python tool and ours, on a cloud: what stands in the manifest (reference 1.3 and 1.21). */
export function manifestScenarios(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    remote = await kind.start();
  });
  afterAll(() => remote.stop());
  const FILES = ["note.md", "docs/naïve – a b.md", "empty.md"];

  test("manifest: holds each file's id and hash as the Python tool keeps them, whether pushed or pulled", async () => {
    const place = remote.place();
    const [anna, bert] = [await ownMachine("anna", place), await ownMachine("bert", place)];
    for (const path of FILES) anna.write(path, path === "empty.md" ? "" : `${path}\n`);
    expect((await anna.run(["push"])).code).toBe(0);
    expect((await bert.run(["pull"])).code).toBe(0);
    for (const machine of [anna, bert]) {
      const entries = JSON.parse(machine.read(MANIFEST)) as Record<string, Record<string, string>>;
      for (const path of FILES) {
        const { id, hash } = place.inManifest?.(path) ?? expect.unreachable();
        const found = entries[path] ?? entries[Buffer.from(path).toString("latin1")];
        expect([path, found]).toMatchObject([
          path,
          { remote_file_id: id, synced_remote_hash: hash, synced_hash: md5(path === "empty.md" ? "" : `${path}\n`) },
        ]);
      }
    }
  });

  test("manifest: one that the Python tool wrote is taken up: what is agreed stays, what changed since is seen", async () => {
    const place = remote.place();
    const anna = await ownMachine("anna", place);
    const entries: Record<string, object> = {};
    for (const path of ["same.md", "edited there.md", "docs/edited here.md", "gone there.md"]) {
      place.put(path, Buffer.from(path));
      anna.write(path, path);
      const { id, hash } = place.inManifest?.(path) ?? expect.unreachable();
      const synced_at = "2026-11-20T17:08:28.677552+00:00";
      entries[path] = { synced_hash: md5(path), remote_file_id: id, synced_at, synced_remote_hash: hash };
    }
    anna.write(MANIFEST, JSON.stringify(entries, null, 2));
    place.put("edited there.md", Buffer.from("by the Python tool"));
    place.remove("gone there.md");
    anna.write("docs/edited here.md", "by us");
    const { code, json } = await anna.run(["status", "--json"]);
    expect([code, json.summary]).toMatchObject([
      0,
      { in_sync: 1, remote_ahead: 1, local_ahead: 1, deleted_remote: 1, conflict: 0, new_local: 0, new_remote: 0 },
    ]);
    expect((await anna.run(["sync"])).code).toBe(0);
    place.refresh?.();
    expect(anna.files()).toEqual({
      "same.md": "same.md",
      "edited there.md": "by the Python tool",
      "docs/edited here.md": "by us",
    });
  });
}
