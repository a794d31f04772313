import type { ConflictQuestion } from "../../project/model.ts";
import { printable, type Style } from "../terminal.ts";
import { displayWidth, fitWidth, wrapParts } from "../width.ts";
import { diffLines } from "./diff.ts";

const MOST_LINES = 40;
const MOST_DIFF_LINES = 60;
/** Lines of both; comparing longer texts keeps a person waiting. */
const MOST_COMPARED = 6000;

/** What the local text changes of the remote one; else both sides in boxes, as the seed shows them. And the answers. */
export function conflictLines(question: ConflictQuestion, style: Style, columns: number): string[] {
  const width = Math.max(40, Math.min(columns, 100));
  return [
    "",
    style.bold(`Conflict in: ${question.path}`),
    "",
    ...(changes(question, style, width) ?? bothSides(question, style, width)),
    "",
    ...mergeLine(question),
    ...choices(question, width),
    "Type a letter and Enter:",
  ];
}

function bothSides(question: ConflictQuestion, style: Style, width: number): string[] {
  return [
    ...box("LOCAL", sideLines(question.local, question.binary), { width, paint: style.cyan }),
    "",
    ...box("DRIVE", sideLines(question.remote, question.binary), { width, paint: style.magenta }),
  ];
}

/** Undefined for what is no text, is gone on one side, or is too different to compare at once. */
function changes({ path, local, remote, binary }: ConflictQuestion, style: Style, width: number): string[] | undefined {
  if (binary || local === undefined || remote === undefined) return undefined;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const diff = { kind: "text", path, local: text(local), remote: text(remote) } as const;
  if (diff.local.split("\n").length + diff.remote.split("\n").length > MOST_COMPARED) return undefined;
  return capped(diffLines(diff, style, { context: 3, width }), MOST_DIFF_LINES);
}

function mergeLine({ merge }: ConflictQuestion): string[] {
  if (merge === undefined) return [];
  const clean = "The two edits can be merged: no line was changed by both.";
  return [merge.kind === "clean" ? clean : "Both sides changed the same lines; the editor shows them."];
}

/** The keys that make sense for this conflict, lower case. */
export function conflictKeys(question: ConflictQuestion): readonly ("m" | "l" | "d" | "b" | "e" | "s")[] {
  const bothThere = question.local !== undefined && question.remote !== undefined;
  if (!bothThere) return ["l", "d", "s"];
  if (question.merge?.kind === "clean") return ["m", "l", "d", "b", "e", "s"];
  return question.binary ? ["l", "d", "b", "s"] : ["l", "d", "b", "e", "s"];
}

const LABELS = {
  m: "[M] Take the merge",
  l: "[L] Keep local",
  d: "[D] Keep remote",
  b: "[B] Keep both",
  e: "[E] Open in editor",
  s: "[S] Skip",
} as const;

function choices(question: ConflictQuestion, width: number): readonly string[] {
  return wrapParts(
    conflictKeys(question).map((key) => LABELS[key]),
    { between: "  ", width },
  );
}

function sideLines(content: Uint8Array | undefined, binary: boolean): string[] {
  if (content === undefined) return ["(deleted)"];
  if (binary) return [`(binary, ${content.length} bytes)`];
  const lines = new TextDecoder()
    .decode(content)
    .trimEnd()
    .split("\n")
    .map((line) => printable(line.replaceAll("\t", "    ")));
  return capped(lines, MOST_LINES);
}

function capped(lines: readonly string[], most: number): string[] {
  return lines.length <= most ? [...lines] : [...lines.slice(0, most), `… ${lines.length - most} more line(s)`];
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
