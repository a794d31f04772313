import { faultPoint } from "../../lib/fault.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import type { Remote } from "./changing.ts";
import type { DavRequest } from "./connection.ts";
import { folderUrl } from "./dav-path.ts";
import { listFolder } from "./listing.ts";

/**
 * The contract's `removeFolder`. DELETE takes a folder with all that is in it (RFC 4918 section 9.6.1), so a complete
 * listing comes first.
 */
export async function removeEmptyFolder(remote: Remote, path: RelPath, options: CallOptions): Promise<void> {
  const { connection, facts, folders } = remote;
  const listing = await listFolder(connection, facts, path, options);
  if (!listing.exists) return;
  if (listing.files.length + listing.unusable.length > 0) {
    throw new BackendError(`Could not remove the folder "${path}": there is something in it`, {
      class: "FILE_REJECTED",
    });
  }
  const request: DavRequest = {
    method: "DELETE",
    url: folderUrl(connection.root, path),
    what: `remove the folder "${path}"`,
    signal: options.signal,
  };
  faultPoint("webdav-delete-folder");
  const response = await connection.send(request);
  await response.drain().catch(() => {});
  const { status } = response;
  // 207 lists what could not be removed.
  if (!(response.ok && status !== 207) && status !== 404 && status !== 410) throw connection.refusal(response, request);
  for (const folder of [...listing.folders, path]) folders.forget(folder);
}
