import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { faultPoint } from "../lib/fault.ts";
import { isPartName } from "../lib/fs.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { TEMP_PREFIX } from "../lib/temp-prefix.ts";
import { type Fetched, fetchRemote } from "./fetch.ts";
import { fileStat, sameContentStat } from "./file-stat.ts";
import { digestFile } from "./local-content.ts";
import { asLocalError, errorCode, lookAt, removeEmptyFolder, requireUnchanged, StalePlanError } from "./local-file.ts";
import type { Action, FileStat } from "./model.ts";
import { agreedBase, callOptions, type Progress, type RunContext } from "./run-context.ts";

export type DownloadAction = Extract<Action, { readonly kind: "download" }>;

/**
 * Brings one file: guarded read, temporary file, size and checksums verified, fsync, then into place if the target still
 * is what the plan saw. What it replaces is kept in the trash unless a snapshot holds it; its mode is kept. Content that
 * is here already is recorded and not rewritten. Recorded in the journal once the folder is durable.
 * Throws StalePlanError or StaleError when either side is not what the plan saw; the target is then untouched.
 */
export async function download(action: DownloadAction, run: RunContext, onProgress: Progress): Promise<void> {
  const { path, remote, local } = action;
  const near = local === "absent" ? run.root.fileToCreate(path) : run.root.fileToReplace(path);
  if (local === "absent") clearWay(near, path);
  requireUnchanged(near, path, local);
  const fetched = await fetchRemote(remote, near, run, onProgress);
  try {
    const stat = await settle(action, fetched, run);
    const known = stat === undefined ? {} : { local: { stat, hash: fetched.hash } };
    run.record({ kind: "set", base: agreedBase(run, remote, fetched.hash), ...known });
  } catch (error) {
    throw asLocalError(error, `could not write "${path}"`);
  } finally {
    removeTemp(fetched.temp);
  }
}

/** Where it still is. */
function removeTemp(temp: string): void {
  if (fs.lstatSync(temp, { throwIfNoEntry: false }) !== undefined) fs.unlinkSync(temp);
}

/** An empty folder of that name, a leftover of moved files, is nothing that anybody could lose. */
function clearWay(target: string, path: RelPath): void {
  try {
    removeEmptyFolder(target);
  } catch (error) {
    throw asLocalError(error, `could not remove the empty folder "${path}"`);
  }
}

/** Puts a temporary file where nothing may be yet. Throws StalePlanError when something is. */
export function placeNew(temp: string, target: string, path: RelPath): void {
  faultPoint("place-new");
  try {
    fs.linkSync(temp, target);
    return;
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw new StalePlanError(`left "${path}" alone: it has appeared; run again`);
    if (!NO_LINKS.has(errorCode(error) ?? "")) throw error;
  }
  requireUnchanged(target, path, "absent");
  fs.renameSync(temp, target);
}

/** The stat of a file that was just put into place; undefined when somebody has touched it already. */
export function statPlaced(target: string, placed: FileStat): FileStat | undefined {
  const now = lookAt(target);
  return typeof now === "object" && sameContentStat(now, placed) ? now : undefined;
}

/**
 * Removes what an interrupted run left in these folders below the root, links to other places not followed. Parts of large
 * files stay for the transfer that goes on with them.
 */
export function cleanTemps(root: string, folders: Iterable<RelPath | "">): void {
  for (const folder of folders) {
    const absolute = folder === "" ? root : joinUnder(root, folder);
    let names: string[];
    try {
      names = fs.readdirSync(absolute);
    } catch {
      continue; // Not there, or not readable: then the transfer itself says so.
    }
    for (const name of names) if (isLeftover(absolute, name)) fs.rmSync(join(absolute, name), { force: true });
  }
}

/** A part that has been put into place is a second name of that file. */
function isLeftover(folder: string, name: string): boolean {
  if (!name.startsWith(TEMP_PREFIX) || !isPartName(name)) return name.startsWith(TEMP_PREFIX);
  return (fs.lstatSync(join(folder, name), { throwIfNoEntry: false })?.nlink ?? 1) > 1;
}

/** File systems without hard links answer so. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Puts the fetched file into place unless the same bytes are there, and makes it durable. Answers the file's stat. */
async function settle(action: DownloadAction, fetched: Fetched, run: RunContext): Promise<FileStat | undefined> {
  const { path, local } = action;
  if (local === "absent") {
    const target = run.root.file(path);
    const placed = statOf(fetched.temp);
    placeNew(fetched.temp, target, path);
    faultPoint("place-unlink-temp");
    removeTemp(fetched.temp);
    await run.syncFolder(dirname(target));
    return statPlaced(target, placed);
  }
  const target = run.root.fileToReplace(path);
  if (await holdsAlready(action, local, target, fetched, run)) return local;
  const held = await run.heldBySnapshot(action.localSha256);
  const placed = replace(target, path, { planned: local, temp: fetched.temp, held }, run);
  await run.syncFolder(dirname(target));
  return statPlaced(target, placed);
}

async function holdsAlready(
  action: DownloadAction,
  local: FileStat,
  target: string,
  fetched: Fetched,
  run: RunContext,
): Promise<boolean> {
  const { path } = action;
  if (local.size !== action.remote.size) return false;
  const sha256 = action.localSha256 ?? (await digestFile(target, path, { planned: local, ...callOptions(run) })).sha256;
  requireUnchanged(target, path, local);
  return sha256 === fetched.hash.sha256;
}

interface Replacement {
  readonly planned: FileStat;
  readonly temp: string;
  /** A snapshot keeps the old content. */
  readonly held: boolean;
}

/** Without a pause between the last look and the rename. Keeping the old content by a link moves its ctime. */
function replace(target: string, path: RelPath, replacement: Replacement, run: RunContext): FileStat {
  const { planned, temp, held } = replacement;
  fs.chmodSync(temp, fs.statSync(target).mode & 0o7777);
  const placed = statOf(temp);
  requireUnchanged(target, path, planned);
  if (held) {
    faultPoint("replace");
    fs.renameSync(temp, target);
    return placed;
  }
  const kept = run.trash.keepCopy(target, { path, reason: "replaced by pull" });
  try {
    const now = lookAt(target);
    if (typeof now !== "object" || !sameContentStat(now, planned)) {
      throw new StalePlanError(`left "${path}" alone: it has changed since this run looked at it; run again`);
    }
    faultPoint("replace");
    fs.renameSync(temp, target);
    return placed;
  } catch (error) {
    run.trash.discard(kept);
    throw error;
  }
}

function statOf(file: string): FileStat {
  return fileStat(fs.statSync(file, { bigint: true }));
}
