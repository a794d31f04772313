import type { Backend, ListOptions, RemoteFile } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { forEachLimit } from "../lib/limits.ts";
import { ITEMS_PER_COLLECTION, releaseDuring } from "../lib/memory.ts";
import { commonFolder, foldersOf, parentOf, type RelPath } from "../lib/path.ts";
import type { SentFile } from "./journal.ts";
import { callOptions, compareRemote, judgeSent } from "./run-context.ts";

/** Up to so many files are looked up one by one; more are found in listings. */
const FEW = 8;

export interface LookOptions {
  readonly backend: Backend;
  readonly workers: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Told what is found out about each upload, while the look goes on. What it is not told of, the next run compares. */
export interface Told {
  /** Its version is known now. */
  readonly confirmed: (sent: SentFile, file: RemoteFile) => void;
  /** The server holds other bytes than were sent, and nobody wrote after us. */
  readonly damaged: (sent: SentFile) => void;
}

/**
 * Finds the versions of uploads whose answers did not name them. Verified by size, checksums where there are any, and
 * a modification time not after the server's own clock in its answer. Size and time cannot tell another writer's file of
 * the same second from ours: a few files and those that took long stay racy, so that the next run reads them once. A
 * checksum can, but not for what is written after this look under the same rev. Many files are believed, after a wait
 * that lets every later write show in its rev. What was told of is to leave `sent`: a listing that begins anew shows it again. Throws what the backend throws.
 */
export async function learnRevs(sent: ReadonlyMap<RelPath, SentFile>, options: LookOptions, told: Told): Promise<void> {
  const few = sent.size <= FEW;
  const judge = (one: SentFile, file: RemoteFile): void => {
    const verdict = judgeSent(one, file);
    if (verdict === "damaged") told.damaged(one);
    if (verdict === "damaged" || verdict === "unclear") return;
    const unsure = few && (file.racy || compareRemote(file, one) !== "equal");
    told.confirmed(one, { ...file, racy: verdict === "likely" || unsure });
  };
  await (few ? lookUp(sent, options, judge) : listAll(sent, options, judge));
}

type Judge = (sent: SentFile, file: RemoteFile) => void;

async function lookUp(sent: ReadonlyMap<RelPath, SentFile>, options: LookOptions, judge: Judge): Promise<void> {
  const call = callOptions(options);
  const look = async (one: SentFile) => {
    const file = await options.backend.stat(one.path, call);
    if (file !== undefined) judge(one, file);
  };
  await forEachLimit([...sent.values()], options.workers, look, call);
}

/** By listings of what was sent to: what lies elsewhere costs nothing. */
async function listAll(sent: ReadonlyMap<RelPath, SentFile>, options: LookOptions, judge: Judge): Promise<void> {
  const { backend, workers, clock, signal } = options;
  const tickMs = backend.can.revTickMs ?? 0;
  if (tickMs > 0) await clock.sleep(tickMs, signal);
  const many = sent.size;
  let judged = 0;
  const take = (file: RemoteFile): boolean => {
    const one = sent.get(file.path);
    if (one === undefined) return false;
    judge(one, file);
    if (++judged % ITEMS_PER_COLLECTION === 0) releaseDuring(many);
    return false;
  };
  const look = async ({ under, shallow }: Place) => {
    const listed: ListOptions = { ...callOptions(options), ...(shallow ? { shallow } : {}), sift: () => take };
    for (const file of (await backend.list(under, listed)).files) take(file);
  };
  const folders = new Set<RelPath | "">();
  for (const path of sent.keys()) folders.add(parentOf(path));
  await forEachLimit(placesFor(folders, backend.can.listsDeep === true), workers, look, callOptions(options));
}

interface Place {
  readonly under: RelPath | "";
  readonly shallow: boolean;
}

/** One deep listing is less than so many shallow ones, whatever else lies there. */
const SHALLOW_AT_MOST = 2;

/** The listings that show these folders: each alone, or where trees are listed at once what they have in common below the root. */
function placesFor(folders: ReadonlySet<RelPath | "">, deep: boolean): Place[] {
  const trees = new Map<RelPath | "", (RelPath | "")[]>();
  for (const folder of folders) {
    const top = (deep && folder !== "" ? foldersOf(folder)[0] : undefined) ?? folder;
    const tree = trees.get(top);
    if (tree) tree.push(folder);
    else trees.set(top, [folder]);
  }
  return [...trees.values()].flatMap((tree): Place[] => {
    if (tree.length <= SHALLOW_AT_MOST) return tree.map((under) => ({ under, shallow: true }));
    return [{ under: commonFolder(tree), shallow: false }];
  });
}
