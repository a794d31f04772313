import { lstatSync, readdirSync, renameSync, rmSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isOrphan, partName, partSuffix } from "./fs.ts";
import { hashBytes } from "./hash.ts";

/**
 * Temporary files that outlive their process, so that a large transfer goes on where a killed one stopped. Their names
 * say next to which file they lie, what they are a part of, and whose they are: nobody takes one whose process may run.
 */
export interface PartName {
  /** Absolute; this process may write to it until {@link releasePart}. */
  readonly file: string;
  /** Whether there is something of it already. */
  readonly begun: boolean;
}

/** Bodies from this size on are kept when they break off: for a smaller one going on saves nothing. Bytes. */
export const LARGE_TRANSFER = 8 * 1024 * 1024;

/** What lies beside a part and belongs to it. */
export const PART_NOTES = ".sums";

/** Parts are given up after a week. */
export const PART_AGE_MS = 7 * 24 * 3600 * 1000;

const inUse = new Set<string>();

/**
 * The part of exactly `what` (any text that names one version of one content) next to `target`, taken over from a process
 * that has ended where one left it. Such parts of anything else for the same target are removed. Undefined while this
 * process has that part in use already.
 */
export function claimPart(target: string, what: string): PartName | undefined {
  const folder = dirname(target);
  const place = digits(basename(target)).slice(0, 16);
  const wanted = digits(what).slice(0, 32);
  const suffix = partSuffix(place, wanted);
  const file = join(folder, partName(place, wanted));
  if (inUse.has(file)) return undefined;
  inUse.add(file);
  for (const name of namesIn(folder)) {
    if (!name.includes(partSuffix(place)) || !(isOrphan(name) || name.startsWith(partName(place, "")))) continue;
    const found = join(folder, name);
    if (inUse.has(found) || inUse.has(found.slice(0, -PART_NOTES.length))) continue;
    if (name.endsWith(suffix)) take(found, file);
    else if (!name.endsWith(suffix + PART_NOTES)) removePart(found);
  }
  // One that has been put into place and still has this name, too, is no part any more: nothing may be written to it.
  if ((lookAt(file)?.nlink ?? 1) > 1) removePart(file);
  return { file, begun: lookAt(file) !== undefined };
}

/** This process is done with it, whether it stays or not. */
export function releasePart(file: string): void {
  inUse.delete(file);
}

/** Removes a part with its notes. */
export function removePart(file: string): void {
  rmSync(file, { force: true });
  if (!file.endsWith(PART_NOTES)) rmSync(file + PART_NOTES, { force: true });
}

/** The notes first: without them a part counts for nothing. */
function take(found: string, file: string): void {
  try {
    if (lookAt(found + PART_NOTES)) renameSync(found + PART_NOTES, file + PART_NOTES);
    renameSync(found, file);
  } catch {
    removePart(file); // It went meanwhile: then there is nothing to go on with.
  }
}

/** Milliseconds since 1970 when it was written to last; undefined when it is not there. */
export function partTime(file: string): number | undefined {
  return lookAt(file)?.mtimeMs;
}

function lookAt(file: string): Stats | undefined {
  return lstatSync(file, { throwIfNoEntry: false });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not there, or not readable: then whoever writes there says so.
  }
}

function digits(text: string): string {
  return hashBytes("sha256", text);
}
