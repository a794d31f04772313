import { RESERVED_FOLDERS } from "../backends/layout.ts";
import type { Backend, Listing, RemoteFile } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { forEachLimit } from "../lib/limits.ts";
import { parentOf, type RelPath } from "../lib/path.ts";
import type { SentFile } from "./journal.ts";
import { callOptions, compareRemote, judgeSent } from "./run-context.ts";

/** Up to so many files are looked up one by one; more are found in listings. */
const FEW = 8;

export interface Learned {
  /** Uploads whose version is known now. */
  readonly confirmed: ReadonlyMap<RelPath, RemoteFile>;
  /** The server holds other bytes than were sent, and nobody wrote after us. */
  readonly damaged: readonly RelPath[];
  /** Somebody wrote or removed it since, or nothing tells: the next run compares. */
  readonly unclear: readonly RelPath[];
}

/**
 * Finds the versions of uploads whose answers did not name them. Verified by size, checksums where there are any, and
 * a modification time not after the server's own clock in its answer. Size and time cannot tell another writer's file of
 * the same second from ours: a few files and those that took long stay racy, so that the next run reads them once. A
 * checksum can, but not for what is written after this look under the same rev. Many files are believed, after a wait
 * that lets every later write show in its rev. Throws what the backend throws.
 */
export async function learnRevs(sent: ReadonlyMap<RelPath, SentFile>, options: LookOptions): Promise<Learned> {
  const few = sent.size <= FEW;
  const found = few ? await lookUp(sent, options) : await listAll(sent, options);
  const confirmed = new Map<RelPath, RemoteFile>();
  const damaged: RelPath[] = [];
  const unclear: RelPath[] = [];
  for (const [path, one] of sent) {
    const file = found.get(path);
    const verdict = judgeSent(one, file);
    if (verdict === "damaged") damaged.push(path);
    else if (verdict === "unclear" || file === undefined) unclear.push(path);
    else {
      const unsure = few && (file.racy || compareRemote(file, one) !== "equal");
      confirmed.set(path, { ...file, racy: verdict === "likely" || unsure });
    }
  }
  return { confirmed, damaged, unclear };
}

export interface LookOptions {
  readonly backend: Backend;
  readonly workers: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

async function lookUp(sent: ReadonlyMap<RelPath, SentFile>, options: LookOptions): Promise<Map<RelPath, RemoteFile>> {
  const found = new Map<RelPath, RemoteFile>();
  const call = callOptions(options);
  await forEachLimit(
    sent.keys(),
    options.workers,
    async (path) => {
      const file = await options.backend.stat(path, call);
      if (file !== undefined) found.set(path, file);
    },
    call,
  );
  return found;
}

/** One listing of everything, or of each folder that was sent to where everything would cost one for every folder. */
async function listAll(sent: ReadonlyMap<RelPath, SentFile>, options: LookOptions): Promise<Map<RelPath, RemoteFile>> {
  const { backend, workers, clock, signal } = options;
  const call = callOptions(options);
  const tickMs = backend.can.revTickMs ?? 0;
  if (tickMs > 0) await clock.sleep(tickMs, signal);
  const found = new Map<RelPath, RemoteFile>();
  const keep = ({ files }: Listing) => {
    for (const file of files) if (sent.has(file.path)) found.set(file.path, file);
  };
  if (backend.can.listsDeep === true) keep(await backend.list("", { skip: RESERVED_FOLDERS, ...call }));
  else {
    const folders = new Set([...sent.keys()].map(parentOf));
    await forEachLimit(
      folders,
      workers,
      async (folder) => keep(await backend.list(folder, { shallow: true, ...call })),
      call,
    );
  }
  return found;
}
