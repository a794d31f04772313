import { type Access, type AccessToken, openAccess } from "../access-token.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig, BackendDeps } from "../module.ts";

/** The token file (reference 1.11): msal's cache as text, and whose app it belongs to, which nobody reads back. */
export interface TokenFile {
  readonly cache: string;
  /** Names of the accounts in it. */
  readonly accounts: readonly string[];
  readonly value: Readonly<Record<string, unknown>>;
}

export const NOT_SIGNED_IN = "Not authenticated. Run claude-mirror auth first.";

/** Reads a token file's text. Throws BackendError (AUTH) for one that holds no sign-in. */
export function parseTokenFile(text: string | undefined): TokenFile {
  if (text === undefined) throw new BackendError(NOT_SIGNED_IN, { class: "AUTH" });
  const value = parseObject(text);
  const cache = value?.["token_cache"];
  const parsed = typeof cache === "string" ? parseObject(cache) : undefined;
  if (value === undefined || typeof cache !== "string" || parsed === undefined) {
    throw unusable("the token file holds no Microsoft sign-in");
  }
  const accounts = Object.values(parseObject(parsed["Account"]) ?? {}).map((each) => {
    const name = parseObject(each)?.["username"];
    return typeof name === "string" ? name : "";
  });
  if (accounts.length === 0) throw unusable("no account is in the token file (no cached accounts found)");
  return { cache, accounts, value };
}

function unusable(why: string): BackendError {
  return new BackendError(`Could not sign in to OneDrive: ${why}`, { class: "AUTH", hint: "Run claude-mirror auth." });
}

/** Access tokens, which last an hour or so, kept in the token file with what makes new ones. */
export function openOneDriveAccess(config: BackendConfig, deps: BackendDeps): Access {
  const { tokens, clock, authLog } = deps;
  return openAccess({
    tokens,
    clock,
    stored: () => storedToken(parseTokenFile(tokens.read()).cache, config.onedriveClientId),
    onFound: () => authLog?.("OneDrive: another run has renewed the access token meanwhile"),
    async renew({ refused }) {
      const { refreshTokenFile } = await import("./sign-in.ts");
      const text = tokens.read();
      const why = refused ? "was refused" : "has ended or is about to";
      authLog?.(`OneDrive: renewing the access token, which ${why}`);
      const refreshed = await refreshTokenFile(parseTokenFile(text), config, deps).catch((error: unknown) => {
        authLog?.(`OneDrive: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      });
      authLog?.(`OneDrive: renewed, good until ${new Date(refreshed.endsMs).toISOString()}`);
      if (refreshed.text !== text) tokens.write(refreshed.text);
      return refreshed;
    },
  });
}

/** The access token of msal's cache for this app that lasts longest. */
function storedToken(cache: string, clientId: string): AccessToken | undefined {
  let best: AccessToken | undefined;
  for (const entry of Object.values(parseObject(parseObject(cache)?.["AccessToken"]) ?? {})) {
    const { client_id: app, secret, expires_on: ends, target } = parseObject(entry) ?? {};
    if (typeof secret !== "string" || app !== clientId || !/files\.readwrite/i.test(String(target))) continue;
    const endsMs = Number(ends) * 1000;
    if (endsMs > (best?.endsMs ?? 0)) best = { token: secret, endsMs };
  }
  return best;
}

function parseObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value === "string") {
    try {
      return parseObject(JSON.parse(value) as object);
    } catch {
      return undefined;
    }
  }
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}
