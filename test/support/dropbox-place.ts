import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FakeDropbox } from "../fakes/dropbox.ts";
import type { RemotePlace } from "./remote-place.ts";
import { quickFolder } from "./temp.ts";

let made = 0;

/** A new folder on the fake, and somebody who changes it on dropbox.com. */
export function dropboxPlace(fake: FakeDropbox): RemotePlace {
  const root = `/team/project ${++made}`;
  const folder = quickFolder("dropbox-copy");
  /** How much of the account's history `folder` shows. */
  let copied = -1;
  fake.tree.createFolder(root);
  const at = (path: string) => `${root}/${path}`;
  const fail = (error: unknown): never => {
    throw new Error(`the test's own hand failed: ${String(error)}`);
  };
  const commit = (path: string, bytes: Buffer) =>
    void fake.tree.commit({ path, mode: "overwrite" }, bytes, (error) => fail(JSON.stringify(error)));
  return {
    folder,
    settings: { backend: "dropbox", dropbox_app_key: fake.appKey, dropbox_folder: root },
    token: JSON.parse(fake.tokenFile()) as object,
    env: fake.env(),
    hidesDotNames: false,
    refuses: /\\/,
    ignoresCase: true,
    refresh() {
      if (copied === fake.tree.journal.length) return;
      copied = fake.tree.journal.length;
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      const start = fake.tree.fold(`${root}/`);
      for (const [lower, entry] of fake.tree.entries) {
        if (entry.is !== "file" || !lower.startsWith(start)) continue;
        const file = join(folder, entry.display.slice(root.length + 1));
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, entry.bytes);
      }
    },
    put: (path, content) => commit(at(path), Buffer.from(content as Uint8Array)),
    remove: (path) => void fake.tree.remove({ path: at(path) }),
    inManifest(path) {
      const entry = fake.tree.get(at(path));
      return entry?.is === "file" ? { id: entry.display, hash: entry.hash } : fail(`no file ${path}`);
    },
    prints: () => [
      `${fake.tree.journal.length} changes`,
      ...[...fake.tree.entries.values()].map((entry) => `${entry.display} ${entry.is === "file" ? entry.rev : ""}`),
    ],
    vanish() {
      const start = fake.tree.fold(`${root}/`);
      const below = [...fake.tree.entries].filter(([lower]) => lower.startsWith(start)).map(([, entry]) => entry);
      fake.tree.remove({ path: root });
      return () => {
        for (const entry of below) if (entry.is === "file") commit(entry.display, entry.bytes);
      };
    },
  };
}
