import type { ConflictQuestion } from "../../project/model.ts";
import { printable, type Style } from "../terminal.ts";
import { displayWidth, fitWidth } from "../width.ts";

const MOST_LINES = 40;

/** Both sides of a conflict in boxes, as the seed shows them, and what can be answered. */
export function conflictLines(question: ConflictQuestion, style: Style, columns: number): string[] {
  const width = Math.max(40, Math.min(columns, 100));
  return [
    "",
    style.bold(`Conflict in: ${question.path}`),
    "",
    ...box("LOCAL", sideLines(question.local, question.binary), { width, paint: style.cyan }),
    "",
    ...box("DRIVE", sideLines(question.remote, question.binary), { width, paint: style.magenta }),
    "",
    `${choices(question)}`,
  ];
}

/** The keys that make sense for this conflict, lower case. */
export function conflictKeys(question: ConflictQuestion): readonly ("l" | "d" | "b" | "e" | "s")[] {
  const bothThere = question.local !== undefined && question.remote !== undefined;
  if (!bothThere) return ["l", "d", "s"];
  return question.binary ? ["l", "d", "b", "s"] : ["l", "d", "b", "e", "s"];
}

const LABELS = {
  l: "[L] Keep local",
  d: "[D] Keep remote",
  b: "[B] Keep both",
  e: "[E] Open in editor",
  s: "[S] Skip",
} as const;

function choices(question: ConflictQuestion): string {
  return conflictKeys(question)
    .map((key) => LABELS[key])
    .join("  ");
}

function sideLines(content: Uint8Array | undefined, binary: boolean): string[] {
  if (content === undefined) return ["(deleted)"];
  if (binary) return [`(binary, ${content.length} bytes)`];
  const lines = new TextDecoder()
    .decode(content)
    .trimEnd()
    .split("\n")
    .map((line) => printable(line.replaceAll("\t", "    ")));
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES), `… ${lines.length - MOST_LINES} more line(s)`];
}

function box(
  title: string,
  lines: readonly string[],
  { width, paint }: { readonly width: number; readonly paint: (text: string) => string },
): string[] {
  const inner = width - 4;
  const head = `┌─ ${title} `;
  return [
    paint(`${head}${"─".repeat(width - displayWidth(head) - 1)}┐`),
    ...lines.map((line) => `${paint("│")} ${fitWidth(line, inner)} ${paint("│")}`),
    paint(`└${"─".repeat(width - 2)}┘`),
  ];
}
