import { BackendError, NotFoundError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import { type Graph, type Json, objectAt, textAt } from "./graph.ts";
import { encodePath } from "./names.ts";

/** Where the remote folder is. */
export interface Place {
  /** How requests name its drive: `/me/drive`, or `/drives/ID` for a folder that somebody else shares. */
  readonly drive: string;
  readonly driveId: string;
  /** Id of the folder's item: addresses that begin at it never make the folder anew. */
  readonly rootId: string;
  /** True for a folder that somebody else shares. */
  readonly shared: boolean;
}

const OWN = "/me/drive";
const SELECT = "$select=id,name,folder,remoteItem,parentReference";

/** The folder `a/b` of the signed-in account's drive, or of somebody else's that is shown there; undefined without one. */
export async function findPlace(graph: Graph, folder: string, options: CallOptions): Promise<Place | undefined> {
  const what = `look at the remote folder "${folder}"`;
  const own = await itemAt(graph, `${OWN}/root:/${encodePath(folder)}`, what, options);
  if (own !== undefined) return placeOf(own, OWN, folder);
  // A path does not lead through the shortcut to a shared folder.
  const names = folder.split("/");
  for (let depth = 1; depth < names.length; depth++) {
    const above = names.slice(0, depth).join("/");
    const item = await itemAt(graph, `${OWN}/root:/${encodePath(above)}`, what, options);
    if (item === undefined) return undefined;
    const there = sharedPlace(item);
    if (there === undefined) continue;
    const rest = encodePath(names.slice(depth).join("/"));
    const inside = await itemAt(graph, `${there.drive}/items/${there.rootId}:/${rest}`, what, options);
    return inside === undefined ? undefined : { ...placeOf(inside, there.drive, folder), shared: true };
  }
  return undefined;
}

/** Makes the folder and those above it; what is there already is kept. */
export async function makePlace(graph: Graph, folder: string, options: CallOptions): Promise<void> {
  const names = folder.split("/");
  let parent = { drive: OWN, id: "root" };
  for (let depth = 1; depth <= names.length; depth++) {
    const above = names.slice(0, depth).join("/");
    const there = await findPlace(graph, above, options);
    if (there === undefined) {
      const address = parent.id === "root" ? `${parent.drive}/root` : `${parent.drive}/items/${parent.id}`;
      await makeFolder(graph, address, names[depth - 1] ?? "", { ...options, what: `make the folder "${above}"` });
    }
    const found = there ?? (await findPlace(graph, above, options));
    if (found === undefined) throw new BackendError(`Could not make the folder "${above}"`, { class: "TRANSIENT" });
    parent = { drive: found.drive, id: found.rootId };
  }
}

/** Makes a folder in an item; gives its id, or undefined when something of the name is there already. */
export async function makeFolder(
  graph: Graph,
  address: string,
  name: string,
  { what, signal }: CallOptions & { readonly what: string },
): Promise<string | undefined> {
  const json = { name, folder: {}, "@microsoft.graph.conflictBehavior": "fail" };
  try {
    const { body } = await graph.call({ method: "POST", path: `${address}/children`, what, json, signal });
    return textAt(body, "id");
  } catch (error) {
    if (error instanceof BackendError && error.status === 409) return undefined;
    throw error;
  }
}

async function itemAt(graph: Graph, address: string, what: string, { signal }: CallOptions): Promise<Json> {
  try {
    return (await graph.call({ method: "GET", path: `${address}?${SELECT}`, what, signal })).body;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

function placeOf(item: Json, drive: string, folder: string): Place {
  const shared = sharedPlace(item);
  if (shared !== undefined) return shared;
  const rootId = textAt(item, "id");
  if (rootId !== undefined && objectAt(item, "folder") !== undefined) {
    return { drive, driveId: textAt(objectAt(item, "parentReference"), "driveId") ?? "", rootId, shared: false };
  }
  throw new BackendError(`Could not use the remote folder "${folder}": it is no folder`, {
    class: "FILE_REJECTED",
    hint: "Choose another with claude-mirror init --onedrive-folder.",
  });
}

function sharedPlace(item: Json): Place | undefined {
  const remote = objectAt(item, "remoteItem");
  const [rootId, driveId] = [textAt(remote, "id"), textAt(objectAt(remote, "parentReference"), "driveId")];
  if (rootId === undefined || driveId === undefined || objectAt(remote, "folder") === undefined) return undefined;
  return { drive: `/drives/${encodeURIComponent(driveId)}`, driveId, rootId, shared: true };
}
