import { resolve } from "node:path";
import { expandHome } from "../lib/dirs.ts";
import type { InitRequest, InitResult } from "../setup/model.ts";
import { CONFIG_OPTION, DRY_RUN_OPTION, type Options, type OptionValues } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { givenPassword, PASSWORD_STDIN_OPTION } from "./password.ts";

/** What a project is set up with: the options of `init` and `clone`. */
export const INIT_OPTIONS = {
  project: {
    kind: "text",
    value: "PATH",
    help: "The project folder; the current one when left out.",
    completes: "folder",
  },
  backend: {
    kind: "text",
    value: "NAME",
    help: "Where to mirror to; follows from the other flags.",
    completes: "backend",
  },
  "local-folder": { kind: "text", value: "DIR", help: "Folder that plays the remote.", completes: "folder" },
  "webdav-url": { kind: "text", value: "URL", help: "Address of the remote folder itself." },
  "webdav-username": { kind: "text", value: "USER", help: "Account on the server." },
  "webdav-password": { kind: "text", value: "PASS", help: "Its password; others can see it while this runs." },
  "webdav-password-stdin": PASSWORD_STDIN_OPTION,
  "webdav-insecure-http": {
    kind: "flag",
    negatable: true,
    help: "Allow http://, where everybody on the way can read the password.",
  },
  "drive-folder-id": { kind: "text", value: "ID", help: "Google Drive: the folder's id or address." },
  "gcp-project-id": { kind: "text", value: "ID", help: "Google Drive: Cloud project for notifications." },
  "pubsub-topic-id": { kind: "text", value: "ID", help: "Google Drive: Pub/Sub topic for notifications." },
  "credentials-file": {
    kind: "text",
    value: "PATH",
    help: "Google Drive: the OAuth client file, as downloaded.",
    completes: "file",
  },
  "dropbox-app-key": { kind: "text", value: "KEY", help: "Dropbox: App key of your app." },
  "dropbox-folder": { kind: "text", value: "PATH", help: "Dropbox: folder, such as /claude-mirror/notes." },
  "onedrive-client-id": { kind: "text", value: "ID", help: "OneDrive: Application (client) ID." },
  "onedrive-folder": { kind: "text", value: "PATH", help: "OneDrive: folder, such as claude-mirror/notes." },
  "onedrive-authority": { kind: "text", value: "TENANT", help: "OneDrive: who may sign in; common when left out." },
  "poll-interval": { kind: "number", value: "SECS", min: 1, max: 86_400, help: "Seconds between looks for changes." },
  slack: { kind: "flag", negatable: true, help: "Announce changes in Slack." },
  "slack-webhook-url": { kind: "text", value: "URL", help: "Slack's incoming webhook." },
  "slack-channel": { kind: "text", value: "CHAN", help: "Another channel than the webhook's own." },
  "snapshot-format": { kind: "text", value: "FORMAT", choices: ["blobs", "full"], help: "How snapshots are kept." },
  "token-file": { kind: "text", value: "PATH", help: "Where the password or token is kept.", completes: "file" },
  patterns: { kind: "list", value: "GLOB", help: 'Files to mirror; "**/*.md" when never given.' },
  exclude: { kind: "list", value: "GLOB", help: "Files to leave out." },
  profile: { kind: "text", value: "NAME", help: "Take from this profile what is not given.", completes: "profile" },
  config: CONFIG_OPTION,
  "dry-run": DRY_RUN_OPTION,
} as const satisfies Options;

type InitValues = OptionValues<typeof INIT_OPTIONS>;

/** What the options ask for. A password from standard input is read here. */
export async function initRequest(ctx: CommandContext, options: InitValues): Promise<InitRequest> {
  const path = (given: string | undefined) =>
    given === undefined ? undefined : resolve(ctx.cwd, expandHome(given, ctx.home));
  const plain = options["webdav-password"];
  const password = await givenPassword(ctx, { plain, stdin: options["webdav-password-stdin"] });
  const shared = options.profile === undefined ? {} : await sharedRequest(ctx, options.profile);
  return withoutUndefined(shared, {
    project: path(options.project),
    config: path(options.config),
    backend: options.backend,
    localFolder: path(options["local-folder"]),
    webdavUrl: options["webdav-url"],
    webdavUsername: options["webdav-username"],
    webdavInsecureHttp: options["webdav-insecure-http"],
    password,
    driveFolderId: options["drive-folder-id"],
    gcpProjectId: options["gcp-project-id"],
    pubsubTopicId: options["pubsub-topic-id"],
    credentialsFile: path(options["credentials-file"]),
    dropboxAppKey: options["dropbox-app-key"],
    dropboxFolder: options["dropbox-folder"],
    onedriveClientId: options["onedrive-client-id"],
    onedriveFolder: options["onedrive-folder"],
    onedriveAuthority: options["onedrive-authority"],
    tokenFile: path(options["token-file"]),
    pollInterval: options["poll-interval"],
    slack: options.slack,
    slackWebhookUrl: options["slack-webhook-url"],
    slackChannel: options["slack-channel"],
    snapshotFormat: options["snapshot-format"],
    patterns: options.patterns,
    exclude: options.exclude,
    dryRun: options["dry-run"] ?? false,
  });
}

/** What is given wins; lists that are empty are not given. */
function withoutUndefined(shared: Partial<InitRequest>, given: InitRequest): InitRequest {
  const says = Object.entries(given).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return { ...given, ...shared, ...Object.fromEntries(says) };
}

/** Which value of a profile answers which option. */
const FROM_PROFILE = {
  backend: "backend",
  webdav_url: "webdavUrl",
  webdav_username: "webdavUsername",
  webdav_insecure_http: "webdavInsecureHttp",
  drive_folder_id: "driveFolderId",
  gcp_project_id: "gcpProjectId",
  pubsub_topic_id: "pubsubTopicId",
  credentials_file: "credentialsFile",
  dropbox_app_key: "dropboxAppKey",
  dropbox_folder: "dropboxFolder",
  onedrive_client_id: "onedriveClientId",
  onedrive_folder: "onedriveFolder",
  onedrive_authority: "onedriveAuthority",
  local_folder: "localFolder",
  token_file: "tokenFile",
  poll_interval: "pollInterval",
  slack_enabled: "slack",
  slack_webhook_url: "slackWebhookUrl",
  slack_channel: "slackChannel",
  snapshot_format: "snapshotFormat",
  file_patterns: "patterns",
  exclude_patterns: "exclude",
} as const satisfies Readonly<Record<string, keyof InitRequest>>;

const PATHS: readonly string[] = ["credentials_file", "local_folder", "token_file"];

/** Throws MissingError where there is no such profile. */
async function sharedRequest(ctx: CommandContext, profile: string): Promise<Partial<InitRequest>> {
  const { profileValues } = await import("../setup/profiles.ts");
  const values = profileValues(ctx, profile);
  const request = Object.entries(FROM_PROFILE).flatMap(([key, field]) => {
    const value = values.get(key);
    if (value === undefined || value === null || value === "") return [];
    return [[field, PATHS.includes(key) ? expandHome(String(value), ctx.home) : value] as const];
  });
  return Object.fromEntries(request) as Partial<InitRequest>;
}

/** True where nothing but the place of project and settings is given: nobody says what to set up. */
export function saysNothing(options: InitValues): boolean {
  const places: readonly string[] = ["project", "config", "dry-run"];
  return Object.entries(options).every(
    ([name, value]) => places.includes(name) || value === undefined || (Array.isArray(value) && value.length === 0),
  );
}

export function initJson(result: InitResult, gitignoreAdded: boolean): object {
  return {
    config: result.configFile,
    project_path: result.projectPath,
    backend: result.backend,
    remote: result.remote,
    remote_created: result.remoteCreated,
    created: result.created,
    changed: result.changed,
    file_patterns: result.filePatterns,
    exclude_patterns: result.excludePatterns,
    password_file: result.passwordFile,
    dry_run: result.dryRun,
    hints: result.hints,
    gitignore: result.gitignore && { ...result.gitignore, added: gitignoreAdded },
    next: result.next,
  };
}
