import type { files } from "dropbox";
import { limiter } from "../../lib/limits.ts";
import type { RelPath } from "../../lib/path.ts";
import { drain } from "../../lib/streams.ts";
import { StaleError } from "../errors.ts";
import type { BackendDeps } from "../module.ts";
import type { Backend, Capabilities, Expect, Written } from "../types.ts";
import { isRev, relocations, removals, removeEmptyFolder, removeFile, transferFile } from "./changing.ts";
import type { DropboxClient } from "./client.ts";
import { contentHasher } from "./content-hash.ts";
import { foundFile } from "./files.ts";
import { dropboxListing } from "./listing.ts";
import { metadataAt } from "./lost.ts";
import { NAMES, requireName } from "./paths.ts";
import type { DropboxPlace } from "./place.ts";
import { readFile } from "./read.ts";
import { BATCH_COUNT, SMALL, smallUploads } from "./upload-batch.ts";
import { uploadLarge } from "./upload-large.ts";

export const CAPABILITIES: Capabilities = {
  guard: "native",
  checksums: ["dropbox"],
  writeReturnsRev: true,
  listsDeep: true,
  makesFolders: true,
  atomicWrite: true,
  inFlight: { write: BATCH_COUNT, remove: BATCH_COUNT, copy: BATCH_COUNT, move: BATCH_COUNT },
  names: NAMES,
  // files.stone: 2^41 - 2^22 bytes by an upload session.
  maxFileSize: 2 ** 41 - 2 ** 22,
};

export interface DropboxBackendOptions {
  readonly client: DropboxClient;
  readonly root: string;
  /** Whose files these are. */
  readonly key: string;
  readonly deps: BackendDeps;
}

/** The storage contract on a folder of a Dropbox. Costs no request. */
export function createDropboxBackend({ client, root, key, deps }: DropboxBackendOptions): Backend {
  const place: DropboxPlace = {
    client,
    root,
    changing: limiter(1),
    stateFolder: deps.stateFolder,
    list: (options) => listing.list("", options),
    log: deps.log,
  };
  const listing = dropboxListing({ place, key });
  const upload = smallUploads(place);
  const remove = removals(place);
  const copy = relocations(place, "copy");
  const move = relocations(place, "move");
  const noted = (path: RelPath, written: Written): Written => {
    if (written.file) listing.note(path, written.file);
    return written;
  };
  return {
    kind: "dropbox",
    can: CAPABILITIES,
    list: (under, options) => listing.list(under, options),
    async stat(path, { signal } = {}) {
      const found = await metadataAt(path, place, signal);
      return found?.[".tag"] === "file" ? foundFile(root, path, found) : undefined;
    },
    read: (path, options = {}) => readFile(place, path, options),
    async write(path, source, { expect, signal }) {
      signal?.throwIfAborted();
      requireName(path);
      const mode = modeOf(path, expect);
      const small = source.size <= SMALL;
      const sending = small
        ? upload({ path, source, mode }, { signal })
        : uploadLarge({ path, source, mode, signal }, place);
      return noted(path, await sending);
    },
    async remove(path, options) {
      await removeFile(place, remove, path, options);
      listing.note(path, "gone");
    },
    copy: async (from, to, options = {}) =>
      noted(to, await transferFile(place, copy, { from, to: named(to), how: "copy" }, options)),
    async move(from, to, options = {}) {
      const written = await transferFile(place, move, { from, to: named(to), how: "move" }, options);
      listing.note(from, "gone");
      return noted(to, written);
    },
    removeFolder: (path, { signal } = {}) => removeEmptyFolder(place, path, signal),
    waitForChange: (_path, options = {}) => listing.wait(options),
    async vouches({ checksums }, content) {
      const wanted = checksums?.find(({ kind }) => kind === "dropbox")?.value;
      if (wanted === undefined) return undefined;
      const hash = contentHasher();
      await drain(content.open(), (chunk) => hash.update(chunk));
      return hash.hex() === wanted;
    },
    canonicalHash: (stored) => stored,
    async close() {
      listing.save();
      client.close();
    },
  };
}

function named(path: RelPath): RelPath {
  requireName(path);
  return path;
}

function modeOf(path: RelPath, expect: Expect): files.WriteMode {
  if (expect === "absent") return { ".tag": "add" };
  if (expect === "any") return { ".tag": "overwrite" };
  if (isRev(expect)) return { ".tag": "update", update: expect };
  throw new StaleError(`Could not write "${path}": it is another version`);
}
