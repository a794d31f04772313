import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { makeEvent } from "../activity/event.ts";
import { appendEvents } from "../activity/log.ts";
import type { EventAction, LogEvent } from "../activity/model.ts";
import { rememberOwn } from "../activity/own-events.ts";
import { writeAtomic } from "../lib/fs.ts";
import type { Due } from "../sync/marker.ts";
import type { Parts } from "./parts.ts";
import { tellMachines } from "./tell.ts";

/** What came of telling others of a run. */
export interface Reported {
  /** For the user. */
  readonly notices: readonly string[];
  /** The log could not be reached: a later run is to try again. */
  readonly again: boolean;
}

/**
 * Adds what a run did at `atMs` to the shared log, once however often it is asked, and tells the other machines. Never
 * throws for the log's sake.
 */
export async function reportRun(parts: Parts, due: Due, atMs: number): Promise<Reported> {
  const events = eventsOf(parts, due, atMs);
  if (events.length === 0) return { notices: [], again: false };
  const { clock, signal, stateFolder } = parts.deps;
  const backend = await parts.backend();
  const seenFile = join(stateFolder, "log-seen");
  const wasSeen = existsSync(seenFile);
  rememberOwn(stateFolder, events);
  const [result, untold] = await Promise.all([
    appendEvents(backend, events, { clock, signal, wasSeen }),
    tellMachines(parts.deps, events),
  ]);
  const isSeen = result.kind === "appended";
  if (backend.edit !== undefined && isSeen !== wasSeen) noteSeen(seenFile, isSeen ? "seen" : "in doubt");
  if (result.kind === "appended") return { notices: untold, again: false };
  const notice = result.passing ? `${result.notice}; the next run tries again` : result.notice;
  return { notices: [notice, ...untold], again: result.passing };
}

/**
 * Saves requests next time and nothing else: a full disk is no failure here. In doubt the next run looks without a lock:
 * nginx keeps one for a minute on a name whose folder is gone.
 */
function noteSeen(file: string, state: "seen" | "in doubt"): void {
  try {
    if (state === "seen") writeAtomic(file, "", { durable: false });
    else rmSync(file, { force: true });
  } catch {
    // See above.
  }
}

function eventsOf(parts: Parts, due: Due, atMs: number): LogEvent[] {
  const { config } = parts.deps;
  const facts = { machine: config.machineName, user: config.user, project: basename(config.projectPath) };
  return eventLists(due).map(({ action, files }) => makeEvent({ ...facts, action, files }, atMs));
}

/** What a run is told as to others: one action each, its files sorted. */
export function eventLists(
  run: { readonly command: string } & Readonly<
    Record<"uploaded" | "downloaded" | "deletedLocal" | "deletedRemote", readonly string[]>
  >,
): readonly { readonly action: EventAction; readonly files: readonly string[] }[] {
  const { uploaded, downloaded, deletedLocal, deletedRemote } = run;
  const fetched = [...downloaded, ...deletedLocal].sort();
  const lists: { readonly action: EventAction; readonly files: readonly string[] }[] =
    run.command === "sync"
      ? [{ action: "sync", files: [...uploaded, ...fetched].sort() }]
      : [
          { action: "push", files: uploaded },
          { action: "pull", files: fetched },
        ];
  return [...lists, { action: "delete" as const, files: deletedRemote }].filter(({ files }) => files.length > 0);
}
