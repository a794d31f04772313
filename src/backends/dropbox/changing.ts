import type { files, async as jobs } from "dropbox";
import { type Coalesced, coalesce, type Settled } from "../../lib/coalesce.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { CopyOptions, RemoteFile, Rev, WriteOptions, Written } from "../types.ts";
import type { Answer, ApiCall } from "./client.ts";
import { doubtful, fromTags, tagsOf } from "./errors.ts";
import { answeredFile } from "./files.ts";
import { metadataAt } from "./lost.ts";
import type { DropboxPlace } from "./place.ts";
import { BATCH_COUNT } from "./upload-batch.ts";

/** How often a job is asked about: soon at first. Milliseconds. */
const FIRST_POLL_MS = 250;
const MOST_POLL_MS = 4000;
/** So many questions about a job may come to nothing. */
const MOST_FAILURES = 8;

export interface Removal {
  readonly path: RelPath;
  readonly rev: Rev;
}

/** Deletes files, each only as the version named; those under way at once in one request and its job. */
export function removals(place: DropboxPlace): Coalesced<Removal, void> {
  const { root } = place;
  return coalesce({
    clock: place.client.clock,
    count: BATCH_COUNT,
    send: (items, signal) =>
      place.changing(async () => {
        const call = { what: whatOf("remove", items), changes: true, signal };
        const entries = items.map(({ path, rev }) => ({ path: `${root}/${path}`, parent_rev: rev }));
        const one = items.length === 1 ? entries[0] : undefined;
        if (one) {
          await place.client.call(call, (sdk, options) => sdk.filesDeleteV2(one, options));
          return [{ ok: undefined }];
        }
        const { result, repeated } = await jobResult<files.DeleteBatchResult>(place, call, {
          launch: (sdk, options) => sdk.filesDeleteBatch({ entries }, options),
          check: (sdk, arg, options) => sdk.filesDeleteBatchCheck(arg, options),
        });
        return items.map(({ path }, at) => {
          const entry = result.entries[at];
          if (entry?.[".tag"] === "success") return { ok: undefined };
          return { error: itemError(entry, `remove "${path}"`, repeated) };
        });
      }),
  });
}

/** `expect` any is looked up first: a delete without a version would take a folder with all that is in it. */
export async function removeFile(
  place: DropboxPlace,
  remove: Coalesced<Removal, void>,
  path: RelPath,
  { expect, signal }: WriteOptions,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    const rev = expect === "any" || expect === "absent" ? await revToRemove(place, path, signal) : expect;
    if (rev === undefined) return;
    if (expect === "absent") throw new StaleError(`Could not remove "${path}": it is there`);
    if (!isRev(rev)) throw new StaleError(`Could not remove "${path}": it is another version`);
    try {
      return await remove({ path, rev }, { signal });
    } catch (error) {
      if (error instanceof NotFoundError && !error.outcomeUnknown) {
        if (expect === "any") return;
        throw new StaleError(`Could not remove "${path}": it is not there`);
      }
      if (expect !== "any" || !(error instanceof StaleError) || error.outcomeUnknown || tries > 3) throw error;
    }
  }
}

async function revToRemove(
  place: DropboxPlace,
  path: RelPath,
  signal: AbortSignal | undefined,
): Promise<Rev | undefined> {
  const found = await metadataAt(path, place, signal);
  if (found === undefined || found[".tag"] === "deleted") return undefined;
  if (found[".tag"] === "file") return found.rev as Rev;
  throw new BackendError(`Could not remove "${path}": it is a folder`, { class: "FILE_REJECTED" });
}

/** The shape of Dropbox's own (files.stone, Rev): another is nobody's. */
export function isRev(rev: string): boolean {
  return /^[0-9a-f]{9,}$/.test(rev);
}

export interface Relocation {
  readonly from: RelPath;
  readonly to: RelPath;
}

/** Copies or moves within Dropbox onto names that must be free. */
export function relocations(place: DropboxPlace, how: "copy" | "move"): Coalesced<Relocation, Written> {
  const { client, root } = place;
  const pathsOf = ({ from, to }: Relocation) => ({ from_path: `${root}/${from}`, to_path: `${root}/${to}` });
  const writtenAt = ({ from, to }: Relocation, metadata: Located | undefined): Settled<Written> => {
    if (metadata?.[".tag"] === "file") return { ok: { file: answeredFile(root, to, metadata) } };
    return { error: new BackendError(`Could not ${how} "${from}": it is no file`, { class: "FILE_REJECTED" }) };
  };
  return coalesce({
    clock: client.clock,
    count: BATCH_COUNT,
    send: (items, signal) =>
      place.changing(async () => {
        const call = {
          what: whatOf(
            how,
            items.map(({ from }) => ({ path: from })),
          ),
          changes: true,
          signal,
        };
        const entries = items.map(pathsOf);
        const [one, more] = entries;
        if (one && more === undefined) {
          const { result } = await client.call(call, (sdk, options) =>
            how === "copy" ? sdk.filesCopyV2(one, options) : sdk.filesMoveV2(one, options),
          );
          return items.map((item) => writtenAt(item, result.metadata));
        }
        const { result, repeated } = await jobResult<files.RelocationBatchV2Result>(place, call, {
          launch: (sdk, options) =>
            how === "copy"
              ? sdk.filesCopyBatchV2({ entries, autorename: false }, options)
              : sdk.filesMoveBatchV2({ entries, autorename: false }, options),
          check: (sdk, arg, options) =>
            how === "copy" ? sdk.filesCopyBatchCheckV2(arg, options) : sdk.filesMoveBatchCheckV2(arg, options),
        });
        return items.map((item, at): Settled<Written> => {
          const entry = result.entries[at];
          if (entry?.[".tag"] === "success") return writtenAt(item, entry.success);
          return { error: itemError(entry, `${how} "${item.from}" to "${item.to}"`, repeated) };
        });
      }),
  });
}

type Located = files.FileMetadataReference | files.FolderMetadataReference | files.DeletedMetadataReference;

/**
 * Copies or moves a file that must be there. Dropbox knows no version of a source: it is looked at before, and what came
 * of it is held against that.
 */
export async function transferFile(
  place: DropboxPlace,
  relocate: Coalesced<Relocation, Written>,
  { from, to, how }: Relocation & { readonly how: "copy" | "move" },
  { expectSource, signal }: CopyOptions,
): Promise<Written> {
  const could = `Could not ${how} "${from}" to "${to}"`;
  let before: RemoteFile | undefined;
  if (expectSource !== undefined || how === "move") {
    const found = await metadataAt(from, place, signal);
    if (found?.[".tag"] !== "file") throw new NotFoundError(`${could}: the source is not there`);
    before = answeredFile(place.root, from, found);
    if (expectSource !== undefined && before.rev !== expectSource) {
      throw new StaleError(`${could}: the source is another version`);
    }
  }
  const written = await relocate({ from, to }, { signal });
  const made = written.file;
  if (how === "move" || before === undefined || made === undefined || made.nativeHash === before.nativeHash)
    return written;
  // The source was replaced in between: this is the copy of something else.
  await place.client
    .call({ what: `remove "${to}"`, changes: true, signal }, (sdk, options) =>
      sdk.filesDeleteV2({ path: `${place.root}/${to}`, parent_rev: made.rev }, options),
    )
    .catch(() => undefined);
  throw new StaleError(`${could}: the source is another version`);
}

/** Removes a folder in which a fresh listing shows no file. What Dropbox deletes it keeps for 30 days. */
export async function removeEmptyFolder(
  place: DropboxPlace,
  path: RelPath,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { client, root } = place;
  const at = `${root}/${path}`;
  const what = `remove the folder "${path}"`;
  try {
    for (let cursor: string | undefined; ; ) {
      const { result }: Answer<files.ListFolderResult> = await client.call({ what, signal }, (sdk, options) =>
        cursor === undefined
          ? sdk.filesListFolder({ path: at, recursive: true, limit: 2000 }, options)
          : sdk.filesListFolderContinue({ cursor }, options),
      );
      if (result.entries.some((entry) => entry[".tag"] === "file")) {
        throw new BackendError(`Could not ${what}: there is a file in it`, { class: "FILE_REJECTED" });
      }
      if (!result.has_more) break;
      cursor = result.cursor;
    }
    await place.changing(() =>
      client.call({ what, changes: true, signal }, (sdk, options) => sdk.filesDeleteV2({ path: at }, options)),
    );
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}

type Sdk = Parameters<Parameters<DropboxPlace["client"]["call"]>[1]>[0];
type Options = { readonly signal?: AbortSignal };

interface Job<R> {
  launch(sdk: Sdk, options: Options): Promise<{ status: number; headers: unknown; result: unknown }>;
  check(sdk: Sdk, arg: jobs.PollArg, options: Options): Promise<{ status: number; headers: unknown; result: unknown }>;
  readonly result?: R;
}

/** Launches a batch and asks about its job until it is done. */
async function jobResult<R>(place: DropboxPlace, call: ApiCall, job: Job<R>): Promise<Answer<R>> {
  const { client } = place;
  const launched = await client.call(call, (sdk, options) => job.launch(sdk, options) as never);
  let status = launched.result as Status;
  const id = status.async_job_id ?? "";
  for (let wait = 0, failures = 0; status[".tag"] === "async_job_id" || status[".tag"] === "in_progress"; ) {
    if (wait > 0) await client.clock.sleep(wait, call.signal);
    wait = Math.min(Math.max(wait * 2, FIRST_POLL_MS), MOST_POLL_MS);
    try {
      const asked = await client.call(call, (sdk, options) => job.check(sdk, { async_job_id: id }, options) as never);
      status = asked.result as Status;
    } catch (error) {
      // The job goes on whether we can ask or not.
      if (!(error instanceof BackendError) || error instanceof NotFoundError) throw error;
      if (error.class !== "TRANSIENT" || ++failures >= MOST_FAILURES) throw doubtful(error);
      wait = Math.max(wait, error.pauseMs ?? 0);
    }
  }
  if (status[".tag"] === "complete") return { result: status as unknown as R, repeated: launched.repeated };
  throw doubtful(fromTags(tagsOf(status), { what: call.what, changes: true, host: "Dropbox" }));
}

interface Status {
  readonly ".tag": string;
  readonly async_job_id?: string;
}

/** Why one item of a batch failed. */
function itemError(entry: unknown, what: string, repeated: boolean): BackendError {
  const failure = (entry as { readonly failure?: unknown } | undefined)?.failure;
  const error = fromTags(tagsOf(failure), { what, changes: true, host: "Dropbox" });
  return repeated ? doubtful(error) : error;
}

function whatOf(verb: string, items: readonly { readonly path: RelPath }[]): string {
  const first = `"${items[0]?.path}"`;
  return items.length === 1 ? `${verb} ${first}` : `${verb} ${items.length} files (${first} ...)`;
}
