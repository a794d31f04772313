import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { writeAtomic } from "../../lib/fs.ts";

/** An upload that was begun and may be gone on with. */
export interface OpenUpload {
  /** The session's address, which is all that it takes to write there. */
  readonly url: string;
  /** When it was begun, milliseconds since 1970. */
  readonly atMs: number;
  /** Bytes. */
  readonly size: number;
}

/** Uploads under way, kept so that another process can go on with them. Keys name file, content and what it replaces. */
export interface UploadSessions {
  get(key: string): OpenUpload | undefined;
  set(key: string, upload: OpenUpload): void;
  drop(key: string): void;
}

/** Google keeps a session for a week. */
const LIFETIME_MS = 6 * 24 * 3600 * 1000;

export function uploadSessions(stateFolder: string, clock: Clock): UploadSessions {
  const file = join(stateFolder, "googledrive-uploads.json");
  const load = (): Map<string, OpenUpload> => {
    const since = clock.now() - LIFETIME_MS;
    return new Map(readSessions(file).filter(([, { atMs }]) => atMs >= since));
  };
  const save = (sessions: ReadonlyMap<string, OpenUpload>): void => {
    if (sessions.size === 0) rmSync(file, { force: true });
    else writeAtomic(file, JSON.stringify(Object.fromEntries(sessions)), { mode: 0o600, durable: false });
  };
  return {
    get: (key) => load().get(key),
    set(key, upload) {
      save(load().set(key, upload));
    },
    drop(key) {
      const sessions = load();
      if (sessions.delete(key)) save(sessions);
    },
  };
}

function readSessions(file: string): readonly (readonly [string, OpenUpload])[] {
  try {
    return Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, OpenUpload>);
  } catch {
    return []; // Not there, or damaged: the uploads begin anew.
  }
}
