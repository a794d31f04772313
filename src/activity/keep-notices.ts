import { readFileSync } from "node:fs";
import { pythonIso } from "../lib/clock.ts";
import { writeAtomic } from "../lib/fs.ts";
import { appendNotice, type NewNotice, peekNotices } from "./inbox.ts";
import { identity, type StoredEvent } from "./log.ts";
import type { Notice } from "./model.ts";

export interface KeepPlaces {
  /** Absolute path of the project folder. */
  readonly folder: string;
  /** Absolute path of a file of our own, for what is about to be written. */
  readonly intentFile: string;
  readonly nowMs: number;
  noticeOf(event: StoredEvent): NewNotice;
}

/**
 * Puts events into the inbox, one line each. What an earlier call wrote before it was killed, and which is brought again for
 * that, stays one line, as long as nobody has read it meanwhile. Throws when it cannot be written.
 */
export function keepNotices(events: readonly StoredEvent[], places: KeepPlaces): void {
  const { folder, intentFile, nowMs, noticeOf } = places;
  const begun = readIntent(intentFile);
  const isAgain = events.some((event) => begun.has(identity(event)));
  const there = new Set(
    isAgain ? peekNotices(folder).notices.map(({ timestamp, event }) => lineKey(timestamp, event)) : [],
  );
  const missing = events.filter((event) => !there.has(begun.get(identity(event)) ?? ""));
  if (missing.length === 0) return;
  const lines = missing.map((event, at) => ({ event, notice: noticeOf(event), atMs: nowMs + at }));
  for (const { event, notice, atMs } of lines) begun.set(identity(event), lineKey(pythonIso(atMs), notice.event));
  const wanted = new Set(events.map(identity));
  writeAtomic(intentFile, JSON.stringify([...begun].filter(([id]) => wanted.has(id))), { mode: 0o600, durable: false });
  for (const { notice, atMs } of lines) appendNotice(folder, notice, atMs);
}

/** Two lines of one batch differ at least in their time. */
function lineKey(timestamp: string, event: Notice["event"]): string {
  return JSON.stringify([timestamp, event?.user, event?.machine, event?.files, event?.project, event?.action]);
}

/** Identities of events to the lines that were to be written for them; empty where nothing is known. */
function readIntent(file: string): Map<string, string> {
  try {
    return new Map(JSON.parse(readFileSync(file, "utf8")) as [string, string][]);
  } catch {
    return new Map();
  }
}
