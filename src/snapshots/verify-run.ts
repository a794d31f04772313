import type { RemoteFile } from "../backends/types.ts";
import { hasher } from "../lib/hash.ts";
import type { RelPath } from "../lib/path.ts";
import { drain } from "../lib/streams.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import type { HashSet } from "./hash-set.ts";
import type { SnapshotRoom } from "./list.ts";
import type { VerifyEvent } from "./model.ts";

export interface VerifyOptions extends SnapshotOptions {
  /** What findings call this remote. */
  readonly place: string;
  /** True for contents that a record of this machine names. */
  readonly isKnown?: (sha256: string) => boolean;
  readonly onEvent?: (event: VerifyEvent) => void;
  /** Told of each file of a full snapshot that was read whole. */
  readonly onContent?: (sha256: string, file: RemoteFile) => void;
}

/** One verification under way. */
export interface VerifyRun {
  readonly room: SnapshotRoom;
  readonly options: VerifyOptions;
  /** What backend calls are given. */
  readonly call: SnapshotOptions;
  /** Digests that any manifest names. */
  readonly named: HashSet;
  /** Blobs that were read and are what their name says. */
  readonly whole: HashSet;
}

/** What {@link readBody} needs to know. */
export interface BodyReader {
  readonly room: Pick<SnapshotRoom, "backend">;
  readonly options: Pick<VerifyOptions, "onEvent">;
  readonly call: SnapshotOptions;
}

export interface ReadBody {
  readonly file: RemoteFile;
  readonly sha256: string;
  /** Bytes that came. */
  readonly size: number;
}

/** Reads a remote file through; nothing is kept. Throws BackendError. */
export async function readBody({ room, options, call }: BodyReader, path: RelPath): Promise<ReadBody> {
  const { file, body } = await room.backend.read(path, call);
  const digest = hasher("sha256");
  let size = 0;
  await drain(
    body,
    (chunk) => {
      digest.update(chunk);
      size += chunk.length;
      options.onEvent?.({ kind: "bytes", bytes: chunk.length });
    },
    call,
  );
  return { file, sha256: digest.hex(), size };
}
