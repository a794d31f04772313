import { basename, dirname, join } from "node:path";
import type { BackendKind } from "../backends/types.ts";
import { UsageError } from "../lib/errors.ts";
import type { ConfigValue } from "../settings/config-keys.ts";
import type { InitRequest } from "./model.ts";

/** One flag of `init` that only one backend knows. */
interface CloudFlag {
  readonly backend: BackendKind;
  readonly flag: string;
  readonly key: string;
  readonly given: (request: InitRequest) => string | undefined;
  /** The value to keep, or undefined for one that cannot be. */
  readonly accept: (text: string) => string | undefined;
  /** What it must be, for the message. */
  readonly wanted: string;
}

const CLOUD_FLAGS: readonly CloudFlag[] = [
  {
    backend: "googledrive",
    flag: "--drive-folder-id",
    key: "drive_folder_id",
    given: (request) => request.driveFolderId,
    accept: driveFolderId,
    wanted: "the folder's id, or its address: the long word after /folders/",
  },
  {
    backend: "googledrive",
    flag: "--gcp-project-id",
    key: "gcp_project_id",
    given: (request) => request.gcpProjectId,
    accept: matching(/^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/),
    wanted: "a project's id: lower-case letters, digits and hyphens",
  },
  {
    backend: "googledrive",
    flag: "--pubsub-topic-id",
    key: "pubsub_topic_id",
    given: (request) => request.pubsubTopicId,
    accept: matching(/^(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/),
    wanted: "a topic's id: a letter, then letters, digits and -_.~+%",
  },
  {
    backend: "googledrive",
    flag: "--credentials-file",
    key: "credentials_file",
    given: (request) => request.credentialsFile,
    accept: (text) => text,
    wanted: "a file",
  },
  {
    backend: "dropbox",
    flag: "--dropbox-app-key",
    key: "dropbox_app_key",
    given: (request) => request.dropboxAppKey,
    accept: matching(/^[A-Za-z0-9_-]+$/),
    wanted: "the App key on the app's Settings tab",
  },
  {
    backend: "dropbox",
    flag: "--dropbox-folder",
    key: "dropbox_folder",
    given: (request) => request.dropboxFolder,
    accept: (text) => folderPath(text, { start: "/", forbidden: /[\\\0]/ }),
    wanted: "a folder's path such as /claude-mirror/notes",
  },
  {
    backend: "onedrive",
    flag: "--onedrive-client-id",
    key: "onedrive_client_id",
    given: (request) => request.onedriveClientId,
    accept: matching(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/),
    wanted: "the Application (client) ID of the app registration",
  },
  {
    backend: "onedrive",
    flag: "--onedrive-folder",
    key: "onedrive_folder",
    given: (request) => request.onedriveFolder,
    accept: (text) => folderPath(text, { start: "", forbidden: /["*:<>?\\|\0]/ }),
    wanted: "a folder's path such as claude-mirror/notes",
  },
  {
    backend: "onedrive",
    flag: "--onedrive-authority",
    key: "onedrive_authority",
    given: (request) => request.onedriveAuthority,
    accept: matching(/^[A-Za-z0-9.-]+$/),
    wanted: "common, consumers, organizations or a tenant's id",
  },
];

/** The flags given that imply a cloud, with it. */
export function cloudFlags(request: InitRequest): readonly (readonly [BackendKind, string])[] {
  return CLOUD_FLAGS.filter(({ given }) => given(request) !== undefined).map(({ backend, flag }) => [backend, flag]);
}

/** The settings that these flags ask for. Throws UsageError for a value that cannot be. */
export function cloudChanges(request: InitRequest): Readonly<Record<string, ConfigValue>> {
  const changes: Record<string, ConfigValue> = {};
  for (const { flag, key, given, accept, wanted } of CLOUD_FLAGS) {
    const text = given(request);
    if (text === undefined) continue;
    const value = accept(text.trim());
    if (!value) {
      throw new UsageError(`cannot use ${flag} "${text}": it is not ${wanted}`, { hint: `Give ${wanted}.` });
    }
    changes[key] = value;
  }
  return changes;
}

/** The value of one of these settings as it is kept, or what it must be. */
export function acceptCloudValue(
  setting: string,
  text: string,
): { readonly value: string } | { readonly problem: string } {
  const found = CLOUD_FLAGS.find(({ key }) => key === setting);
  const value = found?.accept(text);
  return value ? { value } : { problem: `it is not ${found?.wanted ?? "known"}` };
}

/** Where a cloud's project goes when nobody says so: the seed's own suggestion. */
export function defaultCloudFolder(backend: string, projectPath: string): Readonly<Record<string, ConfigValue>> {
  const name = basename(projectPath).replace(/["*:<>?\\|]/g, "-") || "project";
  if (backend === "dropbox") return { dropbox_folder: `/claude-mirror/${name}` };
  if (backend === "onedrive") return { onedrive_folder: `claude-mirror/${name}` };
  return {};
}

/** What a cloud cannot do without: the key and the flag that sets it. */
export const CLOUD_NEEDS: Readonly<
  Record<string, { readonly key: string; readonly what: string; readonly flag: string }>
> = {
  googledrive: { key: "drive_folder_id", what: "a Google Drive mirror needs its folder", flag: "--drive-folder-id ID" },
  dropbox: { key: "dropbox_app_key", what: "a Dropbox mirror needs its app", flag: "--dropbox-app-key KEY" },
  onedrive: { key: "onedrive_client_id", what: "a OneDrive mirror needs its app", flag: "--onedrive-client-id ID" },
};

/** Keys of a backend after whose change signing in is to be tried again. */
export function signInKeys(backend: BackendKind): readonly string[] {
  if (backend === "webdav")
    return ["webdav_url", "webdav_username", "webdav_insecure_http", "webdav_password", "token_file"];
  return ["token_file", ...CLOUD_FLAGS.filter((flag) => flag.backend === backend).map(({ key }) => key)];
}

/** Where the token of a Google account goes: next to its client file, by its name (reference 1.11). */
export function driveTokenFile(credentialsFile: string): string {
  const stem = basename(credentialsFile).replace(/\.json$/i, "");
  const own = stem === "credentials" ? "token" : `${stem.replace(/-credentials$/, "")}-token`;
  return join(dirname(credentialsFile), `${own}.json`);
}

function matching(pattern: RegExp): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? text : undefined);
}

function driveFolderId(text: string): string | undefined {
  const inAddress = /\/folders\/([A-Za-z0-9_-]+)/.exec(text) ?? /[?&]id=([A-Za-z0-9_-]+)/.exec(text);
  const id = inAddress?.[1] ?? text;
  return /^[A-Za-z0-9_-]+$/.test(id) ? id : undefined;
}

function folderPath(text: string, { start, forbidden }: { start: "" | "/"; forbidden: RegExp }): string | undefined {
  if (forbidden.test(text)) return undefined;
  const parts = text.split("/").filter((part) => part !== "");
  if (parts.some((part) => part === "." || part === ".." || part.trim() !== part)) return undefined;
  return parts.length === 0 ? undefined : start + parts.join("/");
}
