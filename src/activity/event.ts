import { capList, uncapped } from "../lib/cap-list.ts";
import { pythonIso } from "../lib/clock.ts";
import type { EventAction, LogEvent } from "./model.ts";

/** How many paths one event names (reference 1.7). */
export const MAX_EVENT_FILES = 100;

export interface EventFacts {
  readonly machine: string;
  readonly user: string;
  readonly files: readonly string[];
  readonly action: EventAction;
  /** Last component of the project folder. */
  readonly project: string;
}

/** An entry for the shared log. `nowMs` is milliseconds since 1970; a long list of files ends in `... and N more`. */
export function makeEvent(facts: EventFacts, nowMs: number): LogEvent {
  return {
    machine: facts.machine,
    user: facts.user,
    timestamp: pythonIso(nowMs),
    files: capList(facts.files, MAX_EVENT_FILES),
    action: facts.action,
    project: facts.project,
  };
}

/** The files that an event names, and how many it is about. */
export function eventFiles({ files }: Pick<EventFacts, "files">): ReturnType<typeof uncapped> {
  return uncapped(files, MAX_EVENT_FILES);
}
