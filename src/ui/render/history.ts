import type { History, HistoryVersion } from "../../snapshots/model.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

/** What `history` shows (seed, "Search the archive"): transitions bold green, repeated content dim. */
export function historyLines(history: History, style: Style): readonly string[] {
  if (history.versions.length === 0) return [`No snapshot holds ${printable(history.path)}.`];
  const versions = history.versions.map((version) => {
    const cell = (text: string) => ({ text, paint: versionPaint(version, style) });
    return [
      cell(version.timestamp),
      cell(version.version),
      cell(version.format),
      cell(version.sha256?.slice(0, 12) ?? "—"),
    ];
  });
  const columns = [{ header: "Snapshot" }, { header: "Version" }, { header: "Format" }, { header: "SHA-256 (12)" }];
  return [
    `History of ${style.bold(printable(history.path))}`,
    `  distinct versions:    ${history.distinctVersions}  (by SHA-256)`,
    `  total appearances:    ${history.totalAppearances}`,
    "",
    "    Snapshot timeline (newest first)",
    ...tableLines({ columns, rows: versions, width: style.width, paintHeader: style.bold }),
  ];
}

function versionPaint({ changed }: HistoryVersion, style: Style): (text: string) => string {
  return changed ? (text) => style.bold(style.green(text)) : style.dim;
}
