import { existsSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UsageError } from "../lib/errors.ts";
import { findProject, readOutline, realPathOfAny } from "../settings/discovery.ts";
import { readText } from "../settings/load-text.ts";
import { discoveryPlaces } from "./config-file.ts";
import type { InitRequest } from "./model.ts";
import type { World } from "./world.ts";

/** Which project `init` is about, and which file its settings are in or will be. */
export interface InitTarget {
  /** Real path of the project folder. */
  readonly projectPath: string;
  readonly configFile: string;
  /** The settings as they are; undefined where there are none yet. */
  readonly text: string | undefined;
  /** Another config that is for the same project already. */
  readonly rival: string | undefined;
  /** A project that holds this one's folder. */
  readonly around: string | undefined;
}

/** Changes nothing. Throws UsageError for a folder that is missing and for a file that is another project's. */
export function locateInit(world: World, request: InitRequest): InitTarget {
  const given = request.config !== undefined && existsSync(request.config) ? request.config : undefined;
  const own = given === undefined ? undefined : readOutline(given, world.home).projectPath;
  const projectPath = projectFolderOf(request.project ?? own ?? world.cwd, request.newProject === true);
  const places = discoveryPlaces(world);
  const found = findProject(projectPath, places);
  const here = found.kind !== "none" && found.path === projectPath;
  const around = found.kind !== "none" && !here ? found.path : undefined;
  if (request.config === undefined && here && found.kind === "ambiguous") {
    throw new UsageError(`several configs are for the project "${projectPath}": ${found.files.join(", ")}`, {
      hint: "Choose one with --config; claude-mirror doctor explains.",
    });
  }
  const existing = here && found.kind === "found" ? found.file : undefined;
  const configFile = request.config ?? existing ?? newConfigFile(projectPath, places.configDir);
  const exists = existsSync(configFile);
  if (exists) requireOwn(configFile, projectPath, world.home);
  const rival = existing !== undefined && !exists && existing !== configFile ? existing : undefined;
  return { projectPath, configFile, text: exists ? readText(configFile) : undefined, rival, around };
}

function projectFolderOf(folder: string, mayMiss: boolean): string {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined && mayMiss) return realPathOfAny(folder);
  if (stat?.isDirectory()) return realpathSync(folder);
  throw new UsageError(
    `cannot set up the project "${folder}": ${stat === undefined ? "there is no such folder" : "it is a file, not a folder"}`,
    { hint: "Name an existing folder with --project." },
  );
}

/** Discovery passes over names that begin with a dot. `default.yaml` where the folder has no name (decision 7). */
function newConfigFile(projectPath: string, configDir: string): string {
  const name = basename(projectPath).replace(/^\.+/, "") || "default";
  return join(configDir, `${name}.yaml`);
}

function requireOwn(configFile: string, projectPath: string, home: string): void {
  const other = readOutline(configFile, home).projectPath;
  if (realPathOfAny(other) === projectPath) return;
  throw new UsageError(`cannot use the settings file "${configFile}": it belongs to the project "${other}"`, {
    hint: "Name another file for this project with --config PATH.",
  });
}
