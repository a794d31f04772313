import { faultPoint } from "../../lib/fault.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import { RESERVED_FOLDERS } from "../layout.ts";
import type { CallOptions, Listing } from "../types.ts";
import type { DavRequest } from "./connection.ts";
import { folderUrl } from "./dav-path.ts";
import { listFolder } from "./listing.ts";
import { withLock } from "./lock.ts";
import type { Remote } from "./remote.ts";

/**
 * The contract's `removeFolder`. DELETE takes a folder with all that is in it (RFC 4918 section 9.6.1), so a complete
 * listing comes first, and for a folder that others may write to another one while it is locked. Servers that cannot
 * lock folders leave the moment between the listing and the DELETE.
 */
export async function removeEmptyFolder(remote: Remote, path: RelPath, options: CallOptions): Promise<void> {
  const listing = await listEmpty(remote, path, options);
  if (listing === undefined) return;
  const ours = RESERVED_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
  if (ours || !(await removeLocked(remote, path, options))) await deleteFolder(remote, path, options, [{}]);
  for (const folder of [...listing.folders, path]) remote.folders.forget(folder);
}

/** The listing of a folder without a file in it; undefined when there is no folder. */
async function listEmpty(remote: Remote, path: RelPath, options: CallOptions): Promise<Listing | undefined> {
  const listing = await listFolder(remote.connection, remote.facts, path, options);
  if (!listing.exists) return undefined;
  if (listing.files.length + listing.unusable.length === 0) return listing;
  throw new BackendError(`Could not remove the folder "${path}": there is something in it`, {
    class: "FILE_REJECTED",
  });
}

/** How servers say that they do not lock, or not folders. */
const NO_LOCKS: ReadonlySet<number> = new Set([400, 403, 405, 409, 500, 501]);

/** False when the server does not lock folders. */
async function removeLocked(remote: Remote, path: RelPath, options: CallOptions): Promise<boolean> {
  let held = false;
  try {
    const lock = { ...options, clock: remote.clock, folder: true };
    await withLock(remote.connection, path, lock, async ({ plain, tagged }) => {
      held = true;
      await listEmpty(remote, path, options);
      await deleteFolder(remote, path, options, [tagged, plain]);
    });
    return true;
  } catch (error) {
    if (!held && error instanceof BackendError && NO_LOCKS.has(error.status ?? 0)) return false;
    throw error;
  }
}

/** `forms` are the headers to try in turn: no two servers take a lock presented in the same way. */
async function deleteFolder(
  { connection }: Pick<Remote, "connection">,
  path: RelPath,
  options: CallOptions,
  [headers = {}, ...forms]: readonly Readonly<Record<string, string>>[],
): Promise<void> {
  const request: DavRequest = {
    method: "DELETE",
    url: folderUrl(connection.root, path),
    what: `remove the folder "${path}"`,
    headers,
    signal: options.signal,
  };
  faultPoint("webdav-delete-folder");
  const response = await connection.send(request);
  await response.drain().catch(() => {});
  const { status } = response;
  // 207 lists what could not be removed.
  if ((response.ok && status !== 207) || status === 404 || status === 410) return;
  if (forms.length === 0) throw connection.refusal(response, request);
  return deleteFolder({ connection }, path, options, forms);
}
