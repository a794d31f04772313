import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FakeOneDrive } from "../fakes/onedrive/server.ts";
import { quickXor } from "../fakes/onedrive/store.ts";
import { endpointsOf, tokenFileText } from "./onedrive-setup.ts";
import type { RemotePlace } from "./remote-place.ts";
import { quickFolder } from "./temp.ts";

let made = 0;

/** A new folder on the fake, and somebody who changes it on onedrive.com. */
export function oneDrivePlace(fake: FakeOneDrive): RemotePlace {
  const root = `team/project ${++made}`;
  const folder = quickFolder("onedrive-copy");
  const { drive } = fake;
  /** How much of the drive's history `folder` shows. */
  let copied = -1;
  const rootId = drive.folders(drive.root, root).id;
  const parentOf = (path: string) => drive.folders(rootId, dirname(path) === "." ? "" : dirname(path)).id;
  return {
    folder,
    settings: { backend: "onedrive", onedrive_client_id: fake.identity.clientId, onedrive_folder: root },
    token: JSON.parse(tokenFileText(fake)) as object,
    env: endpointsOf(fake),
    hidesDotNames: false,
    refuses: /["*:<>?\\|]/,
    ignoresCase: true,
    refresh() {
      if (copied === drive.seq()) return;
      copied = drive.seq();
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      const copy = (id: string, to: string): void => {
        for (const item of drive.children(id)) {
          const at = join(to, item.name);
          if (item.kind === "folder") copy(item.id, at);
          else {
            mkdirSync(to, { recursive: true });
            writeFileSync(at, item.bytes);
          }
        }
      };
      copy(rootId, folder);
    },
    put: (path, content) =>
      void drive.put(parentOf(path), path.slice(path.lastIndexOf("/") + 1), Buffer.from(content as Uint8Array)),
    remove: (path) => drive.remove(drive.find(rootId, path)?.id ?? ""),
    inManifest: (path) => ({ id: path, hash: quickXor(drive.find(rootId, path)?.bytes ?? new Uint8Array()) }),
    prints: () => [
      `${drive.seq()} changes`,
      ...[...drive.items.values()].map(({ id, name, etag }) => `${id} ${name} ${etag}`),
    ],
    vanish() {
      const { parent, name } = drive.item(rootId);
      drive.move(rootId, parent, `${name} away`);
      return () => void drive.move(rootId, parent, name);
    },
  };
}
