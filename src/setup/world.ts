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
  /** Name of the profile to use in the place of the one that the config names. */
  readonly profile?: string | undefined;
  /** One line for the person: warnings about settings, pauses. */
  readonly note: (line: string) => void;
}
