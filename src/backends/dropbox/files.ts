import type { files } from "dropbox";
import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import type { RemoteFile, Rev } from "../types.ts";
import { fold } from "./paths.ts";

/** What of FileMetadata we use. */
export interface FileFacts {
  readonly rev: string;
  readonly size: number;
  readonly content_hash?: string;
  readonly server_modified: string;
}

/** A file as Dropbox describes it, at `path` below `root`. */
export function remoteFile(root: string, path: RelPath, facts: FileFacts): RemoteFile {
  const { rev, size, content_hash: hash } = facts;
  const modifiedMs = Date.parse(facts.server_modified);
  return {
    path,
    size,
    rev: rev as Rev,
    racy: false,
    id: `${root}/${path}`,
    // Files that never had a hash have none in a listing: their version stands for it.
    nativeHash: hash ?? `rev:${rev}`,
    ...(hash === undefined ? {} : { checksums: [{ kind: "dropbox", value: hash }] }),
    ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs }),
  };
}

/** The answer to a question about `asked`: Dropbox promises the case of the last part of path_display only. */
export function answeredFile(root: string, asked: RelPath, metadata: files.FileMetadata): RemoteFile {
  const folder = parentOf(asked);
  const name = metadata.name === "" ? nameOf(asked) : metadata.name;
  return remoteFile(root, (folder === "" ? name : `${folder}/${name}`) as RelPath, metadata);
}

/** What is at `asked`, under the name that Dropbox shows: folders above it may be written in other letters. */
export function foundFile(root: string, asked: RelPath, metadata: files.FileMetadata): RemoteFile {
  const depth = asked.split("/").length;
  const shown = (metadata.path_display ?? "").split("/").slice(-depth).join("/");
  return shown !== asked && fold(shown) === fold(asked)
    ? remoteFile(root, shown as RelPath, metadata)
    : answeredFile(root, asked, metadata);
}
