import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER, type Item } from "../fakes/googledrive/store.ts";
import { driveEnv, driveToken, OWNER } from "./googledrive.ts";
import type { RemotePlace } from "./remote-place.ts";
import { quickFolder } from "./temp.ts";

/** A new folder on the fake, and somebody who changes it on drive.google.com. */
export function googledrivePlace(fake: FakeDrive): RemotePlace {
  const { store } = fake;
  const folder = quickFolder("drive-copy");
  const root = store.create(OWNER, { name: "project", mimeType: FOLDER }, undefined).id;
  /** How much of the service's history `folder` shows. */
  let copied = -1;
  const inside = (parent: string, name: string): Item | undefined =>
    [...store.items.values()].find((item) => item.parent === parent && item.name === name && !store.isTrashed(item));
  const parentFor = (path: string): string => {
    let parent = root;
    for (const name of path.split("/").slice(0, -1)) {
      const made =
        inside(parent, name) ?? store.create(OWNER, { name, mimeType: FOLDER, parents: [parent] }, undefined);
      parent = made.id;
    }
    return parent;
  };
  const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const copyOut = (parent: string, to: string): void => {
    for (const item of store.items.values()) {
      if (item.parent !== parent || store.isTrashed(item)) continue;
      const at = join(to, item.name);
      if (item.mimeType === FOLDER) copyOut(item.id, at);
      else {
        mkdirSync(dirname(at), { recursive: true });
        writeFileSync(at, item.content ?? "");
      }
    }
  };
  return {
    folder,
    settings: { backend: "googledrive", drive_folder_id: root },
    token: JSON.parse(driveToken(fake)) as object,
    env: driveEnv(fake),
    hidesDotNames: false,
    refresh() {
      if (copied === store.changes.length) return;
      copied = store.changes.length;
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      copyOut(root, folder);
    },
    put(path, content) {
      const bytes = Buffer.from(content as Uint8Array);
      const there = inside(parentFor(path), nameOf(path));
      if (there) store.update(OWNER, there.id, { content: bytes });
      else store.create(OWNER, { name: nameOf(path), parents: [parentFor(path)] }, bytes);
    },
    remove(path) {
      const there = inside(parentFor(path), nameOf(path));
      if (there) store.update(OWNER, there.id, { trashed: true });
    },
    inManifest(path) {
      const { id = "", content = "" } = inside(parentFor(path), nameOf(path)) ?? {};
      return { id, hash: createHash("md5").update(content).digest("hex") };
    },
    prints: () => [
      `${store.changes.length} changes`,
      ...[...store.items.values()].map(({ id, name, version }) => `${id} ${name} ${version}`),
    ],
    vanish() {
      store.update(OWNER, root, { trashed: true });
      return () => void store.update(OWNER, root, { trashed: false });
    },
  };
}
