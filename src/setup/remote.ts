import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { BackendDeps, BackendModule, Secret } from "../backends/module.ts";
import { loadBackend } from "../backends/registry.ts";
import { dataDir, stateDir } from "../lib/dirs.ts";
import { NeedsActionError } from "../lib/errors.ts";
import { SettingsError } from "../settings/errors.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { projectFolder, projectId } from "../settings/project-id.ts";
import { type WebdavSecret, webdavSecret } from "../settings/tokens.ts";
import { openTokenStore } from "./token-store.ts";
import type { World } from "./world.ts";

/** The remote of a project as its settings describe it, not opened yet. */
export interface Remote {
  readonly module: BackendModule;
  /** Canonical; holds no secret. */
  readonly root: string;
  readonly stateFolder: string;
  readonly trashFolder: string;
  /** What the module's functions want, with what signs in. */
  deps(secret: Secret | undefined): BackendDeps;
}

/** Reads no secret and asks nothing. Throws a BackendError for an address that cannot be one. */
export async function remoteOf(world: Omit<World, "cwd">, config: ProjectConfig): Promise<Remote> {
  const { env, home, clock, signal } = world;
  const module = await loadBackend(config.backend);
  const root = module.remoteRoot(config);
  const id = projectId(realPathOr(config.projectPath), root);
  const stateFolder = projectFolder(stateDir(env, home), id);
  const trashFolder = join(projectFolder(dataDir(env, home), id), "trash");
  const log = env["CLAUDE_MIRROR_DEBUG"] ? world.note : undefined;
  const authLog = env["CLAUDE_MIRROR_AUTH_VERBOSE"] ? world.note : undefined;
  const tokens = openTokenStore(config.tokenFile, { clock, signal });
  return {
    module,
    root,
    stateFolder,
    trashFolder,
    deps: (secret) => ({ clock, env, stateFolder, secret, tokens, signal, log, authLog }),
  };
}

/** How the place stands where machines tell one another what they did, one line a part with the next step where it takes one. */
export async function channelNotes(
  { module, deps }: Remote,
  config: ProjectConfig,
  options: { readonly make: boolean },
): Promise<readonly string[]> {
  const findings = (await module.checkChannel?.(config, deps(undefined), options)) ?? [];
  return findings.map(({ name, detail, hint }) => `${name}: ${detail}.${hint === undefined ? "" : ` ${hint}`}`);
}

/**
 * What signs in to the project's remote, undefined where nothing is needed. Throws NeedsActionError when `auth` was
 * never run or the token file cannot be used. What a backend keeps in a token file of its own it reads itself.
 */
export function storedSecret({ module, deps }: Remote, config: ProjectConfig): Secret | undefined {
  if (module.signIn !== undefined && deps(undefined).tokens.read() === undefined) throw notSignedIn();
  if (config.backend !== "webdav") return undefined;
  const secret = secretOf(config);
  if (secret === undefined) throw notSignedIn();
  // What auth keeps of a server that wants no sign-in.
  return secret.password === "" ? undefined : { username: secret.username, password: secret.password };
}

function notSignedIn(): NeedsActionError {
  return new NeedsActionError("Not authenticated. Run claude-mirror auth first.");
}

function secretOf(config: ProjectConfig): WebdavSecret | undefined {
  try {
    return webdavSecret(config);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new NeedsActionError(`cannot use the token file "${error.file}": ${error.found}`, { cause: error });
  }
}

function realPathOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
