import { dirname } from "node:path";
import { BackendError } from "../backends/errors.ts";
import type { TokenStore } from "../backends/module.ts";
import type { Clock } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { removeAbandonedTemps } from "../lib/fs.ts";
import { acquireLock, type Lock, LockedError } from "../lib/lock.ts";
import { readSecret, writeSecret } from "../lib/secrets.ts";
import { systemState } from "../lib/system-error.ts";

const POLL_MS = 100;
/** A refresh that takes longer than this has gone wrong. */
const MOST_POLLS = 900;

export interface TokenStoreOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** The token file `file` (absolute). Opens nothing until it is used. */
export function openTokenStore(file: string, { clock, signal }: TokenStoreOptions): TokenStore {
  let last: Promise<unknown> = Promise.resolve();
  return {
    read() {
      try {
        return readSecret(file);
      } catch (error) {
        throw new BackendError(`Could not read the token file "${file}": ${systemState(error)}`, {
          class: "AUTH",
          hint: "Check the permissions of the file, or run claude-mirror auth to write it anew.",
          cause: error,
        });
      }
    },
    write(text) {
      removeAbandonedTemps(dirname(file));
      faultPoint("token-write");
      writeSecret(file, text);
    },
    locked(fn) {
      const turn = last.then(async () => {
        const lock = await waitForLock(`${file}.lock`, clock, signal);
        try {
          return await fn();
        } finally {
          lock.release();
        }
      });
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

async function waitForLock(file: string, clock: Clock, signal: AbortSignal | undefined): Promise<Lock> {
  for (let polls = 0; ; polls++) {
    signal?.throwIfAborted();
    try {
      return acquireLock(file, { command: "refresh of the sign-in", clock });
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      if (polls >= MOST_POLLS) {
        throw new BackendError(`Could not refresh the sign-in: ${error.message}`, { class: "TRANSIENT", cause: error });
      }
      await clock.sleep(POLL_MS, signal);
    }
  }
}

/** What is written into `staged` reaches the file only by `keep`: until then the token that was there stays. */
export interface StagedTokens extends TokenStore {
  /** Makes what was written last durable; true when that differs from what was there. */
  keep(): Promise<boolean>;
}

export function stageTokens(store: TokenStore): StagedTokens {
  let text: string | undefined;
  return {
    read: () => text ?? store.read(),
    write(next) {
      text = next;
    },
    locked: (fn) => fn(),
    async keep() {
      const next = text;
      if (next === undefined) return false;
      return store.locked(async () => {
        const same = readOrNothing(store) === next;
        store.write(next);
        return !same;
      });
    },
  };
}

/** What cannot be read is written anew. */
function readOrNothing(store: TokenStore): string | undefined {
  try {
    return store.read();
  } catch {
    return undefined;
  }
}
