import type { Clock } from "../../lib/clock.ts";
import { parentOf } from "../../lib/path.ts";
import { settle } from "../nodes/changes.ts";
import type { Nodes } from "../nodes/model.ts";
import { type NodeIndex, nodeIndex } from "../nodes/node-index.ts";
import type { Backend, CallOptions, Capabilities, StatOptions } from "../types.ts";
import type { DriveClient } from "./client.ts";
import { copyFile } from "./copy.ts";
import { mendDuplicates, withoutDuplicates } from "./duplicates.ts";
import type { RootFacts } from "./facts.ts";
import { createFolders } from "./folders.ts";
import { idPool } from "./ids.ts";
import { seenNow, wantedLooks } from "./looks.ts";
import { describeNode, olderFirst, versionOf } from "./nodes.ts";
import { pollDrive } from "./poll.ts";
import { keepTree } from "./prune.ts";
import { readFile } from "./read.ts";
import { removeEmptyFolder, removeFile } from "./remove.ts";
import { batchedCalls, type DriveRoom, lookUp } from "./room.ts";
import { driveSource } from "./source.ts";
import { statFile } from "./stat.ts";
import { uploadSessions } from "./upload-sessions.ts";
import { MAX_FILE_SIZE, MAX_NAME_BYTES, writeFile } from "./write.ts";

/**
 * Two creations at one moment both succeed on Drive, so that the guard as a whole only looks. Of the many writes at once
 * sixteen are on the wire, as many as there are connections: the others have their folders made together.
 */
export const CAPABILITIES: Capabilities = {
  guard: "look",
  checksums: ["md5", "sha256"],
  writeReturnsRev: true,
  listsDeep: true,
  atomicWrite: true,
  knowsFolders: true,
  inFlight: { write: 200, read: 16, remove: 100, copy: 100, stat: 100 },
  names: { forbidden: "", maxNameBytes: MAX_NAME_BYTES, caseSensitive: true },
  maxFileSize: MAX_FILE_SIZE,
};

export interface DriveBackendOptions {
  readonly client: DriveClient;
  readonly facts: RootFacts;
  /** Absolute. */
  readonly stateFolder: string;
  /** Account and folder: what was kept of another is not believed. */
  readonly key: string;
  readonly clock: Clock;
}

/** The storage contract on one folder of Google Drive. Costs no request. */
export function createDriveBackend(options: DriveBackendOptions): Backend {
  const { client } = options;
  const room = roomOf(options);
  const folders = createFolders(room);
  const { index } = room;
  /** Paths are resolved by the index, which this process has to have read once. */
  let ready: Promise<unknown> | undefined;
  let isQuiet = false;
  let hasChanged = false;
  const changing = (): void => {
    hasChanged = true;
  };
  const known = async (call: StatOptions): Promise<void> => {
    call.signal?.throwIfAborted();
    ready ??= list("", call.remember === false ? { remember: false } : {}).catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    await ready;
    call.signal?.throwIfAborted();
  };
  const toChange = (call: CallOptions): Promise<void> => {
    changing();
    return known(call);
  };
  const list: Backend["list"] = async (under, listOptions = {}) => {
    isQuiet ||= listOptions.remember === false;
    const found = await index.list(under, listOptions);
    if (under === "" && listOptions.shallow !== true) room.duplicates = found.duplicates;
    const listing = withoutDuplicates(found, room);
    ready ??= Promise.resolve();
    return listing;
  };
  const only = ({ signal }: CallOptions): CallOptions => (signal === undefined ? {} : { signal });
  return {
    kind: "googledrive",
    can: CAPABILITIES,
    list,
    async stat(path, call = {}) {
      await known(call);
      return statFile(path, only(call), room);
    },
    async read(path, read = {}) {
      await known(read);
      return readFile(path, read, room);
    },
    async write(path, source, write) {
      await toChange(write);
      return writeFile(path, source, write, { room, folders });
    },
    expectWrite(path, call = {}) {
      changing();
      const { file } = lookUp(room, path);
      if (file !== undefined) room.expected.add(file.id);
      // Who writes is told of a failure.
      if (ready !== undefined) void folders.ensure(parentOf(path), only(call)).catch(() => undefined);
    },
    async remove(path, remove) {
      await toChange(remove);
      return removeFile(path, remove, room);
    },
    async copy(from, to, copy = {}) {
      await toChange(copy);
      return copyFile(from, to, copy, { room, folders });
    },
    removeFolder(path, call = {}) {
      changing();
      return removeEmptyFolder(path, only(call), room);
    },
    async mend(call = {}) {
      const done = await mendDuplicates(room, only(call));
      if (done.length > 0) changing();
      return done;
    },
    poll: (path, since, call = {}) => pollDrive(path, since, only(call), { room, key: options.key }),
    canonicalHash: (stored) => stored,
    async close() {
      // What was looked up is noted, and ids are asked for by the way, too.
      if (hasChanged || !isQuiet) {
        index.save();
        room.ids.save();
      }
      client.close();
    },
  };
}

function roomOf({ client, facts, stateFolder, key, clock }: DriveBackendOptions): DriveRoom {
  const { rootId } = facts;
  const ids = idPool(client, stateFolder, key);
  const source = driveSource({ client, facts, now: () => clock.now(), known: (id) => index.node(id), ids });
  const index: NodeIndex = nodeIndex({
    file: `${stateFolder}/googledrive-nodes`,
    key,
    source,
    ids: "stable",
    clock,
    fold: (name) => name,
    prefer: olderFirst,
    describe: describeNode,
    root: (nodes: Nodes) => (nodes.get(rootId)?.is === "folder" ? rootId : undefined),
    settle: (before, stream, ids) => keepTree(settle(before, stream, ids), stream.full, rootId),
    isLater: (noted, streamed) =>
      noted.is === "file" && streamed.is === "file" && versionOf(noted) > versionOf(streamed),
  });
  const room: DriveRoom = {
    client,
    facts,
    index,
    source,
    ids,
    sessions: uploadSessions(stateFolder, clock),
    clock,
    pending: new Map(),
    aliases: new Map(),
    duplicates: [],
    justRead: new Map(),
    expected: new Set(),
    etags: new Map(),
    ...batchedCalls({
      client,
      clock,
      foldersBy: facts.ifMatch ? 2 : 3,
      looks: (calls) => wantedLooks(room, calls),
      seen: (answer) => seenNow(room, answer),
    }),
  };
  return room;
}
