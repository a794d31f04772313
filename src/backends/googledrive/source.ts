import type { drive_v3 } from "googleapis/build/src/apis/drive/index.js";
import { BackendError, NotFoundError } from "../errors.ts";
import { CursorLostError, type Node, type NodeChange, type NodePage, type NodeSource } from "../nodes/model.ts";
import type { CallOptions } from "../types.ts";
import type { BatchCall } from "./batch.ts";
import type { DriveClient } from "./client.ts";
import type { RootFacts } from "./facts.ts";
import type { IdPool } from "./ids.ts";
import { type DriveFile, FILE_FIELDS, FOLDER_TYPE, nodeOf, quoted } from "./nodes.ts";

export interface DriveSourceOptions {
  readonly client: DriveClient;
  readonly facts: RootFacts;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What the index has under this id. */
  readonly known: (id: string) => Node | undefined;
  readonly ids: Pick<IdPool, "wanted" | "accept">;
}

export interface DriveSource extends NodeSource {
  /** Everything below these folders, by asking for the children of many at once. */
  below(folders: readonly string[], call: CallOptions): Promise<readonly NodeChange[]>;
}

/** A listing of everything that the account owns goes on so long before it is asked whether that is worth it. */
const PAGES_BEFORE_DOUBT = 4;
/** It is worth it while one item of so many is one of ours. */
const WORTH = 4;
/** Parents that one query names; rclone settled on the same number. */
const PARENTS_AT_ONCE = 50;
const PAGE_SIZE = 1000;
const LONGEST_LAG_MS = 60 * 60 * 1000;
const LIST_FIELDS = `nextPageToken,incompleteSearch,files(${FILE_FIELDS})`;

/**
 * The stream of changes of one folder of Google Drive. It begins with a token of now, then lists everything: what the
 * account owns in pages of 1000, however many folders that is, and of what others own whatever lies in a shared folder;
 * or, where most of the Drive is not ours or the folder is somebody else's, level by level, fifty folders a request. Then
 * it goes on with the changes since the token. A folder that appears is looked into, for the stream does not tell what
 * was in it when it was moved here or taken out of the trash.
 *
 * A listing may lag behind what was done just before the token. So the first one is made again, once, by whoever comes an
 * hour or more later: `TOKEN` is followed by `@` and the time of the first one until then.
 *
 * Cursors: `flat TOKEN PAGE`, `others TOKEN`, `walk TOKEN`, `since TOKEN`, `again`.
 */
export function driveSource(options: DriveSourceOptions): DriveSource {
  const { client, facts, now, known, ids } = options;
  const { rootId } = facts;
  /** Folders seen by streams of this process. */
  let seen = new Map<string, { readonly parent: string; readonly shared: boolean }>();
  /** Folders into which this stream has looked, which the index does not know yet. */
  let entered = new Set<string>();
  let counted: { files: readonly string[]; pages: number } = { files: [], pages: 0 };
  const all = { supportsAllDrives: true, includeItemsFromAllDrives: true };

  const inTree = (folder: string): boolean => {
    for (let id = folder, steps = 0; steps < 200; steps++) {
      if (id === rootId) return true;
      const parent = seen.get(id)?.parent;
      if (parent === undefined) return known(id)?.is === "folder" && known(rootId) !== undefined;
      id = parent;
    }
    return false;
  };
  const see = (file: DriveFile): void => {
    if (file.mimeType !== FOLDER_TYPE || !file.id) return;
    seen.set(file.id, { parent: file.parents?.[0] ?? "", shared: file.shared === true });
  };

  async function files(q: string, pageToken: string | undefined, call: CallOptions): Promise<drive_v3.Schema$FileList> {
    const where = facts.driveId === undefined ? {} : { corpora: "drive", driveId: facts.driveId };
    const page = pageToken === undefined ? {} : { pageToken };
    const ask = { q, ...where, ...page, ...all, pageSize: PAGE_SIZE, spaces: "drive", fields: LIST_FIELDS };
    const list = await client.call({ what: "list the remote folder", changes: false, ...call }, (sdk) =>
      client.v3.files.list(ask, sdk),
    );
    if (list.incompleteSearch !== true) return list;
    throw new BackendError("Could not list the remote folder: Google Drive could not search everything", {
      class: "TRANSIENT",
    });
  }

  async function query(q: string, call: CallOptions): Promise<DriveFile[]> {
    const found: DriveFile[] = [];
    for (let token: string | undefined; ; ) {
      const page = await files(q, token, call);
      found.push(...(page.files ?? []));
      token = page.nextPageToken ?? undefined;
      if (token === undefined) return found;
    }
  }

  /** Children of many folders, level by level. Queries over several parents lag behind on shared drives. */
  async function descend(start: readonly string[], extra: string, call: CallOptions): Promise<NodeChange[]> {
    const atOnce = facts.driveId === undefined ? PARENTS_AT_ONCE : 1;
    const changes: NodeChange[] = [];
    for (const id of start) entered.add(id);
    for (let level = [...start]; level.length > 0; ) {
      const groups = chunks(level, atOnce).map((ids) => ids.map((id) => `${quoted(id)} in parents`).join(" or "));
      const found = await Promise.all(groups.map((parents) => query(`(${parents}) and trashed = false${extra}`, call)));
      level = [];
      for (const file of found.flat()) {
        see(file);
        changes.push(nodeOf(file));
        if (file.mimeType !== FOLDER_TYPE || !file.id || entered.has(file.id)) continue;
        entered.add(file.id);
        level.push(file.id);
      }
    }
    return changes;
  }

  /** What others own in shared folders; a folder of theirs may hold one of ours that holds theirs again. */
  async function ofOthers(call: CallOptions): Promise<NodeChange[]> {
    const changes: NodeChange[] = [];
    for (;;) {
      const due = [...seen].filter(([id, { shared }]) => shared && !entered.has(id) && inTree(id)).map(([id]) => id);
      if (due.length === 0) return changes;
      changes.push(...(await descend(due, " and not 'me' in owners", call)));
    }
  }

  /** The root's own node; none when it is gone. */
  async function rootNode(call: CallOptions): Promise<NodeChange[]> {
    try {
      const ask = { fileId: rootId, supportsAllDrives: true, fields: FILE_FIELDS };
      const file = await client.call({ what: "look at the remote folder", changes: false, ...call }, (sdk) =>
        client.v3.files.get(ask, sdk),
      );
      see(file);
      return file.trashed ? [] : [nodeOf(file)];
    } catch (error) {
      if (error instanceof NotFoundError) return [];
      throw error;
    }
  }

  /** Together with ids, which a first push will need and nobody has yet. */
  async function tokenOfNow(call: CallOptions): Promise<string> {
    const what = "list the remote folder";
    const drive = facts.driveId === undefined ? {} : { driveId: facts.driveId };
    const more = ids.wanted();
    if (more === undefined) {
      const ask = { ...drive, supportsAllDrives: true, fields: "startPageToken" };
      const given = await client.call({ what, changes: false, ...call }, (sdk) =>
        client.v3.changes.getStartPageToken(ask, sdk),
      );
      return given.startPageToken || expectToken();
    }
    const query = new URLSearchParams({ ...drive, supportsAllDrives: "true", fields: "startPageToken" });
    const first: BatchCall = { method: "GET", path: `/drive/v3/changes/startPageToken?${query}`, what };
    const [answer, given] = await client.batch([first, more], { what, changes: false, ...call });
    ids.accept(given);
    if (answer === undefined || answer instanceof BackendError)
      throw answer ?? new BackendError(`Could not ${what}: no answer came`, { class: "TRANSIENT" });
    return (answer.body as { readonly startPageToken?: string }).startPageToken || expectToken();
  }

  async function begin(isFirst: boolean, call: CallOptions): Promise<NodePage> {
    const startPageToken = await tokenOfNow(call);
    seen = new Map();
    entered = new Set();
    counted = { files: [], pages: 0 };
    const token = isFirst ? `${startPageToken}@${Math.round(now())}` : startPageToken;
    const flat = facts.driveId !== undefined || facts.owned;
    return { changes: [], cursor: flat ? `flat ${token} -` : `walk ${token}`, more: true };
  }

  async function flatPage(token: string, at: string, call: CallOptions): Promise<NodePage> {
    const q = facts.driveId === undefined ? "'me' in owners and trashed = false" : "trashed = false";
    const page = await lostWhenInvalid(files(q, at === "-" ? undefined : at, call));
    for (const file of page.files ?? []) see(file);
    const changes = (page.files ?? []).map((file) => nodeOf(file));
    counted = {
      files: [...counted.files, ...(page.files ?? []).map(({ parents }) => parents?.[0] ?? "")],
      pages: counted.pages + 1,
    };
    if (!page.nextPageToken) {
      const root = seen.has(rootId) ? [] : await rootNode(call);
      return { changes: [...changes, ...root], cursor: `others ${token}`, more: true };
    }
    const ours = counted.pages < PAGES_BEFORE_DOUBT ? 0 : counted.files.filter(inTree).length;
    const given =
      facts.driveId === undefined && counted.pages >= PAGES_BEFORE_DOUBT && ours * WORTH < counted.files.length;
    return { changes, cursor: given ? `walk ${token}` : `flat ${token} ${page.nextPageToken}`, more: true };
  }

  async function pageFrom(cursor: string, call: CallOptions): Promise<NodePage> {
    const [kind, token = "", at = ""] = cursor.split(" ");
    if (kind === "flat") {
      const page = await flatPage(token, at, call);
      const shared = [...seen].filter(([id, folder]) => folder.shared && inTree(id));
      if (!page.cursor.startsWith("others ") || shared.length > 0) return page;
      // Where nobody else can have put anything the changes follow at once; one page is a view of one moment by itself.
      return { ...page, cursor: `since ${token}`, more: counted.pages > 1 };
    }
    if (kind === "others") return { changes: await ofOthers(call), cursor: `since ${token}`, more: true };
    if (kind === "walk") {
      const root = await rootNode(call);
      const below = root.length === 0 ? [] : await descend([rootId], "", call);
      return { changes: [...root, ...below], cursor: `since ${token}`, more: true };
    }
    if (kind === "since") return changesSince(token, call);
    if (kind === "again") return begin(false, call);
    throw new CursorLostError();
  }

  async function changesSince(cursor: string, call: CallOptions): Promise<NodePage> {
    const [token = "", first] = cursor.split("@");
    if (first !== undefined && now() - Number(first) > LONGEST_LAG_MS) throw new CursorLostError("again");
    const mark = first === undefined ? "" : `@${first}`;
    const drive = facts.driveId === undefined ? {} : { driveId: facts.driveId };
    const ask = {
      ...{ pageToken: token, pageSize: PAGE_SIZE, includeRemoved: true, spaces: "drive", ...all, ...drive },
      fields: `nextPageToken,newStartPageToken,changes(changeType,fileId,removed,file(${FILE_FIELDS}))`,
    };
    const page = await lostWhenInvalid(
      client.call({ what: "list the changes of the remote folder", changes: false, ...call }, (sdk) =>
        client.v3.changes.list(ask, sdk),
      ),
    );
    const { nextPageToken, newStartPageToken } = page;
    if (!nextPageToken && !newStartPageToken) throw untold("where the next changes begin");
    const changes: NodeChange[] = [];
    const opened: string[] = [];
    for (const { changeType, fileId, removed, file } of page.changes ?? []) {
      if (!fileId || (changeType !== undefined && changeType !== null && changeType !== "file")) continue;
      const there = removed === true || !file || file.trashed === true ? undefined : file;
      const inside = there !== undefined && (fileId === rootId || inTree(there.parents?.[0] ?? ""));
      if (there !== undefined && inside) {
        const isNew = there.mimeType === FOLDER_TYPE && known(fileId)?.is !== "folder" && !entered.has(fileId);
        see(there);
        changes.push(nodeOf(there));
        if (isNew) opened.push(fileId);
      } else {
        seen.delete(fileId);
        if (known(fileId) !== undefined) changes.push({ is: "gone", id: fileId });
      }
    }
    if (opened.length > 0) changes.push(...(await descend(opened, "", call)));
    if (nextPageToken) return { changes, cursor: `since ${nextPageToken}${mark}`, more: true };
    entered = new Set();
    return { changes, cursor: `since ${newStartPageToken}${mark}`, more: false };
  }

  return {
    page: (cursor, call) => (cursor === undefined ? begin(true, call) : pageFrom(cursor, call)),
    below: (folders, call) => descend(folders, "", call),
  };
}

function expectToken(): never {
  throw untold("where its changes begin");
}

function untold(what: string): BackendError {
  return new BackendError(`Could not list the remote folder: Google Drive does not say ${what}`, {
    class: "TRANSIENT",
  });
}

/** A page token that is no longer known is a 400. */
export async function lostWhenInvalid<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof BackendError && (error.status === 400 || error.status === 410)) throw new CursorLostError();
    throw error;
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}
