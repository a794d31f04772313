import * as fs from "node:fs";
import { join } from "node:path";
import { RESERVED_FOLDERS } from "../../src/backends/layout.ts";
import { openTrash } from "../../src/sync/trash.ts";
import { digest } from "../support/tree.ts";
import type { Client, World } from "./engine-model.ts";
import { bodiesIn, completeSnapshots, digestOf } from "./engine-snapshots.ts";

/** One file of a user, as it lies on a side. */
export interface SeenFile {
  readonly sha256: string;
  /** Moves with every write. */
  readonly stamp: string;
}

/** Both sides of one client. */
export interface Sides {
  readonly local: ReadonlyMap<string, SeenFile>;
  readonly remote: ReadonlyMap<string, SeenFile>;
}

export function isUserPath(path: string): boolean {
  return !path.includes(".claude_mirror_") && !RESERVED_FOLDERS.some((it) => path === it || path.startsWith(`${it}/`));
}

export function lookAtSides(world: World, client: Client): Sides {
  return { local: localFiles(client.root), remote: remoteFiles(world) };
}

/** The user's files below `root`. */
export function localFiles(root: string): Map<string, SeenFile> {
  const files = new Map<string, SeenFile>();
  const walk = (folder: string, prefix: string): void => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const path = prefix + entry.name;
      const absolute = join(folder, entry.name);
      if (!isUserPath(path)) continue;
      if (entry.isDirectory()) walk(absolute, `${path}/`);
      else {
        const { ino, mtimeNs } = fs.statSync(absolute, { bigint: true });
        files.set(path, { sha256: digest(fs.readFileSync(absolute)), stamp: `${ino} ${mtimeNs}` });
      }
    }
  };
  walk(root, "");
  return files;
}

/** Temporary files of ours in the project. */
export function leftovers(root: string): string[] {
  return (fs.readdirSync(root, { recursive: true }) as string[]).filter((path) => path.includes(".claude_mirror_tmp_"));
}

export function remoteFiles({ store }: World): Map<string, SeenFile> {
  const files = new Map<string, SeenFile>();
  for (const entry of store.files.values()) {
    if (isUserPath(entry.path)) files.set(entry.path, { sha256: digestOf(entry), stamp: entry.rev });
  }
  return files;
}

/** Where each content can be got from: a side, a trash, a snapshot. */
export function reachable(world: World): Map<string, string> {
  const found = new Map<string, string>();
  for (const client of world.clients) {
    for (const [path, { sha256 }] of localFiles(client.root)) found.set(sha256, `${client.name}:${path}`);
    for (const sha256 of trashed(client)) found.set(sha256, `${client.name}'s trash`);
  }
  for (const [path, { sha256 }] of remoteFiles(world)) found.set(sha256, `remote:${path}`);
  for (const snapshot of completeSnapshots(world)) {
    for (const sha256 of bodiesIn(world, snapshot)) found.set(sha256, `the snapshot ${snapshot.timestamp}`);
  }
  return found;
}

function trashed(client: Client): string[] {
  const trash = openTrash(client.trashFolder, { clock: { now: () => 0, sleep: async () => {} }, root: client.root });
  return trash.list().map((entry) => digest(fs.readFileSync(trash.contentOf(entry))));
}
