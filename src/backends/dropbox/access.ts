import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { hashBytes } from "../../lib/hash.ts";
import { dumpPython } from "../../lib/json.ts";
import { readSecret, writeSecret } from "../../lib/secrets.ts";
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

/** Access tokens, which last some hours, made of the refresh token in the token file. */
export interface Access {
  /** One that is good for some minutes at least. */
  token(): Promise<string>;
  /** Another one than `refused`, which the server no longer takes. */
  renewed(refused: string): Promise<string>;
}

export interface AccessOptions {
  readonly tokens: TokenStore;
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly refresh: (token: DropboxToken) => Promise<Granted>;
  /** Told what is tried to stay signed in, and how it ended. */
  readonly authLog?: ((line: string) => void) | undefined;
}

/** So long before its end an access token is replaced. */
const EARLY_MS = 5 * 60_000;

interface Kept {
  readonly token: string;
  readonly endsMs: number;
  /** Which refresh token it was made of. */
  readonly of: string;
}

/**
 * An access token is kept in the state folder, readable by its owner alone, so that a run that finds nothing to do
 * needs no request for a new one.
 */
export function openAccess({ tokens, stateFolder, clock, refresh, authLog }: AccessOptions): Access {
  const file = join(stateFolder, "dropbox-access.json");
  let kept: Kept | undefined;
  let loaded = false;
  let getting: Promise<string> | undefined;

  const stored = (): DropboxToken => {
    const token = parseToken(tokens.read());
    if (token !== undefined) return token;
    throw new BackendError("Not authenticated. Run claude-mirror auth first.", { class: "AUTH" });
  };
  const isGood = (found: Kept | undefined, of: string, refused: string | undefined): found is Kept => {
    return found !== undefined && found.of === of && found.token !== refused && found.endsMs > clock.now() + EARLY_MS;
  };
  const renew = (refused: string | undefined): Promise<string> =>
    tokens.locked(async () => {
      const own = stored();
      const of = markOf(own);
      const elsewhere = readKept(file);
      if (isGood(elsewhere, of, refused)) {
        kept = elsewhere;
        return elsewhere.token;
      }
      authLog?.(
        `Dropbox: ${refused === undefined ? "no access token is good any more" : "the access token was refused"}, asking for another`,
      );
      const granted = await refresh(own).catch((error: unknown) => {
        authLog?.(error instanceof Error ? error.message : String(error));
        throw error;
      });
      authLog?.(`Dropbox: signed in for another ${Math.round(granted.lifeMs / 60_000)} minutes`);
      const next = granted.refreshToken === undefined ? own : { ...own, refreshToken: granted.refreshToken };
      // First: a refresh token that was spent and not written down would be the end of the sign-in.
      if (next.refreshToken !== own.refreshToken) tokens.write(tokenText(next));
      kept = { token: granted.accessToken, endsMs: clock.now() + granted.lifeMs, of: markOf(next) };
      writeSecret(file, JSON.stringify(kept));
      return kept.token;
    });
  const get = (refused: string | undefined): Promise<string> => {
    getting ??= renew(refused).finally(() => {
      getting = undefined;
    });
    return getting;
  };

  return {
    async token() {
      if (!loaded) {
        const found = readKept(file);
        if (found !== undefined && found.of === markOf(stored())) kept = found;
        loaded = true;
      }
      if (kept !== undefined && kept.endsMs > clock.now() + EARLY_MS) return kept.token;
      return get(undefined);
    },
    renewed: (refused) => (kept !== undefined && kept.token !== refused ? Promise.resolve(kept.token) : get(refused)),
  };
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
