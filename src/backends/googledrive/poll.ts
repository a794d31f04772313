import type { drive_v3 } from "googleapis/build/src/apis/drive/index.js";
import type { RelPath } from "../../lib/path.ts";
import { CursorLostError } from "../nodes/model.ts";
import type { CallOptions, Polled } from "../types.ts";
import { FILE_FIELDS } from "./nodes.ts";
import { type DriveRoom, noted } from "./room.ts";
import { lostWhenInvalid } from "./source.ts";

const PAGE_SIZE = 1000;
const FIELDS = `nextPageToken,newStartPageToken,changes(changeType,fileId,removed,file(${FILE_FIELDS}))`;
const ALL = { supportsAllDrives: true, includeItemsFromAllDrives: true } as const;

interface PollContext {
  readonly room: DriveRoom;
  /** Account and folder: another account's tokens look like ours. */
  readonly key: string;
}

/**
 * The contract's `poll`, by `changes.list` from a token of its own: no listing is read or kept for it. The changes of the
 * whole account go by; the file may have changed when something of its name did, a folder on the way to it, or
 * something that is gone for good, of which only the id is told. Cursors: `TOKEN KEY`.
 */
export async function pollDrive(
  path: RelPath,
  since: string | undefined,
  call: CallOptions,
  context: PollContext,
): Promise<Polled> {
  const { room, key } = context;
  const token = since?.endsWith(` ${key}`) ? since.slice(0, -key.length - 1) : undefined;
  const polled = token === undefined ? undefined : await changesSince(token, call, context, namesOn(path));
  if (polled !== undefined) return { kind: polled.touched ? "changed" : "same", cursor: `${polled.token} ${key}` };
  const { client } = room;
  const ask = { ...driveOf(room), supportsAllDrives: true, fields: "startPageToken" };
  const { startPageToken } = await client.call({ what: WHAT, changes: false, ...call }, (sdk) =>
    client.v3.changes.getStartPageToken(ask, sdk),
  );
  return { kind: "changed", cursor: `${startPageToken ?? ""} ${key}` };
}

const WHAT = "look for changes on Google Drive";

const namesOn = (path: RelPath): ReadonlySet<string> => new Set(path.split("/"));

const driveOf = ({ facts: { driveId } }: DriveRoom) => (driveId === undefined ? {} : { driveId });

/** Undefined where Google no longer knows the token. */
async function changesSince(
  start: string,
  call: CallOptions,
  { room }: PollContext,
  names: ReadonlySet<string>,
): Promise<{ readonly touched: boolean; readonly token: string } | undefined> {
  const { client } = room;
  let touched = false;
  for (let pageToken = start; ; ) {
    const ask = {
      ...{ pageToken, pageSize: PAGE_SIZE, includeRemoved: true, spaces: "drive", fields: FIELDS },
      ...ALL,
      ...driveOf(room),
    };
    let page: drive_v3.Schema$ChangeList;
    try {
      page = await lostWhenInvalid(
        client.call({ what: WHAT, changes: false, ...call }, (sdk) => client.v3.changes.list(ask, sdk)),
      );
    } catch (error) {
      if (error instanceof CursorLostError) return undefined;
      throw error;
    }
    for (const change of page.changes ?? []) touched = concerns(change, room, names) || touched;
    if (!page.nextPageToken) return { touched, token: page.newStartPageToken ?? pageToken };
    pageToken = page.nextPageToken;
  }
}

function concerns(
  { changeType, fileId, removed, file }: drive_v3.Schema$Change,
  room: DriveRoom,
  names: ReadonlySet<string>,
): boolean {
  if (changeType === "drive") return true;
  if (removed === true || !file) return true;
  const isRoot = fileId === room.facts.rootId;
  if (!isRoot && !names.has(file.name ?? "")) return false;
  // Known to the reading that follows, which need not find out by itself, and might not from a listing that lags.
  const parent = file.parents?.[0] ?? "";
  if (parent === room.facts.rootId || room.index.node(parent)?.is === "folder") noted(room, file);
  return true;
}
