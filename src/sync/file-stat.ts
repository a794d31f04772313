import { type BigIntStats, statSync } from "node:fs";
import type { FileStat } from "./model.ts";

/** The identity of a file's content as the file system tells it. */
export function fileStat(stat: BigIntStats): FileStat {
  return { size: Number(stat.size), mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, ino: stat.ino };
}

export function sameStat(a: FileStat, b: FileStat): boolean {
  return sameContentStat(a, b) && a.ctimeNs === b.ctimeNs;
}

/** Like {@link sameStat} for a file that was linked or renamed meanwhile, which moves its ctime. */
export function sameContentStat(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino;
}

/** The manifest's identity as the index records it; undefined when there is none. */
export function manifestStat(file: string): FileStat | undefined {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : fileStat(stat);
}

/** Whether two looks at the manifest saw one and the same file, or none. */
export function sameManifest(a: FileStat | undefined, b: FileStat | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameContentStat(a, b);
}
