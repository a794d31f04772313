import type { Limiter } from "../../lib/limits.ts";
import type { BackendDeps } from "../module.ts";
import type { Listing, ListOptions } from "../types.ts";
import type { DropboxClient } from "./client.ts";

/** One project's folder on Dropbox, as every part of the backend uses it. */
export interface DropboxPlace {
  readonly client: DropboxClient;
  /** `/claude-mirror/notes`; `""` for all that the app may see. */
  readonly root: string;
  /** Commits, deletes and copies one after the other: Dropbox refuses those that meet in one account. */
  readonly changing: Limiter;
  /** Where this machine keeps what it knows of the place. */
  readonly stateFolder: string;
  /** A listing of everything as of now. */
  readonly list: (options: ListOptions) => Promise<Listing>;
  readonly log?: BackendDeps["log"];
}
