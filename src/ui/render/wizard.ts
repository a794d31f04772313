import type { ProjectConfig } from "../../settings/model.ts";
import { printable, type Style } from "../terminal.ts";

/** What will be saved, for a last look. No secret is in it. */
export function summaryLines(config: ProjectConfig, style: Style, home: string): string[] {
  return [
    style.bold("Summary"),
    ...rows(config).map(([label, value]) => `  ${style.bold(`${label}:`.padEnd(16))} ${printable(short(value, home))}`),
  ];
}

function rows(config: ProjectConfig): [string, string][] {
  const { backend, filePatterns, excludePatterns } = config;
  return [
    ["Backend", backend],
    ["Project", config.projectPath],
    ["Config", config.file],
    ...(backend === "local" ? [] : ([["Token", config.tokenFile]] as [string, string][])),
    ...placeRows(config),
    ["Patterns", filePatterns.join(", ")],
    ["Exclude", excludePatterns.join(", ") || "(none)"],
    ["Snapshots", config.snapshotFormat],
    ["Slack", config.slackEnabled ? `yes, ${config.slackChannel || "the webhook's own channel"}` : "no"],
  ];
}

function placeRows(config: ProjectConfig): [string, string][] {
  const poll: [string, string] = ["Poll interval", `${config.pollInterval}s`];
  switch (config.backend) {
    case "local":
      return [["Folder", config.localFolder]];
    case "webdav":
      return [["URL", config.webdavUrl], ["Username", config.webdavUsername || "(none)"], poll];
    case "dropbox":
      return [
        ["Dropbox folder", config.dropboxFolder],
        ["App key", config.dropboxAppKey],
      ];
    case "onedrive":
      return [["Client ID", config.onedriveClientId], ["OneDrive folder", config.onedriveFolder], poll];
    case "googledrive":
      return [
        ["Credentials", config.credentialsFile],
        ["Drive folder", config.driveFolderId],
        ["GCP project", config.gcpProjectId || "(none)"],
        ["Pub/Sub topic", config.pubsubTopicId || "(none)"],
      ];
  }
}

/** Below `home` as `~/...`. */
export function short(path: string, home: string): string {
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
