import { statSync } from "node:fs";
import { basename, sep } from "node:path";
import { isWorldReadable } from "../lib/secrets.ts";
import { isKnownKey } from "../settings/config-keys.ts";
import { findProject, knownProjects, readOutline } from "../settings/discovery.ts";
import { loadConfig } from "../settings/load.ts";
import { readText } from "../settings/load-text.ts";
import { machineFrom } from "../settings/machine.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { readYaml, type YamlEntries, type YamlFile } from "../settings/yaml-tree.ts";
import { compileInclude } from "../sync/include.ts";
import { patternHints } from "../sync/pattern-hints.ts";
import { discoveryPlaces } from "./config-file.ts";
import type { Report } from "./doctor-report.ts";
import type { World } from "./world.ts";

/** What is known of the settings: as much as can be read of them. */
export interface FoundSettings {
  readonly file: string;
  readonly config: ProjectConfig | undefined;
  /** Also where the rest of the settings cannot be used. */
  readonly projectPath: string | undefined;
}

/** Finds the settings file that commands here would use, and says what stands in its way. */
export async function checkConfigFound(
  world: World,
  report: Report,
  given: string | undefined,
): Promise<string | undefined> {
  const name = "settings file";
  const places = discoveryPlaces(world);
  if (given !== undefined) {
    report.ok(name, `${given} (from --config)`);
    await report.attempt("one project, one config", () => checkRivals(world, report, given));
    return given;
  }
  const found = findProject(world.cwd, places);
  const { problems } = knownProjects(places);
  if (found.kind === "found") {
    report.ok(name, `${found.file}, for ${found.path}`);
    const others = problems.filter(({ file }) => file !== found.file);
    for (const { message } of others) report.warn("another settings file", message, "Correct it, or remove it.");
    return found.file;
  }
  if (found.kind === "ambiguous") {
    report.fail(
      name,
      `${found.files.join(" and ")} are both for ${found.path}, and neither names the other as its mirror`,
      `Give one to each command with --config, remove one, or list it in mirror_config_paths of the other. claude-mirror doctor --config "${found.files[0]}" checks one of them.`,
    );
    return undefined;
  }
  const broken = likelyFile(problems, world.cwd) ?? (found.projects.length === 0 ? problems[0]?.file : undefined);
  if (broken !== undefined) return broken;
  report.fail(
    name,
    `none is for ${world.cwd}`,
    "Run claude-mirror init there, cd into a project, or name a config with --config.",
  );
  for (const { message } of problems)
    report.fail("unreadable settings file", message, "If it is this project's, correct it.");
  return undefined;
}

/** Of the files that cannot be read, the one whose name is that of a folder we are in. */
function likelyFile(problems: readonly { readonly file: string }[], cwd: string): string | undefined {
  const folders = new Set(cwd.split(sep));
  return problems.find(({ file }) => folders.has(basename(file, ".yaml")))?.file;
}

function checkRivals(world: World, report: Report, file: string): undefined {
  const found = findProject(readOutline(file, world.home).projectPath, discoveryPlaces(world));
  if (found.kind !== "ambiguous") return;
  const others = found.files.filter((other) => other !== file);
  report.warn(
    "one project, one config",
    `${others.join(" and ")} is for ${found.path} too, and neither names the other as its mirror`,
    "Commands need --config as long as both are there; or list one in mirror_config_paths of the other.",
  );
}

/** The YAML itself: readable, keys, secrets, permissions, patterns. */
export async function checkSettings(world: World, report: Report, file: string): Promise<FoundSettings> {
  const yaml = await report.attempt("settings", () => readYaml(readText(file), file));
  const mode = statSync(file, { throwIfNoEntry: false });
  const config = yaml && (await report.attempt("settings", () => loadAndReport(world, report, file, yaml)));
  if (yaml) checkSecrets(report, yaml.entries, file);
  if (mode) checkFileMode(report, "permissions of the settings", file, "warn");
  const outline = yaml && (await optional(() => readOutline(file, world.home).projectPath));
  if (config) await report.attempt("file patterns", () => checkPatternTraps(report, config));
  return { file, config, projectPath: config?.projectPath ?? outline };
}

function loadAndReport(world: World, report: Report, file: string, yaml: YamlFile): ProjectConfig {
  const config = loadConfig(file, machineFrom(world.env), world.profile);
  const unknown = [...yaml.keyLines].filter(([key]) => !isKnownKey(key));
  report.ok("settings", `readable, backend ${config.backend}`);
  for (const [key, line] of unknown) {
    report.warn(
      "unknown key",
      `line ${line}: "${key}" is kept and not used`,
      "Check its spelling; the Python tool refuses a file with a key that it does not know.",
    );
  }
  for (const warning of config.warnings) {
    const told = warning.includes("is not known; it is kept") || warning.startsWith('"webdav_password" holds');
    if (!told) report.warn("settings", warning);
  }
  return config;
}

/** Keys whose value signs somebody in. Webhook addresses may stay in the file (decision 16). */
const SECRET_KEYS = ["webdav_password", "sftp_password", "ftp_password", "smb_password", "s3_secret_access_key"];

function checkSecrets(report: Report, entries: YamlEntries, file: string): undefined {
  const found = SECRET_KEYS.filter((key) => {
    const node = entries.get(key);
    return node !== undefined && node.kind !== "null" && !(node.kind === "text" && node.value === "");
  });
  if (found.length === 0) return report.ok("secrets in the settings", "none");
  const advice = found.includes("webdav_password")
    ? "Run claude-mirror auth: it moves the password to the token file."
    : "Remove what no tool of yours reads.";
  report.warn("secrets in the settings", `${found.join(", ")} in ${file}`, advice);
}

/** Others on this machine must not read what signs in. */
export function checkFileMode(report: Report, name: string, file: string, state: "warn" | "fail"): undefined {
  if (!isWorldReadable(file)) return report.ok(name, "only you can read it");
  report[state](name, `others on this machine can read or change ${file}`, `Run chmod 600 "${file}".`);
}

function checkPatternTraps(report: Report, config: ProjectConfig): undefined {
  const hints = patternHints(config);
  compileInclude(config.filePatterns);
  for (const hint of hints) report.warn("file patterns", hint);
  if (config.filePatterns.length === 0)
    report.warn("file patterns", "there are none: nothing is mirrored", 'Add some, such as "**/*.md".');
  else if (hints.length === 0) report.ok("file patterns", config.filePatterns.join(", "));
}

async function optional<T>(read: () => T): Promise<T | undefined> {
  try {
    return read();
  } catch {
    // The failure has been told by the check that needs it whole.
    return undefined;
  }
}
