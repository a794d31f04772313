import { eventFiles } from "../activity/event.ts";
import type { LogEvent } from "../activity/model.ts";
import { isOwnEvent } from "../activity/own-events.ts";
import type { Presence } from "./model.ts";

/** Who did nothing for longer is not there, milliseconds. */
const PRESENT_MS = 24 * 60 * 60 * 1000;
const MOST_FILES = 5;

export interface PresenceOptions {
  readonly machine: string;
  readonly user: string;
  /** Identities of what this machine sent: nobody else's, whatever it was called then. */
  readonly own: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * Who else was active in the last 24 hours (reference 3.3), the most recent first, out of the shared log's entries.
 * Entries of a clock that runs ahead count as recent.
 */
export function presenceIn(events: readonly LogEvent[], options: PresenceOptions): readonly Presence[] {
  const { nowMs } = options;
  const people = new Map<string, { readonly events: LogEvent[] }>();
  for (const event of events) {
    if (isOwnEvent(event, options) || !(Date.parse(event.timestamp) > nowMs - PRESENT_MS)) continue;
    const key = JSON.stringify([event.user, event.machine]);
    const known = people.get(key) ?? { events: [] };
    known.events.push(event);
    people.set(key, known);
  }
  return [...people.values()]
    .map(({ events: theirs }) => presenceOf(theirs.toSorted(byTime)))
    .sort((a, b) => Date.parse(b.last_timestamp) - Date.parse(a.last_timestamp));
}

function byTime(a: LogEvent, b: LogEvent): number {
  return Date.parse(b.timestamp) - Date.parse(a.timestamp);
}

/** `events` are one person's on one machine, newest first, at least one. */
function presenceOf(events: readonly LogEvent[]): Presence {
  const { user, machine, action, timestamp } = events[0] as LogEvent;
  const files = new Set(events.flatMap((event) => eventFiles(event).named));
  return {
    user,
    machine,
    last_action: action,
    last_timestamp: timestamp,
    recent_files: [...files].slice(0, MOST_FILES),
  };
}
