import { SYNC_LOG_PATH } from "../layout.ts";
import type { FileNode } from "../nodes/model.ts";
import type { BatchAnswer, BatchCall } from "./batch.ts";
import { type DriveFile, fromV2, nodeOf, V2_FIELDS, type V2File } from "./nodes.ts";
import { ALL_DRIVES, type DriveRoom, isStillThere, lookCall, lookUp, noted } from "./room.ts";

/** A look whose answer carries the ETag. */
export function etagCall(id: string, what = "look at a file"): BatchCall {
  return { method: "GET", path: `/drive/v2/files/${encodeURIComponent(id)}?${ALL_DRIVES}&fields=${V2_FIELDS}`, what };
}

/**
 * Looks that are wanted soon and may go with a request that goes out anyway: at files that are about to be replaced and,
 * where v2 guards writes, at the log, which whoever replaces files adds to in the end.
 */
export function wantedLooks(room: DriveRoom, calls: readonly BatchCall[]): readonly BatchCall[] {
  if (!room.facts.ifMatch) return [...room.expected].map((id) => lookCall(id));
  const log = lookUp(room, SYNC_LOG_PATH).file;
  const ids = new Set([...room.expected, ...(log === undefined ? [] : [log.id])]);
  const sent = new Set(calls.map(({ path }) => path));
  return [...ids]
    .filter((id) => !room.etags.has(id))
    .map((id) => etagCall(id))
    .filter(({ path }) => !sent.has(path));
}

/** Remembers a look that was taken on the way for the write that follows. */
export function seenNow(room: DriveRoom, { body }: BatchAnswer): void {
  if (room.facts.ifMatch) return void seenByV2(room, body as V2File);
  const file = stillThere(room, body as DriveFile);
  if (file !== undefined) room.justRead.set(file.id, { rev: file.rev, atMs: room.clock.now() });
}

/** The file that an answer of v2 shows, its ETag remembered; undefined when it is not where it was known to be. */
export function seenByV2(room: DriveRoom, body: V2File): FileNode | undefined {
  const file = stillThere(room, fromV2(body));
  if (file !== undefined && body.etag) room.etags.set(file.id, { rev: file.rev, etag: body.etag });
  return file;
}

function stillThere(room: DriveRoom, file: DriveFile): FileNode | undefined {
  const known = room.index.node(file.id ?? "");
  if (known === undefined || !isStillThere(file, known) || noted(room, file) === undefined) return undefined;
  const node = nodeOf(file);
  return node.is === "file" ? node : undefined;
}
