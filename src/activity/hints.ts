import { SYNC_LOG_PATH } from "../backends/layout.ts";
import type { Backend } from "../backends/types.ts";

/** What asks for a look before the next one is due. */
export interface Hints {
  give(): void;
  /** Forgets the hints so far: a look follows. */
  taken(): void;
  /** Resolves at the next hint, at once when there was one; rejects when following the remote failed. */
  next(): Promise<void>;
}

/** What the remote tells by itself, where it does, and whatever else is given, collected from now on until the signal fires. */
export function collectHints(backend: Pick<Backend, "waitForChange">, signal: AbortSignal): Hints {
  let hint = fresh();
  const run = async () => {
    while (!signal.aborted)
      if ((await backend.waitForChange?.(SYNC_LOG_PATH, { signal })) === "changed") hint.resolve();
  };
  if (backend.waitForChange !== undefined) run().catch((error: unknown) => hint.reject(error));
  return {
    give: () => hint.resolve(),
    taken() {
      const old = hint;
      hint = fresh();
      // A failure is kept for whoever waits next.
      old.promise.catch((error: unknown) => hint.reject(error));
    },
    next: () => hint.promise,
  };
}

function fresh(): PromiseWithResolvers<void> {
  const hint = Promise.withResolvers<void>();
  // Nobody may be waiting when it fails.
  hint.promise.catch(() => undefined);
  return hint;
}
