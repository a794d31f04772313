import * as fs from "node:fs";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { pathMatcher } from "../snapshots/path-match.ts";
import { describeItemError } from "../sync/item-error.ts";
import { openLocalRoot } from "../sync/local-file.ts";
import type { FileStat } from "../sync/model.ts";
import { scan } from "../sync/scan.ts";
import type { Parts } from "./parts.ts";

/** A file at the place that is restored to and not in the snapshot. */
export interface Extra {
  readonly path: RelPath;
  readonly stat: FileStat;
}

export interface ExtraOutcome {
  readonly path: RelPath;
  readonly status: "trashed" | "failed";
  readonly error?: string;
}

/** Files in scope below `target` that are not in `held`, of those that the patterns mean; sorted by path. */
export function findExtras(
  { sync }: Parts,
  {
    target,
    held,
    patterns,
  }: { readonly target: string; readonly held: ReadonlySet<string>; readonly patterns: readonly string[] },
): readonly Extra[] {
  if (!fs.existsSync(target)) return [];
  const view = scan({ root: target, scope: sync.scope });
  const matchers = patterns.map(pathMatcher);
  const extras: Extra[] = [];
  for (let file = 0; file < view.length; file++) {
    const path = view.pathAt(file);
    if (held.has(path) || (matchers.length > 0 && !matchers.some((matches) => matches(path)))) continue;
    extras.push({ path, stat: view.statAt(file) });
  }
  return extras;
}

/** Moves each to the trash while it still is what was planned, and removes the folders that this empties. */
export function trashExtras(
  { trash, deps: { signal } }: Parts,
  target: string,
  { extras, reason }: { readonly extras: readonly Extra[]; readonly reason: string },
): readonly ExtraOutcome[] {
  if (extras.length === 0) return [];
  const root = openLocalRoot(target);
  const outcomes: ExtraOutcome[] = [];
  for (const { path, stat } of extras) {
    if (signal.aborted) break;
    try {
      trash.putFile(joinUnder(target, path), { path, reason }, { expect: stat });
      root.pruneFolders(path);
      outcomes.push({ path, status: "trashed" });
    } catch (error) {
      outcomes.push({ path, status: "failed", error: describeItemError(error).message });
    }
  }
  return outcomes;
}
