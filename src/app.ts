import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { BackendDeps } from "./backends/module.ts";
import { loadBackend } from "./backends/registry.ts";
import { wrapBackend } from "./backends/wrap/stack.ts";
import type { Clock } from "./lib/clock.ts";
import { dataDir, type Env, stateDir } from "./lib/dirs.ts";
import { UsageError } from "./lib/errors.ts";
import { randomFraction } from "./lib/random.ts";
import { openProject as openProjectRoom } from "./project/open.ts";
import type { Project } from "./project/service.ts";
import { findProject } from "./settings/discovery.ts";
import { indexFile } from "./settings/index-fast.ts";
import { loadConfig } from "./settings/load.ts";
import { machineFrom } from "./settings/machine.ts";
import type { ProjectConfig } from "./settings/model.ts";
import { projectFolder, projectId } from "./settings/project-id.ts";
import { webdavSecret } from "./settings/tokens.ts";
import type { SyncEvent } from "./sync/model.ts";

/** The world outside, as the command line was given it. */
export interface World {
  readonly env: Env;
  /** Absolute. */
  readonly cwd: string;
  readonly home: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One line for the person: warnings about settings, pauses. */
  readonly note: (line: string) => void;
}

export interface OpenOptions {
  /** Absolute path of the config file; the one that belongs to the current folder when left out. */
  readonly config?: string | undefined;
  readonly onEvent: (event: SyncEvent) => void;
}

/** Puts one project together: settings, its remote with everything wrapped around it, and its folders. */
export async function openProject(world: World, options: OpenOptions): Promise<Project> {
  const config = loadConfig(configFile(world, options.config), machineFrom(world.env));
  for (const warning of config.warnings) world.note(warning);
  const { module, places, deps } = await remoteOf(world, config);
  const { clock, signal, cwd } = world;
  return openProjectRoom({
    config,
    clock,
    signal,
    cwd,
    ...places,
    onEvent: options.onEvent,
    async openBackend() {
      const backend = await module.open(config, deps);
      return wrapBackend(backend, {
        clock,
        random: randomFraction,
        attempts: config.maxRetryAttempts,
        parallel: config.parallelWorkers,
        maxThrottleWaitMs: config.maxThrottleWaitSeconds * 1000,
        log: deps.log,
        onPause: (untilMs) =>
          world.note(`The remote asked to wait: going on in ${Math.ceil((untilMs - clock.now()) / 1000)} s.`),
      });
    },
  });
}

/** The config that a command is about. Throws UsageError when there is none or several claim the folder. */
export function configFile(world: World, given: string | undefined): string {
  if (given !== undefined) return given;
  const { env, home, cwd } = world;
  const found = findProject(cwd, { configDir: machineFrom(env).configDir, home, indexFile: indexFile(env, home) });
  if (found.kind === "found") return found.file;
  if (found.kind === "ambiguous") {
    throw new UsageError(`several configs are for the project ${found.path}: ${found.files.join(", ")}`, {
      hint: "Choose one with --config; claude-mirror doctor explains.",
    });
  }
  throw new UsageError(`no project is set up for ${cwd}`, {
    hint: "Run claude-mirror init there, cd into a project, or name a config with --config.",
  });
}

export interface Remote {
  readonly module: Awaited<ReturnType<typeof loadBackend>>;
  readonly deps: BackendDeps;
  readonly places: { readonly stateFolder: string; readonly trashFolder: string };
}

/** The remote of a project as its settings describe it, not opened yet. */
export async function remoteOf(world: World, config: ProjectConfig): Promise<Remote> {
  const { env, home, clock, signal } = world;
  const module = await loadBackend(config.backend);
  const id = projectId(realPathOr(config.projectPath), module.remoteRoot(config));
  const stateFolder = projectFolder(stateDir(env, home), id);
  const trashFolder = join(projectFolder(dataDir(env, home), id), "trash");
  const secret = config.backend === "webdav" ? webdavSecret(config) : undefined;
  const log = env["CLAUDE_MIRROR_DEBUG"] ? world.note : undefined;
  return { module, places: { stateFolder, trashFolder }, deps: { clock, env, stateFolder, secret, signal, log } };
}

function realPathOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
