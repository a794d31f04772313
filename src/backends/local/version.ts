import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { RelPath } from "../../lib/path.ts";
import type { RemoteFile, Rev } from "../types.ts";

/** Milliseconds in which a file system may give two changes one time (the kernel's tick is 1 to 10 ms). */
const FINE_WINDOW_MS = 20;
/** The same for file systems that keep whole seconds: FAT keeps even ones. */
const COARSE_WINDOW_MS = 2020;

/** How our own writes are dated: at least one window before now, so that any later change by anybody has another time. */
const FINE_DATING: Dating = { agoMs: 2 * FINE_WINDOW_MS, stepMs: 1, burstMs: 0 };
const COARSE_DATING: Dating = { agoMs: 2 * COARSE_WINDOW_MS, stepMs: 2000, burstMs: 600_000 };

export interface Dating {
  /** How far before now. */
  readonly agoMs: number;
  /** What tells two times apart there. */
  readonly stepMs: number;
  /** Writes closer together than this are a burst: each is dated one step before the last. */
  readonly burstMs: number;
}

export interface VersionOptions {
  /** False where inode numbers and change times are made up at each mount (FAT, SMB, FUSE). */
  readonly stableInodes: boolean;
}

/**
 * `size-mtime-ctime-inode`, mtime in whole milliseconds and ctime in whole seconds because Deno shows no finer ones;
 * `size-mtime` where the rest does not survive a remount.
 */
export function revOf(stat: BigIntStats, options: VersionOptions): Rev {
  const short = nativeHashOf(stat);
  return (options.stableInodes ? `${short}-${stat.ctimeNs / 1_000_000_000n}-${stat.ino}` : short) as Rev;
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
    const time = chooseTime(nowMs, replaced, FINE_DATING);
    await setTime(handle, time % 1000 === 0 ? time - 1 : time);
    const { mtimeNs } = await handle.stat({ bigint: true });
    if (toMs(mtimeNs) % 1000 === 0) await setTime(handle, chooseTime(nowMs, replaced, COARSE_DATING));
  } catch {
    // Some network shares refuse to set times.
  }
}

/** A time before now, other than those of the file that is replaced and of the burst of writes that it belongs to. */
export function chooseTime(nowMs: number, replaced: BigIntStats | undefined, dating: Dating): number {
  let time = Math.floor(nowMs) - dating.agoMs;
  const last = replaced === undefined ? undefined : toMs(replaced.mtimeNs);
  if (last !== undefined && last >= time - dating.burstMs && last <= nowMs) time = last - dating.stepMs;
  return time;
}

/** Half a millisecond is added so that rounding to seconds in floating point stays within the millisecond. */
async function setTime(handle: FileHandle, ms: number): Promise<void> {
  const seconds = (ms + 0.5) / 1000;
  await handle.utimes(seconds, seconds);
}

function toMs(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
