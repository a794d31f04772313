import { existsSync } from "node:fs";
import { BackendError } from "../backends/errors.ts";
import type { Finding, Probed, Secret } from "../backends/module.ts";
import type { GuardLevel } from "../backends/types.ts";
import { NeedsActionError } from "../lib/errors.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { readWebdavToken } from "../settings/tokens.ts";
import type { Report } from "./doctor-report.ts";
import { checkFileMode } from "./doctor-settings.ts";
import { guaranteeText } from "./guarantee.ts";
import { type Remote, storedSecret } from "./remote.ts";
import type { World } from "./world.ts";

/** The name of the check that alone decides whether signing in is what is wrong. */
export const SIGN_IN = "sign-in";

/** More than this between the clocks makes times in the log and in snapshot names misleading, milliseconds. */
const CLOCK_LIMIT_MS = 60_000;

/** Sign-in, base folder, guarantee, clock. Writes to the remote only when its facts are not known yet, and says so. */
export async function checkRemote(world: World, report: Report, { config, remote }: Place): Promise<GuardLevel | null> {
  const stored = checkStored(report, { config, remote });
  if (stored === "missing") return null;
  const reached = await checkBase(world, report, { config, remote, secret: stored });
  if (!reached) return null;
  const deps = remote.deps(stored);
  const known = await report.attempt("guarantee", () => remote.module.known(config, deps));
  const probed = known ?? (await probe(report, { config, remote, secret: stored }));
  if (probed === undefined) return null;
  const { guard } = probed.can;
  report[guard === "look" ? "warn" : "ok"]("guarantee", `${guard}: ${guaranteeText(guard)}`);
  for (const note of probed.notes) report.ok("remote", note);
  for (const { name, state, detail, hint } of (await remote.module.checkChannel?.(config, deps, { make: false })) ?? [])
    SAY[state](report, name, detail, hint);
  return guard;
}

interface Place {
  readonly config: ProjectConfig;
  readonly remote: Remote;
}

interface Reach extends Place {
  readonly secret: Secret | undefined;
}

/** What is kept to sign in with; its own check says when there is nothing. */
function checkStored(report: Report, { config, remote }: Place): Secret | undefined | "missing" {
  const { module, deps } = remote;
  if (config.backend !== "webdav" && module.signIn === undefined) return undefined;
  const { tokenFile } = config;
  if (existsSync(tokenFile)) checkFileMode(report, "permissions of the token file", tokenFile, "fail");
  const findings = module.inspect?.(config, deps(undefined)) ?? [];
  for (const { name, state, detail, hint } of findings) SAY[state](report, name, detail, hint);
  if (findings.some(({ state }) => state === "failed")) return "missing";
  try {
    const secret = storedSecret(remote, config);
    if (config.backend === "webdav") checkOwner(report, config);
    return secret;
  } catch (error) {
    const detail = error instanceof NeedsActionError ? "Not authenticated." : (error as Error).message;
    report.fail(SIGN_IN, detail, "Run claude-mirror auth.");
    return "missing";
  }
}

const SAY: Readonly<Record<Finding["state"], (report: Report, ...words: SayWords) => undefined>> = {
  ok: (report, name, detail) => report.ok(name, detail),
  warning: (report, ...words) => report.warn(...words),
  failed: (report, ...words) => report.fail(...words),
};

type SayWords = [name: string, detail: string, hint: string | undefined];

function checkOwner(report: Report, { tokenFile, webdavUsername }: ProjectConfig): undefined {
  const owner = readWebdavToken(tokenFile)?.username;
  if (!owner || owner === webdavUsername) return;
  report.warn(
    "account",
    `webdav_username is "${webdavUsername}", but the token file signs in as "${owner}"`,
    "Run claude-mirror auth.",
  );
}

/** Whether the server lets us in and the base folder is there. */
async function checkBase(world: World, report: Report, { config, remote, secret }: Reach): Promise<boolean> {
  const askedAt = world.clock.now();
  try {
    const { serverTimeMs, account } = await remote.module.check(config, remote.deps(secret));
    report.ok(SIGN_IN, howSignedIn(remote, config, account ?? secret?.username));
    report.ok("remote folder", remote.root);
    if (serverTimeMs !== undefined) checkClock(report, serverTimeMs, [askedAt, world.clock.now()]);
    return true;
  } catch (error) {
    world.signal.throwIfAborted();
    if (!(error instanceof BackendError)) throw error;
    report.fail(failedPart(error, config), error.message, error.hint ?? "Run claude-mirror auth.");
    return false;
  }
}

function howSignedIn({ module }: Remote, { backend }: ProjectConfig, account: string | undefined): string {
  if (account) return `as ${account}`;
  if (backend === "webdav") return "the server wants none";
  return module.signIn === undefined ? "none is needed" : "it works";
}

function failedPart(error: BackendError, { backend }: ProjectConfig): string {
  if (error.class === "AUTH") return SIGN_IN;
  return backend !== "local" && error.class === "TRANSIENT" ? "connection" : "remote folder";
}

/** Our clock is taken at both ends of the request: what it took is no skew. The server's counts whole seconds. */
function checkClock(report: Report, serverMs: number, [before, after]: readonly [number, number]): undefined {
  const skew = serverMs + 999 < before ? serverMs + 999 - before : serverMs > after ? serverMs - after : 0;
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) <= CLOCK_LIMIT_MS) return report.ok("clock", "it agrees with the server's");
  report.warn(
    "clock",
    `this machine's is ${seconds} s ${skew > 0 ? "behind" : "ahead of"} the server's`,
    "Set the clock: times in the log and names of snapshots come from it.",
  );
}

async function probe(report: Report, { config, remote, secret }: Reach): Promise<Probed | undefined> {
  report.ok("probe", "what the remote can do was not known: small test files were written there and removed again");
  return report.attempt("guarantee", () => remote.module.prepare(config, remote.deps(secret)));
}
