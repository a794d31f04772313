import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FakeDropbox } from "../fakes/dropbox.ts";
import type { RemotePlace } from "./remote-place.ts";
import { tempFolder } from "./temp.ts";

let made = 0;

/** A new folder on the fake, and somebody who changes it on dropbox.com. */
export function dropboxPlace(fake: FakeDropbox): RemotePlace {
  const root = `/team/project ${++made}`;
  const folder = tempFolder("dropbox-copy");
  fake.tree.createFolder(root);
  const at = (path: string) => `${root}/${path}`;
  const fail = (error: unknown): never => {
    throw new Error(`the test's own hand failed: ${String(error)}`);
  };
  return {
    folder,
    settings: { backend: "dropbox", dropbox_app_key: fake.appKey, dropbox_folder: root },
    token: JSON.parse(fake.tokenFile()) as object,
    env: fake.env(),
    hidesDotNames: false,
    refuses: /\\/,
    ignoresCase: true,
    refresh() {
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
    put(path, content) {
      const bytes = Buffer.from(content as Uint8Array);
      fake.tree.commit({ path: at(path), mode: "overwrite" }, bytes, (error) => fail(JSON.stringify(error)));
    },
    remove: (path) => void fake.tree.remove({ path: at(path) }),
  };
}
