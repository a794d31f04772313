import type { Style } from "../ui/terminal.ts";
import { displayWidth, padWidth, wrapWords } from "../ui/width.ts";
import type { Command, Option, Positional } from "./command.ts";
import type { CommandEntry } from "./table.ts";
import { codePieces, TOPICS, type Topic, type TopicPart } from "./topic.ts";

/** What the program is, in one sentence. */
export const PURPOSE =
  "claude-mirror keeps a project's files the same on every machine, and never loses a byte of them.";

/** The list of commands, what `claude-mirror` alone prints. */
export function overview(commands: Readonly<Record<string, CommandEntry>>, style: Style): readonly string[] {
  const shown = Object.entries(commands).filter(([, entry]) => !entry.hidden);
  return [
    ...paragraph(PURPOSE, style),
    "",
    style.bold("Usage:"),
    "  claude-mirror COMMAND [OPTIONS] [ARGUMENTS]",
    "",
    style.bold("Commands:"),
    ...columns(
      shown.map(([name, entry]) => [name, entry.summary]),
      style,
    ),
    "",
    style.bold("Topics:"),
    ...columns(
      Object.entries(TOPICS).map(([name, topic]) => [name, topic.summary]),
      style,
    ),
    "",
    style.bold("Everywhere:"),
    ...columns(EVERYWHERE, style),
    "",
    ...paragraph("claude-mirror help COMMAND shows a command's options and examples, help TOPIC a topic.", style),
  ];
}

/** What `help COMMAND` and `COMMAND --help` print. */
export function commandHelp(command: Command, style: Style): readonly string[] {
  const lines = [style.bold("Usage:"), `  ${usageLine(command)}`, "", ...paragraph(`${command.summary}.`, style)];
  for (const text of command.about ?? []) lines.push("", ...paragraph(text, style));
  const positionals = command.positionals ?? [];
  if (positionals.length > 0) {
    const rows = positionals.map((place) => [place.name, place.help] as const);
    lines.push("", style.bold("Arguments:"), ...columns(rows, style));
  }
  lines.push("", style.bold("Options:"), ...columns(optionRows(command), style));
  if (command.examples && command.examples.length > 0) {
    lines.push("", style.bold("Examples:"), ...command.examples.map((example) => `  ${example}`));
  }
  return lines;
}

/** What `help TOPIC` prints. */
export function topicHelp(topic: Topic, style: Style): readonly string[] {
  return [style.bold(topic.title), ...topic.parts.flatMap((part) => ["", ...partLines(part, style)])];
}

function partLines(part: TopicPart, style: Style): readonly string[] {
  switch (part.kind) {
    case "heading":
      return [style.bold(`${part.text}:`)];
    case "text":
      return paragraph(part.text, style);
    case "rows":
      return columns(part.rows, style);
  }
}

/** What every command line can hold, with what it means. */
export const EVERYWHERE = [
  ["-h, --help", "Show a command's options."],
  ["--json", "Print the result as JSON."],
  ["--version", "Show the version."],
] as const;

/** `claude-mirror push [OPTIONS] [FILES...]`. */
export function usageLine(command: Command): string {
  return ["claude-mirror", command.name, "[OPTIONS]", ...(command.positionals ?? []).map(placeText)].join(" ");
}

function placeText({ name, many, optional }: Positional): string {
  const text = many ? `${name}...` : name;
  return optional ? `[${text}]` : text;
}

/** Every option that is shown, as it is typed, and what it does. */
export function optionRows(command: Command): readonly (readonly [string, string])[] {
  const rows = Object.entries(command.options)
    .filter(([, option]) => !option.hidden)
    .map(([name, option]) => [optionText(name, option), option.help + limits(option)] as const);
  if (command.json !== false) rows.push(["    --json", "Print the result as JSON."]);
  return [...rows, ["-h, --help", "Show this."]];
}

function optionText(name: string, option: Option): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  if (option.kind === "flag") return `${short}--${name}${option.negatable ? `, --no-${name}` : ""}`;
  return `${short}--${name} ${option.value}`;
}

function limits(option: Option): string {
  if (option.kind === "list") return " Can be repeated.";
  return option.kind === "text" && option.choices ? ` One of ${option.choices.join(", ")}.` : "";
}

const MOST_LEFT = 28;
const MOST_WIDTH = 100;

/** Names on the left, what is said of them on the right, or below where most names are long. */
function columns(rows: readonly (readonly [string, string])[], style: Style): string[] {
  const bare = rows.map(([left]) => displayWidth(left.replaceAll("`", "")));
  const isLong = bare.filter((cells) => cells > MOST_LEFT).length * 3 > rows.length;
  const indent = isLong ? 4 : Math.min(MOST_LEFT, Math.max(...bare)) + 2;
  return rows.flatMap(([left, right], at) => {
    const [name = ""] = painted([left], style);
    const lines = painted(wrapWords(solid(right), widthOf(style) - indent - 2), style);
    const below = lines.map((line) => `  ${" ".repeat(indent)}${line}`);
    if (isLong || (bare[at] ?? 0) + 2 > indent) return [`  ${name}`, ...below];
    return [`  ${padWidth(name, indent)}${lines[0] ?? ""}`, ...below.slice(1)];
  });
}

function paragraph(text: string, style: Style): readonly string[] {
  return painted(wrapWords(solid(text), widthOf(style)), style);
}

function widthOf({ width }: Style): number {
  return Math.max(40, Math.min(MOST_WIDTH, width ?? 80));
}

const SOLID_SPACE = "\u00a0";

/** Code is not broken over two lines. */
function solid(text: string): string {
  const pieces = codePieces(text).map((piece, at) => (at % 2 === 1 ? piece.replaceAll(" ", SOLID_SPACE) : piece));
  return pieces.join("`");
}

function painted(lines: readonly string[], style: Style): readonly string[] {
  return lines.map((line) =>
    codePieces(line)
      .map((piece, at) => (at % 2 === 1 ? style.bold(piece.replaceAll(SOLID_SPACE, " ")) : piece))
      .join(""),
  );
}
