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

/** What a notice tells of an event of the shared log. `action` may be a word of a later version. */
export interface NoticedEvent {
  readonly user: string;
  readonly machine: string;
  readonly files: readonly string[];
  readonly project: string;
  readonly action: string;
}

/** One line of a project's inbox (reference 1.5). */
export interface Notice {
  /** When it was received: Python isoformat, UTC. */
  readonly timestamp: string;
  readonly title: string;
  readonly message: string;
  /** Left out for messages that tell of no event. */
  readonly event?: NoticedEvent;
}

/** How a watcher is. */
export type Beat =
  /** `told`: the remote tells of changes by itself. */
  | { readonly state: "ok"; readonly told: boolean }
  | { readonly state: "failing"; readonly error: string; readonly failures: number };
