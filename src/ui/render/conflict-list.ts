import type { ConflictEnvelope, ConflictView } from "../../project/model.ts";
import { countText } from "../format.ts";
import { type Column, tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

export type ViewFormat = "markers" | "diff" | "json";

/** The conflicts that are noted, by path. */
export function conflictListLines(conflicts: readonly ConflictEnvelope[], style: Style): readonly string[] {
  if (conflicts.length === 0) return ["No conflict is noted."];
  const rows = conflicts.map(({ path, created_at, base_text }) => [
    printable(path),
    printable(created_at.slice(0, 16).replace("T", " ")),
    base_text === null ? "unknown" : "known",
  ]);
  const columns: Column[] = [{ header: "File", folds: true }, { header: "Since (UTC)" }, { header: "Agreed version" }];
  return [
    ...tableLines({ columns, rows, paintHeader: style.bold, width: style.width }),
    `${countText(conflicts.length, "conflict")}. See one with claude-mirror conflict show PATH.`,
  ];
}

/** One conflict as data for another program, to the byte: the end of a file without a newline has none. */
export function conflictViewText({ envelope, merge }: ConflictView, format: ViewFormat): string {
  switch (format) {
    case "markers":
      return merge.text;
    case "diff":
      return envelope.unified_diff;
    case "json":
      return `${JSON.stringify(envelope, undefined, 2)}\n`;
  }
}

/** The same for a terminal, which takes no orders from a file. */
export function conflictViewLines(view: ConflictView, format: ViewFormat): readonly string[] {
  const text = conflictViewText(view, format).replace(/\r?\n$/, "");
  return text === "" ? [] : text.split(/\r?\n/).map((line) => printable(line.replaceAll("\t", "    ")));
}
