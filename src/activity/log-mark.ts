import { readFileSync } from "node:fs";
import type { Rev } from "../backends/types.ts";
import { writeAtomic } from "../lib/fs.ts";
import { identity, MAX_EVENTS, type StoredEvent } from "./log.ts";

/** How far the shared log of one project was read. */
export interface LogMark {
  /** Version of the log that was read last; null where it may have changed without a new one. */
  readonly rev: Rev | null;
  /** Identities of the events read so far, the last ones: places in a log that drops its oldest entries mean nothing. */
  readonly seen: readonly string[];
  /** Where the next poll goes on, where the remote can be polled. */
  readonly cursor?: string;
}

/** More than the log holds, so that a log that was put back from an older copy is no news. */
const MOST_SEEN = 3 * MAX_EVENTS;

/** Whether an event is worth telling: what others changed. A pull changes nothing for anybody else. */
export function changedByOthers(own: ReadonlySet<string>): (event: StoredEvent, id: string) => boolean {
  return (event, id) => !own.has(id) && event.action !== "pull";
}

/**
 * What came since the mark and is `wanted`, oldest first, twins once. Nothing at the first look, which only takes note of
 * what is there.
 */
export function newsIn(
  events: readonly StoredEvent[],
  mark: LogMark | undefined,
  wanted: (event: StoredEvent, id: string) => boolean,
): { readonly news: readonly StoredEvent[]; readonly seen: readonly string[] } {
  const before = new Set(mark?.seen);
  const fresh = new Map<string, StoredEvent>();
  for (const event of events) {
    const id = identity(event);
    if (!before.has(id)) fresh.set(id, event);
  }
  const news =
    mark === undefined ? [] : [...fresh].filter(([id, event]) => wanted(event, id)).map(([, event]) => event);
  return { news, seen: [...before, ...fresh.keys()].slice(-MOST_SEEN) };
}

/** Undefined where nothing was read yet or the file cannot be used: the next look takes note of what is there. */
export function readMark(file: string): LogMark | undefined {
  try {
    const { rev, seen, cursor } = JSON.parse(readFileSync(file, "utf8")) as Partial<LogMark>;
    if (!Array.isArray(seen) || !seen.every((one) => typeof one === "string")) return undefined;
    return { rev: typeof rev === "string" ? rev : null, seen, ...(typeof cursor === "string" ? { cursor } : {}) };
  } catch {
    return undefined;
  }
}

export function writeMark(file: string, mark: LogMark): void {
  writeAtomic(file, JSON.stringify(mark), { mode: 0o600, durable: false });
}
