import { resolve } from "node:path";
import { expandHome } from "../../lib/dirs.ts";
import type { GitignoreOffer, InitResult } from "../../setup/model.ts";
import { initLines } from "../../ui/render/init.ts";
import { CONFIG_OPTION, command, DRY_RUN_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { givenPassword, PASSWORD_STDIN_OPTION } from "../password.ts";

export const initCommand = command({
  name: "init",
  summary: "Set a project up, or change its settings",
  about: [
    "Writes the project's settings, named after its folder. On a project that is set up already it changes only what is given and keeps the rest, comments included.",
    "The backend follows from the flags: --local-folder for a folder that this machine can reach, --webdav-url for a WebDAV server, --drive-folder-id for Google Drive, --dropbox-app-key for Dropbox, --onedrive-client-id for OneDrive. A password goes to the token file, never to the settings; auth checks it.",
  ],
  options: {
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
    config: CONFIG_OPTION,
    "dry-run": DRY_RUN_OPTION,
  },
  examples: [
    "claude-mirror init --local-folder /mnt/backup/notes",
    "claude-mirror init --webdav-url https://cloud.example/remote.php/dav/files/me/notes --webdav-username me",
    "claude-mirror init --exclude 'archive/**'",
  ],
  async run(ctx, { options }) {
    const path = (given: string | undefined) =>
      given === undefined ? undefined : resolve(ctx.cwd, expandHome(given, ctx.home));
    const plain = options["webdav-password"];
    const password = await givenPassword(ctx, { plain, stdin: options["webdav-password-stdin"] });
    const { initProject } = await import("../../setup/init.ts");
    const result = await initProject(ctx, {
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
    for (const hint of result.hints) ctx.note(`Hint: ${hint}`);
    if (!result.dryRun) (await import("../../app-watch.ts")).pokeWatcher(ctx);
    const added = result.gitignore !== null && (await offerGitignore(ctx, result.gitignore, result));
    return { result: initJson(result, added), lines: initLines(result, ctx.out.style) };
  },
});

/** Asks in a terminal, prints the lines elsewhere: the user's own file is never edited unasked. */
async function offerGitignore(ctx: CommandContext, offer: GitignoreOffer, { dryRun }: InitResult): Promise<boolean> {
  const { file, lines } = offer;
  if (ctx.ask.possible && !dryRun) {
    const message = `Keep claude-mirror's state files out of git (adds ${lines.join(" and ")} to ${file})?`;
    if (!(await ctx.ask.confirm({ message, flag: "a line in .gitignore", initial: true }))) return false;
    (await import("../../setup/gitignore.ts")).addToGitignore(offer);
    return true;
  }
  if (!ctx.json) ctx.note(`Hint: to keep the state files out of git, add to ${file}:`);
  if (!ctx.json) for (const line of lines) ctx.note(`  ${line}`);
  return false;
}

function initJson(result: InitResult, gitignoreAdded: boolean): object {
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
