import type { EventAction, LogEvent, NoticedEvent } from "../../activity/model.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";
import { inboxLines } from "./inbox.ts";

/** The table of `log`, in the order given. */
export function logLines(events: readonly LogEvent[], style: Style): readonly string[] {
  if (events.length === 0) return ["No activity yet."];
  return tableLines({
    columns: [
      { header: "Time (UTC)" },
      { header: "Who", folds: true },
      { header: "Action" },
      { header: "Project", folds: true },
      { header: "Files", folds: true },
    ],
    rows: events.map((event) => [
      event.timestamp.slice(0, 19).replace("T", " "),
      printable(`${event.user}@${event.machine}`),
      { text: event.action, paint: actionPaint(event.action, style) },
      printable(event.project),
      printable(filesText(event.files)),
    ]),
    paintHeader: style.bold,
    width: style.width,
  });
}

/** One entry on a line of its own, as an inbox shows it. */
export function entryLine(event: NoticedEvent & { readonly timestamp: string }): string {
  return inboxLines([{ timestamp: event.timestamp, title: "", message: "", event }]).join("");
}

/** The first three names, and how many more. */
function filesText(files: readonly string[]): string {
  const rest = files.length - 3;
  return files.slice(0, 3).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function actionPaint(action: EventAction, style: Style): (text: string) => string {
  switch (action) {
    case "push":
      return style.cyan;
    case "sync":
    case "pull":
      return style.blue;
    case "delete":
      return style.red;
  }
}
