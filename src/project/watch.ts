import { basename, join } from "node:path";
import { heartbeatFile, heartbeatWriter, watchLockFile } from "../activity/heartbeat.ts";
import type { NewNotice } from "../activity/inbox.ts";
import { keepNotices } from "../activity/keep-notices.ts";
import type { StoredEvent } from "../activity/log.ts";
import { changedByOthers, readMark, writeMark } from "../activity/log-mark.ts";
import { readMessage } from "../activity/message.ts";
import type { Beat, NoticedEvent } from "../activity/model.ts";
import { ownEvents } from "../activity/own-events.ts";
import { look, type WatchDeps, watchLog } from "../activity/watch.ts";
import { capList } from "../lib/cap-list.ts";
import { acquireLock } from "../lib/lock.ts";
import { randomFraction } from "../lib/random.ts";
import type { ProjectDeps } from "./service.ts";

/** What follows what others did. */
export interface WatchRequest {
  /** Told of each event that is new, after it is in the inbox: one call at a time, and no look waits for it. */
  readonly onNews: (news: readonly NoticedEvent[]) => void | Promise<void>;
  readonly onBeat?: (beat: Beat) => void;
  /** Takes one line about what tells of changes as they happen, when it fails and when it is well again. */
  readonly onNote?: (line: string) => void;
}

/** Names that one message shows. */
const MOST_FILES = 10;

/**
 * Puts what others add to the shared log into the project's inbox until the signal fires; then it returns. One watcher a
 * project: throws LockedError when there is one.
 */
export async function watchProject(deps: ProjectDeps, request: WatchRequest): Promise<void> {
  const { stateFolder, clock, config } = deps;
  const lock = acquireLock(watchLockFile(stateFolder), { command: "watch", clock });
  const heartbeat = heartbeatWriter(heartbeatFile(stateFolder), { clock, pid: process.pid });
  const beat = (now: Beat) => {
    lock.refresh();
    heartbeat.beat(now);
    request.onBeat?.(now);
  };
  let telling = Promise.resolve();
  try {
    await watchLog({
      ...watchDeps(deps),
      ...feedOf(deps, request),
      clock,
      random: randomFraction,
      intervalMs: config.pollInterval * 1000,
      beat,
      alive: heartbeat.alive,
      tell(news) {
        telling = telling
          .then(() => request.onNews(news.map(noticed)))
          .catch((error: unknown) =>
            beat({ state: "failing", error: error instanceof Error ? error.message : String(error), failures: 1 }),
          );
      },
    });
    await telling;
  } finally {
    lock.release();
  }
}

/** One look, for cron. The first one ever only takes note of what is there. */
export async function watchOnce(deps: ProjectDeps, request: WatchRequest): Promise<readonly NoticedEvent[]> {
  const { stateFolder, clock } = deps;
  const lock = acquireLock(watchLockFile(stateFolder), { command: "watch --once", clock });
  try {
    const backend = await deps.openBackend();
    try {
      const news = (await look(backend, watchDeps(deps))).map(noticed);
      if (news.length > 0) await request.onNews(news);
      return news;
    } finally {
      await backend.close();
    }
  } finally {
    lock.release();
  }
}

function watchDeps({
  config,
  clock,
  signal,
  stateFolder,
  openBackend,
}: ProjectDeps): Omit<WatchDeps, "clock" | "random" | "intervalMs" | "beat"> {
  const markFile = join(stateFolder, "watch-mark.json");
  return {
    signal,
    open: openBackend,
    readMark: () => readMark(markFile),
    writeMark: (mark) => writeMark(markFile, mark),
    wanted: () => changedByOthers(ownEvents(stateFolder)),
    deliver(news) {
      keepNotices(news, {
        folder: config.projectPath,
        intentFile: join(stateFolder, "watch-intent.json"),
        nowMs: clock.now(),
        noticeOf: (event) => noticeOf(noticed(event)),
      });
    },
  };
}

function feedOf({ openChannel, config }: ProjectDeps, { onNote }: WatchRequest): Pick<WatchDeps, "feed"> {
  if (openChannel === undefined) return {};
  const project = basename(config.projectPath);
  return {
    feed: {
      open: openChannel,
      read: (message) => readMessage(message, project),
      note: (line) => onNote?.(line),
    },
  };
}

function noticed({ user, machine, files, project, action }: StoredEvent): NoticedEvent {
  return { user, machine, files, project, action };
}

/** A notice of one event, in the words of the notification (reference 1.5). */
export function noticeOf(event: NoticedEvent): NewNotice {
  return { title: "claude-mirror", message: messageOf(event), event };
}

function messageOf({ user, machine, files, project, action }: NoticedEvent): string {
  const names = capList(files, MOST_FILES);
  const did = action === "delete" ? "deleted" : "updated";
  return `${user}@${machine} ${did} ${names.join(", ")} in '${project}'.\nRun \`claude-mirror sync\` to merge.`;
}
