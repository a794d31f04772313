import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Backend } from "../types.ts";
import { aroundVerbs } from "./verbs.ts";

/** So many calls in a row that failed for a passing reason, although others had gone well before. */
const MANY = 3;

/**
 * A backend that is given up for the rest of the run once it does not answer: right away when no call has ever gone well,
 * else after some in a row. Later calls then fail at once for the same reason. Goes over the retries.
 */
export function breakCalls(backend: Backend): Backend {
  let answered = false;
  let streak = 0;
  let down: BackendError | undefined;
  return aroundVerbs(backend, async (_call, act) => {
    if (down !== undefined) throw down;
    try {
      const result = await act();
      answered = true;
      streak = 0;
      return result;
    } catch (error) {
      if (!isOutage(error)) {
        answered ||= error instanceof BackendError;
        throw error;
      }
      streak++;
      if (!answered || streak >= MANY) down ??= error;
      throw error;
    }
  });
}

function isOutage(error: unknown): error is BackendError {
  if (!(error instanceof BackendError) || error instanceof StaleError || error instanceof NotFoundError) return false;
  return error.class === "TRANSIENT";
}
