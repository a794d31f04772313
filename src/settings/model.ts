import type { BackendKind } from "../backends/types.ts";

/** Which events go to one webhook. */
export interface WebhookRoute {
  /** A secret of its own. */
  readonly url: string;
  readonly on: readonly string[];
  readonly paths: readonly string[];
}

/** One service that is told of what this machine does. */
export interface Webhook {
  readonly kind: "slack" | "discord" | "teams" | "webhook";
  readonly routes: readonly WebhookRoute[];
  /** Slack only. */
  readonly channel?: string;
  /** Generic webhooks only. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One project's settings, defaults filled in, `~` expanded, types checked. Keys: reference 1.2. */
export interface ProjectConfig {
  /** Absolute path of the YAML this came from. */
  readonly file: string;
  readonly projectPath: string;
  readonly backend: BackendKind;
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly tokenFile: string;
  readonly machineName: string;
  readonly user: string;
  readonly localFolder: string;
  readonly webdavUrl: string;
  readonly webdavUsername: string;
  /** A password found in the YAML, where it does not belong; `""` when there is none. */
  readonly webdavPassword: string;
  readonly webdavInsecureHttp: boolean;
  readonly pollInterval: number;
  readonly slackEnabled: boolean;
  readonly slackWebhookUrl: string;
  readonly slackChannel: string;
  /** Those that are enabled and have an address. */
  readonly webhooks: readonly Webhook[];
  readonly driveFolderId: string;
  readonly gcpProjectId: string;
  readonly pubsubTopicId: string;
  readonly credentialsFile: string;
  readonly dropboxAppKey: string;
  readonly dropboxFolder: string;
  readonly onedriveClientId: string;
  readonly onedriveFolder: string;
  /** The tenant part of Microsoft's sign-in address. */
  readonly onedriveAuthority: string;
  readonly snapshotFormat: "blobs" | "full";
  readonly mirrorConfigPaths: readonly string[];
  readonly snapshotOn: "" | "primary" | "all";
  readonly retryOnPush: boolean;
  readonly maxRetryAttempts: number;
  readonly notifyFailures: boolean;
  readonly parallelWorkers: number;
  /** Seconds; how long throttling may hold a run up. */
  readonly maxThrottleWaitSeconds: number;
  /** Kilobits per second, 1024-based; null is unlimited. */
  readonly maxUploadKbps: number | null;
  /** What `prune --from-config` and `auto_prune` keep; 0 or left out is no such rule. */
  readonly keepLast?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  /** Runs that made a snapshot prune by these rules, too. */
  readonly autoPrune?: boolean;
  /** The watcher fetches what others changed, as far as that is safe. */
  readonly autoPull?: boolean;
  /** Absolute path of the profile whose values stand in where the project's say nothing. */
  readonly profileFile?: string;
  /** What is odd about the file and does not stop us: unknown keys, clamped values, a secret. */
  readonly warnings: readonly string[];
}
