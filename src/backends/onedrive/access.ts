import type { Clock } from "../../lib/clock.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig, BackendDeps } from "../module.ts";

/** Access tokens, which last an hour or so, kept in the token file with what makes new ones. */
export interface Access {
  /** One that is good for some minutes at least. */
  token(): Promise<string>;
  /** Another one than `refused`, which the server no longer takes. */
  renewed(refused: string): Promise<string>;
}

/** The token file (reference 1.11): msal's cache as text, and whose app it belongs to, which nobody reads back. */
export interface TokenFile {
  readonly cache: string;
  /** Names of the accounts in it. */
  readonly accounts: readonly string[];
  readonly value: Readonly<Record<string, unknown>>;
}

/** So long before its end an access token is replaced. */
const EARLY_MS = 5 * 60_000;

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

export function openAccess(config: BackendConfig, deps: BackendDeps): Access {
  const { tokens, clock, authLog } = deps;
  let kept: { readonly token: string; readonly endsMs: number } | undefined;
  let getting: Promise<string> | undefined;

  /** A token in the file that is still good. */
  const found = (refused: string | undefined): string | undefined => {
    const { cache } = parseTokenFile(tokens.read());
    const good = goodToken(cache, config.onedriveClientId, clock);
    if (good === undefined || good.token === refused) return undefined;
    kept = good;
    return good.token;
  };
  const renew = (refused: string | undefined): Promise<string> =>
    tokens.locked(async () => {
      // Somebody else may have renewed it while we waited.
      const there = found(refused);
      if (there !== undefined) {
        authLog?.("OneDrive: another run has renewed the access token meanwhile");
        return there;
      }
      const { refreshTokenFile } = await import("./sign-in.ts");
      const text = tokens.read();
      const why = refused === undefined ? "has ended or is about to" : "was refused";
      authLog?.(`OneDrive: renewing the access token, which ${why}`);
      const refreshed = await refreshTokenFile(parseTokenFile(text), config, deps).catch((error: unknown) => {
        authLog?.(`OneDrive: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      });
      authLog?.(`OneDrive: renewed, good until ${new Date(refreshed.endsMs).toISOString()}`);
      // First: a refresh token that was spent and not written down would be the end of the sign-in.
      if (refreshed.text !== text) tokens.write(refreshed.text);
      kept = refreshed;
      return refreshed.token;
    });
  const get = (refused: string | undefined): Promise<string> => {
    getting ??= renew(refused).finally(() => {
      getting = undefined;
    });
    return getting;
  };
  return {
    async token() {
      if (kept !== undefined && kept.endsMs > clock.now() + EARLY_MS) return kept.token;
      return found(undefined) ?? get(undefined);
    },
    renewed: (refused) => (kept !== undefined && kept.token !== refused ? Promise.resolve(kept.token) : get(refused)),
  };
}

/** An access token of msal's cache for this app that has some minutes left. */
function goodToken(cache: string, clientId: string, clock: Clock) {
  const entries = Object.values(parseObject(parseObject(cache)?.["AccessToken"]) ?? {});
  for (const entry of entries) {
    const { client_id: app, secret, expires_on: ends, target } = parseObject(entry) ?? {};
    if (typeof secret !== "string" || app !== clientId || !/files\.readwrite/i.test(String(target))) continue;
    const endsMs = Number(ends) * 1000;
    if (endsMs > clock.now() + EARLY_MS) return { token: secret, endsMs };
  }
  return undefined;
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
