import { childOf, nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { FileNode, NodeChange } from "../nodes/model.ts";
import type { Checksum, RemoteFile, Rev } from "../types.ts";
import { type Json, objectAt, textAt } from "./graph.ts";
import { fold } from "./names.ts";

/** What is asked for of every item. */
export const ITEM_FIELDS =
  "id,name,size,eTag,file,folder,package,remoteItem,deleted,root,malware,parentReference,lastModifiedDateTime";

/** An item as the stream of changes tells it. */
export function changeOf(item: Json): NodeChange {
  const id = textAt(item, "id");
  if (id === undefined) {
    throw new BackendError("Could not list OneDrive: it tells of an item without an id", { class: "TRANSIENT" });
  }
  if (objectAt(item, "deleted") !== undefined) return { is: "gone", id };
  const place = { id, parent: textAt(objectAt(item, "parentReference"), "id") ?? "", name: textAt(item, "name") ?? "" };
  if (objectAt(item, "root") !== undefined) return { is: "folder", ...place, parent: "" };
  if (objectAt(item, "malware") !== undefined) {
    return { is: "foreign", ...place, reason: "OneDrive takes it for malware and hands it out to nobody" };
  }
  if (objectAt(item, "remoteItem") !== undefined) {
    return { is: "foreign", ...place, reason: "it is a shortcut to something that somebody else shares" };
  }
  if (objectAt(item, "package") !== undefined) {
    return { is: "foreign", ...place, reason: "it is a notebook or the like, which is no file" };
  }
  if (objectAt(item, "folder") !== undefined) return { is: "folder", ...place };
  const facts = factsOf(item);
  if (facts === undefined) return { is: "foreign", ...place, reason: "it is neither a file nor a folder" };
  return { is: "file", ...place, ...facts };
}

type Facts = Pick<FileNode, "size" | "rev" | "hash" | "modifiedMs" | "more">;

function factsOf(item: Json): Facts | undefined {
  const [size, rev] = [item?.["size"], textAt(item, "eTag")];
  if (objectAt(item, "file") === undefined || typeof size !== "number" || rev === undefined) return undefined;
  const hashes = objectAt(objectAt(item, "file"), "hashes");
  const [quick, sha1] = [textAt(hashes, "quickXorHash"), textAt(hashes, "sha1Hash")];
  const modifiedMs = Date.parse(textAt(item, "lastModifiedDateTime") ?? "");
  return {
    size,
    rev,
    hash: quick ?? "",
    ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs }),
    ...(sha1 === undefined || quick !== undefined ? {} : { more: sha1.toLowerCase() }),
  };
}

/** The contract's view of a file. The native hash is the Python tool's: quickXorHash, else sha1Hash (reference 1.21). */
export function describe({ size, rev, hash, modifiedMs, more }: Facts, path: RelPath): RemoteFile {
  const checksums: Checksum[] = [];
  if (hash !== "") checksums.push({ kind: "quickxor", value: hash });
  if (more !== undefined) checksums.push({ kind: "sha1", value: more });
  return {
    path,
    size,
    rev: rev as Rev,
    racy: false,
    id: path,
    // Hashes are worked out after an upload: until then the version stands in.
    nativeHash: hash || more?.toUpperCase() || `etag ${rev}`,
    ...(checksums.length === 0 ? {} : { checksums }),
    ...(modifiedMs === undefined ? {} : { modifiedMs }),
  };
}

/**
 * The file that an answer to a question about `asked` describes, under the name that OneDrive shows: it may be written in
 * other letters. Undefined for anything but a file.
 */
export function fileOf(item: Json, asked: RelPath): RemoteFile | undefined {
  const facts = factsOf(item);
  const name = textAt(item, "name") ?? "";
  const shown = fold(name) === fold(nameOf(asked)) ? childOf(parentOf(asked), name) : asked;
  return facts && describe(facts, shown);
}
