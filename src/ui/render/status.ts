import type { Presence, StatusResult } from "../../project/model.ts";
import type { Status } from "../../sync/model.ts";
import { agoText, bytesText } from "../format.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";
import { wrapParts } from "../width.ts";
import { heldLines } from "./held.ts";

/** The words for a status (decision 1). */
export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  conflict: "conflict",
  local_ahead: "local ahead",
  remote_ahead: "remote ahead",
  new_local: "new local",
  new_remote: "new on remote",
  deleted_local: "deleted local",
  deleted_remote: "deleted on remote",
  held: "held",
  in_sync: "in sync",
};

/** The table of what is not in sync, the reasons of what is held, and the summary. */
export function statusLines(result: StatusResult, style: Style): readonly string[] {
  const lines: string[] = [];
  if (result.differing.length > 0) {
    lines.push(
      ...tableLines({
        columns: [{ header: "File", folds: true }, { header: "Status" }, { header: "Action" }],
        rows: result.differing.map(({ path, status }) => [
          printable(path),
          { text: STATUS_WORDS[status], paint: statusPaint(status, style) },
          ACTIONS[status],
        ]),
        paintHeader: style.bold,
        width: style.width,
      }),
    );
  }
  lines.push(...heldLines(result.held, style));
  lines.push(...summaryLines(result.counts, style));
  const sizes = sizesLine(result);
  return sizes === undefined ? lines : [...lines, style.dim(sizes)];
}

/** Who else was active lately; `nowMs` is milliseconds since 1970. */
export function presenceLines(presence: readonly Presence[], nowMs: number, style: Style): readonly string[] {
  if (presence.length === 0) return [style.dim("  Nobody else was active in the last 24 hours.")];
  return [
    style.bold("  Active in the last 24 hours:"),
    ...presence.map(({ user, machine, last_action, last_timestamp, recent_files }) => {
      const who = style.cyan(printable(`${user}@${machine}`));
      const when = agoText(nowMs - Date.parse(last_timestamp));
      return `    ${who}  ${printable(last_action)} ${when}  ${style.dim(printable(recent_files.join(", ")))}`;
    }),
  ];
}

/** The summary alone, for `--short`. */
export function shortStatusLine({ counts }: StatusResult, style: Style): string {
  return summaryLine(counts, style);
}

/** `  1 conflict  ·  2 local ahead  ·  5 in sync`, or `All 5 file(s) in sync.` */
export function summaryLine(counts: Readonly<Record<Status, number>>, style: Style): string {
  return summaryLines(counts, { ...style, width: undefined }).join("");
}

/** The same, on as many lines as the terminal is too narrow for. */
function summaryLines(counts: Readonly<Record<Status, number>>, style: Style): readonly string[] {
  const shown = (Object.keys(STATUS_WORDS) as Status[]).filter((status) => counts[status] > 0);
  if (shown.every((status) => status === "in_sync")) return [style.green(`All ${counts.in_sync} file(s) in sync.`)];
  const parts = shown.map((status) => statusPaint(status, style)(`${counts[status]} ${STATUS_WORDS[status]}`));
  const width = (style.width ?? Number.POSITIVE_INFINITY) - 2;
  return wrapParts(parts, { between: "  ·  ", width }).map((line) => `  ${line}`);
}

const ACTIONS: Readonly<Record<Status, string>> = {
  conflict: "sync",
  local_ahead: "push",
  remote_ahead: "pull",
  new_local: "push",
  new_remote: "pull",
  deleted_local: "push",
  deleted_remote: "pull",
  held: "see below",
  in_sync: "",
};

function statusPaint(status: Status, style: Style): (text: string) => string {
  switch (status) {
    case "conflict":
      return style.red;
    case "local_ahead":
    case "new_local":
      return style.cyan;
    case "remote_ahead":
    case "new_remote":
      return style.blue;
    case "deleted_local":
    case "deleted_remote":
      return style.magenta;
    case "held":
      return style.yellow;
    case "in_sync":
      return style.green;
  }
}

function sizesLine({ uploadBytes, downloadBytes }: StatusResult): string | undefined {
  const parts: string[] = [];
  if (uploadBytes > 0) parts.push(`${bytesText(uploadBytes)} to push`);
  if (downloadBytes > 0) parts.push(`${bytesText(downloadBytes)} to pull`);
  return parts.length === 0 ? undefined : `  ${parts.join("  ·  ")}`;
}
