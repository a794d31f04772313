import { join } from "node:path";
import { hashBytes } from "../lib/hash.ts";

/**
 * The name of a project's folder in our state and data folders: 16 hex digits over the real path of the project folder
 * and the canonical remote root (decision 14), so that a project that moves or gets another remote starts afresh.
 */
export function projectId(realProjectPath: string, remoteRoot: string): string {
  return hashBytes("sha256", `${realProjectPath}\0${remoteRoot}`).slice(0, 16);
}

/** The project's folder in `base`, which is the state or the data folder. */
export function projectFolder(base: string, id: string): string {
  return join(base, id);
}
