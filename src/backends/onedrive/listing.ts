import { join } from "node:path";
import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { BackendDeps } from "../module.ts";
import { CursorLostError, type NodePage, type NodeSource, type Nodes } from "../nodes/model.ts";
import { type NodeIndex, nodeIndex } from "../nodes/node-index.ts";
import type { CallOptions, Listing, ListOptions } from "../types.ts";
import { type Graph, type GraphReply, type Json, textAt } from "./graph.ts";
import { changeOf, describe, ITEM_FIELDS } from "./items.ts";
import { fold } from "./names.ts";
import type { Place } from "./place.ts";
import { FolderGoneError, type Remote } from "./remote.ts";

const PAGE = 1000;
const WHAT = "list OneDrive";

/** The listing of a place, fed by the delta of its drive, or of the folder itself where somebody else shares it. */
export function openIndex(graph: Graph, place: Place, folder: string, deps: BackendDeps): NodeIndex {
  const top = place.shared ? `${place.drive}/items/${place.rootId}` : `${place.drive}/root`;
  return nodeIndex({
    file: join(deps.stateFolder, "onedrive-nodes"),
    key: `${place.driveId} ${place.shared ? place.rootId : "root"}`,
    source: deltaSource(graph, top, place.shared),
    ids: "stable",
    clock: deps.clock,
    fold,
    prefer: (a, b) => (b.modifiedMs ?? 0) - (a.modifiedMs ?? 0) || (a.id < b.id ? -1 : 1),
    describe,
    root: (nodes) => (place.shared ? sharedRoot(nodes, place) : findFolder(nodes, folder)),
  });
}

function sharedRoot(nodes: Nodes, { rootId }: Place): string | undefined {
  return nodes.get(rootId)?.is === "folder" ? rootId : undefined;
}

/** The folder `a/b` below the drive's root. */
function findFolder(nodes: Nodes, folder: string): string | undefined {
  const children = new Map<string, string>();
  let at: string | undefined;
  for (const { is, id, parent, name } of nodes.values()) {
    if (is !== "folder") continue;
    if (parent === "") at = id;
    else children.set(`${parent}/${fold(name)}`, id);
  }
  for (const name of folder.split("/")) at = at === undefined ? undefined : children.get(`${at}/${fold(name)}`);
  return at;
}

/** Graph's `delta`: https://learn.microsoft.com/graph/api/driveitem-delta. Cursors are its links without their host. */
function deltaSource(graph: Graph, top: string, shared: boolean): NodeSource {
  const first = `${top}/delta?$select=${ITEM_FIELDS}&$top=${PAGE}`;
  const walk = walkSource(graph, top);
  return {
    async page(cursor, options) {
      if (cursor?.startsWith(WALK)) return walk.page(cursor, options);
      try {
        const reply = await graph.call({ method: "GET", path: cursor ?? first, what: WHAT, signal: options.signal });
        return pageOf(graph, reply);
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        if (error.status === 410) throw new CursorLostError();
        const { status = 0 } = error;
        const isRefused = status === 400 || status === 404 || status === 405 || status === 501;
        // Whatever is wrong with a link that was good once, a listing from the start cures it.
        if (isRefused && cursor !== undefined) throw new CursorLostError();
        if (isRefused && shared && status !== 404) return walk.page(undefined, options);
        throw error;
      }
    },
  };
}

function pageOf(graph: Graph, { body }: GraphReply): NodePage {
  const next = textAt(body, "@odata.nextLink");
  const link = next ?? textAt(body, "@odata.deltaLink");
  if (link === undefined) throw incomplete("neither a next page nor the end is named");
  return { changes: itemsOf(body).map(changeOf), cursor: graph.pathOf(link), more: next !== undefined };
}

function itemsOf(body: Json): readonly Json[] {
  const value = body?.["value"];
  if (Array.isArray(value)) return value as readonly Json[];
  throw incomplete("a page holds no list");
}

function incomplete(why: string): BackendError {
  return new BackendError(`Could not ${WHAT}: ${why}`, { class: "TRANSIENT" });
}

const WALK = "walk ";

/** Folder by folder, for a shared folder that has no delta. There is no going on from it: next time it is walked anew. */
function walkSource(graph: Graph, top: string): NodeSource {
  const drive = top.slice(0, top.indexOf("/items/"));
  return {
    async page(cursor, { signal }) {
      if (cursor === WALK) throw new CursorLostError();
      const [path = "", ...left] = cursor === undefined ? [""] : (JSON.parse(cursor.slice(WALK.length)) as string[]);
      const what = WHAT;
      const read = async (address: string) => (await graph.call({ method: "GET", path: address, what, signal })).body;
      if (cursor === undefined) {
        const root = await read(`${top}?$select=${ITEM_FIELDS}`);
        const change = changeOf(root);
        return { changes: [change], cursor: cursorOf([childrenOf(drive, change.id)]), more: true };
      }
      const body = await read(path);
      const changes = itemsOf(body).map(changeOf);
      const next = textAt(body, "@odata.nextLink");
      const folders = changes.filter(({ is }) => is === "folder").map(({ id }) => childrenOf(drive, id));
      const rest = [...(next === undefined ? [] : [graph.pathOf(next)]), ...folders, ...left];
      return { changes, cursor: rest.length === 0 ? WALK : cursorOf(rest), more: rest.length > 0 };
    },
  };
}

const childrenOf = (drive: string, id: string) => `${drive}/items/${id}/children?$select=${ITEM_FIELDS}&$top=${PAGE}`;
const cursorOf = (addresses: readonly string[]) => WALK + JSON.stringify(addresses);

/** The contract's `list`. */
export async function listFiles(remote: Remote, under: RelPath | "", options: ListOptions): Promise<Listing> {
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  try {
    const place = await remote.place(call);
    const index = remote.index(place);
    const listing = await index.list(under, options);
    const root = index.at("")[0];
    if (root !== undefined && options.remember !== false) remote.confirm(root.id);
    return listing;
  } catch (error) {
    if (error instanceof FolderGoneError) return { files: [], folders: [], unusable: [], exists: false };
    throw error;
  }
}
