import * as fs from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { expandHome } from "../lib/dirs.ts";
import { writeAtomic } from "../lib/fs.ts";
import { systemState } from "../lib/system-error.ts";
import { SettingsError } from "./errors.ts";
import {
  type ConfigProblem,
  type FileStamp,
  type FindResult,
  type IndexedProject,
  lookUp,
  mtimeOf,
  type ProjectIndex,
  readFreshIndex,
  realPath,
  stampOf,
} from "./index-fast.ts";
import { readText } from "./load-text.ts";
import { readYaml, type YamlEntries } from "./yaml-tree.ts";

export interface DiscoveryPlaces {
  /** Absolute folder of the project YAMLs. */
  readonly configDir: string;
  readonly home: string;
  /** Absolute path of the index, which is read when it is fresh and written anew when it is not. */
  readonly indexFile: string;
}

/**
 * The config of the project that holds the folder or file `path`: the nearest project at or above it wins, configs that
 * are some other config's mirrors do not count, and there is no fallback (decision 7). A YAML that cannot be read counts
 * as it was when it could; it never hides other projects, and `knownProjects` names it.
 */
export function findProject(path: string, places: DiscoveryPlaces): FindResult {
  return lookUp(knownProjects(places).projects, realPathOfAny(path));
}

/** Every project of the config folder, and the YAMLs there that could not be read. */
export function knownProjects(places: DiscoveryPlaces): ProjectIndex {
  const fresh = readFreshIndex(places.indexFile, places.configDir);
  if (fresh) return fresh;
  const { index, stable } = scan(places);
  if (stable) store(places.indexFile, index);
  return index;
}

interface Scan {
  readonly index: ProjectIndex;
  /** False when something changed while it was read: true for now, nothing to keep. */
  readonly stable: boolean;
}

function scan({ configDir, home, indexFile }: DiscoveryPlaces): Scan {
  const dirMtimeMs = mtimeOf(configDir);
  const names = yamlNames(configDir);
  const before = stamps(configDir, names);
  const outlines: Outline[] = [];
  const problems: ConfigProblem[] = [];
  for (const name of names) {
    const file = join(configDir, name);
    try {
      outlines.push(readOutline(file, home));
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push({ file, message: error.message });
      const known = remembered(indexFile, file);
      if (known !== undefined) outlines.push(known);
    }
  }
  const projects = indexed(outlines);
  const same = JSON.stringify(before) === JSON.stringify(stamps(configDir, names));
  const stable = same && mtimeOf(configDir) === dirMtimeMs;
  return { index: { version: 1, configDir, dirMtimeMs, files: before, projects, problems }, stable };
}

/**
 * A config as it was when it could last be read. Without it one that is broken for the moment would leave its project to
 * the config of a mirror, which would then pass for the primary.
 */
function remembered(index: string, file: string): Outline | undefined {
  try {
    const { version, projects } = JSON.parse(fs.readFileSync(index, "utf8")) as ProjectIndex;
    const known = version === 1 ? projects.find((project) => project.file === file) : undefined;
    return (
      known && { file, projectPath: known.given ?? known.path, mirrors: known.mirrors ?? [], tokenFile: undefined }
    );
  } catch {
    return undefined;
  }
}

function yamlNames(folder: string): string[] {
  try {
    return fs
      .readdirSync(folder)
      .filter((name) => name.endsWith(".yaml") && !name.startsWith("."))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new SettingsError(folder, `the folder cannot be listed: ${systemState(error)}`, { cause: error });
  }
}

function stamps(folder: string, names: readonly string[]): FileStamp[] {
  return names.map((name) => stampOf(folder, name));
}

/** What discovery needs of a config: read even where the rest of it is not in order. */
export interface Outline {
  readonly file: string;
  readonly projectPath: string;
  readonly mirrors: readonly string[];
  readonly tokenFile: string | undefined;
}

/** Throws SettingsError when the YAML cannot be read or names no project folder. */
export function readOutline(file: string, home: string): Outline {
  const { entries } = readYaml(readText(file), file);
  const projectPath = textOf(entries, "project_path");
  if (projectPath === undefined || projectPath === "") {
    throw new SettingsError(file, '"project_path" is missing; it must name a folder');
  }
  const tokenFile = textOf(entries, "token_file");
  return {
    file,
    projectPath: resolve(dirname(file), expandHome(projectPath, home)),
    mirrors: mirrorsOf(entries).map((path) => realPathOfAny(resolve(dirname(file), expandHome(path, home)))),
    tokenFile: tokenFile === undefined ? undefined : expandHome(tokenFile, home),
  };
}

function textOf(entries: YamlEntries, key: string): string | undefined {
  const node = entries.get(key);
  return node?.kind === "text" ? node.value : undefined;
}

function mirrorsOf(entries: YamlEntries): string[] {
  const node = entries.get("mirror_config_paths");
  return node?.kind === "list" ? node.items.flatMap((item) => (item.kind === "text" ? [item.value] : [])) : [];
}

function indexed(outlines: readonly Outline[]): IndexedProject[] {
  return outlines.map((outline) => {
    const { file, projectPath, mirrors } = outline;
    const real = realPath(projectPath);
    const mirror = outlines.some((other) => isMirrorOf(outline, other));
    const plain = { path: real ?? projectPath, file, mirror, ...(mirrors.length > 0 && { mirrors }) };
    return real === projectPath ? plain : { ...plain, given: projectPath };
  });
}

/** Of two configs that name each other neither is the other's mirror: `--config` has to choose. */
function isMirrorOf(config: Outline, primary: Outline): boolean {
  const file = realPathOfAny(config.file);
  const primaryFile = realPathOfAny(primary.file);
  return file !== primaryFile && primary.mirrors.includes(file) && !config.mirrors.includes(primaryFile);
}

/** The real path, as far up as something exists. */
export function realPathOfAny(path: string): string {
  const whole = isAbsolute(path) ? path : resolve(path);
  const real = realPath(whole);
  if (real !== undefined) return real;
  const parent = dirname(whole);
  return parent === whole ? whole : join(realPathOfAny(parent), basename(whole));
}

function store(file: string, index: ProjectIndex): void {
  try {
    fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeAtomic(file, `${JSON.stringify(index)}\n`, { mode: 0o600, durable: false });
  } catch {
    // A state folder that cannot be written costs time only.
  }
}
