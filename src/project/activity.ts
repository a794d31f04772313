import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { makeEvent } from "../activity/event.ts";
import { appendEvents } from "../activity/log.ts";
import type { EventAction, LogEvent } from "../activity/model.ts";
import { rememberOwn } from "../activity/own-events.ts";
import { writeAtomic } from "../lib/fs.ts";
import type { Due } from "../sync/marker.ts";
import type { Parts } from "./parts.ts";

/**
 * Adds what a run did at `atMs` to the shared log, once however often it is asked. Never throws for the log's sake:
 * returns what to tell the user.
 */
export async function reportRun(parts: Parts, due: Due, atMs: number): Promise<readonly string[]> {
  const events = eventsOf(parts, due, atMs);
  if (events.length === 0) return [];
  const { clock, signal, stateFolder } = parts.deps;
  const backend = await parts.backend();
  const seenFile = join(stateFolder, "log-seen");
  const wasSeen = existsSync(seenFile);
  rememberOwn(stateFolder, events);
  const result = await appendEvents(backend, events, { clock, signal, wasSeen });
  const isSeen = result.kind === "appended";
  if (backend.edit !== undefined && isSeen !== wasSeen) noteSeen(seenFile, isSeen ? "seen" : "in doubt");
  return result.kind === "appended" ? [] : [result.notice];
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
  const events: LogEvent[] = [];
  const add = (action: EventAction, files: readonly string[]) => {
    if (files.length > 0) events.push(makeEvent({ ...facts, action, files }, atMs));
  };
  if (due.command === "sync") add("sync", [...due.uploaded, ...due.downloaded, ...due.deletedLocal].sort());
  else {
    add("push", due.uploaded);
    add("pull", [...due.downloaded, ...due.deletedLocal].sort());
  }
  add("delete", due.deletedRemote);
  return events;
}
