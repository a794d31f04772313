import type { RemoteFile } from "../backends/types.ts";
import type { RelPath } from "../lib/path.ts";
import { comparePaths } from "../lib/path.ts";
import type { LocalView, ScanProblem } from "./scan.ts";
import type { StateIndex } from "./state-index.ts";

/** Where one path stands in each of the three sorted views; -1 where it is not. */
export interface Place {
  /** File of the scan. */
  readonly local: number;
  /** Row of the index. */
  readonly row: number;
  /** Place in the listing. */
  readonly remote: number;
}

export interface JoinedViews {
  readonly view: LocalView;
  readonly index: StateIndex;
  readonly remote: readonly RemoteFile[];
}

/** The path that stands at a place. */
export function pathOf({ view, index, remote }: JoinedViews, place: Place): RelPath {
  if (place.row >= 0) return index.pathAt(place.row);
  return place.local >= 0 ? view.pathAt(place.local) : (remote[place.remote] as RemoteFile).path;
}

/**
 * Walks three sorted lists side by side and visits every path once, in order. No path becomes a string of its own where
 * the scan has found the row and the listing has it too, or is through.
 */
export function joinViews({ view, index, remote }: JoinedViews, visit: (place: Place) => void): void {
  const { indexRow } = view;
  let [v, b, r] = [0, 0, 0];
  while (v < view.length || b < index.length || r < remote.length) {
    const isOne = v < view.length && indexRow[v] === b;
    if (isOne && (r === remote.length || index.isAt(b, (remote[r] as RemoteFile).path))) {
      visit({ local: v++, row: b++, remote: r === remote.length ? -1 : r++ });
      continue;
    }
    const known = b < index.length ? index.pathAt(b) : undefined;
    const here = isOne ? known : v < view.length ? view.pathAt(v) : undefined;
    const there = remote[r]?.path;
    let path = here;
    if (known !== path && known !== undefined && (path === undefined || known < path)) path = known;
    if (there !== path && there !== undefined && (path === undefined || there < path)) path = there;
    visit({ local: here === path ? v++ : -1, row: known === path ? b++ : -1, remote: there === path ? r++ : -1 });
  }
}

/** The files of a listing in our order; a listing that is in order already is not copied. */
export function sortedFiles(files: readonly RemoteFile[]): readonly RemoteFile[] {
  for (let i = 1; i < files.length; i++) {
    if (!((files[i - 1] as RemoteFile).path < (files[i] as RemoteFile).path)) {
      return [...files].sort((a, b) => comparePaths(a.path, b.path));
    }
  }
  return files;
}

/** Tells whether the scan could not look at a path, and why. */
export function problemFinder(problems: readonly ScanProblem[]): (path: RelPath) => ScanProblem | undefined {
  if (problems.length === 0) return () => undefined;
  const exact = new Map(problems.map((problem) => [problem.path as string, problem]));
  const everything = exact.get("");
  return (path) => {
    const found = everything ?? exact.get(path);
    if (found) return found;
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const above = exact.get(path.slice(0, slash));
      if (above) return above;
    }
    return undefined;
  };
}
