import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { hashBytes } from "../../lib/hash.ts";
import { dumpPython } from "../../lib/json.ts";
import { readSecret, writeSecret } from "../../lib/secrets.ts";
import { type Access, type AccessToken, openAccess } from "../access-token.ts";
import { BackendError } from "../errors.ts";
import type { TokenStore } from "../module.ts";

/** The token file (reference 1.11). */
export interface DropboxToken {
  readonly appKey: string;
  readonly refreshToken: string;
}

/** Throws BackendError (AUTH) for a file that is none of ours; undefined when there is none. */
export function parseToken(text: string | undefined): DropboxToken | undefined {
  if (text === undefined) return undefined;
  const value = parseJson(text);
  const [appKey, refreshToken] = [value?.["app_key"], value?.["refresh_token"]];
  if (typeof appKey === "string" && typeof refreshToken === "string" && refreshToken !== "")
    return { appKey, refreshToken };
  throw new BackendError("Could not sign in to Dropbox: the token file holds no Dropbox sign-in", {
    class: "AUTH",
    hint: "Run claude-mirror auth.",
  });
}

export function tokenText({ appKey, refreshToken }: DropboxToken): string {
  return dumpPython({ app_key: appKey, refresh_token: refreshToken });
}

/** What the token endpoint answers. */
export interface Granted {
  readonly accessToken: string;
  /** Milliseconds. */
  readonly lifeMs: number;
  /** Given where the old one is spent by its use. */
  readonly refreshToken?: string | undefined;
}

export interface DropboxAccessOptions {
  readonly tokens: TokenStore;
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly refresh: (token: DropboxToken) => Promise<Granted>;
  /** Told what is tried to stay signed in, and how it ended. */
  readonly authLog?: ((line: string) => void) | undefined;
}

interface Kept extends AccessToken {
  /** Which refresh token it was made of. */
  readonly of: string;
}

/**
 * Access tokens, which last some hours, made of the refresh token in the token file. One is kept in the state folder,
 * readable by its owner alone, so that a run that finds nothing to do needs no request for a new one.
 */
export function openDropboxAccess(options: DropboxAccessOptions): Access {
  const { tokens, stateFolder, clock, refresh, authLog } = options;
  const file = join(stateFolder, "dropbox-access.json");
  const signIn = (): DropboxToken => {
    const token = parseToken(tokens.read());
    if (token !== undefined) return token;
    throw new BackendError("Not authenticated. Run claude-mirror auth first.", { class: "AUTH" });
  };
  return openAccess({
    tokens,
    clock,
    stored() {
      const of = markOf(signIn());
      const kept = readKept(file);
      return kept?.of === of ? kept : undefined;
    },
    async renew({ refused }) {
      const own = signIn();
      const why = refused ? "the access token was refused" : "no access token is good any more";
      authLog?.(`Dropbox: ${why}, asking for another`);
      const granted = await refresh(own).catch((error: unknown) => {
        authLog?.(error instanceof Error ? error.message : String(error));
        throw error;
      });
      authLog?.(`Dropbox: signed in for another ${Math.round(granted.lifeMs / 60_000)} minutes`);
      const next = granted.refreshToken === undefined ? own : { ...own, refreshToken: granted.refreshToken };
      if (next.refreshToken !== own.refreshToken) tokens.write(tokenText(next));
      const kept: Kept = { token: granted.accessToken, endsMs: clock.now() + granted.lifeMs, of: markOf(next) };
      writeSecret(file, JSON.stringify(kept));
      return kept;
    },
  });
}

/** Tells refresh tokens apart and gives none away. */
export function markOf({ appKey, refreshToken }: DropboxToken): string {
  return hashBytes("sha256", `${appKey}\0${refreshToken}`).slice(0, 32);
}

function readKept(file: string): Kept | undefined {
  try {
    const value = parseJson(readSecret(file) ?? "");
    const { token, endsMs, of } = value ?? {};
    if (typeof token !== "string" || typeof endsMs !== "number" || typeof of !== "string") return undefined;
    return { token, endsMs, of };
  } catch {
    return undefined; // Not readable: a new token is fetched.
  }
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
