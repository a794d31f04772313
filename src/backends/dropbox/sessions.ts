import * as fs from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { writeSecret } from "../../lib/secrets.ts";

/** An upload session that a killed run may have left half filled. */
export interface KeptSession {
  readonly id: string;
  /** Bytes that were acknowledged. */
  readonly offset: number;
  readonly startedMs: number;
}

/** Upload sessions that are under way, by what is sent in them: a content may be taken up again, whoever wants it. */
export interface SessionLog {
  find(content: string): KeptSession | undefined;
  keep(content: string, session: KeptSession): void;
  drop(content: string): void;
}

/** Sessions live seven days (files.stone); one that is about to end is not taken up. Milliseconds. */
const LIFE_MS = 6 * 24 * 3600 * 1000;

/** Opens the log in the state folder. It is read anew each time: runs in other processes share it. */
export function sessionLog(stateFolder: string, clock: Clock): SessionLog {
  const file = join(stateFolder, "dropbox-sessions.json");
  const read = (): Record<string, KeptSession> => {
    try {
      const found = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, KeptSession>;
      const young = ([, { startedMs }]: [string, KeptSession]) => startedMs > clock.now() - LIFE_MS;
      return Object.fromEntries(Object.entries(found).filter(young));
    } catch {
      return {}; // Not there, or not ours: uploads begin anew.
    }
  };
  return {
    find: (content) => read()[content],
    // A session's id lets its holder write into the account for days.
    keep: (content, session) => writeSecret(file, JSON.stringify({ ...read(), [content]: session })),
    drop(content) {
      const { [content]: gone, ...rest } = read();
      if (gone === undefined) return;
      if (Object.keys(rest).length > 0) writeSecret(file, JSON.stringify(rest));
      else fs.rmSync(file, { force: true });
    },
  };
}
