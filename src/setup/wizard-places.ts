import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AVAILABLE_KINDS } from "../backends/registry.ts";
import { SettingsError } from "../settings/errors.ts";
import { loadConfig } from "../settings/load.ts";
import { machineFrom } from "../settings/machine.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { webdavSecret } from "../settings/tokens.ts";
import { locateInit } from "./init-target.ts";
import { initValues } from "./init-values.ts";
import type { InitRequest } from "./model.ts";
import type { WizardPlaces } from "./wizard.ts";
import { type Draft, draftOfConfig, requestOfDraft } from "./wizard-draft.ts";
import type { World } from "./world.ts";

/** This machine as the wizard's questions see it. */
export function wizardPlaces(world: World, flags: InitRequest): WizardPlaces {
  const { cwd, home, env } = world;
  return {
    cwd,
    home,
    configDir: machineFrom(env).configDir,
    backends: AVAILABLE_KINDS,
    insecureHttp: flags.webdavInsecureHttp ?? false,
    newProject: flags.newProject ?? false,
    kindOf: (path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? "nothing" : stat.isDirectory() ? "folder" : "file";
    },
    isWritable: (folder) => isWritable(folder),
    placeOf(what, draft) {
      const request = requestOfDraft(draft, flags);
      const target = locateInit(world, request);
      if (what === "config") return target.configFile;
      const named = initValues(world, request, target).changes["token_file"];
      return typeof named === "string" ? named : (settingsAt(world, request)?.tokenFile ?? "");
    },
  };
}

/** The settings of a project that is set up already, as answers; undefined where there are none. */
export function settingsAt(
  world: World,
  request: Pick<InitRequest, "project" | "config" | "newProject">,
): Draft | undefined {
  const { configFile, text } = locateInit(world, { ...request, patterns: [], exclude: [], dryRun: true });
  if (text === undefined) return undefined;
  const config = loadConfig(configFile, machineFrom(world.env));
  const password = config.backend === "webdav" ? passwordOf(config) : undefined;
  return { ...draftOfConfig(config), ...(password ? { webdavPassword: password } : {}) };
}

/** Of the account that the settings name. */
function passwordOf(config: ProjectConfig): string | undefined {
  try {
    const secret = webdavSecret(config);
    return secret?.username === config.webdavUsername ? secret.password : undefined;
  } catch (error) {
    // Asked for anew.
    if (error instanceof SettingsError) return undefined;
    throw error;
  }
}

/** Whether the folder can be written to, or be made. */
function isWritable(folder: string): boolean {
  if (!existsSync(folder)) return dirname(folder) !== folder && isWritable(dirname(folder));
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
