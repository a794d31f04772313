import type { Clock } from "../../lib/clock.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Backend, Changes, Opened, ReadOptions, RemoteFile } from "../types.ts";
import { type Remote, removeFile, transferFile, writeFile } from "./changing.ts";
import type { DavConnection, DavRequest } from "./connection.ts";
import { fileUrl, folderUrl } from "./dav-path.ts";
import { editFile, editsUnderLock } from "./edit.ts";
import { capabilities, type ServerFacts } from "./facts.ts";
import { createFolders } from "./folders.ts";
import { listFolder, propfind, statFile } from "./listing.ts";
import { removeEmptyFolder } from "./remove-folder.ts";
import { canonicalEtag, etagRev, isRacy, timedRev } from "./rev.ts";
import { createSeen } from "./seen.ts";

export interface WebdavBackendOptions {
  readonly connection: DavConnection;
  readonly facts: ServerFacts;
  readonly clock: Clock;
  /** Called when the backend is closed. */
  readonly onClose?: () => void;
}

/** The storage contract on a WebDAV folder, as far as `facts` go. Costs no request. */
export function createWebdavBackend(options: WebdavBackendOptions): Backend {
  const { connection, facts, clock } = options;
  const folders = createFolders(connection);
  const seen = createSeen(clock);
  const remote: Remote = { connection, facts, folders, clock, seen };
  return {
    kind: "webdav",
    can: capabilities(facts),
    async list(under, listOptions = {}) {
      const listing = await listFolder(connection, facts, under, listOptions);
      folders.learn(under, listing, listOptions);
      return listing;
    },
    async stat(path, callOptions = {}) {
      const file = await statFile(connection, facts, path, callOptions);
      if (file !== undefined) seen.note(file);
      return file;
    },
    read: (path, readOptions = {}) => readFile(remote, path, readOptions),
    write: (path, source, writeOptions) => writeFile(remote, path, source, writeOptions),
    remove: (path, writeOptions) => removeFile(remote, path, writeOptions),
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
    canonicalHash: canonicalEtag,
    async close() {
      options.onClose?.();
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

async function readFile(remote: Remote, path: RelPath, options: ReadOptions): Promise<Opened> {
  const { connection } = remote;
  const request: DavRequest = {
    method: "GET",
    url: fileUrl(connection.root, path),
    what: `read "${path}"`,
    signal: options.signal,
  };
  const response = await connection.send(request);
  if (response.status !== 200) {
    await response.drain().catch(() => {});
    if (response.status === 404 || response.status === 410) {
      throw new NotFoundError(`Could not read "${path}": it is not there`, { status: response.status });
    }
    throw connection.refusal(response, request);
  }
  try {
    const file = (await describe(remote, path, response)) ?? (await lookInstead(remote, path, options));
    if (options.expect !== undefined && file.rev !== options.expect) {
      throw new StaleError(`Could not read "${path}": it is another version`);
    }
    remote.seen.note(file);
    return { file, body: checked(response.stream(), file, (error) => connection.broken(error, request)) };
  } catch (error) {
    await response
      .stream()
      .cancel()
      .catch(() => {});
    throw error;
  }
}

/** What the answer's headers say about the file; undefined when they do not say enough. */
async function describe(remote: Remote, path: RelPath, response: HttpResponse): Promise<RemoteFile | undefined> {
  const { headers } = response;
  if (headers.get("content-encoding") !== null) {
    throw new BackendError(`Could not read "${path}": the server sends it re-encoded although told not to`, {
      class: "FILE_REJECTED",
    });
  }
  const length = headers.get("content-length");
  const etag = headers.get("etag");
  const modified = Date.parse(headers.get("last-modified") ?? "");
  const timed = !remote.facts.listsEtags;
  if (length === null || !/^\d+$/.test(length) || (timed ? Number.isNaN(modified) : etag === null)) return undefined;
  const size = Number(length);
  const rev = timed ? timedRev(modified, size) : etagRev(etag ?? "");
  const date = Date.parse(headers.get("date") ?? "");
  return {
    path,
    size,
    rev,
    racy: isRacy(timed ? undefined : (etag ?? undefined), numberOr(modified), numberOr(date)),
    id: path,
    nativeHash: rev,
    ...(Number.isNaN(modified) ? {} : { modifiedMs: modified }),
  };
}

function numberOr(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

async function lookInstead(remote: Remote, path: RelPath, options: ReadOptions): Promise<RemoteFile> {
  const file = await statFile(remote.connection, remote.facts, path, options);
  if (file === undefined) throw new NotFoundError(`Could not read "${path}": it is a folder, or it just went away`);
  return file;
}

/** The same bytes, failing as a BackendError where they are not as many as the file has. */
function checked(
  body: ReadableStream<Uint8Array>,
  file: RemoteFile,
  explain: (error: unknown) => unknown,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let seen = 0;
  const wrong = () =>
    new BackendError(`Could not read "${file.path}": ${seen} bytes came instead of ${file.size}`, {
      class: "TRANSIENT",
    });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            seen += value.length;
            if (seen > file.size) throw wrong();
            return controller.enqueue(value);
          }
          if (seen !== file.size) throw wrong();
          controller.close();
        } catch (error) {
          await reader.cancel().catch(() => {});
          controller.error(explain(error));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
