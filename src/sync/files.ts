import { join } from "node:path";
import { HASH_CACHE_FILE } from "./hash-cache.ts";
import { MANIFEST_NAME } from "./manifest-file.ts";

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
