import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, pythonIso } from "../lib/clock.ts";
import { writeAtomic } from "../lib/fs.ts";
import type { Beat } from "./model.ts";

/** How the watcher of one project was when it last said so. Times are Python isoformat, UTC. */
export interface Heartbeat {
  readonly pid: number;
  readonly since: string;
  /** Of the last look that worked; `""` before the first. */
  readonly lastLook: string;
  readonly at: string;
  readonly state: Beat["state"];
  readonly error: string;
  /** Whether changes were told of as they happen; missing in what older versions wrote. */
  readonly told?: boolean;
}

/** Where the watcher of the project with this state folder leaves word of itself. */
export function heartbeatFile(stateFolder: string): string {
  return join(stateFolder, "watch.json");
}

/** Where that watcher's lock is. */
export function watchLockFile(stateFolder: string): string {
  return join(stateFolder, "watch.lock");
}

/** A watcher that is well says so this often at least: what is older than a few of these is gone or stuck. Milliseconds. */
export const HEARTBEAT_MS = 60_000;

export interface HeartbeatWriter {
  beat(beat: Beat): void;
  /** Nothing has changed and it goes on: where looks are days apart this is what tells that it lives. */
  alive(): void;
}

/** Notes each change of state at once and the rest now and then, so that an idle watcher writes next to nothing. */
export function heartbeatWriter(
  file: string,
  { clock, pid }: { readonly clock: Clock; readonly pid: number },
): HeartbeatWriter {
  const since = pythonIso(clock.now());
  let last: { readonly atMs: number; readonly beat: Beat } | undefined;
  let lastLook = "";
  const isTold = (beat: Beat) => beat.state === "ok" && beat.told;
  const note = (beat: Beat) => {
    const atMs = clock.now();
    const isSame = last?.beat.state === beat.state && isTold(last.beat) === isTold(beat);
    if (last !== undefined && isSame && Math.abs(atMs - last.atMs) < HEARTBEAT_MS) return;
    last = { atMs, beat };
    const error = beat.state === "ok" ? "" : beat.error;
    const at = pythonIso(atMs);
    const heartbeat: Heartbeat = { pid, since, lastLook, at, state: beat.state, error, told: isTold(beat) };
    try {
      writeAtomic(file, `${JSON.stringify(heartbeat)}\n`, { mode: 0o600, durable: false });
    } catch {
      // Watching goes on without: a full disk is told by whoever has something to keep.
    }
  };
  return {
    beat(beat) {
      if (beat.state === "ok") lastLook = pythonIso(clock.now());
      note(beat);
    },
    alive() {
      if (last !== undefined) note(last.beat);
    },
  };
}

/** Undefined where no watcher has ever said anything. */
export function readHeartbeat(file: string): Heartbeat | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Heartbeat;
  } catch {
    return undefined;
  }
}
