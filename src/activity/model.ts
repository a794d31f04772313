export type EventAction = "push" | "pull" | "sync" | "delete";

/** One entry of the shared log: exactly these six keys, in this order (reference 1.7). */
export interface LogEvent {
  readonly machine: string;
  readonly user: string;
  /** Python isoformat, UTC, microseconds. */
  readonly timestamp: string;
  /** At most 100 paths; a longer list ends in `... and N more`. */
  readonly files: readonly string[];
  readonly action: EventAction;
  /** Last component of the project folder. */
  readonly project: string;
}
