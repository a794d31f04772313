import { statSync } from "node:fs";
import { eventFiles } from "../activity/event.ts";
import { peekNotices } from "../activity/inbox.ts";
import { readLog } from "../activity/log.ts";
import { isOwnEvent, ownEvents } from "../activity/own-events.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { readIgnoreFile } from "../sync/ignore-file.ts";
import { localStanding } from "../sync/standing.ts";
import { loadIndex, type StateIndex } from "../sync/state-index.ts";
import { pendingStatus } from "./mirrors/status.ts";
import type { Parts } from "./parts.ts";

/** What has been waiting for a run, and since when (milliseconds since 1970; undefined where that cannot be told). */
export interface Waiting {
  readonly files: number;
  readonly sinceMs: number | undefined;
}

/** How one project stands by its files and this machine's records; nobody is asked. */
export interface LocalHealth {
  readonly isKnown: boolean;
  readonly inSync: number;
  /** New, changed or deleted here. */
  readonly here: Waiting;
  /** When a file was last agreed on, milliseconds since 1970. */
  readonly agreedMs: number | undefined;
  readonly problem: string | undefined;
  readonly conflicts: number;
  /** Notices that nobody was shown yet, and lines that are none. */
  readonly unread: number;
  readonly unreadable: number;
}

export async function localHealth(parts: Parts): Promise<LocalHealth> {
  const { root, sync, deps } = parts;
  const { filePatterns, excludePatterns } = deps.config;
  const rules = { filePatterns, excludePatterns, ...readIgnoreFile(root) };
  const standing = await localStanding({ files: sync.files, rules, clock: deps.clock });
  const conflicts = parts.envelopes.list().map(({ path }) => path);
  const inbox = peekNotices(root);
  return {
    isKnown: standing.isKnown,
    inSync: standing.inSync,
    here: { files: standing.ahead.length, sinceMs: oldest(standing.ahead.flatMap((path) => changedAt(root, path))) },
    agreedMs: lastAgreed(loadIndex(sync.files.index)),
    problem: standing.problem,
    conflicts: conflicts.length,
    unread: inbox.notices.length,
    unreadable: inbox.unreadable,
  };
}

/** Not known of a file that is gone. */
function changedAt(root: string, path: RelPath): number[] {
  const mtimeMs = statSync(joinUnder(root, path), { throwIfNoEntry: false })?.mtimeMs;
  return mtimeMs === undefined ? [] : [mtimeMs];
}

function oldest(moments: readonly number[]): number | undefined {
  return moments.reduce<number | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
}

function lastAgreed(index: StateIndex | undefined): number | undefined {
  let last: number | undefined;
  for (let row = 0; row < (index?.length ?? 0); row++) {
    const at = Date.parse(index?.baseAt(row)?.syncedAt ?? "");
    if (at > (last ?? Number.NEGATIVE_INFINITY)) last = at;
  }
  return last;
}

/** What others have pushed or deleted and no run here has taken up, by the shared log. Throws BackendError. */
export async function waitingThere(parts: Parts): Promise<Waiting> {
  const { signal, stateFolder, config } = parts.deps;
  const log = await readLog(await parts.backend(), { signal });
  if (log.kind !== "ok") return { files: 0, sinceMs: undefined };
  const us = { own: ownEvents(stateFolder), machine: config.machineName, user: config.user };
  // By the order of the log, for clocks differ: what came before a run of ours was there to be taken.
  const since = log.events.slice(log.events.findLastIndex((event) => isOwnEvent(event, us)) + 1);
  const index = loadIndex(parts.sync.files.index);
  const waiting = new Map<string, number>();
  for (const event of since) {
    const { action, timestamp } = event;
    // A sync names what it fetched as well: that is no news.
    if (action === "pull" || action === "sync") continue;
    for (const file of eventFiles(event).named) {
      waiting.delete(file);
      const row = index?.find(file) ?? -1;
      const base = row < 0 ? undefined : index?.baseAt(row);
      const isNews = base === undefined ? action === "push" : Date.parse(base.syncedAt) < Date.parse(timestamp);
      if (isNews && parts.sync.scope.includes(file)) waiting.set(file, Date.parse(timestamp));
    }
  }
  return { files: waiting.size, sinceMs: oldest([...waiting.values()]) };
}

/** What one mirror lacks. */
export interface MirrorBacklog {
  readonly backend: string;
  readonly pending: number;
  readonly failed: number;
  readonly unsent: number;
  readonly snapshots: number;
  readonly error: string | undefined;
  readonly problem: string | undefined;
}

export async function mirrorBacklogs(parts: Parts): Promise<readonly MirrorBacklog[]> {
  if (parts.mirrors.length === 0) return [];
  const { rows, unsent, snapshots, broken } = await pendingStatus(parts);
  return parts.mirrors.map(({ name: backend }) => {
    const own = rows.filter((row) => row.backend === backend);
    return {
      backend,
      pending: own.filter(({ state }) => state === "pending_retry").length,
      failed: own.filter(({ state }) => state === "failed_perm").length,
      unsent: unsent.find((one) => one.backend === backend)?.files ?? 0,
      snapshots: snapshots.find((one) => one.backend === backend)?.timestamps.length ?? 0,
      error: own.find(({ error }) => error !== null)?.error?.message,
      problem: broken.find((one) => one.backend === backend)?.problem,
    };
  });
}
