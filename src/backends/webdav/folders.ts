import { faultPoint } from "../../lib/fault.ts";
import { parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { CallOptions, Listing, ListOptions } from "../types.ts";
import type { DavConnection, DavRequest } from "./connection.ts";
import { folderUrl } from "./dav-path.ts";

/** What is known about the remote's folders, so that each is made once and none is asked for. */
export interface Folders {
  /** Learns from a listing: what it shows is there, what it would show and does not is missing. */
  learn(under: RelPath | "", listing: Listing, options: ListOptions): void;
  /** True when a listing showed that the folder is missing and nobody of us made it since. */
  missing(folder: RelPath | ""): boolean;
  /** Makes the folder and those above it. Answers whether one had to be made. */
  make(folder: RelPath | "", options: CallOptions): Promise<boolean>;
  /** How many have been made so far. */
  made(): number;
  /** A request just failed because the folder is gone. */
  forget(folder: RelPath | ""): void;
}

export function createFolders(connection: DavConnection): Folders {
  const known = new Set<string>([""]);
  /** Folders whose content was listed, with whether that went all the way down. */
  const listed = new Map<string, { readonly deep: boolean; readonly skip: ReadonlySet<string> }>();
  /** Folders that a listing did not find; they and all below them have to be made. */
  const gone = new Set<string>();
  const making = new Map<string, Promise<boolean>>();
  let made = 0;

  function isMissing(folder: RelPath | ""): boolean {
    if (folder === "" || known.has(folder)) return false;
    if (gone.has(folder) || gone.has(parentOf(folder))) return true;
    if (listed.has(parentOf(folder))) return true;
    for (let above = parentOf(folder); ; above = parentOf(above)) {
      const scope = listed.get(above);
      if (scope?.deep) return ![...scope.skip].some((skipped) => folder.startsWith(`${skipped}/`));
      if (above === "") return false;
    }
  }

  async function makeOne(folder: RelPath, options: CallOptions): Promise<boolean> {
    const parent = parentOf(folder);
    if (isMissing(parent)) await make(parent, options);
    let status = await mkcol(connection, folder, options);
    if ((status === 409 || status === 404 || status === 500) && parent !== "") {
      known.delete(parent);
      await make(parent, options);
      status = await mkcol(connection, folder, options);
    }
    // 405 is "there already" (RFC 4918 section 9.3.1), be it by another machine a moment ago.
    if (status !== 405 && (status < 200 || status > 299)) throw refused(connection, folder, status);
    known.add(folder);
    if (status === 405) return false;
    made++;
    return true;
  }

  function make(folder: RelPath | "", options: CallOptions): Promise<boolean> {
    if (folder === "" || known.has(folder)) return Promise.resolve(false);
    const running = making.get(folder);
    if (running !== undefined) return running;
    const started = makeOne(folder, options).finally(() => making.delete(folder));
    making.set(folder, started);
    return started;
  }

  return {
    learn(under, listing, options) {
      if (!listing.exists) {
        // What is not there has nothing in it.
        if (under !== "") gone.add(under);
        return;
      }
      known.add(under);
      gone.delete(under);
      for (const folder of listing.folders) known.add(folder);
      const { descend } = options;
      const closed = descend === undefined ? [] : listing.folders.filter((folder) => !descend(folder));
      listed.set(under, { deep: options.shallow !== true, skip: new Set([...(options.skip ?? []), ...closed]) });
    },
    missing: isMissing,
    make,
    made: () => made,
    forget: (folder) => {
      if (folder !== "") known.delete(folder);
    },
  };
}

function mkcolRequest(connection: DavConnection, folder: RelPath | "", options: CallOptions): DavRequest {
  const what = folder === "" ? "make the remote folder" : `make the folder "${folder}"`;
  return { method: "MKCOL", url: folderUrl(connection.root, folder), what, signal: options.signal };
}

async function mkcol(connection: DavConnection, folder: RelPath, options: CallOptions): Promise<number> {
  faultPoint("webdav-mkcol");
  const request = mkcolRequest(connection, folder, options);
  const response = await connection.send(request);
  await response.drain();
  const { status } = response;
  if (status === 403 || status === 507 || status === 423) throw connection.refusal(response, request);
  return status;
}

const BY_HAND = "Create the folder by hand in the server's web page, then run the command again.";

function refused(connection: DavConnection, folder: RelPath | "", status: number): BackendError {
  const { what, url } = mkcolRequest(connection, folder, {});
  const why = status === 409 ? "the folder above it is missing" : `the server answered ${status}`;
  return new BackendError(`Could not ${what}: ${why} (MKCOL ${new URL(url).pathname})`, {
    class: status >= 500 ? "TRANSIENT" : "FILE_REJECTED",
    status,
    hint: BY_HAND,
  });
}

/** Makes the remote root itself, with the folders above it as far as the server lets us. For setup only. */
export async function makeRoot(connection: DavConnection, options: CallOptions): Promise<void> {
  const { root } = connection;
  const above = new URL(root.url).pathname.split("/").filter((part) => part !== "");
  let made = 409;
  // From the root upwards until one can be made, then down again.
  const pending: string[] = [];
  for (let count = above.length; count > 0; count--) {
    const url = `${root.origin}/${above.slice(0, count).join("/")}/`;
    made = await mkcolAt(connection, url, options);
    if (made !== 409 && made !== 404 && made !== 500) break;
    pending.push(url);
  }
  while (made >= 200 && (made < 300 || made === 405) && pending.length > 0) {
    made = await mkcolAt(connection, pending.pop() as string, options);
  }
  if (made !== 405 && (made < 200 || made > 299)) throw refused(connection, "", made);
}

async function mkcolAt(connection: DavConnection, url: string, options: CallOptions): Promise<number> {
  const response = await connection.send({
    method: "MKCOL",
    url,
    what: "make the remote folder",
    signal: options.signal,
  });
  await response.drain();
  return response.status;
}
