import { hasher } from "../../lib/hash.ts";
import type { RelPath } from "../../lib/path.ts";
import { type ByteStream, fromBytes, skipping, toBytes } from "../../lib/streams.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import { fromHttp } from "../http-trouble.ts";
import type { FileNode } from "../nodes/model.ts";
import type { CallOptions, Opened, ReadOptions, RemoteFile } from "../types.ts";
import { hostOf } from "./hosts.ts";
import { describeNode, nodeOf } from "./nodes.ts";
import { type DriveRoom, isStillThere, lookAgain, lookUp } from "./room.ts";
import { statFile } from "./stat.ts";

/** Up to this size a body is read whole and held against its checksum before it is handed over: no look is needed. */
const MOST_HELD = 1024 * 1024;
const TRIES = 3;

/**
 * The contract's `read`. A download gives whatever is there now, so small bodies are compared with the checksum of the
 * version that is asked for, and large ones are looked at first and compared at their end.
 */
export async function readFile(path: RelPath, options: ReadOptions, room: DriveRoom): Promise<Opened> {
  const call = options.signal === undefined ? {} : { signal: options.signal };
  let node = await known(path, room, call);
  const large = node.size > MOST_HELD || (options.from ?? 0) > 0;
  if (large || (options.expect !== undefined && node.rev !== options.expect))
    node = await confirmed(path, node, room, call);
  requireVersion(path, node, options);
  if (large) return openLarge(path, node, options.from ?? 0, room, call);
  for (let attempt = 1; ; attempt++) {
    const bytes = await readWhole(path, node, room, call);
    if (bytes !== undefined) room.justRead.set(node.id, { rev: node.rev, atMs: room.clock.now() });
    if (bytes !== undefined) return { file: describeNode(node, path), body: fromBytes(bytes) };
    const before = node.rev;
    node = await confirmed(path, node, room, call);
    requireVersion(path, node, options);
    if (node.size > MOST_HELD) return openLarge(path, node, 0, room, call);
    if (attempt >= TRIES || (attempt > 1 && node.rev === before)) {
      throw new BackendError(`Could not read "${path}": what came has another checksum than Google Drive says`, {
        class: "TRANSIENT",
      });
    }
  }
}

async function known(path: RelPath, room: DriveRoom, call: CallOptions): Promise<FileNode> {
  const there = lookUp(room, path);
  if (there.file !== undefined) return there.file;
  if (there.folders.length === 0 && (await statFile(path, call, room)) !== undefined) {
    const found = lookUp(room, path).file;
    if (found !== undefined) return found;
  }
  throw new NotFoundError(
    `Could not read "${path}": ${there.folders.length > 0 ? "it is a folder" : "it is not there"}`,
  );
}

/** The file as it is now. */
async function confirmed(path: RelPath, node: FileNode, room: DriveRoom, call: CallOptions): Promise<FileNode> {
  const now = await lookAgain(room, node.id, `look at "${path}"`, call);
  const fresh = now !== undefined && isStillThere(now, node) ? nodeOf(now) : undefined;
  if (fresh?.is === "file") return fresh;
  throw new NotFoundError(`Could not read "${path}": it is not there any more`);
}

function requireVersion(path: RelPath, node: FileNode, { expect }: ReadOptions): void {
  if (expect !== undefined && node.rev !== expect)
    throw new StaleError(`Could not read "${path}": it is another version`);
}

/** The bytes; undefined when they are not those of this version. */
async function readWhole(
  path: RelPath,
  node: FileNode,
  room: DriveRoom,
  call: CallOptions,
): Promise<Uint8Array | undefined> {
  const stream = await download(path, node, 0, room, call);
  const bytes = await toBytes(stream, { limit: MOST_HELD * 2, ...call }).catch((error: unknown) => {
    throw broken(path, error, room);
  });
  const md5 = hasher("md5");
  md5.update(bytes);
  return md5.hex() === node.hash ? bytes : undefined;
}

async function download(
  path: RelPath,
  node: FileNode,
  from: number,
  room: DriveRoom,
  call: CallOptions,
): Promise<ByteStream> {
  const { client } = room;
  const ask = { fileId: node.id, alt: "media", supportsAllDrives: true } as const;
  const headers = from === 0 ? {} : { headers: { Range: `bytes=${from}-` } };
  const what = `read "${path}"`;
  try {
    const { stream, status } = await client.call({ what, changes: false, ...call }, async (sdk) => {
      const response = await client.v3.files.get(ask, {
        ...sdk,
        rootUrl: `${client.hosts.upload}/`,
        ...headers,
        responseType: "stream",
      });
      return { data: { stream: response.data as unknown as ByteStream, status: response.status } };
    });
    return from > 0 && status === 200 ? skipping(stream, from) : stream;
  } catch (error) {
    if (error instanceof NotFoundError) room.index.note([{ is: "gone", id: node.id }]);
    throw error;
  }
}

async function openLarge(
  path: RelPath,
  node: FileNode,
  from: number,
  room: DriveRoom,
  call: CallOptions,
): Promise<Opened> {
  const file = describeNode(node, path);
  if (from >= node.size) return { file, body: fromBytes("") };
  const stream = await download(path, node, from, room, call);
  return { file, body: checked(stream, { file, from, hash: node.hash, room }) };
}

interface Checks {
  readonly file: RemoteFile;
  readonly from: number;
  readonly hash: string;
  readonly room: DriveRoom;
}

/** The same bytes; the stream fails where they are not those of the version. */
function checked(body: ByteStream, { file, from, hash, room }: Checks): ByteStream {
  const reader = body.getReader();
  const md5 = from === 0 ? hasher("md5") : undefined;
  let seen = from;
  const wrong = (found: string) => new BackendError(`Could not read "${file.path}": ${found}`, { class: "TRANSIENT" });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            seen += value.length;
            if (seen > file.size) throw wrong(`more than its ${file.size} bytes came`);
            md5?.update(value);
            return controller.enqueue(value);
          }
          if (seen !== file.size) throw wrong(`${seen} bytes came instead of ${file.size}`);
          if (md5 !== undefined && md5.hex() !== hash) throw wrong("what came is another version");
          controller.close();
        } catch (error) {
          await reader.cancel().catch(() => {});
          controller.error(broken(file.path, error, room));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function broken(path: RelPath, error: unknown, { client }: DriveRoom): unknown {
  return fromHttp(error, { what: `read "${path}"`, host: hostOf(client.hosts.upload), changes: false });
}
