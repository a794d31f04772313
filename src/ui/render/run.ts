import type { ConflictItem, FailedItem, PlannedItem, RunResult } from "../../project/model.ts";
import type { ActionKind, ConflictKind } from "../../sync/model.ts";
import { bytesText } from "../format.ts";
import { printable, type Style } from "../terminal.ts";
import { wrapParts } from "../width.ts";
import { aboutPath, heldLines } from "./held.ts";

/** What push, pull, sync and delete say: a line a step, then what is left, then the summary. */
export function runLines(result: RunResult, style: Style): readonly string[] {
  const steps = result.dryRun ? result.planned : doneSteps(result);
  return [
    ...steps.map((step) => stepLine(step, style)),
    ...result.failed.flatMap((item) => failureLines(item, style)),
    ...summaryLines(result, style),
  ];
}

function doneSteps(result: RunResult): readonly PlannedItem[] {
  const steps = (action: ActionKind, paths: readonly string[]) => paths.map((path) => ({ action, path }));
  return [
    ...steps("upload", result.uploaded),
    ...steps("download", result.downloaded),
    ...steps("delete-remote", result.deletedRemote),
    ...steps("delete-local", result.deletedLocal),
  ];
}

/** `  ↑ path`, `  ↓ path`. */
function stepLine({ action, path }: PlannedItem, style: Style): string {
  return `  ${mark(action, style)} ${printable(path)}`;
}

/** `  ✗ path: why` and below it what would help. */
function failureLines({ path, error }: FailedItem, style: Style): readonly string[] {
  const line = style.red(`  ✗ ${aboutPath(path, error.message)}`);
  return error.hint === undefined ? [line] : [line, `    ${printable(error.hint)}`];
}

/** `  ! path: edited here and on the remote`. */
function conflictLine({ path, kind }: ConflictItem, style: Style): string {
  return style.red(`  ! ${printable(path)}: ${CONFLICT_WORDS[kind]}`);
}

function summaryLines(result: RunResult, style: Style): readonly string[] {
  const lines: string[] = [];
  for (const conflict of result.conflicts) lines.push(conflictLine(conflict, style));
  lines.push(...heldLines(result.held, style));
  for (const copy of result.copies) lines.push(`Kept both: the other version is ${printable(copy)}`);
  lines.push(...(result.dryRun ? [dryRunLine(result, style)] : doneLines(result, style)));
  if (result.snapshot) lines.push(`Snapshot ${style.bold(result.snapshot.timestamp)}`);
  if (result.output !== null) lines.push(`Copies are in ${printable(result.output)}; the project was not touched.`);
  if (result.failed.length > 0)
    lines.push(style.red(`${result.failed.length} file(s) failed and will be tried again next time.`));
  if (result.conflicts.length > 0) {
    lines.push(style.red(`${result.conflicts.length} conflict(s) left: run claude-mirror sync to resolve them.`));
  }
  if (result.interrupted)
    lines.push(style.yellow("Interrupted: run the same command again to go on where it stopped."));
  return lines;
}

const CONFLICT_WORDS: Readonly<Record<ConflictKind, string>> = {
  "edit/edit": "edited here and on the remote",
  "new/new": "new here and on the remote, with different content",
  "edit/delete": "edited here, deleted on the remote",
  "delete/edit": "deleted here, edited on the remote",
};

function mark(action: ActionKind, style: Style): string {
  switch (action) {
    case "upload":
      return style.cyan("↑");
    case "download":
      return style.blue("↓");
    case "delete-remote":
      return style.red("✗ remote");
    case "delete-local":
      return style.red("✗ local");
    case "adopt":
      return style.dim("=");
    case "forget":
      return style.dim("-");
    default:
      return style.yellow("+");
  }
}

function doneLines(result: RunResult, style: Style): readonly string[] {
  const parts: string[] = [];
  const say = (count: number, words: string) => {
    if (count > 0) parts.push(`${count} file(s) ${words}`);
  };
  say(result.uploaded.length, "pushed");
  say(result.downloaded.length, "pulled");
  say(result.deletedRemote.length, "deleted on remote");
  say(result.deletedLocal.length, "deleted here");
  say(result.adopted.length, "found equal on both sides");
  if (parts.length > 0) {
    const ends = parts.map((part, at) => `${part}${at < parts.length - 1 ? "," : doneEnd(result)}`);
    return wrapParts(ends, { between: " ", width: style.width ?? Number.POSITIVE_INFINITY }).map(style.green);
  }
  const troubled = result.conflicts.length + result.failed.length + result.held.length > 0 || result.interrupted;
  return [troubled ? "Nothing was transferred." : style.green(NOTHING[result.command])];
}

function doneEnd({ bytes }: RunResult): string {
  return bytes > 0 ? ` (${bytesText(bytes)}).` : ".";
}

const NOTHING: Readonly<Record<RunResult["command"], string>> = {
  push: "Nothing to push.",
  pull: "Nothing to pull.",
  sync: "Everything is in sync.",
  delete: "Nothing to delete.",
};

function dryRunLine({ planned }: RunResult, style: Style): string {
  const count = planned.length;
  return style.bold(
    count === 0 ? "Dry run: nothing would be done." : `Dry run: ${count} step(s) would be done, nothing was.`,
  );
}
