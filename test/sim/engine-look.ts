import * as fs from "node:fs";
import { join } from "node:path";
import { blobPath, RESERVED_FOLDERS, SNAPSHOTS_FOLDER } from "../../src/backends/layout.ts";
import { type ParsedManifest, parseManifest } from "../../src/snapshots/manifest-codec.ts";
import { openTrash } from "../../src/sync/trash.ts";
import type { MemoryEntry } from "../support/memory-store.ts";
import { digest } from "../support/tree.ts";
import type { Client, World } from "./engine-model.ts";

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
  for (const entry of manifests(world)) {
    for (const sha256 of snapshotFiles(entry).values()) {
      const blob = world.store.get(blobPath(sha256));
      if (blob !== undefined && digestOf(blob) === sha256) found.set(sha256, entry.path);
    }
  }
  return found;
}

function trashed(client: Client): string[] {
  const trash = openTrash(client.trashFolder, { clock: { now: () => 0, sleep: async () => {} }, root: client.root });
  return trash.list().map((entry) => digest(fs.readFileSync(trash.contentOf(entry))));
}

/** The manifests of snapshots, oldest name first. */
export function manifests({ store }: World): MemoryEntry[] {
  const entries = [...store.files.values()].filter((it) => it.path.startsWith(`${SNAPSHOTS_FOLDER}/`));
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const parsed = new WeakMap<MemoryEntry, ReadonlyMap<string, string>>();

/** What a manifest names: path to SHA-256. Throws for one that cannot be read. */
export function snapshotFiles(entry: MemoryEntry): ReadonlyMap<string, string> {
  let files = parsed.get(entry);
  if (files === undefined) {
    const name = timestampOf(entry);
    const manifest: ParsedManifest = parseManifest(new TextDecoder().decode(entry.bytes), name);
    if (manifest.kind !== "ok") throw new Error(`the manifest ${name} cannot be read`);
    files = manifest.manifest.files;
    parsed.set(entry, files);
  }
  return files;
}

export function timestampOf(entry: MemoryEntry): string {
  return entry.path.slice(SNAPSHOTS_FOLDER.length + 1, -".json".length);
}

const digests = new WeakMap<MemoryEntry, string>();

export function digestOf(entry: MemoryEntry): string {
  let sha256 = digests.get(entry);
  if (sha256 === undefined) {
    sha256 = digest(entry.bytes);
    digests.set(entry, sha256);
  }
  return sha256;
}
