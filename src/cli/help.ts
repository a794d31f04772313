import type { Style } from "../ui/terminal.ts";
import { padWidth } from "../ui/width.ts";
import type { Command, Option, Positional } from "./command.ts";
import type { CommandEntry } from "./table.ts";

/** The list of commands, what `claude-mirror` alone prints. */
export function overview(commands: Readonly<Record<string, CommandEntry>>, style: Style): readonly string[] {
  const shown = Object.entries(commands).filter(([, entry]) => !entry.hidden);
  return [
    "claude-mirror keeps a project's files the same on every machine, and never loses a byte of them.",
    "",
    style.bold("Usage:"),
    "  claude-mirror COMMAND [OPTIONS] [ARGUMENTS]",
    "",
    style.bold("Commands:"),
    ...columns(shown.map(([name, entry]) => [name, entry.summary])),
    "",
    style.bold("Everywhere:"),
    ...columns([
      ["-h, --help", "Show a command's options."],
      ["--json", "Print the result as JSON."],
      ["--version", "Show the version."],
    ]),
    "",
    "claude-mirror help COMMAND shows a command's options and examples.",
  ];
}

/** What `help COMMAND` and `COMMAND --help` print. */
export function commandHelp(command: Command, style: Style): readonly string[] {
  const lines = [style.bold("Usage:"), `  ${usageLine(command)}`, "", `${command.summary}.`];
  for (const paragraph of command.about ?? []) lines.push("", paragraph);
  const positionals = command.positionals ?? [];
  if (positionals.length > 0) {
    lines.push("", style.bold("Arguments:"), ...columns(positionals.map((place) => [place.name, place.help])));
  }
  lines.push("", style.bold("Options:"), ...columns(optionRows(command)));
  if (command.examples && command.examples.length > 0) {
    lines.push("", style.bold("Examples:"), ...command.examples.map((example) => `  ${example}`));
  }
  return lines;
}

/** `claude-mirror push [OPTIONS] [FILES...]`. */
export function usageLine(command: Command): string {
  return ["claude-mirror", command.name, "[OPTIONS]", ...(command.positionals ?? []).map(placeText)].join(" ");
}

function placeText({ name, many, optional }: Positional): string {
  const text = many ? `${name}...` : name;
  return optional ? `[${text}]` : text;
}

function optionRows(command: Command): (readonly [string, string])[] {
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

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(36, Math.max(...rows.map(([left]) => left.length))) + 2;
  return rows.flatMap(([left, right]) =>
    left.length + 2 > width ? [`  ${left}`, `  ${" ".repeat(width)}${right}`] : [`  ${padWidth(left, width)}${right}`],
  );
}
