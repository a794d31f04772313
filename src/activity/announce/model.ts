import type { EventAction } from "../model.ts";

/** How one backend stands after the run, as an announcement shows it. */
export interface AnnouncedBackend {
  readonly name: string;
  readonly state: "ok" | "pending" | "warning" | "action-required";
  readonly sent: number;
  readonly deleted: number;
  readonly pending: number;
  readonly snapshots: readonly string[];
  /** Why things are left undone. */
  readonly message: string | null;
  /** The exact next step for a person. */
  readonly advice: string | null;
}

/** One thing that a run did, as others are told of it. */
export interface AnnouncedEvent {
  readonly user: string;
  readonly machine: string;
  readonly project: string;
  readonly action: EventAction;
  /** Python isoformat, UTC. */
  readonly timestamp: string;
  /** Sorted. */
  readonly files: readonly string[];
  /** Of the run; null where there is none and one was to be made, undefined where none was. */
  readonly snapshot: { readonly timestamp: string; readonly format: string } | null | undefined;
  /** How many files both sides agree on. */
  readonly totalFiles: number;
  /** The primary first. */
  readonly backends: readonly AnnouncedBackend[];
}

/** Which events go to one address. */
export interface AnnounceRoute {
  readonly url: string;
  readonly on: readonly string[];
  /** fnmatch patterns; a `**` in front of a slash also stands for no folder at all. */
  readonly paths: readonly string[];
}

export type AnnounceKind = "slack" | "discord" | "teams" | "webhook";

/** One service that is to be told. */
export interface AnnounceService {
  readonly kind: AnnounceKind;
  readonly routes: readonly AnnounceRoute[];
  /** Slack only: the channel that the webhook is asked to use. */
  readonly channel?: string;
  /** Generic webhooks only. */
  readonly headers?: Readonly<Record<string, string>>;
}
