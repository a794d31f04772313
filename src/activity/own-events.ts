import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../lib/fs.ts";
import { identity, MAX_EVENTS, type StoredEvent } from "./log.ts";

/** What this machine has put into the shared log of one project (decision 32). */
const FILE = "own-events.json";

/** To be called before the events are sent: a crash in between leaves an entry that matches nothing. */
export function rememberOwn(stateFolder: string, events: readonly StoredEvent[]): void {
  const known = ownEvents(stateFolder);
  for (const event of events) known.add(identity(event));
  const kept = [...known].slice(-MAX_EVENTS);
  try {
    writeAtomic(join(stateFolder, FILE), JSON.stringify(kept), { mode: 0o600, durable: false });
  } catch {
    // Costs a notice of one's own: no reason to fail a run.
  }
}

/** Identities of the events that are this machine's own. A file that cannot be read is none: it costs a notice of one's own. */
export function ownEvents(stateFolder: string): Set<string> {
  const file = join(stateFolder, FILE);
  if (!existsSync(file)) return new Set();
  try {
    const kept: unknown = JSON.parse(readFileSync(file, "utf8"));
    return new Set(Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : []);
  } catch {
    return new Set();
  }
}

/** Whether this machine has sent an event, or somebody with its names did: under other names it is known by what was sent. */
export function isOwnEvent(
  event: StoredEvent,
  { own, machine, user }: { readonly own: ReadonlySet<string>; readonly machine: string; readonly user: string },
): boolean {
  return own.has(identity(event)) || (event.machine === machine && event.user === user);
}
