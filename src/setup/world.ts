import type { Clock } from "../lib/clock.ts";
import type { Env } from "../lib/dirs.ts";

/** The world outside, as the command line was given it. */
export interface World {
  readonly env: Env;
  /** Absolute. */
  readonly cwd: string;
  readonly home: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One line for the person: warnings about settings, pauses. */
  readonly note: (line: string) => void;
}
