import { rmSync } from "node:fs";
import { MissingError } from "../lib/errors.ts";
import type { ConfigValues } from "../settings/config-keys.ts";
import { knownProjects } from "../settings/discovery.ts";
import { SettingsError } from "../settings/errors.ts";
import { readText } from "../settings/load-text.ts";
import { machineFrom } from "../settings/machine.ts";
import {
  formatProfile,
  parseSetting,
  profileFile,
  profileNames,
  profileOf,
  readProfile,
  sharedEntries,
  writeProfile,
} from "../settings/profiles.ts";
import { readYaml, type YamlNode } from "../settings/yaml-tree.ts";
import { discoveryPlaces } from "./config-file.ts";
import type { ProfileInfo, ProfileValue } from "./model.ts";
import type { World } from "./world.ts";

type Place = Pick<World, "env" | "home">;

/** Every profile by its name; one that cannot be read comes with its problem. */
export function listProfiles(world: Place): readonly ProfileInfo[] {
  const users = profileUsers(world);
  return profileNames(machineFrom(world.env)).map((name) => describe(world, name, users));
}

/** Throws MissingError where there is none, and SettingsError for one that cannot be read. */
export function showProfile(world: Place, name: string): ProfileInfo {
  const { yaml } = readProfile(name, machineFrom(world.env));
  const settings = sharedEntries(yaml).map(([key, node]) => [key, isSecret(key) ? "***" : plainOf(node)] as const);
  return { ...describe(world, name, profileUsers(world)), settings: Object.fromEntries(settings) };
}

function describe(world: Place, name: string, users: ReadonlyMap<string, readonly string[]>): ProfileInfo {
  const machine = machineFrom(world.env);
  const file = profileFile(name, machine);
  const used = { name, file, used_by: users.get(name) ?? [] };
  try {
    const { entries } = readProfile(name, machine).yaml;
    return { ...used, backend: textOf(entries.get("backend")), description: textOf(entries.get("description")) };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { ...used, backend: null, description: null, problem: error.found };
  }
}

/** The configs that name each profile. One that cannot be read names none. */
function profileUsers(world: Place): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  for (const { file } of knownProjects(discoveryPlaces(world)).projects) {
    try {
      const name = profileOf(readYaml(readText(file), file));
      if (name !== undefined) users.set(name, [...(users.get(name) ?? []), file]);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
    }
  }
  return users;
}

function textOf(node: YamlNode | undefined): string | null {
  return node?.kind === "text" && node.value !== "" ? node.value : null;
}

/** A webhook's address signs in by itself. */
function isSecret(key: string): boolean {
  return /password|secret|webhook|routes|access_key/.test(key) && !key.endsWith("_enabled");
}

function plainOf(node: YamlNode): ProfileValue {
  switch (node.kind) {
    case "text":
    case "number":
    case "bool":
      return node.value;
    case "list":
      return node.items.map((item) => String(plainOf(item)));
    default:
      return null;
  }
}

export interface NewProfile {
  readonly name: string;
  readonly backend: string | undefined;
  readonly description: string | undefined;
  /** `KEY=VALUE`, as typed. */
  readonly settings: readonly string[];
  readonly dryRun: boolean;
}

/** Writes a new profile, 0600. Throws UsageError for what a profile cannot hold, SettingsError where the name is taken. */
export function createProfile(
  world: Place,
  { name, backend, description, settings, dryRun }: NewProfile,
): { readonly file: string; readonly text: string } {
  const machine = machineFrom(world.env);
  const file = profileFile(name, machine);
  const values: ConfigValues = {
    ...(backend !== undefined && { backend }),
    ...(description !== undefined && { description }),
    ...Object.fromEntries(settings.map((typed) => parseSetting(typed, machine))),
  };
  const text = Object.keys(values).length === 0 ? "description: ''\n" : formatProfile(values);
  if (profileNames(machine).includes(name)) {
    throw new SettingsError(file, "there is a profile of that name already; edit the file, or delete it first");
  }
  if (!dryRun) writeProfile(file, text);
  return { file, text };
}

/** Throws MissingError where there is none. */
export function deleteProfile(world: Place, name: string): void {
  const machine = machineFrom(world.env);
  if (!profileNames(machine).includes(name)) throw new MissingError(`there is no profile "${name}"`);
  rmSync(profileFile(name, machine));
}

/** What a new project takes from a profile, by key. Throws as {@link showProfile}. */
export function profileValues(world: Place, name: string): ReadonlyMap<string, ProfileValue> {
  const { yaml } = readProfile(name, machineFrom(world.env));
  return new Map(sharedEntries(yaml).map(([key, node]) => [key, plainOf(node)]));
}
