import { basename, resolve } from "node:path";
import type { BackendKind } from "../backends/types.ts";
import { expandHome } from "../lib/dirs.ts";
import { UsageError } from "../lib/errors.ts";
import { checkPatterns, checkWebdavUrl, checkWebhookUrl, requireApart } from "./checks.ts";
import { acceptCloudValue, defaultCloudFolder } from "./init-clouds.ts";
import type { Draft, DraftKey } from "./wizard-draft.ts";
import { listOf } from "./wizard-draft.ts";

/** What the questions need to know of the machine. */
export interface WizardPlaces {
  readonly cwd: string;
  readonly home: string;
  /** `~/.config/claude_mirror`. */
  readonly configDir: string;
  /** The kinds that can be chosen. */
  readonly backends: readonly BackendKind[];
  readonly insecureHttp: boolean;
  /** True where a project folder that is missing will be made. */
  readonly newProject: boolean;
  readonly kindOf: (path: string) => "file" | "folder" | "nothing";
  readonly isWritable: (folder: string) => boolean;
  /** Where this project's settings or token go when nobody says so. Throws UsageError for what cannot be. */
  readonly placeOf: (what: "config" | "tokenFile", draft: Draft) => string;
}

export type Accepted = { readonly value: string } | { readonly problem: string };

/** One question, as data: what it says, when it is asked, what is offered and what is taken. */
export interface WizardQuestion {
  readonly key: DraftKey;
  readonly message: string;
  /** What answers it without a terminal. */
  readonly flag: string;
  readonly kind: "choice" | "line" | "secret" | "yes-no";
  /** True where the answer can be nothing. */
  readonly optional?: boolean;
  readonly isAsked?: (draft: Draft) => boolean;
  /** What Enter takes where neither flags nor settings say anything. */
  readonly offer?: (draft: Draft, places: WizardPlaces) => string;
  /** The answer as it is kept, or what is wrong with it. */
  readonly accept?: (text: string, draft: Draft, places: WizardPlaces) => Accepted;
}

const on =
  (...kinds: readonly BackendKind[]) =>
  ({ backend }: Draft) =>
    kinds.some((kind) => kind === backend);
const nameOf = ({ project }: Draft) => basename(project ?? "") || "project";

/** In the order in which they are asked. */
export const QUESTIONS: readonly WizardQuestion[] = [
  {
    key: "backend",
    message: "Storage backend",
    flag: "--backend NAME",
    kind: "choice",
    offer: () => "googledrive",
  },
  {
    key: "project",
    message: "Project directory",
    flag: "--project PATH",
    kind: "line",
    offer: (_draft, { cwd }) => cwd,
    accept: (text, _draft, places) => pathTo("folder", text, places, places.newProject),
  },
  {
    key: "localFolder",
    message: "Folder that plays the remote",
    flag: "--local-folder DIR",
    kind: "line",
    isAsked: on("local"),
    accept: acceptLocalFolder,
  },
  {
    key: "webdavUrl",
    message: "WebDAV URL",
    flag: "--webdav-url URL",
    kind: "line",
    isAsked: on("webdav"),
    accept: (text, _draft, { insecureHttp }) => unless(text, () => checkWebdavUrl(text, { insecure: insecureHttp })),
  },
  {
    key: "webdavUsername",
    message: "WebDAV username",
    flag: "--webdav-username USER",
    kind: "line",
    optional: true,
    isAsked: on("webdav"),
  },
  {
    key: "webdavPassword",
    message: "WebDAV password (or app password)",
    flag: "--webdav-password-stdin",
    kind: "secret",
    isAsked: (draft) => on("webdav")(draft) && Boolean(draft.webdavUsername),
  },
  {
    key: "dropboxAppKey",
    message: "Dropbox app key",
    flag: "--dropbox-app-key KEY",
    kind: "line",
    isAsked: on("dropbox"),
    accept: cloud("dropbox_app_key"),
  },
  {
    key: "dropboxFolder",
    message: "Dropbox folder",
    flag: "--dropbox-folder PATH",
    kind: "line",
    isAsked: on("dropbox"),
    offer: (draft) => String(defaultCloudFolder("dropbox", nameOf(draft))["dropbox_folder"]),
    accept: cloud("dropbox_folder"),
  },
  {
    key: "onedriveClientId",
    message: "OneDrive client ID (Azure app registration)",
    flag: "--onedrive-client-id ID",
    kind: "line",
    isAsked: on("onedrive"),
    accept: cloud("onedrive_client_id"),
  },
  {
    key: "onedriveFolder",
    message: "OneDrive folder",
    flag: "--onedrive-folder PATH",
    kind: "line",
    isAsked: on("onedrive"),
    offer: (draft) => String(defaultCloudFolder("onedrive", nameOf(draft))["onedrive_folder"]),
    accept: cloud("onedrive_folder"),
  },
  {
    key: "credentialsFile",
    message: "Credentials file",
    flag: "--credentials-file PATH",
    kind: "line",
    isAsked: on("googledrive"),
    offer: (_draft, { configDir }) => `${configDir}/credentials.json`,
    accept: (text, _draft, places) => pathTo("file", text, places),
  },
  {
    key: "driveFolderId",
    message: "Drive folder ID (or its address)",
    flag: "--drive-folder-id ID",
    kind: "line",
    isAsked: on("googledrive"),
    accept: cloud("drive_folder_id"),
  },
  {
    key: "gcpProjectId",
    message: "GCP project ID (for notices within a second)",
    flag: "--gcp-project-id ID",
    kind: "line",
    optional: true,
    isAsked: on("googledrive"),
    accept: cloud("gcp_project_id"),
  },
  {
    key: "pubsubTopicId",
    message: "Pub/Sub topic ID",
    flag: "--pubsub-topic-id ID",
    kind: "line",
    isAsked: (draft) => on("googledrive")(draft) && Boolean(draft.gcpProjectId),
    offer: (draft) => `claude-mirror-${nameOf(draft).replace(/[^A-Za-z0-9._~+%-]/g, "-")}`,
    accept: cloud("pubsub_topic_id"),
  },
  {
    key: "tokenFile",
    message: "Token file",
    flag: "--token-file PATH",
    kind: "line",
    isAsked: on("webdav", "googledrive", "dropbox", "onedrive"),
    offer: (draft, { placeOf }) => placeOf("tokenFile", draft),
    accept: (text, draft, places) => {
      const value = resolve(places.cwd, expandHome(text, places.home));
      if (places.kindOf(value) === "folder") return { problem: "it is a folder, not a file" };
      return unless(value, () => void places.placeOf("tokenFile", { ...draft, tokenFile: value }));
    },
  },
  {
    key: "config",
    message: "Config file",
    flag: "--config PATH",
    kind: "line",
    offer: (draft, { placeOf }) => placeOf("config", draft),
    accept: (text, draft, places) => {
      const value = resolve(places.cwd, expandHome(text, places.home));
      if (places.kindOf(value) === "folder") return { problem: "it is a folder, not a file" };
      return unless(value, () => void places.placeOf("config", { ...draft, config: value }));
    },
  },
  {
    key: "pollInterval",
    message: "Poll interval (seconds)",
    flag: "--poll-interval SECS",
    kind: "line",
    isAsked: on("webdav", "onedrive"),
    offer: () => "30",
    accept: (text) =>
      /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 86_400
        ? { value: text }
        : { problem: "a whole number from 1 to 86400, please" },
  },
  {
    key: "patterns",
    message: "File patterns (comma-separated)",
    flag: "--patterns GLOB",
    kind: "line",
    offer: () => "**/*.md",
    accept: acceptPatterns,
  },
  {
    key: "exclude",
    message: "Exclude (comma-separated)",
    flag: "--exclude GLOB",
    kind: "line",
    optional: true,
  },
  {
    key: "snapshotFormat",
    message: "Snapshot format",
    flag: "--snapshot-format blobs|full",
    kind: "choice",
    offer: () => "blobs",
  },
  {
    key: "slack",
    message: "Announce changes in Slack?",
    flag: "--slack or --no-slack",
    kind: "yes-no",
    offer: () => "no",
  },
  {
    key: "slackWebhookUrl",
    message: "Slack webhook URL",
    flag: "--slack-webhook-url URL",
    kind: "secret",
    isAsked: ({ slack }) => slack === "yes",
    accept: (text) => unless(text, () => checkWebhookUrl(text)),
  },
  {
    key: "slackChannel",
    message: "Slack channel (instead of the webhook's own)",
    flag: "--slack-channel CHAN",
    kind: "line",
    optional: true,
    isAsked: ({ slack }) => slack === "yes",
  },
];

/** What Enter answers: what a flag says, else the settings, else the question's own offer; `""` for nothing. A password
 * is not offered for another account. */
export function offered(question: WizardQuestion, draft: Draft, known: Draft, places: WizardPlaces): string {
  const isAnothers = known.webdavUsername !== undefined && known.webdavUsername !== draft.webdavUsername;
  if (question.key === "webdavPassword" && isAnothers) return "";
  if (question.key === "tokenFile" && signsInElsewhere(draft, known)) return question.offer?.(draft, places) ?? "";
  return known[question.key] || question.offer?.(draft, places) || "";
}

/** Then a token that is known is for something else, and would be written over. */
function signsInElsewhere(draft: Draft, known: Draft): boolean {
  return (["backend", "credentialsFile"] as const).some(
    (key) => known[key] !== undefined && draft[key] !== undefined && known[key] !== draft[key],
  );
}

/** The answer as it is kept, or what is wrong with it. `-` empties what may be empty. */
export function accepted(question: WizardQuestion, text: string, draft: Draft, places: WizardPlaces): Accepted {
  const typed = question.key === "webdavPassword" ? text : text.trim();
  if (question.optional && (typed === "" || typed === "-")) return { value: "" };
  if (typed === "") return { problem: "an answer is needed here" };
  return question.accept?.(typed, draft, places) ?? { value: typed };
}

function pathTo(kind: "file" | "folder", text: string, places: WizardPlaces, mayMiss = false): Accepted {
  const value = resolve(places.cwd, expandHome(text, places.home));
  const found = places.kindOf(value);
  if (found === kind || (mayMiss && found === "nothing")) return { value };
  return { problem: found === "nothing" ? `there is no such ${kind}` : `it is a ${found}, not a ${kind}` };
}

function acceptLocalFolder(text: string, { project = "" }: Draft, places: WizardPlaces): Accepted {
  const value = resolve(places.cwd, expandHome(text, places.home));
  if (places.kindOf(value) === "file") return { problem: "it is a file, not a folder" };
  if (!places.isWritable(value)) return { problem: "you may not write there" };
  return unless(value, () => requireApart({ localFolder: value, projectPath: project }));
}

function acceptPatterns(text: string): Accepted {
  const list = listOf(text);
  if (list.length === 0) return { problem: "at least one pattern is needed" };
  return unless(list.join(", "), () => checkPatterns(list));
}

function cloud(setting: string): NonNullable<WizardQuestion["accept"]> {
  return (text) => acceptCloudValue(setting, text);
}

/** The value, unless the check throws UsageError: then what it found, without the flag that it speaks of. */
function unless(value: string, check: () => void): Accepted {
  try {
    check();
    return { value };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { problem: error.message.slice(error.message.lastIndexOf(": ") + 1).trim() };
  }
}
