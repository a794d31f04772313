import { parseConfig } from "./codec.ts";
import { readText } from "./load-text.ts";
import type { Machine } from "./machine.ts";
import type { ProjectConfig } from "./model.ts";
import { profileOf, readProfile } from "./profiles.ts";
import { readYaml } from "./yaml-tree.ts";

/**
 * Reads a project YAML from disk (absolute path), with the profile that it names, or in its place the one called
 * `profile`. Throws SettingsError when it cannot be read or used, and MissingError where the profile is not there.
 */
export function loadConfig(file: string, machine: Machine, profile?: string): ProjectConfig {
  const text = readText(file);
  const name = profile ?? (text.includes("profile") ? profileOf(readYaml(text, file)) : undefined);
  return parseConfig(text, file, machine, name === undefined ? undefined : readProfile(name, machine));
}
