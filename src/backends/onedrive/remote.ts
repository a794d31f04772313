import type { Clock } from "../../lib/clock.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import type { NodeIndex } from "../nodes/node-index.ts";
import type { CallOptions, RemoteFile } from "../types.ts";
import { dropFacts, type Facts, saveFacts } from "./facts.ts";
import { type Graph, type Json, textAt } from "./graph.ts";
import { fileOf, ITEM_FIELDS } from "./items.ts";
import { encodePath } from "./names.ts";
import { findPlace, type Place } from "./place.ts";

/** One project's folder on OneDrive, as every part of the backend uses it. */
export interface Remote {
  readonly graph: Graph;
  readonly clock: Clock;
  readonly stateFolder: string;
  /** `claude-mirror/notes` */
  readonly folder: string;
  readonly facts: Omit<Facts, "place">;
  /** Where the folder was last seen. */
  readonly known: { place: Place | undefined };
  /** Where the folder is; throws FolderGoneError when there is none. */
  place(options: CallOptions): Promise<Place>;
  /** Looks where the folder is by now; undefined when there is none. */
  relocate(options: CallOptions): Promise<Place | undefined>;
  /** Notes that a listing has just shown the folder, under this id. */
  confirm(rootId: string): void;
  /** The listing of changes for where the folder is; made when it is asked for. */
  index(place: Place): NodeIndex;
  /** Ids of files as answers have told them, for requests that stay with the item. */
  readonly seen: Seen;
}

export interface Known {
  readonly id: string;
  readonly rev: string;
}

export interface Seen {
  note(path: RelPath, item: Json): void;
  forget(path: RelPath): void;
  get(path: RelPath): Known | undefined;
}

/** As many as one run looks at one by one. */
const MOST_SEEN = 20_000;

export function createSeen(): Seen {
  const seen = new Map<string, Known>();
  return {
    note(path, item) {
      const [id, rev] = [textAt(item, "id"), textAt(item, "eTag")];
      if (id === undefined || rev === undefined) return;
      if (seen.size >= MOST_SEEN) seen.clear();
      seen.set(path, { id, rev });
    },
    forget: (path) => void seen.delete(path),
    get: (path) => seen.get(path),
  };
}

/** The item that is known to be this version of a path. */
export function knownItem(remote: Remote, path: RelPath, rev: string): string | undefined {
  const seen = remote.seen.get(path);
  if (seen?.rev === rev) return seen.id;
  const { place } = remote.known;
  const node = place && remote.index(place).at(path)[0];
  return node?.is === "file" && node.rev === rev ? node.id : undefined;
}

/** The address of a path below the remote folder, by the folder's own id. */
export function addressOf({ drive, rootId }: Place, path: RelPath | ""): string {
  return path === "" ? `${drive}/items/${rootId}` : `${drive}/items/${rootId}:/${encodePath(path)}:`;
}

/**
 * Runs `act` where the folder was last seen, and once more where it is now when nothing was found there: the folder
 * itself may have been replaced. NotFoundError then means the path, and never the folder.
 */
export async function inPlace<T>(remote: Remote, options: CallOptions, act: (place: Place) => Promise<T>): Promise<T> {
  const place = await remote.place(options);
  try {
    return await act(place);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    const now = await remote.relocate(options);
    if (now === undefined) throw new FolderGoneError(remote.folder);
    if (now.rootId === place.rootId) throw error;
    return act(now);
  }
}

/** The remote folder itself is not there. */
export class FolderGoneError extends BackendError {
  constructor(folder: string) {
    super(`Could not use the remote folder "${folder}": it is not there`, {
      class: "FILE_REJECTED",
      hint: "Check onedrive_folder; claude-mirror auth makes the folder.",
    });
    this.name = "FolderGoneError";
  }
}

/** Looks where the folder is when nobody knows, and when `relocate` asks; once a run when it was right. */
export function createLocator(remote: () => Remote): Pick<Remote, "place" | "relocate" | "confirm"> {
  let confirmed: string | undefined;
  const settle = (now: Place | undefined): void => {
    const { folder, known, facts, stateFolder } = remote();
    confirmed = now?.rootId;
    if (now?.rootId === known.place?.rootId) return;
    known.place = now;
    if (now === undefined) dropFacts(stateFolder, folder);
    else saveFacts(stateFolder, folder, { ...facts, place: now });
  };
  const relocate: Remote["relocate"] = async (options) => {
    const { graph, folder, known } = remote();
    if (known.place !== undefined && confirmed === known.place.rootId) return known.place;
    const now = await findPlace(graph, folder, options);
    settle(now);
    return now;
  };
  return {
    relocate,
    confirm(rootId) {
      const { place } = remote().known;
      if (place !== undefined) settle({ ...place, rootId });
    },
    async place(options) {
      const place = remote().known.place ?? (await relocate(options));
      if (place !== undefined) return place;
      throw new FolderGoneError(remote().folder);
    },
  };
}

/** The contract's `stat`: undefined only where OneDrive says that there is no such item, or it is no file. */
export async function statFile(remote: Remote, path: RelPath, options: CallOptions): Promise<RemoteFile | undefined> {
  try {
    const item = await lookUp(remote, path, options);
    const file = fileOf(item, path);
    if (file !== undefined) remote.seen.note(path, item);
    return file;
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof FolderGoneError) return undefined;
    throw error;
  }
}

/** The item at a path. Throws NotFoundError. */
export function lookUp(remote: Remote, path: RelPath, { signal }: CallOptions): Promise<Json> {
  const call = signal === undefined ? {} : { signal };
  return inPlace(remote, call, async (place) => {
    const [address, what] = [`${addressOf(place, path)}?$select=${ITEM_FIELDS}`, `look at "${path}"`];
    const { body } = await remote.graph.call({ method: "GET", path: address, what, signal });
    if (textAt(body, "id") !== undefined) return body;
    throw new BackendError(`Could not ${what}: OneDrive tells of an item without an id`, { class: "TRANSIENT" });
  });
}
