import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Beat, NoticedEvent } from "./activity/model.ts";
import { type Watched, watchMany } from "./activity/watch-many.ts";
import { openProject, projectDeps } from "./app.ts";
import { configDir, stateDir } from "./lib/dirs.ts";
import { writeAtomic } from "./lib/fs.ts";
import { acquireLock, type LockState, readLock } from "./lib/lock.ts";
import { releaseWaiting } from "./lib/memory.ts";
import { type DesktopOptions, showOnDesktop } from "./platform/desktop.ts";
import { autoPull } from "./project/auto-pull.ts";
import { type FollowRequest, followLog } from "./project/follow-log.ts";
import type { ProjectDeps } from "./project/service.ts";
import { noticeOf, watchOnce, watchProject } from "./project/watch.ts";
import { type DiscoveryPlaces, knownProjects } from "./settings/discovery.ts";
import { indexFile, mtimeOf, stampOf } from "./settings/index-fast.ts";
import type { World } from "./setup/world.ts";

/** What a watcher tells while it runs. */
export interface WatchOptions {
  /** Absolute path of the config file; the one that belongs to the current folder when left out. */
  readonly config?: string | undefined;
  /** What others changed, after it is in the inbox. */
  readonly onNews: (news: readonly NoticedEvent[], project: string) => void;
  readonly onBeat?: (beat: Beat, project: string) => void;
}

/**
 * Watches one project until the world's signal fires: inbox, desktop, and with `auto_pull` the files too. Throws what
 * opening a project throws, and LockedError where another process watches it.
 */
export async function watch(world: World, options: WatchOptions): Promise<void> {
  const deps = await projectDeps(world, { config: options.config, onEvent: () => undefined });
  const { onBeat } = options;
  const { projectPath } = deps.config;
  await watchProject(deps, {
    onNews: (news) => tellNews(world, { news, deps, options }),
    ...(onBeat && { onBeat: (beat) => onBeat(beat, projectPath) }),
    onNote: (line) => world.note(`${basename(projectPath)}: ${line}`),
  });
}

/** One look, for cron. */
export async function lookOnce(world: World, options: WatchOptions): Promise<readonly NoticedEvent[]> {
  const deps = await projectDeps(world, { config: options.config, onEvent: () => undefined });
  return watchOnce(deps, { onNews: (news) => tellNews(world, { news, deps, options }) });
}

/** Shows the project's log as it grows, until the world's signal fires. Throws what opening and the first look throw. */
export async function follow(world: World, config: string | undefined, request: FollowRequest): Promise<void> {
  await followLog(await projectDeps(world, { config, onEvent: () => undefined }), request);
}

interface News {
  readonly news: readonly NoticedEvent[];
  readonly deps: ProjectDeps;
  readonly options: WatchOptions;
}

async function tellNews(world: World, { news, deps: { config }, options }: News): Promise<void> {
  options.onNews(news, config.projectPath);
  await Promise.all(news.slice(-MOST_SHOWN).map((event) => showOnDesktop(noticeOf(event), desktopOf(world))));
  if (config.autoPull !== true) return;
  const open = () =>
    openProject({ ...world, note: () => undefined }, { config: config.file, onEvent: () => undefined });
  const line = await autoPull(open, world.signal);
  if (line !== undefined) world.note(line);
}

/** Newer ones say what older ones do: run sync. */
const MOST_SHOWN = 3;

function desktopOf({ env }: World): DesktopOptions {
  return { platform: process.platform, env };
}

/** Watches every project of this user, or those of the given configs, until the world's signal fires. */
export async function watchAll(world: World, { configs, ...options }: WatchAllOptions): Promise<void> {
  const { env, home, clock } = world;
  const places = { configDir: configDir(env, home), home, indexFile: indexFile(env, home) };
  const lock = acquireLock(watcherLock(world), { command: "watch-all", clock });
  const signalFile = join(places.configDir, RELOAD_SIGNAL);
  let signalled = mtimeOf(signalFile);
  try {
    await watchMany({
      clock,
      signal: world.signal,
      discover: () => {
        lock.refresh();
        return watchedConfigs(places, configs);
      },
      watch: (key, signal) => watch({ ...world, signal }, { ...options, config: key }),
      asked() {
        const now = mtimeOf(signalFile);
        const asked = now !== signalled || options.hungUp();
        signalled = now;
        return asked;
      },
      tidy: releaseWaiting,
      note: world.note,
    });
  } finally {
    lock.release();
  }
}

export interface WatchAllOptions extends Omit<WatchOptions, "config"> {
  /** Absolute; every project that is nobody's mirror when empty. */
  readonly configs: readonly string[];
  /** Whether a SIGHUP came since the last call. */
  readonly hungUp: () => boolean;
}

/** Touched to make a running watcher look for projects at once (reference 1.13). */
const RELOAD_SIGNAL = ".reload_signal";

function watcherLock({ env, home }: Pick<World, "env" | "home">): string {
  return join(stateDir(env, home), "watch-all.lock");
}

function watchedConfigs(places: DiscoveryPlaces, configs: readonly string[]): Watched[] {
  const files =
    configs.length > 0
      ? configs.filter((file) => existsSync(file))
      : knownProjects(places)
          .projects.filter(({ mirror }) => !mirror)
          .map(({ file }) => file);
  return files.map((file) => ({ key: file, stamp: JSON.stringify(stampOf(dirname(file), basename(file))) }));
}

/** Lets a watcher that runs see a config that was just made or changed. Nothing is done where none runs. */
export function pokeWatcher(world: Pick<World, "env" | "home" | "clock">): void {
  if (readLock(watcherLock(world), world).kind === "held") reloadWatcher(world);
}

/**
 * Asks a running watcher to look for projects at once: by the file that every version honours, and by SIGHUP to the one
 * process that holds the watcher's lock. Answers its process id, undefined where none runs on this machine.
 */
export function reloadWatcher(world: Pick<World, "env" | "home" | "clock">): number | undefined {
  const { env, home, clock } = world;
  const folder = configDir(env, home);
  writeAtomic(join(folder, RELOAD_SIGNAL), `${clock.now() / 1000}\n`, { mode: 0o600, durable: false });
  const pid = runningWatcher(world);
  if (pid === undefined) return undefined;
  try {
    if (process.platform !== "win32") process.kill(pid, "SIGHUP");
    return pid;
  } catch {
    return undefined;
  }
}

/** What the lock of the process that watches all projects says. */
export function watcherState(world: Pick<World, "env" | "home" | "clock">): LockState {
  return readLock(watcherLock(world), world);
}

/** The process that watches all projects on this machine; undefined where there is none. */
export function runningWatcher(world: Pick<World, "env" | "home" | "clock">): number | undefined {
  const lock = watcherState(world);
  return lock.kind === "held" && lock.owner.host === hostname() ? lock.owner.pid : undefined;
}
