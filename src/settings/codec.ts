import { dirname, isAbsolute, join } from "node:path";
import type { BackendKind } from "../backends/types.ts";
import { expandHome } from "../lib/dirs.ts";
import { type ConfigValue, isKnownKey, type SeedKey, seedDefaults } from "./config-keys.ts";
import { SettingsError } from "./errors.ts";
import type { Machine } from "./machine.ts";
import type { ProjectConfig, Webhook, WebhookRoute } from "./model.ts";
import { type Profile, withProfile } from "./profiles.ts";
import { readYaml, type YamlFile, type YamlNode } from "./yaml-tree.ts";

/**
 * Reads a project YAML (reference 1.2): YAML 1.1 as PyYAML loads it, defaults filled in, `~` expanded in every path.
 * `file` is the absolute path of the YAML. Throws SettingsError naming file and line for a syntax error, a value of a
 * wrong type, a missing or relative `project_path` and a backend that this version does not know. What is odd and does
 * no harm is listed in `warnings`. A profile's values stand in where the project's say nothing.
 */
export function parseConfig(text: string, file: string, machine: Machine, profile?: Profile): ProjectConfig {
  const own = readYaml(text, file);
  const warnings = keyWarnings(own, profile);
  const yaml = profile === undefined ? own : { ...own, entries: withProfile(own.entries, profile) };
  const read = new Values(yaml, { file, profile }, machine, warnings);
  const backend = read.backend();
  const config = {
    file,
    projectPath: read.absolutePath("project_path"),
    backend,
    filePatterns: read.texts("file_patterns"),
    excludePatterns: read.texts("exclude_patterns"),
    tokenFile: read.path("token_file"),
    machineName: read.filled("machine_name"),
    user: read.filled("user"),
    localFolder: backend === "local" ? read.absolutePath("local_folder") : read.path("local_folder"),
    webdavUrl: read.text("webdav_url"),
    webdavUsername: read.text("webdav_username"),
    webdavPassword: read.text("webdav_password"),
    webdavInsecureHttp: read.bool("webdav_insecure_http"),
    pollInterval: read.number("poll_interval", { from: 1, to: 86_400 }),
    slackEnabled: read.bool("slack_enabled"),
    slackWebhookUrl: read.text("slack_webhook_url"),
    slackChannel: read.text("slack_channel"),
    webhooks: webhookSettings(read),
    ...cloudSettings(read),
    ...runSettings(read),
    ...retentionSettings(read),
    ...(profile && { profileFile: profile.file }),
    warnings,
  };
  if (config.webdavPassword !== "") {
    warnings.push(
      `"webdav_password" holds a password in "${file}"; run \`claude-mirror auth\` to move it to the token file`,
    );
  }
  return config;
}

const ALL_EVENTS = ["push", "pull", "sync", "delete"] as const;

function webhookSettings(read: Values): readonly Webhook[] {
  const services: Webhook[] = [];
  for (const kind of ["slack", "discord", "teams", "webhook"] as const) {
    if (!read.bool(`${kind}_enabled`)) continue;
    const address = read.text(kind === "webhook" ? "webhook_url" : `${kind}_webhook_url`).trim();
    const all = { url: address, on: ALL_EVENTS, paths: ["**/*"] };
    const routes = read.routes(`${kind}_routes`, all) ?? (address === "" ? [] : [all]);
    if (routes.length === 0) continue;
    const channel = kind === "slack" ? read.text("slack_channel") : "";
    const headers = kind === "webhook" ? read.headers("webhook_extra_headers") : undefined;
    services.push({ kind, routes, ...(channel && { channel }), ...(headers && { headers }) });
  }
  return services;
}

function cloudSettings(read: Values) {
  return {
    driveFolderId: read.text("drive_folder_id"),
    gcpProjectId: read.text("gcp_project_id"),
    pubsubTopicId: read.text("pubsub_topic_id"),
    credentialsFile: read.path("credentials_file"),
    dropboxAppKey: read.text("dropbox_app_key"),
    dropboxFolder: read.text("dropbox_folder"),
    onedriveClientId: read.text("onedrive_client_id"),
    onedriveFolder: read.text("onedrive_folder"),
    onedriveAuthority: read.filled("onedrive_authority"),
  };
}

function runSettings(read: Values) {
  return {
    snapshotFormat: read.choice("snapshot_format", ["blobs", "full"], "full"),
    mirrorConfigPaths: read.paths("mirror_config_paths"),
    snapshotOn: read.choice("snapshot_on", ["", "primary", "all"], ""),
    retryOnPush: read.bool("retry_on_push"),
    maxRetryAttempts: read.attempts(),
    notifyFailures: read.bool("notify_failures"),
    parallelWorkers: read.number("parallel_workers", { from: 1, to: 64 }),
    maxThrottleWaitSeconds: read.number("max_throttle_wait_seconds", { from: 0, to: 86_400 }),
    maxUploadKbps: read.kbps(),
    autoPull: read.bool("auto_pull"),
  };
}

/** More snapshots than anybody has. */
const MAX_KEPT = 1_000_000;

function retentionSettings(read: Values) {
  const kept = (key: string): number => read.number(key, { from: 0, to: MAX_KEPT });
  return {
    keepLast: kept("keep_last"),
    keepDaily: kept("keep_daily"),
    keepWeekly: kept("keep_weekly"),
    keepMonthly: kept("keep_monthly"),
    keepYearly: kept("keep_yearly"),
    autoPrune: read.bool("auto_prune"),
  };
}

function keyWarnings(yaml: YamlFile, used: Profile | undefined): string[] {
  const warnings: string[] = [];
  for (const [key, line] of yaml.keyLines) {
    if (!isKnownKey(key)) warnings.push(`line ${line}: the key "${key}" is not known; it is kept and not used`);
  }
  for (const key of new Set(yaml.duplicates)) {
    warnings.push(`line ${yaml.keyLines.get(key)}: the key "${key}" stands more than once; the last one counts`);
  }
  const profile = yaml.entries.get("profile");
  if (profile && profile.kind !== "null" && used === undefined)
    warnings.push(`line ${profile.line}: "profile" must be the name of a profile; it is not used`);
  return warnings;
}

const NO_WEBHOOKS = { discord_webhook_url: "", teams_webhook_url: "", webhook_url: "" };

const BACKENDS: readonly BackendKind[] = ["local", "webdav", "googledrive", "dropbox", "onedrive"];

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Where the values come from. */
interface Source {
  readonly file: string;
  readonly profile: Profile | undefined;
}

/** Lives while one file is read: takes values by key, checks their types, fills in defaults. */
class Values {
  private readonly yaml: YamlFile;
  private readonly source: Source;
  private readonly machine: Machine;
  private readonly warnings: string[];
  private readonly defaults: Readonly<Record<string, ConfigValue>>;

  constructor(yaml: YamlFile, source: Source, machine: Machine, warnings: string[]) {
    this.yaml = yaml;
    this.source = source;
    this.machine = machine;
    this.warnings = warnings;
    const keep = { keep_last: 0, keep_daily: 0, keep_weekly: 0, keep_monthly: 0, keep_yearly: 0 };
    const own = { local_folder: "", onedrive_authority: "common", auto_prune: false, auto_pull: false };
    const later = { ...own, max_throttle_wait_seconds: 600, ...keep, ...NO_WEBHOOKS };
    this.defaults = { ...seedDefaults(machine), ...later } satisfies Readonly<Record<SeedKey, ConfigValue>>;
  }

  text(key: string): string {
    const node = this.node(key);
    if (node === undefined) return String(this.defaults[key]);
    if (node.kind !== "text") this.wrongType(key, "text", node);
    return node.value;
  }

  /** Text whose empty form means the default. */
  filled(key: string): string {
    return this.text(key) || String(this.defaults[key]);
  }

  path(key: string): string {
    return expandHome(this.filled(key), this.machine.home);
  }

  absolutePath(key: string): string {
    const path = this.path(key);
    if (path === "") throw new SettingsError(this.source.file, `"${key}" is missing; it must name a folder`);
    if (!isAbsolute(path)) {
      this.fail(`"${key}" is the relative path "${path}"; write it in full, beginning with / or ~`, this.node(key));
    }
    return path;
  }

  /** Relative ones lie next to the YAML. */
  paths(key: string): readonly string[] {
    return this.texts(key).map((path) => {
      const expanded = expandHome(path, this.machine.home);
      return isAbsolute(expanded) ? expanded : join(dirname(this.source.file), expanded);
    });
  }

  texts(key: string): readonly string[] {
    const node = this.node(key);
    if (node === undefined) return this.defaults[key] as readonly string[];
    if (node.kind !== "list") this.wrongType(key, "a list", node, `; write each entry on a line of its own after "- "`);
    return node.items.map((item) => (item.kind === "text" ? item.value : this.wrongType(key, "a list of texts", item)));
  }

  /** Undefined where the key is missing: then one address takes everything. What a route leaves out is taken from `all`. */
  routes(key: string, all: WebhookRoute): readonly WebhookRoute[] | undefined {
    const node = this.node(key);
    if (node === undefined) return undefined;
    if (node.kind !== "list") this.wrongType(key, "a list", node);
    return node.items.map((item) => {
      if (item.kind !== "map") this.wrongType(key, "a list of mappings with webhook_url, on and paths", item);
      const part = new Values({ ...this.yaml, entries: item.entries }, this.source, this.machine, this.warnings);
      const url = part.text("webhook_url").trim() || all.url;
      if (url === "") this.fail(`a route of "${key}" has no webhook_url`, item);
      const list = (name: string, otherwise: readonly string[]) =>
        item.entries.has(name) ? part.texts(name) : otherwise;
      return { url, on: list("on", all.on), paths: list("paths", all.paths) };
    });
  }

  headers(key: string): Readonly<Record<string, string>> | undefined {
    const node = this.node(key);
    if (node === undefined) return undefined;
    if (node.kind !== "map") this.wrongType(key, "a mapping of header names to texts", node);
    const headers: Record<string, string> = {};
    for (const [name, value] of node.entries) {
      if (value.kind !== "text") this.wrongType(key, "a mapping of header names to texts", value);
      headers[name] = value.value;
    }
    return headers;
  }

  bool(key: string): boolean {
    const node = this.node(key);
    if (node === undefined) return this.defaults[key] === true;
    if (node.kind !== "bool") this.wrongType(key, "true or false", node);
    return node.value;
  }

  /** A whole number in the range; another is rounded down or moved to the end of the range, with a warning. */
  number(key: string, range: Range): number {
    const node = this.node(key);
    if (node === undefined) return Number(this.defaults[key]);
    if (node.kind !== "number" || Number.isNaN(node.value)) this.wrongType(key, "a number", node);
    const value = Math.min(range.to, Math.max(range.from, Math.trunc(node.value)));
    if (value !== node.value) this.warn(node, `"${key}" is ${node.value}; ${value} is used`);
    return value;
  }

  /** Anything but a number means 3, as in the Python tool. */
  attempts(): number {
    const node = this.node("max_retry_attempts");
    if (node === undefined || node.kind === "number") return this.number("max_retry_attempts", { from: 1, to: 8 });
    this.warn(node, `"max_retry_attempts" is no number; 3 is used`);
    return 3;
  }

  kbps(): number | null {
    const node = this.node("max_upload_kbps");
    if (node === undefined) return null;
    if (node.kind !== "number" || Number.isNaN(node.value)) this.wrongType("max_upload_kbps", "a number", node);
    if (node.value > 0) return Number.isFinite(node.value) ? node.value : null;
    this.warn(node, `"max_upload_kbps" is ${node.value}; uploads are not limited`);
    return null;
  }

  choice<T extends string>(key: string, choices: readonly T[], otherwise: T): T {
    const text = this.text(key).toLowerCase();
    const chosen = choices.find((choice) => choice === text);
    if (chosen !== undefined) return chosen;
    const known = choices.filter((choice) => choice !== "").join(" or ");
    this.warn(this.node(key), `"${key}" is "${text}" where ${known} is known; "${otherwise}" is used`);
    return otherwise;
  }

  backend(): BackendKind {
    const name = this.filled("backend").toLowerCase();
    const kind = BACKENDS.find((known) => known === name);
    if (kind === undefined) {
      this.fail(
        `the backend "${name}" is not known to this version; it knows ${BACKENDS.join(", ")}`,
        this.node("backend"),
      );
    }
    return kind;
  }

  /** Undefined when the key is missing or null. */
  private node(key: string): YamlNode | undefined {
    const node = this.yaml.entries.get(key);
    return node?.kind === "null" ? undefined : node;
  }

  private warn(node: YamlNode | undefined, text: string): void {
    const place = this.isOfProfile(node) ? `profile "${this.source.profile?.name}", ` : "";
    this.warnings.push(node ? `${place}line ${node.line}: ${text}` : text);
  }

  private isOfProfile(node: YamlNode | undefined): boolean {
    return node !== undefined && [...(this.source.profile?.yaml.entries.values() ?? [])].includes(node);
  }

  /** Says of what kind the value is, never what it is: it may be a secret. */
  private wrongType(key: string, wanted: string, node: YamlNode, help?: string): never {
    const found = {
      text: "text",
      number: "a number",
      bool: "true or false",
      null: "nothing",
      date: "a date",
      other: "a special sign",
      list: "a list",
      map: "a mapping",
    }[node.kind];
    const quotes = wanted.includes("text") && node.kind !== "list" && node.kind !== "map" ? "; put it in quotes" : "";
    this.fail(`"${key}" must be ${wanted}, but ${found} stands there${help ?? quotes}`, node);
  }

  private fail(found: string, node: YamlNode | undefined): never {
    const file = this.isOfProfile(node) ? (this.source.profile?.file ?? "") : this.source.file;
    throw new SettingsError(file, found, node ? { line: node.line } : {});
  }
}
