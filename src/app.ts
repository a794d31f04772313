import { wrapBackend } from "./backends/wrap/stack.ts";
import { stateDir } from "./lib/dirs.ts";
import { randomFraction } from "./lib/random.ts";
import { conflictFolder } from "./project/envelope-store.ts";
import { openProject as openProjectRoom } from "./project/open.ts";
import type { Project } from "./project/service.ts";
import { loadConfig } from "./settings/load.ts";
import { machineFrom } from "./settings/machine.ts";
import { configFile, openConfig } from "./setup/config-file.ts";
import { remoteOf, storedSecret } from "./setup/remote.ts";
import type { World } from "./setup/world.ts";
import { cachedSnapshotNames } from "./snapshots/manifest-cache.ts";
import type { SyncEvent } from "./sync/model.ts";

export interface OpenOptions {
  /** Absolute path of the config file; the one that belongs to the current folder when left out. */
  readonly config?: string | undefined;
  readonly onEvent: (event: SyncEvent) => void;
}

/** Puts one project together: settings, its remote with everything wrapped around it, and its folders. */
export async function openProject(world: World, options: OpenOptions): Promise<Project> {
  const config = openConfig(world, options.config);
  const { module, stateFolder, trashFolder, deps } = await remoteOf(world, config);
  const { clock, signal, cwd } = world;
  return openProjectRoom({
    config,
    clock,
    signal,
    cwd,
    stateFolder,
    trashFolder,
    conflictFolder: conflictFolder(stateDir(world.env, world.home), config.projectPath),
    onEvent: options.onEvent,
    async openBackend() {
      const wanted = deps(storedSecret(config));
      const backend = await module.open(config, wanted);
      return wrapBackend(backend, {
        clock,
        random: randomFraction,
        attempts: config.maxRetryAttempts,
        parallel: config.parallelWorkers,
        maxThrottleWaitMs: config.maxThrottleWaitSeconds * 1000,
        log: wanted.log,
        onPause: (untilMs) =>
          world.note(`The remote asked to wait: going on in ${Math.ceil((untilMs - clock.now()) / 1000)} s.`),
      });
    },
  });
}

/** Names of the snapshots that this machine has seen of the current folder's project, newest first; none on any trouble. */
export async function snapshotNames(world: World): Promise<readonly string[]> {
  try {
    const config = loadConfig(configFile(world, undefined), machineFrom(world.env));
    return cachedSnapshotNames((await remoteOf(world, config)).stateFolder);
  } catch {
    // Completion stays silent: what is wrong shows when the command runs.
    return [];
  }
}
