import { join } from "node:path";

/** The shared manifest's name in the project folder (reference 1.3). */
export const MANIFEST_NAME = ".claude_mirror_manifest.json";

/** Name of the shared hash cache in the project folder (reference 1.4). */
export const HASH_CACHE_FILE = ".claude_mirror_hash_cache.json";

/** Where one project's records are. Those in the project folder are shared with the Python tool, the others are ours. */
export interface SyncFiles {
  readonly root: string;
  readonly manifest: string;
  readonly hashCache: string;
  readonly index: string;
  readonly journal: string;
  readonly marker: string;
  readonly listing: string;
  readonly parts: string;
}

/** `root` and `stateFolder` are absolute. */
export function syncFiles(root: string, stateFolder: string): SyncFiles {
  return {
    root,
    manifest: join(root, MANIFEST_NAME),
    hashCache: join(root, HASH_CACHE_FILE),
    index: join(stateFolder, "index.bin"),
    journal: join(stateFolder, "journal.jsonl"),
    marker: join(stateFolder, "run.json"),
    listing: join(stateFolder, "listing.json"),
    parts: join(stateFolder, "parts.jsonl"),
  };
}
