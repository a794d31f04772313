import { snapshotTime } from "../lib/clock.ts";
import type { History } from "../snapshots/model.ts";
import type { TimeWindow } from "./service.ts";

/** The part of a history that lies in a window; versions keep the labels that the whole history gives them. */
export function historyWithin(history: History, { sinceMs, untilMs }: TimeWindow): History {
  if (sinceMs === undefined && untilMs === undefined) return history;
  const versions = history.versions.filter(({ timestamp }) => {
    const time = snapshotTime(timestamp) ?? 0;
    return time >= (sinceMs ?? Number.NEGATIVE_INFINITY) && time <= (untilMs ?? Number.POSITIVE_INFINITY);
  });
  const distinctVersions = new Set(versions.flatMap(({ sha256 }) => sha256 ?? [])).size;
  return { ...history, versions, distinctVersions, totalAppearances: versions.length };
}
