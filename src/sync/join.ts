import type { RemoteFile } from "../backends/types.ts";
import type { RelPath } from "../lib/path.ts";
import { comparePaths } from "../lib/path.ts";
import type { LocalView, ScanProblem } from "./scan.ts";
import type { StateIndex } from "./state-index.ts";

/** Where one path stands in each of the three sorted views; -1 and undefined where it is not. */
export interface Place {
  readonly path: RelPath;
  readonly local: number;
  readonly row: number;
  readonly file: RemoteFile | undefined;
}

/** Walks three sorted lists side by side and visits every path once, in order. The place is reused between visits. */
export function joinViews(
  {
    view,
    index,
    remote,
  }: { readonly view: LocalView; readonly index: StateIndex; readonly remote: readonly RemoteFile[] },
  visit: (place: Place) => void,
): void {
  let v = 0;
  let b = 0;
  let r = 0;
  let known = b < index.length ? index.pathAt(b) : undefined;
  // One string for both, where the scan has found the row: equal ones are compared unit by unit.
  const pathHere = () => (v >= view.length ? undefined : view.indexRow[v] === b ? known : view.pathAt(v));
  let here = pathHere();
  let there = remote[r]?.path;
  for (;;) {
    let path = here;
    if (known !== path && known !== undefined && (path === undefined || known < path)) path = known;
    if (there !== path && there !== undefined && (path === undefined || there < path)) path = there;
    if (path === undefined) return;
    const isHere = here === path;
    const isKnown = known === path;
    const isThere = there === path;
    visit({ path, local: isHere ? v : -1, row: isKnown ? b : -1, file: isThere ? remote[r] : undefined });
    if (isKnown) known = ++b < index.length ? index.pathAt(b) : undefined;
    if (isHere) {
      v++;
      here = pathHere();
    }
    if (isThere) there = remote[++r]?.path;
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
