import { UsageError } from "../lib/errors.ts";
import { type DiscoveryPlaces, findProject, knownProjects, readOutline } from "../settings/discovery.ts";
import { SettingsError } from "../settings/errors.ts";
import { indexFile } from "../settings/index-fast.ts";
import { loadConfig } from "../settings/load.ts";
import { machineFrom } from "../settings/machine.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { finishPromotion } from "./promotion.ts";
import type { World } from "./world.ts";

/** Where this user's settings are looked for. */
export function discoveryPlaces({ env, home }: Pick<World, "env" | "home">): DiscoveryPlaces {
  return { configDir: machineFrom(env).configDir, home, indexFile: indexFile(env, home) };
}

/**
 * The config that a command is about: `given` (absolute), else the one that belongs to the current folder. Throws
 * UsageError when there is none or several claim the folder, and SettingsError for a config that cannot be read where
 * no other is for the folder: most likely it is the one.
 */
export function configFile(world: Pick<World, "env" | "home" | "cwd">, given: string | undefined): string {
  if (given !== undefined) return given;
  const { cwd } = world;
  const found = findProject(cwd, discoveryPlaces(world));
  if (found.kind === "found") return found.file;
  if (found.kind === "ambiguous") {
    throw new UsageError(`several configs are for the project ${found.path}: ${found.files.join(", ")}`, {
      hint: "Choose one with --config; claude-mirror doctor explains.",
    });
  }
  complainOfUnreadable(world);
  throw new UsageError(`no project is set up for ${cwd}`, {
    hint: "Run claude-mirror init there, cd into a project, or name a config with --config.",
  });
}

function complainOfUnreadable(world: Pick<World, "env" | "home" | "cwd">): void {
  for (const { file } of knownProjects(discoveryPlaces(world)).problems) {
    try {
      readOutline(file, world.home);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      throw error.withHint(
        `No other config is for ${world.cwd}. If this one is not either, run claude-mirror init there.`,
      );
    }
  }
}

/** Reads the config that a command is about and tells what is odd about it. Throws SettingsError. */
export function openConfig(world: World, given: string | undefined): ProjectConfig {
  finishPromotion(world);
  const config = loadConfig(configFile(world, given), machineFrom(world.env), world.profile);
  for (const warning of config.warnings)
    world.note(warning.includes(config.file) ? warning : `${config.file}: ${warning}`);
  return config;
}
