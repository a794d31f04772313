import { readLog } from "../activity/log.ts";
import type { LogResult } from "./model.ts";
import type { Parts } from "./parts.ts";

/** The newest entries of the shared log, newest first. A log that is missing is empty; one that cannot be read is told. */
export async function readActivity(parts: Parts, limit: number): Promise<LogResult> {
  const { signal } = parts.deps;
  const log = await readLog(await parts.backend(), { signal });
  if (log.kind === "missing") return { events: [], notices: [] };
  if (log.kind === "unreadable") {
    return { events: [], notices: [`The shared log cannot be read (${log.reason}); it is left as it is.`] };
  }
  const notices = log.skipped === 0 ? [] : [`${log.skipped} log entries could not be understood.`];
  return { events: log.events.toReversed().slice(0, limit), notices };
}
