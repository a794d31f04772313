import type { Clock } from "../../lib/clock.ts";
import { redact } from "../../lib/redact.ts";
import type { Backend } from "../types.ts";
import { aroundVerbs, type Call, type Verb } from "./verbs.ts";

/** Calls that reached the backend, by verb, and the bytes that `write` was given. */
export type CallCounts = Record<Verb, number> & { bytes: number };

export function noCalls(): CallCounts {
  const changing = { write: 0, edit: 0, remove: 0, copy: 0, move: 0, removeFolder: 0, mend: 0 };
  return { list: 0, stat: 0, read: 0, ...changing, changes: 0, poll: 0, bytes: 0 };
}

export interface LogOptions {
  readonly clock: Clock;
  /** Takes one redacted line for each call that ended. */
  readonly log?: ((line: string) => void) | undefined;
  /** Counted up. */
  readonly counts?: CallCounts | undefined;
}

/** Counts calls and writes a line about each. */
export function logCalls(backend: Backend, options: LogOptions): Backend {
  const { clock, log, counts } = options;
  return aroundVerbs(backend, async (call, act) => {
    if (counts) {
      counts[call.verb]++;
      counts.bytes += call.size ?? 0;
    }
    const start = clock.now();
    const tell = (end: string): void =>
      log?.(redact(`${wording(call)}: ${end}, ${Math.round(clock.now() - start)} ms`));
    try {
      const result = await act();
      tell("ok");
      return result;
    } catch (error) {
      tell(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
      throw error;
    }
  });
}

function wording({ verb, path, to, size }: Call): string {
  const target = to === undefined ? "" : ` to "${to}"`;
  return `${verb} "${path}"${target}${size === undefined ? "" : ` (${size} bytes)`}`;
}
