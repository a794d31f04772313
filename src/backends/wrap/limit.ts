import { type Limiter, limiter } from "../../lib/limits.ts";
import { callsAtOnce } from "../in-flight.ts";
import type { Backend, BatchedVerb } from "../types.ts";
import { aroundVerbs, type Verb } from "./verbs.ts";

/**
 * At most `n` calls at once; the others wait in order. A verb that the backend likes in greater numbers has a limit of
 * its own. A body that is being read does not count: its reader may need the backend meanwhile.
 */
export function limitCalls(backend: Backend, n: number): Backend {
  const limited = limiter(n);
  const own = new Map<Verb, Limiter>(
    Object.keys(backend.can.inFlight ?? {}).map((verb) => {
      return [verb as Verb, limiter(callsAtOnce(backend.can, verb as BatchedVerb, n))];
    }),
  );
  return aroundVerbs(backend, (call, act) =>
    (own.get(call.verb) ?? limited)(() => {
      call.signal?.throwIfAborted();
      return act();
    }),
  );
}
