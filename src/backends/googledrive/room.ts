import type { Clock } from "../../lib/clock.ts";
import { type Coalesced, coalesce, type Settled } from "../../lib/coalesce.ts";
import { nameOf, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError } from "../errors.ts";
import type { FileNode, FolderNode, ForeignNode, Node } from "../nodes/model.ts";
import type { NodeIndex } from "../nodes/node-index.ts";
import type { Duplicate } from "../nodes/view.ts";
import type { CallOptions } from "../types.ts";
import { type BatchAnswer, type BatchCall, MOST_BATCHED } from "./batch.ts";
import type { DriveClient } from "./client.ts";
import type { RootFacts } from "./facts.ts";
import type { IdPool } from "./ids.ts";
import { type DriveFile, FILE_FIELDS, nodeOf } from "./nodes.ts";
import type { DriveSource } from "./source.ts";
import type { UploadSessions } from "./upload-sessions.ts";

/** What every verb works with. */
export interface DriveRoom {
  readonly client: DriveClient;
  readonly facts: RootFacts;
  readonly index: NodeIndex;
  readonly source: DriveSource;
  readonly ids: IdPool;
  readonly sessions: UploadSessions;
  readonly clock: Clock;
  /** Ids given to creations of which no answer came: the same creation is sent with the same id. */
  readonly pending: Map<string, string>;
  /** Where the second and further of several files of one name are shown, with their ids. */
  readonly aliases: Map<RelPath, string>;
  /** Revs that a download or a look has just shown to be the present ones, with the time of it. */
  readonly justRead: Map<string, { readonly rev: string; readonly atMs: number }>;
  /** What the last listing of the root showed several times. */
  duplicates: readonly Duplicate[];
  /** Ids of files that are about to be replaced: where a request goes out anyway they are looked at with it. */
  readonly expected: Set<string>;
  /** ETags of versions, by id, as v2 told them last: a write that names one is refused when the item has changed since. */
  readonly etags: Map<string, { readonly rev: string; readonly etag: string }>;
  /** One call of the API, together with others that are under way in one request; its answer's body. */
  readonly ask: Coalesced<BatchCall, BatchAnswer>;
  readonly change: Coalesced<BatchCall, BatchAnswer>;
  /**
   * The same for new folders, by v2 where that guards writes; they come in waves: one request at a time, so that the next
   * wave gathers meanwhile.
   */
  readonly makeFolder: Coalesced<BatchCall, BatchAnswer>;
  /** The same for v2, whose answers carry ETags. */
  readonly askV2: Coalesced<BatchCall, BatchAnswer>;
}

export interface BatchedOptions {
  readonly client: DriveClient;
  readonly clock: Clock;
  /** Which version of the API makes folders. */
  readonly foldersBy: 2 | 3;
  /** Looks that are wanted soon, for room that a batch with these calls has left. */
  readonly looks: (calls: readonly BatchCall[]) => readonly BatchCall[];
  /** Takes the answer to one of them. */
  readonly seen: (answer: BatchAnswer) => void;
}

/** Calls that change something and calls that only look go in batches of their own: only the outcome of the first can be lost. */
export function batchedCalls({
  client,
  clock,
  foldersBy,
  ...more
}: BatchedOptions): Pick<DriveRoom, "ask" | "change" | "makeFolder" | "askV2"> {
  const gathered = (
    changes: boolean,
    version: 2 | 3,
    pace: { readonly batches: number; readonly quietMs?: number } = { batches: 4 },
    takesMore = false,
  ) =>
    coalesce<BatchCall, BatchAnswer>({
      clock,
      count: MOST_BATCHED,
      ...pace,
      async send(calls, signal) {
        const what = calls.length === 1 && calls[0] ? calls[0].what : `send ${calls.length} requests together`;
        const looks = takesMore ? more.looks(calls).slice(0, MOST_BATCHED - calls.length) : [];
        const answers = await client.batch([...calls, ...looks], { what, changes, signal }, version);
        for (const answer of answers.slice(calls.length)) if (!(answer instanceof BackendError)) more.seen(answer);
        return answers
          .slice(0, calls.length)
          .map((answer): Settled<BatchAnswer> => (answer instanceof BackendError ? { error: answer } : { ok: answer }));
      },
    });
  return {
    ask: gathered(false, 3),
    change: gathered(true, 3),
    makeFolder: gathered(true, foldersBy, { batches: 1, quietMs: 25 }, true),
    askV2: gathered(false, 2, { batches: 4 }, true),
  };
}

/** What the index has under one name. */
export interface There {
  readonly file: FileNode | undefined;
  readonly folders: readonly FolderNode[];
  readonly foreign: ForeignNode | undefined;
}

export function lookUp({ index, aliases }: DriveRoom, path: RelPath | ""): There {
  const nodes: readonly Node[] = index.at(path);
  const alias = nodes.length === 0 && path !== "" ? aliases.get(path) : undefined;
  const found = alias === undefined ? nodes : [index.node(alias)].filter((node) => node !== undefined);
  return {
    file: found.find((node) => node.is === "file"),
    folders: found.filter((node) => node.is === "folder"),
    foreign: found.find((node) => node.is === "foreign"),
  };
}

export const ALL_DRIVES = "supportsAllDrives=true";

export function lookCall(id: string, what = "look at a file"): BatchCall {
  return { method: "GET", path: `/drive/v3/files/${encodeURIComponent(id)}?${ALL_DRIVES}&fields=${FILE_FIELDS}`, what };
}

/** The item as it is now, undefined when it is gone or in the trash. The index is told. */
export async function lookAgain(
  room: DriveRoom,
  id: string,
  what: string,
  call: CallOptions,
): Promise<DriveFile | undefined> {
  try {
    const { body } = await room.ask(lookCall(id, what), call);
    return noted(room, body as DriveFile);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    room.index.note([{ is: "gone", id }]);
    return undefined;
  }
}

/** Tells the index what an answer said of a file; undefined for one in the trash. */
export function noted(room: DriveRoom, file: DriveFile): DriveFile | undefined {
  if (file.trashed === true) {
    if (file.id) room.index.note([{ is: "gone", id: file.id }]);
    return undefined;
  }
  room.index.note([nodeOf(file)]);
  return file;
}

/** Whether the item still has the name and the parent that it is known by. */
export function isStillThere(file: DriveFile, node: Node): boolean {
  return file.name === node.name && (file.parents?.[0] ?? "") === node.parent;
}

export function clash(path: RelPath, { folders, foreign }: There, verb: string): BackendError | undefined {
  if (folders.length > 0) {
    return new BackendError(`Could not ${verb} "${path}": a folder is there`, { class: "FILE_REJECTED" });
  }
  if (foreign === undefined) return undefined;
  return new BackendError(`Could not ${verb} "${path}": something else is there: ${foreign.reason}`, {
    class: "FILE_REJECTED",
    hint: `Rename "${nameOf(path)}" in Google Drive or here.`,
  });
}
