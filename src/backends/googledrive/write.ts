import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { FileNode } from "../nodes/model.ts";
import type { CallOptions, Source, WriteOptions, Written } from "../types.ts";
import { BinnedParentError, type Folders, MissingParentError, recheckFolders } from "./folders.ts";
import { etagCall, seenByV2 } from "./looks.ts";
import { type DriveFile, describeNode, FILE_FIELDS, fromV2, nodeOf, V2_FIELDS, type V2File } from "./nodes.ts";
import { ALL_DRIVES, clash, type DriveRoom, isStillThere, lookAgain, lookUp, noted } from "./room.ts";
import { sendFile, type UploadTools } from "./upload.ts";

/** Google's own limit on a file. Bytes. */
export const MAX_FILE_SIZE = 5 * 1024 ** 4;
/** Names are not limited by the document; beyond this no file system of ours could hold one. UTF-8 bytes. */
export const MAX_NAME_BYTES = 1000;

interface WriteCall extends CallOptions {
  readonly room: DriveRoom;
  readonly folders: Folders;
}

/** The contract's `write`. */
export async function writeFile(
  path: RelPath,
  source: Source,
  options: WriteOptions,
  context: WriteCall,
): Promise<Written> {
  requireNames(path);
  const { room } = context;
  const call = callOf(options);
  const node = await current(path, options, room);
  try {
    const file =
      node === undefined
        ? await createFile(path, source, context, call)
        : await replaceFile(path, source, node, context, call);
    return { file: describeNode(file, path), ...serverTime(room) };
  } catch (error) {
    if (!(error instanceof MissingParentError) && !(error instanceof BinnedParentError)) throw error;
    await recheckFolders(room, path, error, call);
    return { file: describeNode(await createFile(path, source, context, call), path), ...serverTime(room) };
  }
}

function callOf({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal };
}

function serverTime({ client }: DriveRoom): { readonly serverTimeMs?: number } {
  const time = client.serverTimeMs();
  return time === undefined ? {} : { serverTimeMs: time };
}

function requireNames(path: RelPath): void {
  for (const name of path.split("/")) {
    const bytes = Buffer.byteLength(name);
    if (bytes > MAX_NAME_BYTES) {
      throw new BackendError(`Could not write "${path}": a name of ${bytes} bytes is too long`, {
        class: "FILE_REJECTED",
      });
    }
  }
}

/** The file to replace, as it is at this moment; undefined where one is to be made. Throws StaleError. */
async function current(path: RelPath, options: WriteOptions, room: DriveRoom): Promise<FileNode | undefined> {
  const there = lookUp(room, path);
  if (there.file !== undefined) room.expected.delete(there.file.id);
  const { expect } = options;
  const stale = (found: string) => new StaleError(`Could not write "${path}": ${found}`);
  if (there.file === undefined) {
    const taken = clash(path, there, "write");
    if (taken !== undefined) throw taken;
    if (expect === "absent" || expect === "any") return undefined;
    throw stale("it is not there any more");
  }
  const what = `look at "${path}"`;
  // The guarded write looks by itself. A rev that differs already is looked at: what we know may be old.
  if (there.file.rev === expect && (room.facts.ifMatch || wasJustRead(there.file, room))) return there.file;
  const now = await lookAgain(room, there.file.id, what, callOf(options));
  const still = now !== undefined && isStillThere(now, there.file) ? nodeOf(now) : undefined;
  if (expect === "absent") {
    if (still === undefined) return undefined;
    throw stale("a file is there");
  }
  if (expect === "any") return still?.is === "file" ? still : undefined;
  if (still?.is !== "file") throw stale("it is not there any more");
  if (still.rev !== expect) throw stale("another version is there");
  return still;
}

/** A body that was read a moment ago and had this version's checksum is as good as a look, and so is a look of then. */
const MOMENT_MS = 1000;

function wasJustRead({ id, rev }: FileNode, { justRead, clock }: DriveRoom): boolean {
  const read = justRead.get(id);
  justRead.delete(id);
  return read !== undefined && read.rev === rev && clock.now() - read.atMs < MOMENT_MS;
}

const TYPES: Readonly<Record<string, string>> = {
  md: "text/markdown",
  txt: "text/plain",
  json: "application/json",
  yaml: "application/yaml",
  yml: "application/yaml",
  html: "text/html",
  csv: "text/csv",
};

/** What the web page of Google Drive shows the file as. */
function mimeTypeOf(path: RelPath): string {
  const extension = /\.([A-Za-z0-9]+)$/.exec(nameOf(path))?.[1]?.toLowerCase() ?? "";
  return TYPES[extension] ?? "application/octet-stream";
}

function toolsOf({ client, sessions, clock }: DriveRoom): UploadTools {
  return { client, sessions, now: () => clock.now() };
}

/** Names the content for going on with its upload; undefined where no digest is known. */
function uploadKey(kind: string, source: Source): string | undefined {
  const digest = source.sha256 ?? source.md5;
  return digest === undefined ? undefined : `${kind} ${digest} ${source.size}`;
}

async function createFile(path: RelPath, source: Source, context: WriteCall, call: CallOptions): Promise<FileNode> {
  const { room, folders } = context;
  const parent = await folders.ensure(parentOf(path), call);
  const place = `file ${parent}/${nameOf(path)}`;
  const what = `write "${path}"`;
  for (let attempt = 1; ; attempt++) {
    const id = room.pending.get(place) ?? (await room.ids.take(call));
    room.pending.set(place, id);
    const transfer = {
      ...({
        method: "POST",
        path: "/upload/drive/v3/files",
        query: `${ALL_DRIVES}&fields=${FILE_FIELDS}`,
        source,
        what,
      } as const),
      metadata: { id, name: nameOf(path), parents: [parent] },
      mimeType: mimeTypeOf(path),
      key: uploadKey(`create ${parent}/${nameOf(path)}`, source),
    };
    try {
      const made = (await sendFile(transfer, toolsOf(room), call)) as DriveFile;
      room.pending.delete(place);
      return await settled(made, parent, path, room, call);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!error.outcomeUnknown) room.pending.delete(place);
      if (error instanceof NotFoundError && !(error instanceof BinnedParentError))
        throw new MissingParentError(parent, error);
      const again = attempt < 3 && (await mayTryAgain(error, { id, path, parent, source, room, call }));
      if (again === false) throw error;
      if (again !== true) return again;
    }
  }
}

interface Tried {
  readonly id: string;
  readonly path: RelPath;
  readonly parent: string;
  readonly source: Source;
  readonly room: DriveRoom;
  readonly call: CallOptions;
}

/** A create that met its own id: the file, when it is ours; true when another id is to be tried. */
async function mayTryAgain(error: BackendError, tried: Tried): Promise<FileNode | boolean> {
  const { id, path, parent, source, room, call } = tried;
  if (error.status === 400 && /not usable/.test(error.message)) {
    room.ids.drop();
    return true;
  }
  if (error.status !== 409) return false;
  const there = await lookAgain(room, id, `look at "${path}"`, call);
  // An id of an earlier process that was used after all.
  if (there === undefined || there.name !== nameOf(path) || there.parents?.[0] !== parent) return true;
  const node = nodeOf(there);
  const same =
    node.is === "file" && node.size === source.size && (source.md5 === undefined || source.md5 === node.hash);
  if (node.is === "file" && same) return node;
  throw new StaleError(`Could not write "${path}": a file is there`);
}

/** The node of what was made; what was made into the trash is taken away again. */
async function settled(
  made: DriveFile,
  parent: string,
  path: RelPath,
  room: DriveRoom,
  call: CallOptions,
): Promise<FileNode> {
  if (noted(room, made) === undefined) {
    if (made.id) {
      const undo = {
        method: "DELETE",
        path: `/drive/v3/files/${encodeURIComponent(made.id)}?${ALL_DRIVES}`,
        what: `take back "${path}"`,
      } as const;
      await room.change(undo, call);
    }
    throw new BinnedParentError(parent);
  }
  return asFile(made, path);
}

function asFile(file: DriveFile, path: RelPath): FileNode {
  const node = nodeOf(file);
  if (node.is === "file") return node;
  throw new BackendError(`Could not write "${path}": Google Drive made something else of it`, { class: "UNKNOWN" });
}

async function replaceFile(
  path: RelPath,
  source: Source,
  node: FileNode,
  context: WriteCall,
  call: CallOptions,
): Promise<FileNode> {
  const { room } = context;
  const what = `write "${path}"`;
  const key = uploadKey(`replace ${node.id} ${node.rev}`, source);
  const mimeType = mimeTypeOf(path);
  const id = encodeURIComponent(node.id);
  try {
    if (room.facts.ifMatch) return await replaceGuarded(path, source, node, room, call);
    const query = `${ALL_DRIVES}&fields=${FILE_FIELDS}`;
    const transfer = {
      method: "PATCH",
      path: `/upload/drive/v3/files/${id}`,
      query,
      mimeType,
      source,
      what,
      key,
    } as const;
    const made = (await sendFile(transfer, toolsOf(room), call)) as DriveFile;
    if (noted(room, made) === undefined) throw new StaleError(`Could not write "${path}": it is in the trash by now`);
    return asFile(made, path);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    room.index.note([{ is: "gone", id: node.id }]);
    throw new StaleError(`Could not write "${path}": it is not there any more`, { cause: error });
  }
}

/** Lets v2 compare with an ETag that was told just now or not long ago: a write is refused when the item has changed since. */
async function replaceGuarded(
  path: RelPath,
  source: Source,
  node: FileNode,
  room: DriveRoom,
  call: CallOptions,
): Promise<FileNode> {
  for (let attempt = 1; ; attempt++) {
    const known = room.etags.get(node.id);
    room.etags.delete(node.id);
    const etag = known?.rev === node.rev ? known.etag : await etagOf(path, node, room, call);
    const transfer = {
      ...({
        method: "PUT",
        path: `/upload/drive/v2/files/${encodeURIComponent(node.id)}`,
        query: `${ALL_DRIVES}&fields=${V2_FIELDS}`,
        source,
        what: `write "${path}"`,
      } as const),
      mimeType: mimeTypeOf(path),
      headers: { "If-Match": etag },
      key: uploadKey(`replace ${node.id} ${etag}`, source),
    };
    try {
      const made = fromV2((await sendFile(transfer, toolsOf(room), call)) as V2File);
      noted(room, made);
      return asFile(made, path);
    } catch (error) {
      // Something else than the content may have changed: then the ETag of now fits.
      if (!(error instanceof BackendError) || error.status !== 412) throw error;
      if (attempt >= 3) throw new StaleError(`Could not write "${path}": it changes all the time`, { cause: error });
    }
  }
}

/** The present ETag of the version that is to be replaced. Throws StaleError where another one is there. */
async function etagOf(path: RelPath, node: FileNode, room: DriveRoom, call: CallOptions): Promise<string> {
  const { body } = await room.askV2(etagCall(node.id, `look at "${path}"`), call);
  const now = seenByV2(room, body as V2File);
  const seen = room.etags.get(node.id);
  room.etags.delete(node.id);
  if (now === undefined) throw new StaleError(`Could not write "${path}": it is not there any more`);
  if (now.rev !== node.rev) throw new StaleError(`Could not write "${path}": another version is there`);
  if (seen !== undefined) return seen.etag;
  throw new BackendError(`Could not write "${path}": Google Drive names no ETag`, { class: "TRANSIENT" });
}
