// Writes what is made of the commands and topics: `bun scripts/reference.ts`. A test compares it with what is committed.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "../src/cli/command.ts";
import { EVERYWHERE, optionRows, usageLine } from "../src/cli/help.ts";
import { allTopics, manPage, shownCommands } from "../src/cli/man-page.ts";
import { codePieces, type Topic, type TopicPart } from "../src/cli/topic.ts";
import { versionInfo } from "../src/cli/version.ts";

const ROOT = join(import.meta.dir, "..");
export const PAGES = { man: "docs/claude-mirror.1", commands: "docs/commands.md", readme: "README.md" } as const;

/** The pages as they should be, by name. What is not generated of README.md is taken from the file. */
export async function referencePages(): Promise<Readonly<Record<string, string>>> {
  const [commands, topics] = await Promise.all([shownCommands(), allTopics()]);
  return {
    [PAGES.man]: await manPage(versionInfo().version),
    [PAGES.commands]: commandsPage(commands, topics),
    [PAGES.readme]: readme(readFileSync(join(ROOT, PAGES.readme), "utf8"), commands, topics),
  };
}

function commandsPage(commands: readonly Command[], topics: readonly Topic[]): string {
  const lines = [
    "# Commands",
    "",
    "Made by `bun scripts/reference.ts` from what `claude-mirror help` shows. Every command also takes:",
    "",
    ...table(
      ["option", "what it does"],
      EVERYWHERE.map(([name, said]) => [code(name), said] as const),
    ),
    ...commands.flatMap(commandSection),
    ...topics.flatMap(topicSection),
  ];
  return `${lines.join("\n")}\n`;
}

function commandSection(command: Command): string[] {
  const lines = ["", `## ${command.name}`, "", code(usageLine(command)), "", prose(`${command.summary}.`)];
  for (const paragraph of command.about ?? []) lines.push("", prose(paragraph));
  const places = (command.positionals ?? []).map(({ name, help }) => [code(name), help] as const);
  const options = optionRows(command).map(([name, help]) => [code(name.trim()), help] as const);
  lines.push("", ...table(["argument or option", "what it does"], [...places, ...options]));
  if (command.examples?.length) lines.push("", "```", ...command.examples, "```");
  return lines;
}

function topicSection({ title, parts }: Topic): string[] {
  return ["", `## ${title}`, ...parts.flatMap((part) => ["", ...partLines(part)])];
}

function partLines(part: TopicPart): readonly string[] {
  switch (part.kind) {
    case "heading":
      return [`### ${prose(part.text)}`];
    case "text":
      return [prose(part.text)];
    case "rows":
      return table(part.heads, part.rows);
  }
}

/** The parts of README.md between `<!-- commands -->` or `<!-- exit-codes -->` and `<!-- end -->`. */
function readme(text: string, commands: readonly Command[], topics: readonly Topic[]): string {
  const links = commands.map(({ name, summary }) => [`[\`${name}\`](${PAGES.commands}#${name})`, summary] as const);
  const codes = topics.find(({ name }) => name === "exit-codes")?.parts.find(({ kind }) => kind === "rows");
  const parts: Readonly<Record<string, readonly string[]>> = {
    commands: table(["command", "what it does"], links),
    "exit-codes": codes ? partLines(codes) : [],
  };
  return text.replace(/(<!-- ([a-z-]+) -->\n)[\s\S]*?(<!-- end -->)/g, (whole, begin, name, end) =>
    parts[name] ? `${begin}\n${parts[name].join("\n")}\n\n${end}` : whole,
  );
}

function table(heads: readonly [string, string], rows: readonly (readonly [string, string])[]): readonly string[] {
  const cells = ([left, right]: readonly [string, string]) =>
    `| ${[left, right].map((cell) => prose(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [cells(heads), "|---|---|", ...rows.map(cells)];
}

const code = (text: string) => `\`${text}\``;

/** Letters that Markdown would read are taken as they are, but for code and links. */
function prose(text: string): string {
  return codePieces(text)
    .map((piece, at) => (at % 2 === 1 ? code(piece) : piece.replace(/[*<>\\]|\b_|_\b/g, "\\$&")))
    .join("");
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await referencePages())) writeFileSync(join(ROOT, name), text);
}
