import { existsSync } from "node:fs";
import { BackendError } from "../backends/errors.ts";
import type { Probed, Secret, Talk } from "../backends/module.ts";
import { NeedsActionError, UsageError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { isWorldReadable } from "../lib/secrets.ts";
import { editConfig, saveConfig } from "../settings/editor.ts";
import { SettingsError } from "../settings/errors.ts";
import { readText } from "../settings/load-text.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { readWebdavToken, type WebdavToken, writeWebdavToken } from "../settings/tokens.ts";
import { hasTokenFile, requireThere, signInForToken } from "./auth-token.ts";
import { guaranteeText } from "./guarantee.ts";
import type { AuthResult } from "./model.ts";
import { channelNotes, type Remote, remoteOf, storedSecret } from "./remote.ts";
import type { World } from "./world.ts";

export interface AuthRequest {
  /** From a flag or the environment: then no other one is tried. */
  readonly password?: string | undefined;
  /** Asks the person; undefined where nobody is there. */
  readonly ask?: ((message: string) => Promise<string>) | undefined;
  /** For backends where signing in is a conversation. */
  readonly talk: Talk;
  /** Looks only: no token, no folder, no settings. */
  readonly dryRun: boolean;
  /** A remote folder that is missing is a failure (BackendError 404 or of its own kind) and is not made. */
  readonly mustExist?: boolean;
}

/** The ways to give a password, for messages. */
export const PASSWORD_WAYS = "--webdav-password-stdin or CLAUDE_MIRROR_WEBDAV_PASSWORD";

/**
 * Signs in: makes the remote folder when it is missing, finds out what the server can do, and only then keeps the
 * password. Whatever fails leaves the token that was there. A password found in the settings moves to the token file.
 * Throws UsageError where a password is needed and nobody can be asked, BackendError for what the remote refuses.
 */
export async function signIn(world: World, config: ProjectConfig, request: AuthRequest): Promise<AuthResult> {
  const remote = await remoteOf(world, config);
  if (config.backend !== "webdav") return signInWithoutPassword(remote, config, request);
  const attempt = attemptOf(request);
  const candidates = candidatesFor(config, request);
  for (const [at, { from, secretOf }] of candidates.entries()) {
    const secret = await secretOf();
    try {
      const probed = await attempt(remote, config, secret.username === "" ? undefined : secret);
      const kept = request.dryRun ? {} : keep(config, secret);
      return resultOf(config, remote, { ...kept, probed, dryRun: request.dryRun, username: secret.username });
    } catch (error) {
      if (!(error instanceof BackendError) || error.class !== "AUTH") throw error;
      if (at === candidates.length - 1) throw refused(error);
      world.note(`The password from the ${from} is not accepted.`);
    }
  }
  throw new UsageError(`a password is needed to sign in to "${remote.root}"`, {
    hint: `Give it with ${PASSWORD_WAYS}.`,
  });
}

async function signInWithoutPassword(remote: Remote, config: ProjectConfig, request: AuthRequest): Promise<AuthResult> {
  const { dryRun, talk, mustExist = false } = request;
  const needsToken = remote.module.signIn !== undefined;
  if (dryRun) {
    if (needsToken && !hasTokenFile(config.tokenFile)) {
      return resultOf(config, remote, { dryRun, notes: ["Nobody is signed in yet: auth would ask you to."] });
    }
  }
  if (dryRun || !needsToken) {
    const probed = await attemptOf(request)(remote, config, undefined);
    const more = needsToken ? await channelNotes(remote, config, { make: false }) : [];
    return resultOf(config, remote, { probed, notes: [...(probed?.notes ?? []), ...more], dryRun });
  }
  const { account, notes = [], probed, written } = await signInForToken(remote, config, { talk, mustExist });
  const who = account === undefined ? {} : { username: account };
  const more = await channelNotes(remote, config, { make: true });
  return resultOf(config, remote, { probed, written, notes: [...notes, ...probed.notes, ...more], dryRun, ...who });
}

interface Candidate {
  readonly from: string;
  secretOf(): Secret | Promise<Secret>;
}

/** Passwords to try in turn; the person is asked last. An account without a name needs none. */
function candidatesFor(config: ProjectConfig, request: AuthRequest): Candidate[] {
  const { webdavUsername: username, webdavUrl } = config;
  const { password, ask } = request;
  if (password !== undefined) {
    requireName(config);
    return [{ from: "command line", secretOf: () => ({ username, password }) }];
  }
  if (username === "") return [{ from: "settings", secretOf: () => ({ username: "", password: "" }) }];
  const found = stored(config);
  if (ask === undefined) return found;
  const message = `Password (or app password) of ${username} at ${new URL(webdavUrl).host}`;
  return [...found, { from: "keyboard", secretOf: async () => ({ username, password: await ask(message) }) }];
}

function stored(config: ProjectConfig): Candidate[] {
  const { webdavUsername: username, webdavPassword: password } = config;
  const token = tokenOf(config.tokenFile);
  const found: Candidate[] = [];
  if (password !== "") found.push({ from: "settings", secretOf: () => ({ username, password }) });
  // A token of another account would sign in as somebody else.
  const fits = token?.username === username || token?.username === "";
  if (token && fits && token.password !== "" && token.password !== password) {
    found.push({ from: "token file", secretOf: () => ({ username, password: token.password }) });
  }
  return found;
}

/** A token that cannot be read is written anew. */
function tokenOf(file: string): WebdavToken | undefined {
  try {
    return readWebdavToken(file);
  } catch (error) {
    if (error instanceof SettingsError) return undefined;
    throw error;
  }
}

function requireName({ webdavUsername, file }: ProjectConfig): void {
  if (webdavUsername !== "") return;
  throw new UsageError(`a password is given, but "${file}" names nobody whose it is`, {
    hint: "Run claude-mirror init --webdav-username NAME.",
  });
}

function refused(error: BackendError): BackendError {
  return new BackendError(error.message, {
    class: "AUTH",
    cause: error,
    hint: `Check webdav_username, and give the right password with ${PASSWORD_WAYS}. With two-factor sign-in, Nextcloud and ownCloud need an app password.`,
  });
}

/** Writes the token when it says something new, and takes the password out of the settings. */
function keep(
  config: ProjectConfig,
  { username, password }: Secret,
): { readonly written: boolean; readonly moved: boolean } {
  const { tokenFile, file } = config;
  const old = tokenOf(tokenFile);
  const written = old?.username !== username || old.password !== password || isWorldReadable(tokenFile);
  if (written) {
    faultPoint("auth-token");
    writeWebdavToken(tokenFile, { username, password });
  }
  const moved = config.webdavPassword !== "";
  if (moved) {
    faultPoint("auth-settings");
    saveConfig(file, editConfig(readText(file), { webdav_password: "" }, { file }));
  }
  return { written, moved };
}

/**
 * `auth --check`: signs in with what is stored and looks at the remote folder; changes nothing. Throws
 * NeedsActionError, its hint the next step, when that does not work, and the BackendError of what passes by itself.
 */
export async function checkSignIn(world: World, config: ProjectConfig): Promise<AuthResult> {
  const remote = await remoteOf(world, config);
  const secret = storedSecret(remote, config);
  const deps = remote.deps(secret);
  let probed: Probed | undefined;
  let account = secret?.username;
  try {
    ({ account = account } = await remote.module.check(config, deps));
    probed = await remote.module.known(config, deps);
  } catch (error) {
    world.signal.throwIfAborted();
    if (!(error instanceof BackendError)) throw error;
    // Nobody has to do anything about a server that is down; a disk wants to be mounted.
    if (error.class === "TRANSIENT" && config.backend !== "local") throw error;
    throw new NeedsActionError(error.message, { hint: error.hint ?? "Run claude-mirror auth.", cause: error });
  }
  const username = account === undefined ? {} : { username: account };
  const notes = [...(probed?.notes ?? []), ...(await channelNotes(remote, config, { make: false }))];
  return { ...resultOf(config, remote, { probed, notes, dryRun: false, ...username }), mode: "check" };
}

type Attempt = (remote: Remote, config: ProjectConfig, secret: Secret | undefined) => Promise<Probed | undefined>;

function attemptOf({ dryRun, mustExist }: AuthRequest): Attempt {
  const attempt = dryRun ? look : prepare;
  if (!mustExist) return attempt;
  return async (remote, config, secret) => {
    await requireThere(remote.module, config, remote.deps(secret));
    return attempt(remote, config, secret);
  };
}

async function prepare(remote: Remote, config: ProjectConfig, secret: Secret | undefined): Promise<Probed> {
  return remote.module.prepare(config, remote.deps(secret));
}

/** Signs in without changing anything; a folder that is missing is no fault, `auth` would make it. */
async function look(remote: Remote, config: ProjectConfig, secret: Secret | undefined): Promise<Probed | undefined> {
  const deps = remote.deps(secret);
  try {
    await remote.module.check(config, deps);
  } catch (error) {
    const missing = config.backend === "local" && !existsSync(config.localFolder);
    if (!missing && !(error instanceof BackendError && error.status === 404)) throw error;
    return undefined;
  }
  return remote.module.known(config, deps);
}

interface Outcome {
  readonly probed?: Probed | undefined;
  readonly written?: boolean;
  readonly moved?: boolean;
  readonly username?: string;
  /** In place of what `probed` says. */
  readonly notes?: readonly string[];
  readonly dryRun: boolean;
}

function resultOf(config: ProjectConfig, remote: Remote, outcome: Outcome): AuthResult {
  const { probed, username, dryRun } = outcome;
  return {
    configFile: config.file,
    backend: config.backend,
    remote: remote.root,
    username: username || null,
    tokenFile: config.backend === "webdav" || remote.module.signIn ? config.tokenFile : null,
    tokenWritten: outcome.written ?? false,
    moved: outcome.moved ?? false,
    created: probed?.created ?? false,
    guard: probed?.can.guard ?? null,
    guarantee: probed ? guaranteeText(probed.can.guard) : "",
    notes: outcome.notes ?? probed?.notes ?? [],
    mode: dryRun ? "dry run" : "signed in",
  };
}
