import { type Env, stateDir } from "../lib/dirs.ts";
import { findProject, knownProjects } from "./discovery.ts";
import { type FindResult, indexFile, type ProjectIndex } from "./index-fast.ts";
import { loadConfig } from "./load.ts";
import { type Machine, machineFrom } from "./machine.ts";
import type { ProjectConfig } from "./model.ts";

/** The settings of this user on this machine. */
export interface SettingsService {
  readonly machine: Machine;
  /** Absolute folder of what may be lost at the cost of time only. */
  readonly stateDir: string;
  /** The config of the project that holds `path`. */
  find(path: string): FindResult;
  /** All projects, and the YAMLs that could not be read. */
  known(): ProjectIndex;
  /** Throws SettingsError. */
  load(file: string): ProjectConfig;
}

/** Reads nothing until it is asked. */
export function openSettings(env: Env): SettingsService {
  const machine = machineFrom(env);
  const { home, configDir } = machine;
  const places = { home, configDir, indexFile: indexFile(env, home) };
  return {
    machine,
    stateDir: stateDir(env, home),
    find: (path) => findProject(path, places),
    known: () => knownProjects(places),
    load: (file) => loadConfig(file, machine),
  };
}
