import * as fs from "node:fs";
import { join } from "node:path";
import { MissingError, UsageError } from "../lib/errors.ts";
import { writeSecret } from "../lib/secrets.ts";
import { type ConfigValues, isKnownKey, seedDefaults } from "./config-keys.ts";
import { SettingsError } from "./errors.ts";
import { readText } from "./load-text.ts";
import type { Machine } from "./machine.ts";
import { formatEntry } from "./writer.ts";
import { readYaml, type YamlEntries, type YamlFile, type YamlNode } from "./yaml-tree.ts";

/** Settings that several projects share: a YAML of any of their keys and a `description` (reference 1.18). */
export interface Profile {
  readonly name: string;
  /** Absolute. */
  readonly file: string;
  readonly yaml: YamlFile;
}

/** What a profile says in its own right, or what is one project's alone. */
const NOT_SHARED: ReadonlySet<string> = new Set(["description", "profile", "project_path", "mirror_config_paths"]);

/** Absolute path of the folder that profiles are in. */
export function profilesFolder({ configDir }: Pick<Machine, "configDir">): string {
  return `${configDir}/profiles`;
}

/** Absolute path of a profile's YAML. Throws UsageError for a name that cannot be one. */
export function profileFile(name: string, machine: Pick<Machine, "configDir">): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(name)) return join(profilesFolder(machine), `${name}.yaml`);
  throw new UsageError(`"${name}" cannot be the name of a profile: letters, digits, "-", "_" and "." make one`);
}

/** The names of all profiles, sorted. */
export function profileNames(machine: Pick<Machine, "configDir">): readonly string[] {
  try {
    const names = fs.readdirSync(profilesFolder(machine)).filter((name) => /^[A-Za-z0-9].*\.yaml$/.test(name));
    return names.map((name) => name.slice(0, -".yaml".length)).sort();
  } catch {
    return [];
  }
}

/** Throws MissingError where there is none of that name, and SettingsError for one that cannot be read. */
export function readProfile(name: string, machine: Pick<Machine, "configDir">): Profile {
  const file = profileFile(name, machine);
  if (!fs.existsSync(file)) {
    const known = profileNames(machine);
    const hint = known.length === 0 ? `Make it: claude-mirror profile create ${name}` : `There is ${known.join(", ")}.`;
    throw new MissingError(`there is no profile "${name}" (${file})`, { hint });
  }
  return { name, file, yaml: readYaml(readText(file), file) };
}

/** The profile that a config names with its key `profile`; undefined where it names none. */
export function profileOf({ entries }: YamlFile): string | undefined {
  const node = entries.get("profile");
  return node?.kind === "text" && node.value !== "" ? node.value : undefined;
}

/**
 * A config's values with those of a profile in the place of what says nothing: as in the Python tool an empty text, an
 * empty list, 0 and false say nothing, because a config that `init` wrote holds every key.
 */
export function withProfile(own: YamlEntries, { yaml }: Profile): YamlEntries {
  const merged = new Map(own);
  for (const [key, node] of sharedEntries(yaml)) if (!says(own.get(key)) && says(node)) merged.set(key, node);
  return merged;
}

/** The keys of a profile that projects take from it. */
export function sharedEntries({ entries }: YamlFile): readonly (readonly [string, YamlNode])[] {
  return [...entries].filter(([key]) => !NOT_SHARED.has(key));
}

function says(node: YamlNode | undefined): boolean {
  switch (node?.kind) {
    case undefined:
    case "null":
      return false;
    case "text":
      return node.value !== "";
    case "number":
      return node.value !== 0;
    case "bool":
      return node.value;
    case "list":
      return node.items.length > 0;
    case "map":
      return node.entries.size > 0;
    default:
      return true;
  }
}

/** Keys whose value would be seen by everybody on this machine while it is typed. */
const TYPED_SECRETS = /password|secret/;

/** `KEY=VALUE` as typed, in the type that the key has. Throws UsageError for what a profile cannot hold. */
export function parseSetting(typed: string, machine: Machine): readonly [string, ConfigValues[string]] {
  const at = typed.indexOf("=");
  const [key, text] = [typed.slice(0, at), typed.slice(at + 1)];
  if (at < 1) throw new UsageError(`cannot read "${typed}": write KEY=VALUE, as in webdav_username=me`);
  if (!isKnownKey(key) || NOT_SHARED.has(key)) {
    const why = NOT_SHARED.has(key) ? "it is one project's alone" : "no version knows it";
    throw new UsageError(`cannot set "${key}" in a profile: ${why}`);
  }
  if (TYPED_SECRETS.test(key)) {
    const hint = "Run claude-mirror auth in a project that uses the profile: what signs in goes to the token file.";
    throw new UsageError(`cannot take "${key}" from the command line: others on this machine can read it there`, {
      hint,
    });
  }
  const usual = (seedDefaults(machine) as ConfigValues)[key];
  if (Array.isArray(usual)) return [key, text.split(",").map((one) => one.trim())];
  const isTyped = typeof usual === "number" ? /^-?\d+(\.\d+)?$/ : typeof usual === "boolean" ? /^(true|false)$/ : /^/;
  if (!isTyped.test(text))
    throw new UsageError(`"${key}" takes ${typeof usual === "number" ? "a number" : "true or false"}: got "${text}"`);
  return [key, typeof usual === "number" ? Number(text) : typeof usual === "boolean" ? text === "true" : text];
}

/** The text of a profile, its keys sorted. */
export function formatProfile(values: ConfigValues): string {
  return Object.keys(values)
    .sort()
    .map((key) => formatEntry(key, values[key] ?? null))
    .join("");
}

/** Writes a new one, readable by its owner alone. Throws SettingsError where there is one of that name. */
export function writeProfile(file: string, text: string): void {
  if (fs.existsSync(file)) throw new SettingsError(file, "there is a profile of that name already; edit or delete it");
  writeSecret(file, text);
}
