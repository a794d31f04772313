import { limiter } from "../../lib/limits.ts";
import type { Backend } from "../types.ts";
import { aroundVerbs } from "./verbs.ts";

/**
 * At most `n` calls at once; the others wait in order. A body that is being read does not count: its reader may need
 * the backend meanwhile.
 */
export function limitCalls(backend: Backend, n: number): Backend {
  const limited = limiter(n);
  return aroundVerbs(backend, (call, act) =>
    limited(() => {
      call.signal?.throwIfAborted();
      return act();
    }),
  );
}
