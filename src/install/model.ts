/** What `install` sets up, in the order in which it does. */
export const COMPONENTS = ["path", "skill", "hook", "service", "completion", "man"] as const;
export type ComponentName = (typeof COMPONENTS)[number];

/**
 * What happens to a component's file. `replace`: somebody else's file of this name makes place and is kept beside.
 * `restore`: it gets back the bytes that it had before. `keep`: it is left as it is, `why` tells.
 */
export type FileAction = "none" | "create" | "change" | "replace" | "restore" | "remove" | "keep" | "refuse";

/** What is to be done for one component. */
export interface ComponentStep {
  readonly component: ComponentName;
  /** Absolute; null where this machine has no place for the component. */
  readonly file: string | null;
  readonly action: FileAction;
  /** Whether our part was there before, in whatever version; what another program of our name put there counts. */
  readonly present: boolean;
  /** What else the person should know, one sentence each. */
  readonly notes: readonly string[];
}

/** What became of it. */
export interface ComponentOutcome extends ComponentStep {
  /** `partly`: the file is in place, a program that had to be run failed; `notes` tells. */
  readonly state: "unchanged" | "planned" | "done" | "partly" | "declined" | "failed";
}

export interface InstallReport {
  readonly uninstall: boolean;
  readonly dry_run: boolean;
  readonly components: readonly ComponentOutcome[];
}
