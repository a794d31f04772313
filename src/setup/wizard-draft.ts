import type { BackendKind } from "../backends/types.ts";
import type { ProjectConfig } from "../settings/model.ts";
import type { GivenPassword, InitRequest } from "./model.ts";

/** What the wizard asks for. */
export type DraftKey =
  | "backend"
  | "project"
  | "localFolder"
  | "webdavUrl"
  | "webdavUsername"
  | "webdavPassword"
  | "credentialsFile"
  | "driveFolderId"
  | "gcpProjectId"
  | "pubsubTopicId"
  | "dropboxAppKey"
  | "dropboxFolder"
  | "onedriveClientId"
  | "onedriveFolder"
  | "tokenFile"
  | "config"
  | "pollInterval"
  | "patterns"
  | "exclude"
  | "snapshotFormat"
  | "slack"
  | "slackWebhookUrl"
  | "slackChannel";

/** Answers so far, as text that an answer could be typed as. Paths are absolute; `""` is none. */
export type Draft = Readonly<Partial<Record<DraftKey, string>>>;

/** The answers that the flags give. */
export function draftOfRequest(request: InitRequest): Draft {
  const { password, pollInterval, slack, patterns, exclude } = request;
  return present({
    ...request,
    backend: impliedBackend(request),
    webdavPassword: password?.text,
    pollInterval: pollInterval?.toString(),
    slack: slack === undefined ? undefined : yesOrNo(slack),
    patterns: patterns.length === 0 ? undefined : patterns.join(", "),
    exclude: exclude.length === 0 ? undefined : exclude.join(", "),
  });
}

/** The answers that settings give. */
export function draftOfConfig(config: ProjectConfig): Draft {
  return present({
    ...config,
    project: config.projectPath,
    config: config.file,
    webdavPassword: undefined,
    pollInterval: config.pollInterval.toString(),
    slack: yesOrNo(config.slackEnabled),
    patterns: config.filePatterns.join(", "),
    exclude: config.excludePatterns.join(", "),
  });
}

function impliedBackend(request: InitRequest): string | undefined {
  if (request.backend !== undefined) return request.backend.toLowerCase() === "drive" ? "googledrive" : request.backend;
  const places: readonly (readonly [BackendKind, string | undefined])[] = [
    ["local", request.localFolder],
    ["webdav", request.webdavUrl ?? request.webdavUsername],
    ["dropbox", request.dropboxAppKey ?? request.dropboxFolder],
    ["onedrive", request.onedriveClientId ?? request.onedriveFolder],
    ["googledrive", request.driveFolderId ?? request.credentialsFile],
  ];
  return places.find(([, given]) => given !== undefined)?.[0];
}

const KEYS: Readonly<Record<DraftKey, true>> = {
  backend: true,
  project: true,
  localFolder: true,
  webdavUrl: true,
  webdavUsername: true,
  webdavPassword: true,
  credentialsFile: true,
  driveFolderId: true,
  gcpProjectId: true,
  pubsubTopicId: true,
  dropboxAppKey: true,
  dropboxFolder: true,
  onedriveClientId: true,
  onedriveFolder: true,
  tokenFile: true,
  config: true,
  pollInterval: true,
  patterns: true,
  exclude: true,
  snapshotFormat: true,
  slack: true,
  slackWebhookUrl: true,
  slackChannel: true,
};

function present(values: Readonly<Partial<Record<DraftKey, unknown>>>): Draft {
  const kept = Object.keys(KEYS).flatMap((key) => {
    const value = values[key as DraftKey];
    return typeof value === "string" ? [[key, value]] : [];
  });
  return Object.fromEntries(kept);
}

/** What `init` would be asked for by flags. What no question is about stays as the flags have it. */
export function requestOfDraft(draft: Draft, flags: InitRequest): InitRequest {
  const said = (key: DraftKey) => draft[key] || undefined;
  const { pollInterval, slack } = draft;
  return {
    ...placeless(flags),
    project: said("project"),
    config: said("config"),
    backend: said("backend"),
    localFolder: said("localFolder"),
    webdavUrl: said("webdavUrl"),
    webdavUsername: draft.webdavUsername,
    password: passwordOf(draft),
    driveFolderId: said("driveFolderId"),
    gcpProjectId: said("gcpProjectId"),
    pubsubTopicId: said("pubsubTopicId"),
    credentialsFile: said("credentialsFile"),
    dropboxAppKey: said("dropboxAppKey"),
    dropboxFolder: said("dropboxFolder"),
    onedriveClientId: said("onedriveClientId"),
    onedriveFolder: said("onedriveFolder"),
    tokenFile: said("tokenFile"),
    pollInterval: pollInterval === undefined ? undefined : Number(pollInterval),
    slack: slack === undefined ? undefined : slack === "yes",
    slackWebhookUrl: said("slackWebhookUrl"),
    slackChannel: said("slackChannel"),
    snapshotFormat: said("snapshotFormat"),
    patterns: listOf(draft.patterns),
    exclude: listOf(draft.exclude),
    emptied: EMPTIED.filter(([key]) => draft[key] === "").map(([, setting]) => setting),
  };
}

/** Keys that an answer can empty, and what they are called in the settings. */
const EMPTIED = [
  ["exclude", "exclude_patterns"],
  ["gcpProjectId", "gcp_project_id"],
  ["pubsubTopicId", "pubsub_topic_id"],
  ["slackChannel", "slack_channel"],
] as const satisfies readonly (readonly [DraftKey, string])[];

function placeless({ webdavInsecureHttp, onedriveAuthority, newProject = false, dryRun }: InitRequest) {
  return { webdavInsecureHttp, onedriveAuthority, newProject, dryRun };
}

function passwordOf({ webdavPassword, webdavUsername }: Draft): GivenPassword | undefined {
  return webdavPassword && webdavUsername ? { text: webdavPassword, from: "option" } : undefined;
}

/** Comma-separated; a comma inside of brackets is part of a pattern. */
export function listOf(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split(/,(?![^[\]]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}
