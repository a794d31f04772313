import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FakeDropbox } from "../fakes/dropbox.ts";
import { type CloudLab, cloudLab } from "./cloud-lab.ts";

let labs = 0;

export interface DropboxLab extends CloudLab {
  /** The remote folder. */
  readonly root: string;
  readonly token: string;
}

export interface DropboxLabOptions {
  /** The remote folder of another lab. */
  readonly root?: string;
  /** False leaves signing in to the test. */
  readonly signedIn?: boolean;
}

export async function dropboxLab(fake: FakeDropbox, options: DropboxLabOptions = {}): Promise<DropboxLab> {
  const counter = { reset: () => fake.reset(), count: () => fake.total() };
  const lab = cloudLab({ env: fake.env(), counter });
  const root = options.root ?? `/labs/${++labs}`;
  const token = join(lab.configDir, "dropbox-notes-token.json");
  await lab.ok("init", "--dropbox-app-key", fake.appKey, "--dropbox-folder", root, "--patterns", "**/*");
  if (options.signedIn !== false) {
    writeFileSync(token, fake.tokenFile(), { mode: 0o600 });
    if (fake.tree.get(root) === undefined) fake.tree.createFolder(root);
  }
  return { ...lab, root, token };
}
