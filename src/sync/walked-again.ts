import { readdirSync } from "node:fs";
import type { RelPath } from "../lib/path.ts";
import { isSystemError } from "../lib/system-error.ts";
import { compileScope, type Scope, type ScopeRules } from "./scope.ts";
import type { StateIndex } from "./state-index.ts";
import type { LastWalk, Walked } from "./walked.ts";

interface Place {
  readonly root: string;
  readonly index: StateIndex;
  readonly rules: ScopeRules;
}

/**
 * A walk brought up to date by reading the folders that have changed. A file that has gone is found where the known files
 * are looked at. Undefined where more has changed than files: a folder that is new, a link, something that cannot be read.
 */
export function readAgain({ walked, changed }: LastWalk, { root, index, rules }: Place): Walked | undefined {
  const scope = compileScope(rules);
  const folders = new Set(walked.folders.map(([prefix]) => prefix));
  const read = new Set(changed);
  const added = walked.added.filter((path) => !read.has(prefixOf(path)));
  const unseen = new Set(walked.unseen);
  const there = new Set<string>();
  for (const prefix of changed) {
    const files = filesIn({ root, prefix }, scope, folders);
    if (files === undefined) return undefined;
    for (const path of files) {
      there.add(path);
      const row = index.find(path);
      if (row >= 0) unseen.delete(row);
      if (row < 0 || !index.hasBase(row)) added.push(path);
    }
  }
  return {
    ...walked,
    added,
    gone: walked.gone.filter((path) => !there.has(path)),
    unseen: [...unseen],
    agreed: walked.agreed && unseen.size === walked.unseen.length,
  };
}

function prefixOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** The files in scope directly in a folder; undefined as {@link readAgain}. */
function filesIn(
  { root, prefix }: { readonly root: string; readonly prefix: string },
  scope: Scope,
  folders: ReadonlySet<string>,
): readonly RelPath[] | undefined {
  const files: RelPath[] = [];
  try {
    for (const entry of readdirSync(`${root}/${prefix}`, { withFileTypes: true })) {
      const path = prefix + entry.name;
      // Bytes that are no UTF-8: the walk has a word for it.
      if (path.includes("\ufffd")) return undefined;
      if (entry.isFile()) {
        if (scope.includes(path)) files.push(path as RelPath);
      } else if (entry.isDirectory()) {
        if (scope.descends(path) && !folders.has(`${path}/`)) return undefined;
      } else if (scope.includes(path) || scope.descends(path)) return undefined;
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return undefined;
  }
  return files;
}
