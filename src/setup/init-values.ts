import { dirname, join, sep } from "node:path";
import { AVAILABLE_KINDS } from "../backends/registry.ts";
import type { BackendKind } from "../backends/types.ts";
import { UsageError } from "../lib/errors.ts";
import type { ConfigValue, ConfigValues } from "../settings/config-keys.ts";
import { knownProjects, realPathOfAny } from "../settings/discovery.ts";
import { machineFrom } from "../settings/machine.ts";
import { defaultTokenFile } from "../settings/tokens.ts";
import { readYaml, type YamlEntries } from "../settings/yaml-tree.ts";
import { checkPatterns, checkWebhookUrl } from "./checks.ts";
import { discoveryPlaces } from "./config-file.ts";
import { CLOUD_NEEDS, cloudChanges, cloudFlags, defaultCloudFolder, driveTokenFile } from "./init-clouds.ts";
import type { InitTarget } from "./init-target.ts";
import type { InitRequest } from "./model.ts";
import type { World } from "./world.ts";

/** What `init` writes into the settings. */
export interface InitValues {
  readonly changes: ConfigValues;
  /** Keys to take out. */
  readonly remove: readonly string[];
}

const KINDS: readonly BackendKind[] = ["local", "webdav", "googledrive", "dropbox", "onedrive"];

/** The settings that the flags ask for. Throws UsageError for flags that do not go together or name nothing. */
export function initValues(world: World, request: InitRequest, target: InitTarget): InitValues {
  const now = target.text === undefined ? undefined : readYaml(target.text, target.configFile).entries;
  const before = now === undefined ? undefined : (textAt(now, "backend") || "googledrive").toLowerCase();
  const backend = backendOf(request, target) ?? before;
  if (backend === undefined) throw whereTo(target);
  checkPatterns(request.patterns);
  if (request.slackWebhookUrl) checkWebhookUrl(request.slackWebhookUrl);
  const changes: Record<string, ConfigValue> = {};
  const set = (key: string, value: ConfigValue | undefined) => {
    if (value !== undefined) changes[key] = value;
  };
  if (now === undefined) set("project_path", target.projectPath);
  if (backend !== before) set("backend", backend);
  set("local_folder", request.localFolder);
  set("webdav_url", request.webdavUrl?.trim());
  set("webdav_username", request.webdavUsername);
  set("webdav_insecure_http", request.webdavInsecureHttp);
  Object.assign(changes, cloudChanges(request));
  for (const [key, folder] of Object.entries(defaultCloudFolder(backend, target.projectPath))) {
    if (!changes[key] && !(now && textAt(now, key))) set(key, folder);
  }
  set("poll_interval", request.pollInterval);
  set("slack_enabled", request.slack);
  set("slack_webhook_url", request.slackWebhookUrl);
  set("slack_channel", request.slackChannel);
  set("snapshot_format", request.snapshotFormat);
  set("file_patterns", request.patterns.length === 0 ? undefined : request.patterns);
  set("exclude_patterns", request.exclude.length === 0 ? undefined : request.exclude);
  for (const key of request.emptied ?? []) if (now?.has(key)) set(key, key === "exclude_patterns" ? [] : "");
  set("token_file", tokenFileOf(world, request, { target, now, backend, changes }));
  if (request.password && now && textAt(now, "webdav_password") !== "") set("webdav_password", "");
  requirePlace(backend, (key) => Boolean(changes[key] ?? (now && textAt(now, key))));
  // The Python tool refuses a file with a key that it does not know.
  const remove = OWN_PLACES.filter(([key, owner]) => owner !== backend && now?.has(key)).map(([key]) => key);
  return { changes, remove };
}

/** Keys of ours that mean something with one backend only. */
const OWN_PLACES: readonly (readonly [string, BackendKind])[] = [
  ["local_folder", "local"],
  ["onedrive_authority", "onedrive"],
];

/** The backend that the flags name or imply; undefined when they say nothing. */
function backendOf(request: InitRequest, target: InitTarget): BackendKind | undefined {
  const given = request.backend === undefined ? undefined : namedBackend(request.backend);
  const implied = impliedBackends(request);
  const stray = implied.find(([kind]) => given !== undefined && kind !== given);
  if (stray !== undefined) throw new UsageError(`${stray[1]} does not go with --backend ${given}`);
  if (given !== undefined) return given;
  const [first, ...others] = implied;
  if (first === undefined) return undefined;
  const other = others.find(([kind]) => kind !== first[0]);
  if (other === undefined) return namedBackend(first[0]);
  throw new UsageError(`${first[1]} and ${other[1]} do not go together: a config mirrors to one place`, {
    hint: `Choose one for ${target.projectPath}.`,
  });
}

/** Each flag given that only one backend knows, with that backend. */
function impliedBackends(request: InitRequest): readonly (readonly [BackendKind, string])[] {
  const flags = [
    ["local", "--local-folder", request.localFolder],
    ["webdav", "--webdav-url", request.webdavUrl],
    ["webdav", "--webdav-username", request.webdavUsername],
    ["webdav", "--webdav-insecure-http", request.webdavInsecureHttp],
    ["webdav", "--webdav-password", request.password?.from === "option" ? request.password : undefined],
  ] as const;
  const found = flags.filter(([, , value]) => value !== undefined);
  return [...found.map(([kind, flag]) => [kind, flag] as const), ...cloudFlags(request)];
}

function namedBackend(name: string): BackendKind {
  const wanted = name.toLowerCase() === "drive" ? "googledrive" : name.toLowerCase();
  const kind = KINDS.find((known) => known === wanted);
  if (kind !== undefined && AVAILABLE_KINDS.includes(kind)) return kind;
  const state = kind === undefined ? "there is no such backend" : "this version does not have it yet";
  throw new UsageError(`cannot use --backend "${name}": ${state}`, { hint: `Use ${AVAILABLE_KINDS.join(" or ")}.` });
}

function whereTo({ around }: InitTarget): UsageError {
  const flags = [
    "--local-folder DIR",
    "--webdav-url URL",
    ...AVAILABLE_KINDS.flatMap((kind) => CLOUD_NEEDS[kind]?.flag ?? []),
  ];
  const add = `Add ${flags.slice(0, -1).join(", ")} or ${flags.at(-1)}`;
  const hint =
    around === undefined ? `${add}.` : `${add}; for the project around this folder add --project "${around}".`;
  return new UsageError("init needs to know where to mirror the project to", { hint });
}

function requirePlace(backend: string, has: (key: string) => boolean): void {
  if (backend === "local" && !has("local_folder")) {
    throw new UsageError("a local mirror needs its folder", { hint: "Add --local-folder DIR." });
  }
  if (backend === "webdav" && !has("webdav_url")) {
    throw new UsageError("a WebDAV mirror needs its address", { hint: "Add --webdav-url URL." });
  }
  const needed = CLOUD_NEEDS[backend];
  if (needed && !has(needed.key)) throw new UsageError(needed.what, { hint: `Add ${needed.flag}.` });
}

interface TokenPlace {
  readonly target: InitTarget;
  readonly now: YamlEntries | undefined;
  readonly backend: string;
  readonly changes: ConfigValues;
}

/** A token file of its own for what signs in; the Python tool's default would be shared by all projects. */
function tokenFileOf(world: World, request: InitRequest, place: TokenPlace): string | undefined {
  const { target, now, backend, changes } = place;
  const { projectPath, configFile } = target;
  const { tokenFile } = request;
  if (tokenFile !== undefined) {
    if (!realPathOfAny(tokenFile).startsWith(projectPath.endsWith(sep) ? projectPath : projectPath + sep))
      return tokenFile;
    throw new UsageError(`cannot keep what signs in in "${tokenFile}": it lies inside the project, which is mirrored`, {
      hint: "Name a file outside the project with --token-file.",
    });
  }
  if (backend === "local") return undefined;
  const machine = machineFrom(world.env);
  // A token of another backend stays what it is.
  const isMoved = now !== undefined && (textAt(now, "backend") || "googledrive").toLowerCase() !== backend;
  const named = now && !isMoved ? textAt(now, "token_file") : undefined;
  if (backend === "googledrive") {
    const kept = isMoved ? textAt(now, "credentials_file") || join(machine.configDir, "credentials.json") : undefined;
    const credentials = changes["credentials_file"] ?? kept;
    return typeof credentials === "string" ? driveTokenFile(credentials) : undefined;
  }
  if (backend !== "webdav" && backend !== "dropbox" && backend !== "onedrive") return undefined;
  if (named && named !== join(machine.configDir, "token.json")) return undefined;
  const others = knownProjects(discoveryPlaces(world)).projects.map(({ file }) => file);
  const { configDir, home } = machine;
  return defaultTokenFile({ backend, projectPath, configFile, configDir, home, otherConfigs: others });
}

/** True where a command in the project finds this file by itself. */
export function isDiscoverable(configFile: string, configDir: string): boolean {
  const name = configFile.slice(dirname(configFile).length).replace(/^[\\/]/, "");
  return dirname(configFile) === configDir && name.endsWith(".yaml") && !name.startsWith(".");
}

function textAt(entries: YamlEntries, key: string): string {
  const node = entries.get(key);
  return node?.kind === "text" ? node.value : "";
}
