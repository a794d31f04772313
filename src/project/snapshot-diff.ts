import { MissingError } from "../lib/errors.ts";
import { forEachLimit } from "../lib/limits.ts";
import type { RelPath } from "../lib/path.ts";
import type { SnapshotChange, SnapshotComparison } from "../snapshots/model.ts";
import { selectPath } from "../sync/select.ts";
import { isBinary } from "./conflicts.ts";
import type { Parts } from "./parts.ts";
import { LATEST, snapshotNamed } from "./snapshot-name.ts";

/** Larger files are compared, not shown. Bytes. */
const MOST_SHOWN = 8 * 1024 * 1024;
/** Texts with more changed lines are not counted line by line. */
const MOST_EDITS = 20_000;

export interface CountedChange extends SnapshotChange {
  /** Lines that are new and gone in a modified text; null where it is no text, or too different to tell. */
  readonly lines: { readonly added: number; readonly removed: number } | null;
}

export interface CountedComparison extends SnapshotComparison {
  readonly changes: readonly CountedChange[];
}

export interface SnapshotFileDiff {
  readonly path: RelPath;
  readonly from: string;
  readonly to: string;
  /** Undefined where the snapshot lacks it, null where it is no text or too large to show. */
  readonly before: string | null | undefined;
  readonly after: string | null | undefined;
}

/** What changed from one snapshot to another; `latest` is the newest one. Throws NotFoundError. */
export async function compareSnapshots(
  parts: Parts,
  names: { readonly from: string; readonly to: string },
  patterns: readonly string[],
): Promise<CountedComparison> {
  const { config, signal } = parts.deps;
  const { from, to } = await resolved(parts, names);
  const compared = await (await parts.snapshots()).compare({ from, to, patterns }, { signal });
  const changes: CountedChange[] = [];
  const count = async (change: SnapshotChange, at: number): Promise<void> => {
    changes[at] = {
      ...change,
      lines: change.kind === "modified" ? await linesOf(parts, { ...change, from, to }) : null,
    };
  };
  await forEachLimit(compared.changes, config.parallelWorkers, count, { signal });
  return { ...compared, changes };
}

/** Both versions of one file. Throws MissingError when neither snapshot has it. */
export async function diffSnapshots(
  parts: Parts,
  names: { readonly from: string; readonly to: string },
  file: string,
): Promise<SnapshotFileDiff> {
  const path = selectPath(file, { root: parts.root, cwd: parts.deps.cwd });
  const { from, to } = await resolved(parts, names);
  const [before, after] = [await textIn(parts, from, path), await textIn(parts, to, path)];
  if (before !== undefined || after !== undefined) return { path, from, to, before, after };
  throw new MissingError(`"${path}" is in neither of the snapshots ${from} and ${to}`);
}

async function resolved<T extends Readonly<Record<"from" | "to", string>>>(parts: Parts, names: T): Promise<T> {
  const newest = [names.from, names.to].includes(LATEST) ? await snapshotNamed(parts, LATEST) : "";
  const name = (typed: string): string => (typed === LATEST ? newest : typed);
  return { ...names, from: name(names.from), to: name(names.to) };
}

async function linesOf(
  parts: Parts,
  { path, from, to }: { readonly path: RelPath; readonly from: string; readonly to: string },
): Promise<CountedChange["lines"]> {
  const [before, after] = [await textIn(parts, from, path), await textIn(parts, to, path)];
  if (typeof before !== "string" || typeof after !== "string") return null;
  const { diffLines } = await import("diff");
  const changes = diffLines(before, after, { maxEditLength: MOST_EDITS });
  if (changes === undefined) return null;
  let added = 0;
  let removed = 0;
  for (const change of changes) {
    if (change.added) added += change.count ?? 0;
    else if (change.removed) removed += change.count ?? 0;
  }
  return { added, removed };
}

async function textIn(parts: Parts, timestamp: string, path: RelPath): Promise<string | null | undefined> {
  const { signal } = parts.deps;
  const found = await (await parts.snapshots()).readFile({ timestamp, path, limit: MOST_SHOWN }, { signal });
  if (found === undefined) return undefined;
  return found === "large" || isBinary(found) ? null : new TextDecoder().decode(found);
}
