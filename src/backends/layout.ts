import { type RelPath, relPath } from "../lib/path.ts";

/** The three folders under a remote root that hold our own data and are never synced (reference 1.6). */
export const LOGS_FOLDER = relPath("_claude_mirror_logs");
export const SNAPSHOTS_FOLDER = relPath("_claude_mirror_snapshots");
export const BLOBS_FOLDER = relPath("_claude_mirror_blobs");
export const RESERVED_FOLDERS: readonly RelPath[] = [LOGS_FOLDER, SNAPSHOTS_FOLDER, BLOBS_FOLDER];

/** Where the shared log lives. */
export const SYNC_LOG_PATH = relPath(`${LOGS_FOLDER}/_sync_log.json`);

/** Left on a remote that is no primary any more, so that other machines do not go on pushing there. */
export const MOVED_PATH = relPath("_claude_mirror_moved.json");

/** Left on a remote that has become the primary. */
export const PROMOTED_PATH = relPath(`${LOGS_FOLDER}/_promoted.json`);

/** Where the body with this SHA-256 (64 lower-case hex digits) lives. */
export function blobPath(sha256: string): RelPath {
  return relPath(`${BLOBS_FOLDER}/${sha256.slice(0, 2)}/${sha256}`);
}
