import type { StatsResult } from "../../project/model.ts";
import { bytesText, countText, groupDigits } from "../format.ts";
import { type Column, tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

export interface StatsOptions {
  /** Rows that each table shows. */
  readonly top: number;
  /** Who was asked for nothing is told nothing of the log. */
  readonly offline: boolean;
}

/** Files, snapshots and contents in a few lines, then growth, the files that change most, and who was active. */
export function statsLines(stats: StatsResult, { top, offline }: StatsOptions, style: Style): readonly string[] {
  const { snapshots } = stats;
  const name = (text: string) => style.bold(text.padEnd(11));
  return [
    `${name("Files")}${countText(stats.files, "file")}, ${sizeText(stats.bytes)}`,
    `${name("Snapshots")}${snapshotsText(snapshots)}`,
    ...(snapshots.contents === 0 ? [] : [`${name("Contents")}${contentsText(snapshots)}`]),
    ...(snapshots.stored === null ? [] : [`${name("Stored")}${storedText(snapshots.stored)}`]),
    ...growthLines(snapshots.growth, top, style),
    ...versionLines(snapshots.versions, top, style),
    ...(offline ? [] : activityLines(stats, top, style)),
  ];
}

type Snapshots = StatsResult["snapshots"];

function sizeText(bytes: number | null): string {
  return bytes === null ? "size not known" : bytesText(bytes);
}

function snapshotsText({ snapshots, unusable, full, first, last }: Snapshots): string {
  if (snapshots + unusable === 0) return "none yet";
  const formats = full === 0 ? "" : full === snapshots ? " (full)" : ` (${full} of them full)`;
  const span = first === null ? "" : first === last ? `, ${first}` : `, ${first} to ${last}`;
  return `${groupDigits(snapshots)}${formats}${span}${unusable === 0 ? "" : `, ${unusable} cannot be used`}`;
}

function contentsText({ contents, contentBytes, files, bytes, dedupRatio }: Snapshots): string {
  const ratio = dedupRatio === null ? "" : `, ${dedupRatio.toFixed(1)} times their size`;
  return `${groupDigits(contents)} of ${sizeText(contentBytes)} serve ${countText(files, "file")} of ${sizeText(bytes)}${ratio}`;
}

function storedText({ count, bytes }: NonNullable<Snapshots["stored"]>): string {
  return `${countText(count, "content")}, ${bytesText(bytes)} on the remote`;
}

function growthLines(growth: Snapshots["growth"], top: number, style: Style): readonly string[] {
  if (growth.length === 0) return [];
  const rows = growth
    .slice(-top)
    .map(({ period, snapshots, contents, bytes }) => [
      period,
      groupDigits(snapshots),
      groupDigits(contents),
      bytes === null ? "?" : bytesText(bytes),
    ]);
  return table([{ header: "Grown in" }, number("Snapshots"), number("New contents"), number("Size")], rows, style);
}

function versionLines(versions: Snapshots["versions"], top: number, style: Style): readonly string[] {
  if (versions.length === 0) return [];
  const rows = versions.slice(0, top).map(({ path, count }) => [printable(path), groupDigits(count)]);
  return table([{ header: "Changed most", folds: true }, number("Versions")], rows, style);
}

function activityLines({ rows, totals, by }: StatsResult, top: number, style: Style): readonly string[] {
  if (rows.length === 0) return ["", "No activity in that time."];
  const shown = rows
    .slice(0, top)
    .map(({ key, events, files }) => [printable(key), groupDigits(events), groupDigits(files)]);
  const sums = ["all", groupDigits(totals.events), groupDigits(totals.files)];
  const header = `${by.slice(0, 1).toUpperCase()}${by.slice(1)}`;
  return table([{ header, folds: true }, number("Runs"), number("Files")], [...shown, sums], style);
}

function number(header: string): Column {
  return { header, align: "right" };
}

function table(columns: readonly Column[], rows: readonly (readonly string[])[], style: Style): readonly string[] {
  return ["", ...tableLines({ columns, rows, width: style.width, paintHeader: style.bold })];
}
