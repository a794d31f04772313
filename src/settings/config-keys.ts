import type { Machine } from "./machine.ts";

/** A value that a key of the project YAML can take in our hands. */
export type ConfigValue = string | number | boolean | null | readonly string[];

/** Values by their YAML key. */
export type ConfigValues = Readonly<Record<string, ConfigValue>>;

/** The 30 keys of claude-mirror 0.5.31, the only ones that it loads, with its defaults (reference 1.2). */
export function seedDefaults(machine: Machine): Readonly<Record<SeedKey, ConfigValue>> {
  return {
    backend: "googledrive",
    credentials_file: `${machine.configDir}/credentials.json`,
    drive_folder_id: "",
    dropbox_app_key: "",
    dropbox_folder: "",
    exclude_patterns: [],
    file_patterns: ["**/*.md"],
    gcp_project_id: "",
    machine_name: machine.hostName,
    max_retry_attempts: 3,
    mirror_config_paths: [],
    notify_failures: true,
    onedrive_client_id: "",
    onedrive_folder: "",
    parallel_workers: 5,
    poll_interval: 30,
    project_path: "",
    pubsub_topic_id: "",
    retry_on_push: true,
    slack_channel: "",
    slack_enabled: false,
    slack_webhook_url: "",
    snapshot_format: "full",
    snapshot_on: "",
    token_file: `${machine.configDir}/token.json`,
    user: machine.userName,
    webdav_insecure_http: false,
    webdav_password: "",
    webdav_url: "",
    webdav_username: "",
  };
}

export const SEED_KEYS = [
  "backend",
  "credentials_file",
  "drive_folder_id",
  "dropbox_app_key",
  "dropbox_folder",
  "exclude_patterns",
  "file_patterns",
  "gcp_project_id",
  "machine_name",
  "max_retry_attempts",
  "mirror_config_paths",
  "notify_failures",
  "onedrive_client_id",
  "onedrive_folder",
  "parallel_workers",
  "poll_interval",
  "project_path",
  "pubsub_topic_id",
  "retry_on_push",
  "slack_channel",
  "slack_enabled",
  "slack_webhook_url",
  "snapshot_format",
  "snapshot_on",
  "token_file",
  "user",
  "webdav_insecure_http",
  "webdav_password",
  "webdav_url",
  "webdav_username",
] as const;

export type SeedKey = (typeof SEED_KEYS)[number];

/** Keys of our own: written only when they differ from their default, for the Python tool refuses a file that has them. */
export const OWN_KEYS = ["auto_prune", "auto_pull", "keep_weekly", "local_folder", "onedrive_authority"] as const;

/** Keys that came with claude-mirror up to 0.5.70: known, kept, and used only where we say so. */
export const LATER_KEYS: readonly string[] = [
  ...withPrefix("sftp", "host port username key_file password known_hosts_file strict_host_check folder"),
  ...withPrefix("ftp", "host port username password folder tls passive"),
  ...withPrefix("s3", "endpoint_url bucket region access_key_id secret_access_key prefix use_path_style"),
  ...withPrefix("smb", "server port share username password domain folder encryption"),
  ...withPrefix("slack", "routes template_format"),
  ...withPrefix("discord", "enabled webhook_url routes template_format"),
  ...withPrefix("teams", "enabled webhook_url routes template_format"),
  ...withPrefix("webhook", "enabled url extra_headers routes template_format"),
  ...withPrefix("keep", "last daily monthly yearly"),
  ...["max_throttle_wait_seconds", "max_upload_kbps", "webdav_streaming_threshold_bytes", "profile"],
];

const KNOWN: ReadonlySet<string> = new Set([...SEED_KEYS, ...OWN_KEYS, ...LATER_KEYS]);

/** False for a key that neither we nor any version up to 0.5.70 knows. */
export function isKnownKey(key: string): boolean {
  return KNOWN.has(key);
}

function withPrefix(prefix: string, names: string): string[] {
  return names.split(" ").map((name) => `${prefix}_${name}`);
}
