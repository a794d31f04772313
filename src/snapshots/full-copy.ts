import { BackendError, mayWriteInstead, NotFoundError, StaleError } from "../backends/errors.ts";
import { callsAtOnce } from "../backends/in-flight.ts";
import type { RemoteFile, Rev, Source } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { hasher } from "../lib/hash.ts";
import { forEachLimit } from "../lib/limits.ts";
import type { RelPath } from "../lib/path.ts";
import { drain } from "../lib/streams.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { fullFolder, fullPath, listFull } from "./full-folder.ts";
import type { SnapshotRoom } from "./list.ts";

/** One file that the folder of a full snapshot is to hold. */
export interface FullBody {
  readonly path: RelPath;
  /** Hex digests of the content; `""` or left out when not known. */
  readonly md5?: string;
  readonly sha256?: string;
  /** Where the remote holds this content, best first. */
  readonly from: readonly BodyPlace[];
}

export interface BodyPlace {
  readonly path: RelPath;
  /** Bytes, when known. */
  readonly size?: number;
  /** A copy of another version fails. Left out for what never changes. */
  readonly rev?: Rev;
  /** True when the place surely holds the content while it has this version; else the copy is read and compared. */
  readonly isSure: boolean;
}

export interface FillOptions extends SnapshotOptions {
  /** Hands the content of a file that the remote cannot copy to `use`; answers false when nobody has it any more. */
  readonly bring: (path: RelPath, use: (source: Source) => Promise<void>) => Promise<boolean>;
}

/** A file that the snapshot cannot hold, and why. */
export interface Lacking {
  readonly path: RelPath;
  readonly reason: string;
}

/**
 * Makes the folder of a full snapshot hold these files: copied by the server where it can, else sent. What an earlier
 * attempt has copied already stays. When it returns a listing has shown every file in its size and no other; what cannot
 * be had any more, or has a name that the remote refuses there, is answered. Throws BackendError when the folder is not
 * whole.
 */
export async function fillFolder(
  room: SnapshotRoom,
  timestamp: string,
  bodies: readonly FullBody[],
  options: FillOptions,
): Promise<readonly Lacking[]> {
  const present = (await listFull(room, timestamp, options)).files;
  const lacking: Lacking[] = [];
  const sizes = new Map<RelPath, number | undefined>();
  const place = async (body: FullBody): Promise<void> => {
    try {
      const size = await placeBody(room, { timestamp, body, there: present.get(body.path) }, options);
      sizes.set(body.path, size);
    } catch (error) {
      if (!(error instanceof BackendError) || error instanceof StaleError || error.class !== "FILE_REJECTED")
        throw error;
      lacking.push({ path: body.path, reason: error.message });
    }
  };
  await forEachLimit(bodies, callsAtOnce(room.backend.can, "copy", room.workers), place, options);
  await requireWhole(room, timestamp, sizes, options);
  return lacking;
}

interface Placing {
  readonly timestamp: string;
  readonly body: FullBody;
  /** What an earlier attempt left there. */
  readonly there: RemoteFile | undefined;
}

/** Answers the size, where it is known. */
async function placeBody(
  room: SnapshotRoom,
  { timestamp, body, there }: Placing,
  options: FillOptions,
): Promise<number | undefined> {
  const target = fullPath(timestamp, body.path);
  const wanted = body.from.find((place) => place.size !== undefined);
  if (there !== undefined) {
    if (wanted?.isSure && there.size === wanted.size && checksumSays(there, body) !== false) return there.size;
    if (await holdsBody(room, target, body, options)) return there.size;
    await room.backend.remove(target, { expect: "any", ...options });
  }
  for (const place of body.from) {
    if (await copyBody(room, { place, target, body }, options)) return place.size;
  }
  return sendBody(room, target, body, options);
}

interface Copying {
  readonly place: BodyPlace;
  readonly target: RelPath;
  readonly body: FullBody;
}

/** False when this place does not have the content any more, or the server will not copy it. */
async function copyBody(
  room: SnapshotRoom,
  { place, target, body }: Copying,
  { signal }: FillOptions,
): Promise<boolean> {
  if (room.backend.copy === undefined) return false;
  const call = signal === undefined ? {} : { signal };
  faultPoint("full-copy");
  try {
    await room.backend.copy(place.path, target, {
      ...(place.rev === undefined ? {} : { expectSource: place.rev }),
      ...call,
    });
  } catch (error) {
    if (!(error instanceof StaleError)) {
      if (mayWriteInstead(error)) return false;
      throw error;
    }
    if ((await room.backend.stat(target, call)) === undefined) return false;
    if (await holdsBody(room, target, body, call)) return true;
    throw error;
  }
  if (place.isSure || (await holdsBody(room, target, body, call))) return true;
  await room.backend.remove(target, { expect: "any", ...call });
  return false;
}

async function sendBody(
  room: SnapshotRoom,
  target: RelPath,
  body: FullBody,
  { bring, ...call }: FillOptions,
): Promise<number> {
  let size = 0;
  const send = async (source: Source): Promise<void> => {
    size = source.size;
    faultPoint("full-send");
    try {
      await room.backend.write(target, source, { expect: "absent", ...call });
    } catch (error) {
      if (!(error instanceof StaleError) || !(await holdsBody(room, target, body, call))) throw error;
    }
  };
  if (await bring(body.path, send)) return size;
  throw new NotFoundError("no copy of its agreed version is left");
}

/** False as well when nobody knows what the content should be. */
async function holdsBody(
  room: SnapshotRoom,
  target: RelPath,
  body: FullBody,
  options: SnapshotOptions,
): Promise<boolean> {
  const kind = body.sha256 ? "sha256" : "md5";
  const wanted = body[kind];
  if (!wanted) return false;
  const digest = hasher(kind);
  const opened = await room.backend.read(target, options);
  await drain(opened.body, (chunk) => digest.update(chunk), options);
  return digest.hex() === wanted;
}

/** Undefined when the server has no checksum that we can compare. */
export function checksumSays(file: RemoteFile, { md5, sha256 }: Pick<FullBody, "md5" | "sha256">): boolean | undefined {
  for (const { kind, value } of file.checksums ?? []) {
    if (kind === "sha256" && sha256) return value === sha256;
    if (kind === "md5" && md5) return value === md5;
  }
  return undefined;
}

async function requireWhole(
  room: SnapshotRoom,
  timestamp: string,
  sizes: ReadonlyMap<RelPath, number | undefined>,
  options: SnapshotOptions,
): Promise<void> {
  const { files } = await listFull(room, timestamp, options);
  for (const [path, { rev }] of files) {
    // A copy that nobody could look at is no part of it.
    if (!sizes.has(path)) await room.backend.remove(fullPath(timestamp, path), { expect: rev, ...options });
  }
  for (const [path, size] of sizes) {
    const found = files.get(path);
    if (found !== undefined && (size === undefined || size === found.size)) continue;
    throw new BackendError(
      `cannot finish the snapshot "${fullFolder(timestamp)}": its copy of "${path}" ${found ? "has another size" : "is missing"}`,
      { class: "TRANSIENT", hint: "Run it again." },
    );
  }
}
