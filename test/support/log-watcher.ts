import { appendEvents } from "../../src/activity/log.ts";
import type { LogMark } from "../../src/activity/log-mark.ts";
import { look } from "../../src/activity/watch.ts";
import type { Backend } from "../../src/backends/types.ts";
import { pythonIso, systemClock } from "../../src/lib/clock.ts";

/** A watcher's looks at a remote, the mark kept between them. */
export interface LogWatcher {
  /** Who changed what, as far as it is new. */
  look(backend: Backend): Promise<readonly string[]>;
  mark(): LogMark | undefined;
}

export function logWatcher(): LogWatcher {
  let mark: LogMark | undefined;
  return {
    async look(backend) {
      const news = await look(backend, {
        signal: new AbortController().signal,
        readMark: () => mark,
        writeMark: (now) => {
          mark = now;
        },
        wanted: () => () => true,
        deliver: () => undefined,
      });
      return news.map(({ machine, files }) => `${machine} ${files.join()}`);
    },
    mark: () => mark,
  };
}

let events = 0;

/** Another machine's push, as the log has it. */
export async function addToLog(backend: Backend, machine: string, file: string): Promise<void> {
  const event = { machine, user: "u", timestamp: pythonIso(++events * 1000), files: [file], action: "push" } as const;
  const added = await appendEvents(backend, [{ ...event, project: "p" }], { clock: systemClock });
  if (added.kind !== "appended") throw new Error(added.notice);
}
