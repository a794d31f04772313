import type { drive_v2, drive_v3 } from "googleapis/build/src/apis/drive/index.js";
import type { RelPath } from "../../lib/path.ts";
import type { FileNode, SourceNode } from "../nodes/model.ts";
import type { Checksum, RemoteFile, Rev } from "../types.ts";

export const FOLDER_TYPE = "application/vnd.google-apps.folder";
const SHORTCUT_TYPE = "application/vnd.google-apps.shortcut";
const NATIVE_PREFIX = "application/vnd.google-apps.";

/** What we ask of every file. */
export const FILE_FIELDS =
  "id,name,mimeType,parents,trashed,size,md5Checksum,sha256Checksum,headRevisionId,version,createdTime,modifiedTime,ownedByMe,shared";

/** The same of v2, whose resource carries the ETag. */
export const V2_FIELDS =
  "id,etag,title,mimeType,parents(id),labels(trashed),fileSize,md5Checksum,sha256Checksum,headRevisionId,version,createdDate,modifiedDate";

export type DriveFile = drive_v3.Schema$File;
export type V2File = drive_v2.Schema$File;

/** The node of an item that is not in the trash. `parent` stands in where the account may not see the parent. */
export function nodeOf(file: DriveFile, parent = file.parents?.[0] ?? ""): SourceNode {
  const { id = "", name = "", mimeType = "" } = nonNull(file);
  const place = { id, name, parent };
  if (mimeType === FOLDER_TYPE) return { is: "folder", ...place };
  const { md5Checksum, headRevisionId, size, modifiedTime } = file;
  if (!md5Checksum) return { is: "foreign", ...place, reason: foreignReason(mimeType) };
  const modifiedMs = Date.parse(modifiedTime ?? "");
  return {
    is: "file",
    ...place,
    size: Number(size ?? 0),
    rev: headRevisionId ?? `md5-${md5Checksum}`,
    hash: md5Checksum,
    ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs }),
    more: [file.version ?? "0", file.createdTime ?? "", file.sha256Checksum ?? ""].join(" "),
  };
}

function nonNull({ id, name, mimeType }: DriveFile): { id?: string; name?: string; mimeType?: string } {
  return { ...(id ? { id } : {}), ...(name ? { name } : {}), ...(mimeType ? { mimeType } : {}) };
}

function foreignReason(mimeType: string): string {
  if (mimeType === SHORTCUT_TYPE) return "it is a shortcut to another file; shortcuts are not mirrored";
  if (mimeType.startsWith(NATIVE_PREFIX)) {
    return `it is a Google ${mimeType.slice(NATIVE_PREFIX.length)}, which has no bytes of its own; such documents are not mirrored`;
  }
  return "Google Drive gives no checksum of it";
}

/** Grows with every change of an item, those of its name included. */
export function versionOf({ more = "" }: FileNode): number {
  return Number(more.split(" ", 1)[0]);
}

function createdOf({ more = "" }: FileNode): string {
  return more.split(" ")[1] ?? "";
}

/** Lower-case hex; `""` for the few files from before Google kept it. */
export function sha256Of({ more = "" }: FileNode): string {
  return more.split(" ")[2] ?? "";
}

/** Of two files of one name the older one keeps it, so that every machine picks the same. */
export function olderFirst(a: FileNode, b: FileNode): number {
  const [x, y] = [createdOf(a) + a.id, createdOf(b) + b.id];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function describeNode(node: FileNode, path: RelPath): RemoteFile {
  const sha256 = sha256Of(node);
  const checksums: Checksum[] = [{ kind: "md5", value: node.hash }];
  if (sha256 !== "") checksums.push({ kind: "sha256", value: sha256 });
  return {
    path,
    size: node.size,
    rev: node.rev as Rev,
    racy: false,
    id: node.id,
    nativeHash: node.hash,
    checksums,
    ...(node.modifiedMs === undefined ? {} : { modifiedMs: node.modifiedMs }),
  };
}

/** A v2 resource in the words of v3. */
export function fromV2(file: V2File): DriveFile {
  const parents = (file.parents ?? []).flatMap(({ id }) => (id ? [id] : []));
  return {
    id: file.id ?? null,
    name: file.title ?? null,
    mimeType: file.mimeType ?? null,
    ...(parents.length === 0 ? {} : { parents }),
    trashed: file.labels?.trashed ?? false,
    size: file.fileSize ?? null,
    md5Checksum: file.md5Checksum ?? null,
    sha256Checksum: file.sha256Checksum ?? null,
    headRevisionId: file.headRevisionId ?? null,
    version: file.version ?? null,
    createdTime: file.createdDate ?? null,
    modifiedTime: file.modifiedDate ?? null,
  };
}

/** A string inside a search query. */
export function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
