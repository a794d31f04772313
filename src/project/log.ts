import { MAX_EVENTS, readLog } from "../activity/log.ts";
import { ownEvents } from "../activity/own-events.ts";
import type { LogResult, Presence } from "./model.ts";
import type { Parts } from "./parts.ts";
import { presenceIn } from "./presence.ts";

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

/** Who else was active lately, and what to tell of a log that does not say. */
export async function readPresence(
  parts: Parts,
): Promise<{ readonly presence: readonly Presence[]; readonly notices: readonly string[] }> {
  const { config, clock, stateFolder } = parts.deps;
  const { events, notices } = await readActivity(parts, MAX_EVENTS);
  const facts = { machine: config.machineName, user: config.user, own: ownEvents(stateFolder), nowMs: clock.now() };
  return { presence: presenceIn(events, facts), notices };
}
