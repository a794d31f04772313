import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { AVAILABLE_KINDS } from "../backends/registry.ts";
import { UsageError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
import { parseConfig } from "../settings/codec.ts";
import { editConfig, saveConfig } from "../settings/editor.ts";
import { machineFrom } from "../settings/machine.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { readWebdavToken, writeWebdavToken } from "../settings/tokens.ts";
import { formatNewConfig } from "../settings/writer.ts";
import { patternHints } from "../sync/pattern-hints.ts";
import { hasTokenFile } from "./auth-token.ts";
import { checkWebdavUrl, requireApart } from "./checks.ts";
import { gitignoreOffer } from "./gitignore.ts";
import { signInKeys } from "./init-clouds.ts";
import { type InitTarget, locateInit } from "./init-target.ts";
import { type InitValues, initValues, isDiscoverable } from "./init-values.ts";
import type { GivenPassword, InitRequest, InitResult } from "./model.ts";
import { type Remote, remoteOf } from "./remote.ts";
import type { World } from "./world.ts";

/**
 * Sets a project up: writes its settings (0600, named after the folder), or changes in existing ones what is asked for
 * and nothing else. A local folder is made right away; a WebDAV server is not contacted. Throws UsageError for what
 * cannot be, before anything is written.
 */
export async function initProject(world: World, request: InitRequest): Promise<InitResult> {
  const target = locateInit(world, request);
  const values = initValues(world, request, target);
  const plan = await planInit(world, request, { target, values });
  const remoteCreated = request.dryRun ? false : await executeInit(world, plan);
  const { config, changed } = plan;
  return {
    configFile: target.configFile,
    projectPath: target.projectPath,
    backend: config.backend,
    remote: plan.remote?.root ?? null,
    remoteCreated,
    created: target.text === undefined,
    changed,
    filePatterns: config.filePatterns,
    excludePatterns: config.excludePatterns,
    passwordFile: plan.password === undefined ? null : config.tokenFile,
    dryRun: request.dryRun,
    hints: hintsFor(world, plan),
    gitignore: (target.text === undefined && gitignoreOffer(target.projectPath)) || null,
    next: nextStep(world, plan),
  };
}

/** The settings that `init` would leave, read as commands read them; changes nothing. */
export async function draftConfig(world: World, request: InitRequest): Promise<ProjectConfig> {
  const target = locateInit(world, request);
  return (await planInit(world, request, { target, values: initValues(world, request, target) })).config;
}

interface InitPlan {
  readonly target: InitTarget;
  readonly text: string;
  readonly config: ProjectConfig;
  readonly changed: readonly string[];
  readonly password: string | undefined;
  readonly remote: Remote | undefined;
}

interface Asked {
  readonly target: InitTarget;
  readonly values: InitValues;
}

async function planInit(world: World, request: InitRequest, { target, values }: Asked): Promise<InitPlan> {
  const machine = machineFrom(world.env);
  const { configFile: file, text: before } = target;
  const text =
    before === undefined
      ? formatNewConfig(values.changes, machine)
      : editConfig(before, values.changes, { file, remove: values.remove });
  const config = parseConfig(text, file, machine);
  if (config.backend === "local") requireApart(config);
  if (config.backend === "webdav" && (before === undefined || text !== before)) {
    checkWebdavUrl(config.webdavUrl, { insecure: config.webdavInsecureHttp });
  }
  const remote = AVAILABLE_KINDS.includes(config.backend) ? await remoteOf(world, config) : undefined;
  const changed = before === undefined ? [] : changedKeys(before, values, file);
  return { target, text, config, changed, remote, password: passwordFor(request.password, config, changed, before) };
}

function changedKeys(before: string, { changes, remove }: InitValues, file: string): string[] {
  const set = Object.entries(changes).filter(
    ([key, value]) => editConfig(before, { [key]: value }, { file }) !== before,
  );
  return [...set.map(([key]) => key), ...remove].sort();
}

/** The password to store, if any. */
function passwordFor(
  given: GivenPassword | undefined,
  config: ProjectConfig,
  changed: readonly string[],
  before: string | undefined,
): string | undefined {
  if (given === undefined || config.backend !== "webdav") return undefined;
  const asked = before === undefined || changed.some((key) => key.startsWith("webdav_") || key === "backend");
  if (given.from === "environment" && !asked) return undefined;
  if (config.webdavUsername === "") {
    throw new UsageError("a password is given, but nobody whose it is", { hint: "Add --webdav-username NAME." });
  }
  return given.text;
}

/** Remote folder, token, settings: what is written first is of no harm without the rest. Tells whether the folder was made. */
async function executeInit(world: World, plan: InitPlan): Promise<boolean> {
  const { target, config, remote, text, password } = plan;
  const moved = target.text === undefined || plan.changed.includes("local_folder") || plan.changed.includes("backend");
  let created = false;
  if (remote && config.backend === "local" && (moved || !existsSync(config.localFolder))) {
    created = (await remote.module.prepare(config, remote.deps(undefined))).created;
  }
  const configDir = machineFrom(world.env).configDir;
  for (const folder of [configDir, dirname(target.configFile)]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (password !== undefined) {
    faultPoint("init-token");
    writeWebdavToken(config.tokenFile, { username: config.webdavUsername, password });
  }
  if (text !== target.text) {
    faultPoint("init-settings");
    saveConfig(target.configFile, text);
  }
  if (text !== target.text || password !== undefined) pokeWatcher(configDir, world);
  return created;
}

/** What a running `watch-all` looks at to read its settings again (reference 1.13): Python's `time.time()` and a line end. */
function pokeWatcher(configDir: string, { clock }: World): void {
  faultPoint("reload-signal");
  writeAtomic(join(configDir, ".reload_signal"), `${(clock.now() / 1000).toFixed(6)}\n`, { durable: false });
}

function hintsFor(world: World, { config, target, changed }: InitPlan): string[] {
  const hints = patternHints(config);
  const { configFile, rival } = target;
  const touched = (key: string) => target.text === undefined || changed.includes(key);
  if (config.backend === "webdav" && config.webdavUsername === "" && touched("webdav_username")) {
    hints.push("no --webdav-username: the server is used without a sign-in");
  }
  if (config.webdavInsecureHttp && config.webdavUrl.startsWith("http:") && touched("webdav_insecure_http")) {
    hints.push("the password goes over the network in the clear: everybody on the way can read it");
  }
  if (rival !== undefined) {
    hints.push(`"${rival}" is for this project too: commands need --config as long as both are there`);
  }
  if (!isDiscoverable(configFile, machineFrom(world.env).configDir)) {
    hints.push(`"${configFile}" is not found by itself: give it to every command with --config`);
  }
  return hints;
}

function nextStep(world: World, { config, target, changed, password }: InitPlan): string | null {
  const found = isDiscoverable(target.configFile, machineFrom(world.env).configDir) && target.rival === undefined;
  const rest = found ? "" : ` --config "${target.configFile}"`;
  const isNew = target.text === undefined || changed.includes("backend");
  if (config.backend === "local") return isNew || changed.includes("local_folder") ? `claude-mirror push${rest}` : null;
  const keys = signInKeys(config.backend);
  const touched = isNew || password !== undefined || changed.some((key) => keys.includes(key));
  return touched || !hasToken(config) ? `claude-mirror auth${rest}` : null;
}

function hasToken({ backend, tokenFile }: ProjectConfig): boolean {
  if (backend !== "webdav") return hasTokenFile(tokenFile);
  try {
    return readWebdavToken(tokenFile) !== undefined;
  } catch {
    // Unreadable: auth writes it anew.
    return false;
  }
}
