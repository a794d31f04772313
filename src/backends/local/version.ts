import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { RelPath } from "../../lib/path.ts";
import type { RemoteFile, Rev } from "../types.ts";

/** Milliseconds in which a file system may give two changes one time (the kernel's tick is 1 to 10 ms). */
const FINE_WINDOW_MS = 20;
/** The same for file systems that keep whole seconds: FAT keeps even ones. */
const COARSE_WINDOW_MS = 2020;

/** How our own writes are dated: at least one window before now, so that any later change by anybody has another time. */
const FINE_DATING = { agoMs: 2 * FINE_WINDOW_MS, stepMs: 1, burstMs: 0 };
const COARSE_DATING = { agoMs: 2 * COARSE_WINDOW_MS, stepMs: 2000, burstMs: 60_000 };

export interface VersionOptions {
  /** False where inode numbers and change times are made up at each mount (FAT, SMB, FUSE). */
  readonly stableInodes: boolean;
}

/**
 * `size-mtime-ctime-inode`, times in whole milliseconds because Deno shows no finer ones; `size-mtime` where the rest
 * does not survive a remount.
 */
export function revOf(stat: BigIntStats, options: VersionOptions): Rev {
  const short = nativeHashOf(stat);
  return (options.stableInodes ? `${short}-${toMs(stat.ctimeNs)}-${stat.ino}` : short) as Rev;
}

/** `size-mtime`: what still holds when the disk is mounted elsewhere or copied with its times. */
export function nativeHashOf(stat: BigIntStats): string {
  return `${stat.size}-${toMs(stat.mtimeNs)}`;
}

/** A file as looked at `nowMs`. */
export function remoteFile(path: RelPath, stat: BigIntStats, nowMs: number, options: VersionOptions): RemoteFile {
  const modifiedMs = toMs(stat.mtimeNs);
  const windowMs = modifiedMs % 1000 === 0 ? COARSE_WINDOW_MS : FINE_WINDOW_MS;
  return {
    path,
    size: Number(stat.size),
    rev: revOf(stat, options),
    racy: modifiedMs > nowMs - windowMs,
    id: path,
    nativeHash: nativeHashOf(stat),
    modifiedMs,
  };
}

/**
 * Dates a finished temporary file so that its rev is neither that of the file it replaces nor racy. Where times cannot
 * be set, the file stays racy for a moment.
 */
export async function dateFile(handle: FileHandle, nowMs: number, replaced: BigIntStats | undefined): Promise<void> {
  try {
    await setTime(handle, chooseTime(nowMs, replaced, FINE_DATING));
    const { mtimeNs } = await handle.stat({ bigint: true });
    if (toMs(mtimeNs) % 1000 === 0) await setTime(handle, chooseTime(nowMs, replaced, COARSE_DATING));
  } catch {
    // Some network shares refuse to set times.
  }
}

/** A time before now; within a burst of writes each is dated before the last, so that no two are equal. */
export function chooseTime(nowMs: number, replaced: BigIntStats | undefined, dating: typeof FINE_DATING): number {
  let time = Math.floor(nowMs) - dating.agoMs;
  const last = replaced === undefined ? undefined : toMs(replaced.mtimeNs);
  if (last !== undefined && last >= time - dating.burstMs && last <= nowMs) time = last - dating.stepMs;
  return time % 1000 === 0 ? time - 1 : time;
}

/** Half a millisecond is added so that rounding to seconds in floating point stays within the millisecond. */
async function setTime(handle: FileHandle, ms: number): Promise<void> {
  const seconds = (ms + 0.5) / 1000;
  await handle.utimes(seconds, seconds);
}

function toMs(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
