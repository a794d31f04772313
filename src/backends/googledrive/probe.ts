import { randomBytes } from "node:crypto";
import { TEMP_PREFIX } from "../../lib/temp-prefix.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import type { DriveClient } from "./client.ts";
import type { RootFacts } from "./facts.ts";
import { type DriveFile, FILE_FIELDS, FOLDER_TYPE } from "./nodes.ts";

const ROOT_FIELDS = `${FILE_FIELDS},driveId,capabilities(canAddChildren)`;

/** Looks at the folder; throws BackendError, its hint the next step, when it cannot be the remote root. */
export async function lookAtRoot(
  client: DriveClient,
  folderId: string,
  account: string,
  call: CallOptions,
): Promise<DriveFile> {
  const fail = (found: string, hint: string, status?: number) =>
    new BackendError(`Could not use the Drive folder "${folderId}": ${found}`, {
      class: "FILE_REJECTED",
      hint,
      ...(status === undefined ? {} : { status }),
    });
  const who = account === "" ? "the account that signed in" : account;
  let file: DriveFile;
  try {
    const ask = { fileId: folderId, supportsAllDrives: true, fields: ROOT_FIELDS };
    file = await client.call({ what: "look at the remote folder", changes: false, ...call }, (sdk) =>
      client.v3.files.get(ask, sdk),
    );
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw fail(
      "it is not there, or not shared with this account",
      `Check drive_folder_id, the long word after /folders/ in the folder's address, and share the folder with ${who} as Editor.`,
      404,
    );
  }
  if (file.mimeType !== FOLDER_TYPE) throw fail("it is no folder", "Set drive_folder_id to the id of a folder.");
  if (file.trashed === true)
    throw fail("it is in the trash", "Take it out of the trash of Google Drive, or choose another folder.", 404);
  return file;
}

/** What is to be known of the root. Writes a small file there for a moment, to see whether v2 guards a write. */
export async function probeRoot(client: DriveClient, folder: DriveFile, call: CallOptions): Promise<RootFacts> {
  const rootId = folder.id ?? "";
  if (folder.capabilities?.canAddChildren === false) {
    throw new BackendError(`Could not use the Drive folder "${folder.name}": this account may only read it`, {
      class: "PERMISSION",
      hint: "Have the folder's owner share it with you as Editor.",
    });
  }
  const ifMatch = await guardsWrites(client, rootId, call);
  return { rootId, driveId: folder.driveId ?? undefined, owned: folder.ownedByMe === true, ifMatch };
}

/** True when v2 makes a file, refuses a write whose If-Match does not fit and takes one whose does. */
async function guardsWrites(client: DriveClient, rootId: string, call: CallOptions): Promise<boolean> {
  const what = { what: "write a small test file", changes: true, ...call };
  const all = { supportsAllDrives: true };
  const name = `${TEMP_PREFIX}${randomBytes(6).toString("hex")}`;
  const media = (text: string) => ({ media: { mimeType: "text/plain", body: text } });
  const made = await client
    .call(what, (sdk) =>
      client.v2.files.insert(
        { requestBody: { title: name, parents: [{ id: rootId }] }, ...media("probe"), fields: "id", ...all },
        { ...sdk, rootUrl: `${client.hosts.upload}/` },
      ),
    )
    .catch(unlessUnwilling);
  if (made === undefined) return false;
  const fileId = made.id ?? "";
  const put = (etag: string, text: string) =>
    client.call(what, (sdk) =>
      client.v2.files.update(
        { fileId, ...media(text), fields: "id", ...all },
        { ...sdk, rootUrl: `${client.hosts.upload}/`, headers: { "If-Match": etag } },
      ),
    );
  try {
    const { etag } = await client.call(what, (sdk) => client.v2.files.get({ fileId, fields: "etag", ...all }, sdk));
    if (!etag) return false;
    const refused = await put('"another"', "wrong").then(
      () => false,
      (error: unknown) => error instanceof BackendError && error.status === 412,
    );
    if (!refused) return false;
    await put(etag, "right");
    return true;
  } catch (error) {
    return unlessUnwilling(error) ?? false;
  } finally {
    await client.call(what, (sdk) => client.v3.files.delete({ fileId, ...all }, sdk)).catch(() => undefined);
  }
}

/** An unwilling v2 is no fault: writes are then guarded by a look just before. */
function unlessUnwilling(error: unknown): undefined {
  if (error instanceof BackendError && (error.class === "FILE_REJECTED" || error.class === "PERMISSION"))
    return undefined;
  throw error;
}
