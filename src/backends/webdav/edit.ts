import type { RelPath } from "../../lib/path.ts";
import type { CallOptions, Change, Opened } from "../types.ts";
import { put, refuseName } from "./changing.ts";
import { withLock } from "./lock.ts";
import type { Remote } from "./remote.ts";

/** Reads a file through, as the backend's `read` does. */
type OpenFile = (path: RelPath, options: CallOptions) => Promise<Opened>;

/** True where replacing what was read takes a lock: then reading under that lock saves the looks around it. */
export function editsUnderLock({ facts }: Remote): boolean {
  return facts.update === "lock" || facts.update === "lock-tagged";
}

/**
 * LOCK, GET, PUT, UNLOCK. A lock on a missing name makes an empty file on most servers (RFC 4918 section 7.3), which is removed
 * under the same lock (StaleError).
 */
export async function editFile(
  remote: Remote,
  path: RelPath,
  change: Change,
  { open, ...options }: CallOptions & { readonly open: OpenFile },
): Promise<void> {
  refuseName(remote, path);
  await withLock(remote.connection, path, { ...options, clock: remote.clock }, async ({ plain, tagged }) => {
    const headers = remote.facts.update === "lock" ? plain : tagged;
    const opened = await open(path, options);
    const source = await change(opened).finally(() => dispose(opened));
    if (source !== undefined) await put(remote, path, source, { ...options, headers });
  });
}

async function dispose({ body }: Opened): Promise<void> {
  if (!body.locked) await body.cancel().catch(() => undefined);
}
