import { bytesText } from "../format.ts";
import { type Column, tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

interface TrashItem {
  readonly id: string;
  readonly path: string;
  readonly reason: string;
  readonly size: number;
  readonly deletedAtMs: number;
  readonly from?: string;
}

/** What lies in the trash, newest first. */
export function trashLines(items: readonly TrashItem[], style: Style): readonly string[] {
  if (items.length === 0) return ["The trash is empty."];
  const rows = items.map((item) => [
    item.id,
    printable(item.from ?? item.path),
    bytesText(item.size),
    new Date(item.deletedAtMs).toISOString().slice(0, 16).replace("T", " "),
    printable(item.reason),
  ]);
  const columns: Column[] = [
    { header: "Id" },
    { header: "File", folds: true },
    { header: "Size" },
    { header: "When (UTC)" },
    { header: "Why", folds: true },
  ];
  return [
    ...tableLines({ columns, rows, paintHeader: style.bold, width: style.width }),
    `${items.length} item(s). Bring one back with claude-mirror trash restore ID.`,
  ];
}
