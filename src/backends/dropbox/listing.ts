import { join } from "node:path";
import type { files } from "dropbox";
import { nameOf, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import { CursorLostError, type FileNode, type NodeChange, type NodePage, type NodeSource } from "../nodes/model.ts";
import { type NodeIndex, nodeIndex } from "../nodes/node-index.ts";
import type { CallOptions, Listing, ListOptions, RemoteFile } from "../types.ts";
import { endpointTags } from "./errors.ts";
import { remoteFile } from "./files.ts";
import { fold } from "./paths.ts";
import type { DropboxPlace } from "./place.ts";

const PAGE = 2000;
/** Seconds; Dropbox takes 30 to 480, and what is in between may cut longer waits. */
const LONGPOLL_S = 120;

export interface DropboxListing {
  list(under: RelPath | "", options?: ListOptions): Promise<Listing>;
  /** What was just written, or that it was removed: the stream may be slow to tell. */
  note(path: RelPath, file: RemoteFile | "gone"): void;
  /** Keeps the notes that no stream has confirmed yet. */
  save(): void;
  /** Waits for a change since the last listing (the first time: since now). */
  wait(options: CallOptions): Promise<"changed" | "quiet">;
}

export interface ListingOptions {
  readonly place: DropboxPlace;
  /** Whose files these are: a cursor of another account is not believed. */
  readonly key: string;
}

/** Everything below the root by one cursor (https://www.dropbox.com/developers/reference/detecting-changes-guide). */
export function dropboxListing({ place, key }: ListingOptions): DropboxListing {
  const { client, root } = place;
  /** The end of the last stream that was read. */
  let latest: string | undefined;
  const source = nodeSource(place, (cursor) => {
    latest = cursor;
  });
  const index: NodeIndex = nodeIndex({
    file: join(place.stateFolder, "dropbox-nodes"),
    key,
    source,
    ids: "paths",
    clock: client.clock,
    root: () => "",
    fold,
    prefer: (a, b) => (a.name < b.name ? -1 : 1),
    describe: (node, path) => describe(root, node, path),
    isLater: (noted, told) =>
      noted.is === "file" && told.is === "file" && (noted.modifiedMs ?? 0) > (told.modifiedMs ?? 0),
  });

  return {
    async list(under, options = {}) {
      try {
        const { duplicates: _one, ...listing } = await index.list(under, options);
        return listing;
      } catch (error) {
        if (!(error instanceof NotFoundError)) throw error;
        return { files: [], folders: [], unusable: [], exists: false };
      }
    },
    note(path, file) {
      const at = placeOf(fold(path));
      if (file === "gone") return index.note([{ is: "gone", id: at.id }]);
      const { size, rev, modifiedMs } = file;
      const hash = file.checksums?.[0]?.value ?? "";
      const time = modifiedMs === undefined ? {} : { modifiedMs };
      index.note([{ is: "file", ...at, name: nameOf(file.path), size, rev, hash, ...time }]);
    },
    save: () => index.save(),
    async wait({ signal }) {
      const what = "wait for changes on Dropbox";
      latest ??= await newestCursor(place, signal);
      const cursor = latest;
      try {
        const { result } = await client.call({ what, signal }, (sdk, options) =>
          sdk.filesListFolderLongpoll({ cursor, timeout: LONGPOLL_S }, options),
        );
        if (result.backoff !== undefined) await client.clock.sleep(result.backoff * 1000, signal);
        if (!result.changes) return "quiet";
      } catch (error) {
        if (!isReset(error)) throw error;
      }
      // From here on: what has happened is for the caller to look at.
      latest = await newestCursor(place, signal);
      return "changed";
    },
  };
}

async function newestCursor({ client, root }: DropboxPlace, signal: AbortSignal | undefined): Promise<string> {
  const { result } = await client.call({ what: `look at "${root || "/"}"`, signal }, (sdk, options) =>
    sdk.filesListFolderGetLatestCursor({ path: root, recursive: true }, options),
  );
  return result.cursor;
}

function nodeSource({ client, root }: DropboxPlace, onEnd: (cursor: string) => void): NodeSource {
  return {
    async page(cursor, { signal }): Promise<NodePage> {
      const call = { what: `list "${root || "/"}"`, signal };
      try {
        const { result } = await client.call(call, (sdk, options) =>
          cursor === undefined
            ? sdk.filesListFolder({ path: root, recursive: true, include_deleted: false, limit: PAGE }, options)
            : sdk.filesListFolderContinue({ cursor }, options),
        );
        const changes = result.entries.map((entry) => changeOf(root, entry)).filter((change) => change !== undefined);
        if (!result.has_more) onEnd(result.cursor);
        return { changes, cursor: result.cursor, more: result.has_more };
      } catch (error) {
        // A folder that is gone and came back has another cursor.
        if (cursor !== undefined && (isReset(error) || error instanceof NotFoundError)) throw new CursorLostError();
        throw error;
      }
    },
  };
}

function isReset(error: unknown): boolean {
  return error instanceof BackendError && endpointTags(error.cause).includes("reset");
}

type Entry = files.FileMetadataReference | files.FolderMetadataReference | files.DeletedMetadataReference;

/** Undefined for the root itself. Throws CursorLostError when the root went away. */
function changeOf(root: string, entry: Entry): NodeChange | undefined {
  const lower = entry.path_lower ?? fold(entry.path_display ?? "");
  const id = lower.slice(fold(root).length + 1);
  if (id === "") {
    if (entry[".tag"] === "folder") return undefined;
    throw new CursorLostError();
  }
  const at = { ...placeOf(id), name: entry.name };
  switch (entry[".tag"]) {
    case "deleted":
      return { is: "gone", id };
    case "folder":
      return { is: "folder", ...at };
    case "file": {
      if (entry.is_downloadable === false)
        return { is: "foreign", ...at, reason: "it can only be opened on dropbox.com" };
      const modifiedMs = Date.parse(entry.server_modified);
      const time = Number.isNaN(modifiedMs) ? {} : { modifiedMs };
      return { is: "file", ...at, size: entry.size, rev: entry.rev, hash: entry.content_hash ?? "", ...time };
    }
  }
}

function placeOf(id: string): { readonly id: string; readonly parent: string } {
  const slash = id.lastIndexOf("/");
  return { id, parent: slash < 0 ? "" : id.slice(0, slash) };
}

function describe(root: string, node: FileNode, path: RelPath) {
  const { rev, size, hash, modifiedMs } = node;
  return remoteFile(root, path, {
    rev,
    size,
    ...(hash === "" ? {} : { content_hash: hash }),
    server_modified: modifiedMs === undefined ? "" : new Date(modifiedMs).toISOString(),
  });
}
