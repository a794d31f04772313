import type { Inspection } from "../../snapshots/model.ts";
import { bytesText } from "../format.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

/** What `inspect` shows: a head and one row a file. */
export function inspectLines({ info, files }: Inspection, style: Style): readonly string[] {
  const head = [
    `Snapshot ${style.bold(info.timestamp)}`,
    `  format:   ${info.format}`,
    `  made by:  ${printable(info.triggeredBy)} (${info.action})`,
    `  files:    ${files.length}${files.length === info.totalFiles ? "" : ` of ${info.totalFiles} match`}`,
  ];
  if (info.problem !== undefined) head.push(style.yellow(`  problem:  ${printable(info.problem)}`));
  if (files.length === 0) return head;
  const hashed = info.format === "blobs";
  const last = hashed ? { header: "SHA-256 (12)" } : { header: "Size", align: "right" as const };
  const rows = files.map(({ path, sha256, size }) => [
    printable(path),
    hashed ? (sha256 ?? "").slice(0, 12) : size === null ? "?" : bytesText(size),
  ]);
  return [
    ...head,
    "",
    ...tableLines({
      columns: [{ header: "Path", folds: true }, last],
      rows,
      width: style.width,
      paintHeader: style.bold,
    }),
  ];
}
