import type { Clock } from "../../lib/clock.ts";
import type { Backend, CallOptions, Changes } from "../types.ts";
import { removeFile, removeLeftTemps, transferFile, writeFile } from "./changing.ts";
import { goesInChunks, writeInChunks } from "./chunks.ts";
import type { DavConnection } from "./connection.ts";
import { folderUrl } from "./dav-path.ts";
import { editFile, editsUnderLock } from "./edit.ts";
import { capabilities, type ServerFacts } from "./facts.ts";
import { createFolders } from "./folders.ts";
import { createHeld } from "./held.ts";
import { listFolder, propfind, statFile } from "./listing.ts";
import { pollFile } from "./poll.ts";
import { readFile } from "./read.ts";
import type { Remote } from "./remote.ts";
import { removeEmptyFolder } from "./remove-folder.ts";
import { canonicalEtag } from "./rev.ts";
import { createSeen } from "./seen.ts";
import { createTemps } from "./temps.ts";

export interface WebdavBackendOptions {
  readonly connection: DavConnection;
  readonly facts: ServerFacts;
  readonly clock: Clock;
  /** Where the names of temporary files are kept while they are on the server; nowhere when left out. */
  readonly tempsFile?: string;
  /** Where notes about uploads in chunks begin; without it none is gone on with. */
  readonly chunkNotes?: string;
  /** Tells this machine's project from others that write to the same place. */
  readonly client?: string;
  /** Called when the backend is closed. */
  readonly onClose?: () => void;
}

/** The storage contract on a WebDAV folder, as far as `facts` go. Costs no request. */
export function createWebdavBackend(options: WebdavBackendOptions): Backend {
  const { connection, facts, clock } = options;
  const folders = createFolders(connection);
  const seen = createSeen(clock);
  const temps = createTemps(options.tempsFile);
  const held = createHeld(connection, facts, clock);
  const { chunkNotes, client = "" } = options;
  const remote: Remote = { connection, facts, folders, clock, seen, held, temps, chunkNotes, client };
  let tidied: Promise<void> | undefined;
  /** Before the first change: what an earlier run left would otherwise stay as long as nothing else is wrong. */
  const tidy = async (call: CallOptions) => {
    tidied ??= removeLeftTemps(remote, call);
    await tidied;
  };
  return {
    kind: "webdav",
    can: capabilities(facts),
    async list(under, listOptions = {}) {
      const listing = await listFolder(connection, facts, under, { ...listOptions, onTemp: temps.met });
      folders.learn(under, listing, listOptions);
      return listing;
    },
    async stat(path, { forWrite, ...callOptions } = {}) {
      const hold = forWrite === true && editsUnderLock(remote);
      const file = await (hold ? held.look(path, callOptions) : statFile(connection, facts, path, callOptions));
      if (file !== undefined) seen.note(file);
      return file;
    },
    read: (path, readOptions = {}) => readFile(remote, path, readOptions),
    async write(path, source, writeOptions) {
      await tidy(writeOptions);
      const write = goesInChunks(remote, source, writeOptions.expect) ? writeInChunks : writeFile;
      return write(remote, path, source, writeOptions);
    },
    async remove(path, writeOptions) {
      await tidy(writeOptions);
      await removeFile(remote, path, writeOptions);
    },
    ...(editsUnderLock(remote)
      ? {
          edit: (path, change, callOptions = {}) =>
            editFile(remote, path, change, { ...callOptions, open: (at, call) => readFile(remote, at, call) }),
        }
      : {}),
    removeFolder: (path, callOptions = {}) => removeEmptyFolder(remote, path, callOptions),
    ...(facts.copies ? { copy: (from, to, copy = {}) => transferFile(remote, "COPY", { from, to }, copy) } : {}),
    ...(facts.moves ? { move: (from, to, move = {}) => transferFile(remote, "MOVE", { from, to }, move) } : {}),
    ...(facts.propagates ? { changes: (cursor, call = {}) => changesSince(remote, cursor, call.signal) } : {}),
    poll: (path, since, callOptions = {}) => pollFile(remote, path, since, callOptions),
    canonicalHash: canonicalEtag,
    async close() {
      options.onClose?.();
      await held.releaseAll();
      connection.close();
    },
  };
}

async function changesSince(remote: Remote, cursor: string, signal: AbortSignal | undefined): Promise<Changes> {
  const { connection } = remote;
  let etag: string | undefined;
  const request = {
    url: folderUrl(connection.root, ""),
    depth: "0",
    what: "look at the remote folder",
    signal,
  } as const;
  await propfind(connection, request, (entry) => {
    if (entry.etag !== undefined && entry.isFolder) etag = canonicalEtag(entry.etag);
  });
  return etag === cursor ? { kind: "none" } : { kind: "relist" };
}
