import { join } from "node:path";
import type { AnnouncedEvent } from "./activity/announce/model.ts";
import { type Batch, peekNotices, type Taken, takeNotices } from "./activity/inbox.ts";
import { hasNotices } from "./activity/inbox-files.ts";
import { type EndpointOwner, endpointOverride } from "./backends/endpoints.ts";
import type { Backend } from "./backends/types.ts";
import { type Bandwidth, createBandwidth } from "./backends/wrap/bandwidth.ts";
import { breakCalls } from "./backends/wrap/breaker.ts";
import { wrapBackend } from "./backends/wrap/stack.ts";
import { configDir, stateDir } from "./lib/dirs.ts";
import { UsageError } from "./lib/errors.ts";
import type { RelPath } from "./lib/path.ts";
import { randomFraction } from "./lib/random.ts";
import { showOnDesktop } from "./platform/desktop.ts";
import type { Announcer } from "./project/announce.ts";
import { conflictFolder, notesFolder } from "./project/envelope-store.ts";
import type { MirrorDeps } from "./project/mirrors/model.ts";
import { openProject as openProjectRoom } from "./project/open.ts";
import type { Project, ProjectDeps } from "./project/service.ts";
import { findProject, readOutline, realPathOfAny } from "./settings/discovery.ts";
import { indexFile } from "./settings/index-fast.ts";
import { loadConfig } from "./settings/load.ts";
import { machineFrom } from "./settings/machine.ts";
import type { ProjectConfig } from "./settings/model.ts";
import { configFile, openConfig } from "./setup/config-file.ts";
import { type MirrorSetup, mirrorSetups } from "./setup/mirrors.ts";
import { swapConfigs } from "./setup/promotion.ts";
import { type Remote, remoteOf, storedSecret } from "./setup/remote.ts";
import type { World } from "./setup/world.ts";
import { cachedSnapshotNames } from "./snapshots/manifest-cache.ts";
import { pathMatcher } from "./snapshots/path-match.ts";
import type { SyncEvent } from "./sync/model.ts";

export interface OpenOptions {
  /** Absolute path of the config file; the one that belongs to the current folder when left out. */
  readonly config?: string | undefined;
  readonly onEvent: (event: SyncEvent) => void;
}

/** Puts one project together: settings, its remote and its mirrors with everything wrapped around them, and its folders. */
export async function openProject(world: World, options: OpenOptions): Promise<Project> {
  return openProjectRoom(await projectDeps(world, options));
}

/** What a project is made of, nothing opened yet. */
export async function projectDeps(world: World, options: OpenOptions): Promise<ProjectDeps> {
  const config = openConfig(world, options.config);
  const remote = await remoteOf(world, config);
  const { primary, mirrors } = await mirrorSetups(world, config, remote);
  const { stateFolder, trashFolder } = remote;
  const { clock, signal, cwd, home } = world;
  const kbps = config.maxUploadKbps;
  const bandwidth = kbps === null ? undefined : createBandwidth({ clock, kbps });
  return {
    config,
    clock,
    signal,
    cwd,
    home,
    stateFolder,
    trashFolder,
    conflictFolder: conflictFolder(stateDir(world.env, world.home), config.projectPath),
    onEvent: options.onEvent,
    announcer: announcerFor(world, config),
    ...channelOf(remote, config),
    openBackend: () => openRemote(world, { config, remote, limits: config, bandwidth, name: undefined }),
    name: primary,
    swapConfigs: (mirrorFile, turnOver) => swapConfigs(world, config, mirrorFile, turnOver),
    mirrors: mirrors.map((mirror) => mirrorDeps(world, { config, bandwidth }, mirror)),
  };
}

function channelOf({ module, deps }: Remote, config: ProjectConfig): Pick<ProjectDeps, "openChannel"> {
  const { channel } = module;
  return channel === undefined ? {} : { openChannel: () => channel(config, deps(undefined)) };
}

/** Services are loaded when there are any. */
function announcerFor(world: World, { webhooks }: ProjectConfig): Announcer {
  const { env, signal } = world;
  return {
    async alarm({ level, title, lines }) {
      const message = { title: "claude-mirror", message: [title, ...lines].join("\n") };
      await showOnDesktop({ ...message, urgent: level === "action-required" }, { platform: process.platform, env });
    },
    ...(webhooks.length > 0 && { tell: (events) => tellWebhooks(events, webhooks, { env, signal }) }),
  };
}

async function tellWebhooks(
  events: readonly AnnouncedEvent[],
  webhooks: ProjectConfig["webhooks"],
  { env, signal }: Pick<World, "env" | "signal">,
): Promise<readonly string[]> {
  const [{ announce }, { createHttpClient }] = await Promise.all([
    import("./activity/announce/send.ts"),
    import("./lib/http-client.ts"),
  ]);
  const http = createHttpClient();
  try {
    const standIn = (kind: string) => endpointOverride(env, kind.toUpperCase() as EndpointOwner, "NOTIFY");
    const matches = (pattern: string, path: string) => pathMatcher(pattern)(path as RelPath);
    return await announce(events, webhooks, { http, matches, standIn, signal });
  } finally {
    http.close();
  }
}

interface Opening {
  readonly config: ProjectConfig;
  readonly remote: Remote;
  /** Whose limits hold. */
  readonly limits: ProjectConfig;
  /** What all uploads of the run share. */
  readonly bandwidth: Bandwidth | undefined;
  /** Of a mirror. */
  readonly name: string | undefined;
}

/** Signs in where that is wanted. Throws NeedsActionError and BackendErrors. */
async function openRemote(world: World, { config, remote, limits, bandwidth, name }: Opening): Promise<Backend> {
  const { clock } = world;
  const wanted = remote.deps(storedSecret(remote, config));
  const backend = await remote.module.open(config, wanted);
  return wrapBackend(backend, {
    clock,
    random: randomFraction,
    attempts: limits.maxRetryAttempts,
    parallel: limits.parallelWorkers,
    maxThrottleWaitMs: limits.maxThrottleWaitSeconds * 1000,
    log: wanted.log,
    bandwidth,
    onPause: (untilMs) =>
      world.note(
        `${name === undefined ? "The remote" : `The mirror ${name}`} asked to wait: going on in ${Math.ceil((untilMs - clock.now()) / 1000)} s.`,
      ),
  });
}

/** A mirror goes by the primary's limits, and is given up for the rest of the run once it does not answer. */
function mirrorDeps(world: World, primary: Pick<Opening, "config" | "bandwidth">, mirror: MirrorSetup): MirrorDeps {
  const { name, file, config, problem, remote } = mirror;
  if (config === undefined || remote === undefined) {
    const state = problem ?? "it cannot be used";
    return {
      name,
      file,
      config: undefined,
      problem: state,
      root: "",
      stateFolder: "",
      trashFolder: "",
      openBackend: () => Promise.reject(new UsageError(state)),
    };
  }
  const { root, stateFolder, trashFolder } = remote;
  const opening = { config, remote, limits: primary.config, bandwidth: primary.bandwidth, name };
  const openBackend = async () => breakCalls(await openRemote(world, opening));
  return { name, file, config, root, stateFolder, trashFolder, openBackend };
}

/** What waits in one project's inbox. */
export interface Inbox {
  /** Where lines that are no notice go. */
  readonly asideFile: string;
  peek(): Batch;
  take(deliver: (batch: Batch) => void): Taken;
}

/**
 * The inbox of the project that holds the current folder, or of the config; undefined outside of projects. Reads no more
 * of the settings than where the project is.
 */
export function openInbox(world: World, options: Pick<OpenOptions, "config">): Inbox | undefined {
  const folder = projectFolderOf(world, options.config);
  if (folder === undefined) return undefined;
  const notes = notesFolder(stateDir(world.env, world.home), folder);
  const asideFile = join(notes, "inbox-unreadable.jsonl");
  const places = { folder, asideFile, lockFile: join(notes, "inbox.lock"), clock: world.clock };
  return {
    asideFile,
    peek: () => peekNotices(folder),
    take: (deliver) => (hasNotices(folder) ? takeNotices(places, deliver) : { kind: "empty" }),
  };
}

function projectFolderOf({ env, home, cwd }: World, config: string | undefined): string | undefined {
  if (config !== undefined) return realPathOfAny(readOutline(config, home).projectPath);
  const places = { configDir: configDir(env, home), home, indexFile: indexFile(env, home) };
  const found = findProject(cwd, places);
  return found.kind === "none" ? undefined : found.path;
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
