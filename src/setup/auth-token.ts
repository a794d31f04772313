import { BackendError } from "../backends/errors.ts";
import type { BackendDeps, BackendModule, Probed, SignedIn, Talk } from "../backends/module.ts";
import { faultPoint } from "../lib/fault.ts";
import { readSecret } from "../lib/secrets.ts";
import type { ProjectConfig } from "../settings/model.ts";
import type { Remote } from "./remote.ts";
import { stageTokens } from "./token-store.ts";

export interface TokenSignIn extends SignedIn {
  readonly probed: Probed;
  /** Whether the token file says something new. */
  readonly written: boolean;
}

/**
 * Signs a person in to a backend that keeps a token of its own: the token goes to its file only after the remote folder
 * was there or made with it. Whatever fails leaves the token that was there.
 */
export async function signInForToken(
  remote: Remote,
  config: ProjectConfig,
  { talk, mustExist }: { readonly talk: Talk; readonly mustExist: boolean },
): Promise<TokenSignIn> {
  const { module } = remote;
  const deps = remote.deps(undefined);
  const staged = stageTokens(deps.tokens);
  const signed = (await module.signIn?.(config, { ...deps, tokens: staged }, talk)) ?? {};
  if (mustExist) await requireThere(module, config, { ...deps, tokens: staged });
  const probed = await module.prepare(config, { ...deps, tokens: staged });
  faultPoint("auth-token");
  return { ...signed, probed, written: await staged.keep() };
}

/** Throws BackendError where there is no remote folder yet. */
export async function requireThere(module: BackendModule, config: ProjectConfig, deps: BackendDeps): Promise<void> {
  try {
    await module.check(config, deps);
  } catch (error) {
    if (!(error instanceof BackendError) || error.status !== 404) throw error;
    const hint = "Check the address. Nothing is made on a remote by clone; for a new one run claude-mirror init.";
    throw new BackendError(error.message, { class: error.class, status: 404, hint, cause: error });
  }
}

/** Whether there is a token file; one that cannot be read counts, `check` says what is wrong with it. */
export function hasTokenFile(file: string): boolean {
  try {
    return readSecret(file) !== undefined;
  } catch {
    return true;
  }
}
