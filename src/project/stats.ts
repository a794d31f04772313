import { eventFiles } from "../activity/event.ts";
import { MAX_EVENTS } from "../activity/log.ts";
import type { LogEvent } from "../activity/model.ts";
import { knownStatistics } from "../snapshots/statistics.ts";
import { readActivity } from "./log.ts";
import type { ActivityRow, StatsResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import type { TimeWindow } from "./service.ts";

export type StatsGroup = "backend" | "user" | "machine" | "action" | "day";

export interface StatsRequest extends TimeWindow {
  readonly by: StatsGroup;
  /** True: nobody is asked. */
  readonly offline: boolean;
}

/** Counts and sizes of the project, its snapshots and what the shared log tells of the time since. */
export async function projectStats(parts: Parts, request: StatsRequest): Promise<StatsResult> {
  const { offline, by, sinceMs, untilMs } = request;
  const { signal, stateFolder } = parts.deps;
  const agreed = await agreedFiles(parts);
  const { sizes } = agreed;
  const [snapshots, log] = offline
    ? [knownStatistics(stateFolder, sizes), { events: [], notices: [] }]
    : await Promise.all([(await parts.snapshots()).statistics({ sizes, signal }), readActivity(parts, MAX_EVENTS)]);
  const within = ({ timestamp }: LogEvent) => {
    const at = Date.parse(timestamp);
    return at >= (sinceMs ?? Number.NEGATIVE_INFINITY) && at <= (untilMs ?? Number.POSITIVE_INFINITY);
  };
  const events = log.events.filter(within);
  const keyOf = (event: LogEvent): string => (by === "backend" ? backendName(parts) : keyIn(event, by));
  const { files, bytes } = agreed;
  return {
    files,
    bytes,
    snapshots,
    since: sinceMs ?? null,
    until: untilMs ?? null,
    by,
    rows: grouped(events, keyOf, by),
    totals: { events: events.length, files: events.reduce((sum, event) => sum + eventFiles(event).count, 0) },
    notices: log.notices,
  };
}

function backendName({ deps }: Parts): string {
  return deps.name ?? deps.config.backend;
}

function keyIn(event: LogEvent, by: Exclude<StatsGroup, "backend">): string {
  return by === "day" ? event.timestamp.slice(0, 10) : event[by];
}

function grouped(events: readonly LogEvent[], keyOf: (event: LogEvent) => string, by: StatsGroup): ActivityRow[] {
  const rows = new Map<string, { events: number; files: number }>();
  for (const event of events) {
    const key = keyOf(event);
    const row = rows.get(key) ?? { events: 0, files: 0 };
    rows.set(key, { events: row.events + 1, files: row.files + eventFiles(event).count });
  }
  const list = [...rows].map(([key, counts]) => ({ key, ...counts }));
  const byKey = (a: ActivityRow, b: ActivityRow) => (a.key < b.key ? -1 : 1);
  return by === "day"
    ? list.sort((a, b) => byKey(b, a))
    : list.sort((a, b) => b.events - a.events || b.files - a.files || byKey(a, b));
}

/** What both sides agree on; bytes is null where the size of one is not known. */
async function agreedFiles(parts: Parts) {
  const sizes = new Map<string, number>();
  let files = 0;
  let bytes: number | null = 0;
  for (const { size, sha256 } of await parts.sync.agreed()) {
    files++;
    bytes = bytes === null || size === undefined ? null : bytes + size;
    if (sha256 !== undefined && size !== undefined) sizes.set(sha256, size);
  }
  return { files, bytes, sizes };
}
