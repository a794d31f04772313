import { openProject } from "./app.ts";
import { BackendError } from "./backends/errors.ts";
import { pythonIso } from "./lib/clock.ts";
import { MissingError, NeedsActionError, UsageError } from "./lib/errors.ts";
import { readLock, secondsText } from "./lib/lock.ts";
import type { LocalHealth, Waiting } from "./project/health.ts";
import { healthCheck, localChecks, mirrorChecks, overallOf, type Patience } from "./project/health-checks.ts";
import { lockFile } from "./project/lock.ts";
import type { HealthCheck, HealthResult } from "./project/model.ts";
import type { Project } from "./project/service.ts";
import { SettingsError } from "./settings/errors.ts";
import type { ProjectConfig } from "./settings/model.ts";
import { configFile, openConfig } from "./setup/config-file.ts";
import { checkJournal, checkWatcher } from "./setup/doctor-files.ts";
import { openReport } from "./setup/doctor-report.ts";
import { mirrorSetups } from "./setup/mirrors.ts";
import { type Remote, remoteOf, storedSecret } from "./setup/remote.ts";
import type { World } from "./setup/world.ts";
import { syncFiles } from "./sync/files.ts";

export interface HealthOptions extends Patience {
  /** Absolute path of the config file; the one that belongs to the current folder when left out. */
  readonly config?: string | undefined;
  /** How long each remote has to answer. */
  readonly timeoutMs: number;
  /** False: nobody is asked. */
  readonly backends: boolean;
}

/**
 * How one project is, for a monitor: what fails is a finding, and every remote has so long to answer and no longer.
 * Changes nothing. Throws UsageError where there is no project, and the signal's reason.
 */
export async function examineHealth(given: World, options: HealthOptions): Promise<HealthResult> {
  const file = configFile(given, options.config);
  const done = new AbortController();
  const world: World = { ...given, signal: AbortSignal.any([given.signal, done.signal]), note: () => undefined };
  try {
    const checks = await examine(world, file, options);
    given.signal.throwIfAborted();
    return { overall: overallOf(checks), generated_at: pythonIso(world.clock.now()), config: file, checks };
  } finally {
    // Whatever did not answer in time is not waited for.
    done.abort(new Error("the look is over"));
  }
}

async function examine(world: World, file: string, options: HealthOptions): Promise<readonly HealthCheck[]> {
  let config: ProjectConfig;
  let remote: Remote;
  try {
    config = openConfig(world, file);
    remote = await remoteOf(world, config);
  } catch (error) {
    const isFinding = [SettingsError, BackendError, UsageError, MissingError].some((known) => error instanceof known);
    if (!isFinding || !(error instanceof Error)) throw error;
    return [healthCheck("config", "fail", error.message, { advice: "Run claude-mirror doctor." })];
  }
  const remotes = options.backends ? await examineRemotes(world, { config, remote }, options) : undefined;
  const local = await examineFiles(world, { file, there: remotes?.there }, options);
  return [healthCheck("config", "ok", file), ...local, ...runChecks(world, remote, config), ...(remotes?.checks ?? [])];
}

/** Files, records and mirrors' backlogs: what this machine knows by itself. */
async function examineFiles(
  world: World,
  { file, there }: { readonly file: string; readonly there: Waiting | undefined },
  options: HealthOptions,
): Promise<readonly HealthCheck[]> {
  try {
    return await withProject(world, file, async (project) => {
      const facts: LocalHealth = await project.localHealth();
      const backlogs = await within(world, options.timeoutMs, () => project.mirrorBacklogs());
      return [...localChecks({ ...facts, there, nowMs: world.clock.now() }, options), ...mirrorChecks(backlogs)];
    });
  } catch (error) {
    world.signal.throwIfAborted();
    return [healthCheck("project", "fail", messageOf(error), { advice: "Run claude-mirror doctor." })];
  }
}

async function withProject<T>(world: World, config: string, use: (project: Project) => Promise<T>): Promise<T> {
  const project = await openProject(world, { config, onEvent: () => undefined });
  try {
    return await use(project);
  } finally {
    await project.close();
  }
}

/** A run that is under way longer hangs. */
const LONGEST_RUN_MS = 6 * 3_600_000;

/** The run that is under way or was interrupted, and the watcher. */
function runChecks(world: World, { stateFolder }: Remote, { projectPath }: ProjectConfig): readonly HealthCheck[] {
  const { clock } = world;
  const report = openReport(world.signal);
  const lock = readLock(lockFile(stateFolder), { clock });
  if (lock.kind === "held") {
    const { command, pid, host, startedAt } = lock.owner;
    const hangs = clock.now() - Date.parse(startedAt) > LONGEST_RUN_MS;
    const detail = `${command} is under way (process ${pid} on ${host}, since ${secondsText(startedAt)})`;
    if (hangs) report.warn("last_run", detail, "End that process if it hangs; the next run goes on from there.");
    else report.ok("last_run", detail);
  } else checkJournal(report, syncFiles(projectPath, stateFolder).journal);
  checkWatcher(report, stateFolder, clock);
  const words = { ok: "ok", warning: "warn", failed: "fail" } as const;
  return report.checks.map(({ name, state, detail, advice }) =>
    healthCheck(name.replaceAll(" ", "_"), words[state], detail, { advice }),
  );
}

interface Place {
  readonly config: ProjectConfig;
  readonly remote: Remote;
}

interface Remotes {
  readonly checks: readonly HealthCheck[];
  /** What waits on the primary; undefined where it did not answer. */
  readonly there: Waiting | undefined;
}

async function examineRemotes(world: World, primary: Place, { timeoutMs }: HealthOptions): Promise<Remotes> {
  const { primary: name, mirrors } = await mirrorSetups(world, primary.config, primary.remote);
  let there: Waiting | undefined;
  const look = (one: World) =>
    withProject(one, primary.config.file, async (project) => {
      there = await project.waitingThere();
    });
  const all = await Promise.all([
    examineRemote(world, primary, { name, timeoutMs, look }),
    ...mirrors.flatMap(({ name: mirror, config, remote }) =>
      config === undefined || remote === undefined
        ? []
        : [examineRemote(world, { config, remote }, { name: mirror, timeoutMs })],
    ),
  ]);
  return { checks: all.flat(), there };
}

interface RemoteOptions {
  readonly name: string;
  readonly timeoutMs: number;
  /** What else to look at while it answers. */
  readonly look?: (world: World) => Promise<void>;
}

/** Whether one remote lets us in, and whether its base folder is there. */
async function examineRemote(
  world: World,
  { config, remote }: Place,
  { name, timeoutMs, look }: RemoteOptions,
): Promise<readonly HealthCheck[]> {
  const token = tokenCheck(`token:${name}`, { config, remote });
  if (token.status === "fail") return [token];
  const startMs = world.clock.now();
  const check = (status: HealthCheck["status"], detail: string, advice?: string | undefined) => {
    const latencyMs = Math.round(world.clock.now() - startMs);
    return healthCheck(`backend:${name}`, status, detail, { latencyMs, advice });
  };
  try {
    await within(world, timeoutMs, async (signal) => {
      const reached = await remoteOf({ ...world, signal }, config);
      await reached.module.check(config, reached.deps(storedSecret(reached, config)));
      await look?.({ ...world, signal });
    });
    return [token, check("ok", remote.root)];
  } catch (error) {
    world.signal.throwIfAborted();
    const hint = error instanceof BackendError ? error.hint : undefined;
    return [token, check("fail", messageOf(error), hint)];
  }
}

function tokenCheck(name: string, { config, remote }: Place): HealthCheck {
  const { module, deps } = remote;
  const advice = `Run claude-mirror auth --config ${config.file}.`;
  const findings = module.inspect?.(config, deps(undefined)) ?? [];
  const worst = findings.find(({ state }) => state === "failed") ?? findings.find(({ state }) => state === "warning");
  if (worst?.state === "failed") return healthCheck(name, "fail", worst.detail, { advice: worst.hint ?? advice });
  try {
    const isNeeded = storedSecret(remote, config) !== undefined || module.signIn !== undefined;
    if (worst !== undefined) return healthCheck(name, "warn", worst.detail, { advice: worst.hint ?? advice });
    return healthCheck(name, "ok", isNeeded ? "there is one" : "none is needed");
  } catch (error) {
    const detail = error instanceof NeedsActionError ? "not signed in" : messageOf(error);
    return healthCheck(name, "fail", detail, { advice });
  }
}

/** Ends what takes longer: it is told by its signal, and not waited for. */
async function within<T>(world: World, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = world.clock.sleep(ms, AbortSignal.any([world.signal, done.signal])).then(() => {
    throw new BackendError(`no answer within ${ms / 1000} s`, { class: "TRANSIENT" });
  });
  const running = work(AbortSignal.any([world.signal, done.signal]));
  try {
    return await Promise.race([running, late]);
  } finally {
    done.abort(new Error("it took too long"));
    running.catch(() => undefined);
    late.catch(() => undefined);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
