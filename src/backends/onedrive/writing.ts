import { faultPoint } from "../../lib/fault.ts";
import type { RelPath } from "../../lib/path.ts";
import { tapped } from "../../lib/streams.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Source, WriteOptions, Written } from "../types.ts";
import { objectAt, textAt } from "./graph.ts";
import { describe, fileOf } from "./items.ts";
import { requireName } from "./names.ts";
import { type QuickXor, quickXor } from "./quick-xor.ts";
import { addressOf, inPlace, knownItem, lookUp, type Remote, statFile } from "./remote.ts";
import { type Uploaded, uploadBySession } from "./upload-session.ts";

/** Bodies of this size and more go by a session. */
const SIMPLE_BYTES = 4_000_000;
const BEHAVIOR = encodeURIComponent("@microsoft.graph.conflictBehavior");

/** The contract's `write`. */
export async function writeFile(
  remote: Remote,
  path: RelPath,
  source: Source,
  options: WriteOptions,
): Promise<Written> {
  requireName(path);
  const { expect, signal } = options;
  const call = signal === undefined ? {} : { signal };
  if (expect === "absent" && remote.facts.create === "look" && (await statFile(remote, path, call)) !== undefined) {
    throw new StaleError(`Could not write "${path}": it exists already`);
  }
  const isUpdate = expect !== "absent" && expect !== "any";
  const bySession = source.size >= SIMPLE_BYTES || (isUpdate && source.size > 0 && remote.facts.update === "session");
  try {
    if (isUpdate && source.size === 0 && remote.facts.update === "session") await requireVersion(remote, path, options);
    const uploaded = bySession
      ? await uploadBySession(remote, path, source, options)
      : await putContent(remote, path, source, options);
    return written(remote, path, source, uploaded);
  } catch (error) {
    if (isUpdate && error instanceof NotFoundError) {
      throw new StaleError(`Could not write "${path}": it is not there any more`, {
        outcomeUnknown: error.outcomeUnknown,
      });
    }
    throw error;
  }
}

/** A session takes no empty body: such an update is looked at just before. */
async function requireVersion(remote: Remote, path: RelPath, { expect, signal }: WriteOptions): Promise<void> {
  const item = await lookUp(remote, path, signal === undefined ? {} : { signal });
  if (textAt(item, "eTag") !== expect) throw new StaleError(`Could not write "${path}": it is another version by now`);
}

async function putContent(remote: Remote, path: RelPath, source: Source, options: WriteOptions): Promise<Uploaded> {
  const { expect, signal } = options;
  const isUpdate = expect !== "absent" && expect !== "any";
  // By its id a file is never made anew, nor is another one hit that took its name.
  const id = isUpdate ? knownItem(remote, path, expect) : undefined;
  let hash: QuickXor = quickXor();
  const body = {
    size: source.size,
    open() {
      const own = quickXor();
      hash = own;
      return tapped(source.open(), (chunk) => own.update(chunk));
    },
  };
  const behavior = expect === "absent" ? "fail" : "replace";
  faultPoint("onedrive-put");
  const { body: item } = await inPlace(remote, signal === undefined ? {} : { signal }, (place) => {
    const address = id === undefined ? addressOf(place, path) : `${place.drive}/items/${id}`;
    return remote.graph.call({
      method: "PUT",
      path: `${address}/content?${BEHAVIOR}=${behavior}`,
      what: `write "${path}"`,
      headers: {
        "Content-Type": "application/octet-stream",
        ...(isUpdate && remote.facts.update === "if-match" ? { "If-Match": expect } : {}),
      },
      body,
      signal,
    });
  });
  return { item, hash: hash.base64() };
}

/** Holds the answer against what was sent. A hash that is not worked out yet is the one of what was sent. */
function written(remote: Remote, path: RelPath, source: Source, { item, hash }: Uploaded): Written {
  const file = fileOf(item, path);
  if (file === undefined) {
    throw new BackendError(`Could not write "${path}": OneDrive does not say what became of it`, {
      class: "TRANSIENT",
      outcomeUnknown: true,
    });
  }
  remote.seen.note(path, item);
  const told = textAt(objectAt(objectAt(item, "file"), "hashes"), "quickXorHash");
  if (file.size !== source.size) {
    throw new BackendError(`Could not write "${path}": OneDrive keeps ${file.size} bytes of ${source.size}`, {
      class: "FILE_REJECTED",
      hint: "SharePoint changes Office documents as it stores them: leave them out with exclude_patterns.",
    });
  }
  if (told !== undefined && told !== hash) {
    throw new BackendError(`Could not write "${path}": OneDrive keeps other bytes than were sent`, {
      class: "TRANSIENT",
      outcomeUnknown: true,
    });
  }
  const serverTimeMs = remote.graph.serverTimeMs();
  const clock = serverTimeMs === undefined ? {} : { serverTimeMs };
  if (told !== undefined) return { file, ...clock };
  const facts = { size: file.size, rev: file.rev, hash, ...modifiedOf(file.modifiedMs) };
  return { file: describe(facts, path), ...clock };
}

function modifiedOf(modifiedMs: number | undefined): { readonly modifiedMs?: number } {
  return modifiedMs === undefined ? {} : { modifiedMs };
}
