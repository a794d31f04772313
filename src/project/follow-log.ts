import type { StoredEvent } from "../activity/log.ts";
import type { LogMark } from "../activity/log-mark.ts";
import type { Beat } from "../activity/model.ts";
import { look, type WatchDeps, watchLog } from "../activity/watch.ts";
import type { Backend } from "../backends/types.ts";
import { randomFraction } from "../lib/random.ts";
import type { ProjectDeps } from "./service.ts";

export interface FollowRequest {
  /** How many entries that are there already are shown first. */
  readonly limit: number;
  /** Between two looks where the remote does not tell by itself, milliseconds. */
  readonly intervalMs: number;
  /** Told of entries, oldest first, each once: everybody's, one's own and pulls included. */
  readonly onEvents: (events: readonly StoredEvent[]) => void;
  readonly onBeat: (beat: Beat) => void;
}

/**
 * Shows the shared log as it grows, until the signal fires; then it returns. What fails at the first look is thrown, what
 * fails later is tried again. Leaves no trace: a watcher of the same project has its own mark.
 */
export async function followLog(
  { clock, signal, openBackend }: Pick<ProjectDeps, "clock" | "signal" | "openBackend">,
  { limit, intervalMs, onEvents, onBeat }: FollowRequest,
): Promise<void> {
  let mark: LogMark = { rev: null, seen: [] };
  let isFirst = true;
  const deps: Omit<WatchDeps, "open" | "beat"> = {
    clock,
    signal,
    random: randomFraction,
    intervalMs,
    readMark: () => mark,
    writeMark: (now) => {
      mark = now;
    },
    wanted: () => () => true,
    deliver(events) {
      onEvents(isFirst ? events.slice(events.length - Math.min(limit, events.length)) : events);
      isFirst = false;
    },
  };
  let opened: Backend | undefined = await openBackend();
  try {
    await look(opened, deps);
  } catch (error) {
    await opened.close().catch(() => undefined);
    throw error;
  }
  isFirst = false;
  await watchLog({
    ...deps,
    async open() {
      const backend = opened ?? (await openBackend());
      opened = undefined;
      return backend;
    },
    beat: onBeat,
  });
}
