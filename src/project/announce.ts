import { basename } from "node:path";
import type { AnnouncedBackend, AnnouncedEvent } from "../activity/announce/model.ts";
import { pythonIso } from "../lib/clock.ts";
import { eventLists } from "./activity.ts";
import type { Announcement, BackendOutcome, RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";

/** Tells people who do not look at this terminal. Neither ever throws nor takes longer than 5 s. */
export interface Announcer {
  /** Services that want to know what was done; answers what to tell the user. */
  readonly tell?: (events: readonly AnnouncedEvent[]) => Promise<readonly string[]>;
  /** The screen of this machine, for what went wrong where nobody looks. */
  readonly alarm: (announcement: Announcement) => Promise<void>;
}

/** Announces what a run did once it is done. The run's result stands whatever comes of it. */
export async function announceAfter(parts: Parts, running: Promise<RunResult>): Promise<RunResult> {
  const result = await running;
  const { announcer } = parts.deps;
  if (announcer === undefined || result.dryRun || result.output !== null) return result;
  const alarms = result.announcements.map((announcement) => announcer.alarm(announcement));
  const events = announcer.tell === undefined ? [] : await eventsOf(parts, result);
  const notices = events.length === 0 ? [] : await announcer.tell?.(events);
  await Promise.all(alarms);
  return notices === undefined || notices.length === 0
    ? result
    : { ...result, notices: [...result.notices, ...notices] };
}

async function eventsOf(parts: Parts, result: RunResult): Promise<readonly AnnouncedEvent[]> {
  const lists = eventLists(result);
  if (lists.length === 0) return [];
  const { config, clock } = parts.deps;
  const totalFiles = await parts.sync.agreedCount();
  // A run that only fetched makes none.
  const wanted = result.uploaded.length + result.deletedRemote.length > 0;
  const facts = {
    user: config.user,
    machine: config.machineName,
    project: basename(config.projectPath),
    timestamp: pythonIso(clock.now()),
    snapshot: wanted ? result.snapshot : undefined,
    totalFiles,
    backends: result.backends.map(announced),
  };
  return lists.map(({ action, files }) => ({ ...facts, action, files }));
}

function announced(one: BackendOutcome): AnnouncedBackend {
  const { name, state, uploaded, deleted, pending, snapshots, message, advice } = one;
  return { name, state, sent: uploaded.length, deleted: deleted.length, pending, snapshots, message, advice };
}
