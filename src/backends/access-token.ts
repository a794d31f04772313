import type { Clock } from "../lib/clock.ts";
import { BackendError } from "./errors.ts";
import type { TokenStore } from "./module.ts";

/** What requests are signed with for an hour or some. */
export interface AccessToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly endsMs: number;
}

/** The sign-in of one project: an access token whenever one is needed. Everything that it throws is a BackendError. */
export interface Access {
  /** One that is good for some minutes at least, where the vendor can be reached. */
  token(signal?: AbortSignal): Promise<string>;
  /** Another one than `refused`, which the server no longer takes. */
  renewed(refused: string, signal?: AbortSignal): Promise<string>;
  /** Renews whether that is needed or not: whether the vendor still honours the sign-in. */
  probe(signal?: AbortSignal): Promise<void>;
}

export interface AccessOptions {
  readonly tokens: TokenStore;
  readonly clock: Clock;
  /** The one that is written down on this machine by now, whoever did that. Throws where nobody is signed in. */
  readonly stored: () => AccessToken | undefined;
  /**
   * Asks the vendor for one and writes down what came before it answers: a refresh token that was spent and not written down
   * would be the end of the sign-in. Called one at a time, here and across processes.
   */
  readonly renew: (why: {
    readonly refused: boolean;
    readonly signal?: AbortSignal | undefined;
  }) => Promise<AccessToken>;
  /** Told when somebody else has renewed it meanwhile. */
  readonly onFound?: () => void;
}

/** So long before its end an access token is replaced, that parallel calls do not meet the end together. */
const EARLY_MS = 5 * 60_000;

/** One renewal at a time serves all who wait, in this process and in others. */
export function openAccess({ tokens, clock, stored, renew, onFound }: AccessOptions): Access {
  let kept: AccessToken | undefined;
  let running: Promise<string> | undefined;

  /** The token where it lasts so long and is another than the refused one. */
  const good = (found: AccessToken | undefined, ms: number, refused?: string): string | undefined =>
    found !== undefined && found.endsMs > clock.now() + ms && found.token !== refused ? found.token : undefined;

  const get = (
    enough: (found: AccessToken | undefined) => string | undefined,
    why: Parameters<typeof renew>[0],
  ): Promise<string> => {
    running ??= tokens
      .locked(async () => {
        const there = stored();
        const isEnough = enough(there) !== undefined;
        if (isEnough) onFound?.();
        kept = isEnough && there !== undefined ? there : await renew(why);
        return kept.token;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };

  return {
    async token(signal) {
      if (good(kept, EARLY_MS) === undefined) kept = later(kept, stored());
      const there = good(kept, EARLY_MS);
      if (there !== undefined) return there;
      try {
        return await get((found) => good(found, EARLY_MS), { refused: false, signal });
      } catch (error) {
        // The vendor cannot be reached, and the token still holds for a while.
        const left = good(kept, 0);
        if (!(error instanceof BackendError && error.class === "TRANSIENT") || left === undefined) throw error;
        return left;
      }
    },
    async renewed(refused, signal) {
      return good(kept, 0, refused) ?? get((found) => good(found, 0, refused), { refused: true, signal });
    },
    async probe(signal) {
      await get(() => undefined, { refused: false, signal });
    },
  };
}

function later(a: AccessToken | undefined, b: AccessToken | undefined): AccessToken | undefined {
  return (a?.endsMs ?? 0) > (b?.endsMs ?? 0) ? a : b;
}
