import { BackendError } from "../errors.ts";
import type { Backend } from "../types.ts";
import { aroundVerbs, changesRemote } from "./verbs.ts";

/** The backend without the power to change anything: every such verb fails before it does anything. */
export function readOnly(backend: Backend): Backend {
  const { expectWrite: _, ...readable } = aroundVerbs(backend, async (call, act) => {
    if (!changesRemote(call.verb)) return act();
    throw new BackendError(`cannot ${call.verb} "${call.path}": the remote was opened for reading only`, {
      class: "PERMISSION",
    });
  });
  return readable;
}
