import * as fs from "node:fs";
import { RESERVED_FOLDERS } from "../backends/layout.ts";
import type { Backend, Listing, ListOptions, RemoteFile } from "../backends/types.ts";
import { writeAtomic } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";
import { foldersOf, parseRelPath, type RelPath } from "../lib/path.ts";

export interface ListRemoteOptions extends Omit<ListOptions, "skip" | "shallow"> {
  /** Where the last listing is kept; used only with a backend that can say what changed since. */
  readonly file: string;
  /** False leaves the file alone. */
  readonly cache: boolean;
}

/** Lists the project's files on the remote, in one request where the backend knows that nothing has changed. */
export async function listRemote(backend: Backend, options: ListRemoteOptions): Promise<Listing> {
  const { file, cache, sift, ...call } = options;
  const known = backend.changes === undefined ? undefined : readCached(file);
  if (known?.cursor !== undefined && backend.changes !== undefined) {
    const changes = await backend.changes(known.cursor, call.signal ? { signal: call.signal } : {});
    if (changes.kind === "none") return known;
    if (changes.kind === "some") {
      const listing = applyChanges(known, changes);
      if (cache) writeCached(file, listing);
      return listing;
    }
  }
  // What is to be kept must be whole.
  const sifted = backend.changes === undefined && sift !== undefined ? { sift } : {};
  const listing = await backend.list("", {
    ...call,
    ...sifted,
    skip: RESERVED_FOLDERS,
    ...(cache ? {} : { remember: false }),
  });
  if (cache && listing.cursor !== undefined) writeCached(file, listing);
  return listing;
}

function applyChanges(
  known: Listing,
  changes: { readonly changed: readonly RemoteFile[]; readonly removed: readonly string[]; readonly cursor: string },
): Listing {
  const files = new Map(known.files.map((file) => [file.path as string, file]));
  const folders = new Set<RelPath>(known.folders);
  for (const path of changes.removed) {
    files.delete(path);
    for (const folder of folders) if (folder === path || folder.startsWith(`${path}/`)) folders.delete(folder);
    for (const other of files.keys()) if (other.startsWith(`${path}/`)) files.delete(other);
  }
  for (const file of changes.changed) {
    files.set(file.path, file);
    for (const folder of foldersOf(file.path)) folders.add(folder);
  }
  return { ...known, files: [...files.values()], folders: [...folders], cursor: changes.cursor };
}

/** A listing that is believed although a bit of it has turned would show files as gone: the digest holds it together. */
function readCached(file: string): Listing | undefined {
  try {
    const text = fs.readFileSync(file, "utf8");
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    if (text.slice(0, end) !== headerOf(body)) return undefined;
    const listing = JSON.parse(body) as Listing;
    return listing.files.every(({ path }) => parseRelPath(path) !== undefined) ? listing : undefined;
  } catch {
    return undefined;
  }
}

function writeCached(file: string, listing: Listing): void {
  const body = JSON.stringify(listing);
  writeAtomic(file, `${headerOf(body)}\n${body}`, { mode: 0o600, durable: false });
}

/** Version of the format and digest of what follows. */
function headerOf(body: string): string {
  return `2 ${hashBytes("sha256", body)}`;
}
