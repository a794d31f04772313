import type { SnapshotInfo } from "../../snapshots/model.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

/** The table of `snapshots`, in the order given. */
export function snapshotsLines(snapshots: readonly SnapshotInfo[], style: Style): readonly string[] {
  if (snapshots.length === 0) return ["No snapshots yet: every push that changes something makes one."];
  // A column for what few snapshots have would take the others' room.
  const labels = snapshots.some(({ tag, message }) => tag !== null || message !== null);
  const labelOf = ({ tag, message }: SnapshotInfo): string[] =>
    labels ? [printable([tag, message].filter((text) => text !== null).join(": "))] : [];
  return tableLines({
    columns: [
      { header: "Snapshot" },
      { header: "Format" },
      { header: "Files", align: "right" },
      { header: "Changed", align: "right" },
      { header: "Action" },
      ...(labels ? [{ header: "Tag" }] : []),
      { header: "By", folds: true },
    ],
    rows: snapshots.map((info) => [
      { text: info.timestamp, paint: style.cyan },
      info.format,
      info.problem === undefined ? String(info.totalFiles) : "?",
      info.problem === undefined ? String(info.filesChanged.length) : "?",
      info.action,
      ...labelOf(info),
      info.problem === undefined ? printable(info.triggeredBy) : { text: printable(info.problem), paint: style.yellow },
    ]),
    width: style.width,
    paintHeader: style.bold,
  });
}
