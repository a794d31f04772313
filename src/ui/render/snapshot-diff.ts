import type { CountedChange, CountedComparison, SnapshotFileDiff } from "../../project/model.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";
import { patchLines, patchOf } from "./diff.ts";

/** What `snapshot-diff` shows: one row a file, unchanged ones only with `all`, and the sum. */
export function snapshotDiffLines(
  { from, to, changes, unmatched }: CountedComparison,
  style: Style,
  { all }: { readonly all: boolean },
): readonly string[] {
  const shown = changes.filter(({ kind }) => all || kind !== "unchanged");
  const paints = { added: style.green, removed: style.red, modified: style.yellow, unchanged: style.dim };
  const count = (kind: CountedChange["kind"]): number => changes.filter((change) => change.kind === kind).length;
  const table = tableLines({
    columns: [{ header: "Change" }, { header: "Lines", align: "right" }, { header: "Path", folds: true }],
    rows: shown.map((change) => [
      { text: change.kind, paint: paints[change.kind] },
      linesText(change),
      printable(change.path),
    ]),
    width: style.width,
    paintHeader: style.bold,
  });
  return [
    `From ${style.bold(from)} to ${style.bold(to)}`,
    ...(shown.length === 0 ? [] : table),
    ...unmatched.map((pattern) => style.yellow(`Nothing in either snapshot matches ${printable(pattern)}`)),
    `${count("added")} added, ${count("removed")} removed, ${count("modified")} modified, ${count("unchanged")} unchanged.`,
  ];
}

function linesText({ kind, lines }: CountedChange): string {
  if (kind !== "modified") return "";
  return lines === null ? "binary" : `+${lines.added} -${lines.removed}`;
}

/** What `snapshot-diff --unified` shows of one file. */
export function snapshotFileLines(diff: SnapshotFileDiff, style: Style, width: number | undefined): readonly string[] {
  const { before, after, from, to } = diff;
  const path = printable(diff.path);
  if (before === null || after === null) return [`${path} is no text, or too large to show.`];
  if (before === after) return [`${path} is the same in both.`];
  const patch = patchOf([`${from}/${path}`, `${to}/${path}`], [before ?? "", after ?? ""], CONTEXT);
  return patchLines(patch, style, width);
}

const CONTEXT = 3;
