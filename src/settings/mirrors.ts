import { basename } from "node:path";
import type { BackendKind } from "../backends/types.ts";
import { realPathOfAny } from "./discovery.ts";
import { SettingsError } from "./errors.ts";
import { loadConfig } from "./load.ts";
import type { Machine } from "./machine.ts";
import type { ProjectConfig } from "./model.ts";

/** One entry of `mirror_config_paths`. */
export interface MirrorConfig {
  /** What `--backend` and the shared manifest call it (decision 25). */
  readonly name: string;
  /** Absolute path of its YAML. */
  readonly file: string;
  /** Undefined when it cannot be used. */
  readonly config: ProjectConfig | undefined;
  /** Why it cannot be used: one clause. */
  readonly problem?: string;
}

export interface MirrorConfigs {
  /** What `--backend` calls the primary. */
  readonly primary: string;
  /** In the order of `mirror_config_paths`. */
  readonly mirrors: readonly MirrorConfig[];
}

/**
 * The mirrors that a config names, each read and held against the rules: the same project folder, no mirrors of its own,
 * not the primary itself, no file twice. One that breaks a rule is listed with its problem; nothing is thrown for it.
 */
export function loadMirrors(primary: ProjectConfig, machine: Machine): MirrorConfigs {
  const seen = new Set([realPathOfAny(primary.file)]);
  const read = primary.mirrorConfigPaths.map((file) => {
    const found = readMirror(primary, file, machine);
    const real = realPathOfAny(file);
    const twice = seen.has(real) ? "it is listed twice, or is the primary's own config" : undefined;
    seen.add(real);
    return twice === undefined ? { file, ...found } : { file, config: undefined, problem: twice };
  });
  const kinds = [primary.backend, ...read.flatMap(({ config }) => config?.backend ?? [])];
  const nameOf = nameGiver(kinds);
  return {
    primary: nameOf(primary.file, primary.backend),
    mirrors: read.map((one) => ({ ...one, name: nameOf(one.file, one.config?.backend) })),
  };
}

function readMirror(primary: ProjectConfig, file: string, machine: Machine): Omit<MirrorConfig, "name" | "file"> {
  try {
    const config = loadConfig(file, machine);
    const problem = ruleBroken(primary, config);
    return problem === undefined ? { config } : { config: undefined, problem };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { config: undefined, problem: error.found };
  }
}

function ruleBroken(primary: ProjectConfig, mirror: ProjectConfig): string | undefined {
  if (realPathOfAny(mirror.projectPath) !== realPathOfAny(primary.projectPath)) {
    return `its project_path is ${mirror.projectPath}, not ${primary.projectPath}`;
  }
  if (mirror.mirrorConfigPaths.length > 0)
    return "it names mirrors of its own (mirror_config_paths), which a mirror cannot have";
  return undefined;
}

/** The backend's type where only one has it, else the config's stem, made unique. */
function nameGiver(kinds: readonly BackendKind[]): (file: string, kind: BackendKind | undefined) => string {
  const given = new Set<string>();
  return (file, kind) => {
    const alone = kind !== undefined && kinds.filter((other) => other === kind).length === 1;
    const wanted = alone ? kind : stemOf(file);
    let name = wanted;
    for (let n = 2; given.has(name); n++) name = `${wanted}-${n}`;
    given.add(name);
    return name;
  };
}

function stemOf(file: string): string {
  return basename(file).replace(/\.ya?ml$/, "");
}
