import { wrapWords } from "../ui/width.ts";
import type { Command } from "./command.ts";
import { EVERYWHERE, optionRows, PURPOSE, usageLine } from "./help.ts";
import { COMMANDS } from "./table.ts";
import { codePieces, TOPICS, type Topic, type TopicPart } from "./topic.ts";

/** The manual page of section 1, in the language of man(7), for this version. */
export async function manPage(version: string): Promise<string> {
  const [commands, topics] = await Promise.all([shownCommands(), allTopics()]);
  const lines = [
    `.TH CLAUDE\\-MIRROR 1 "" "claude\\-mirror ${plain(version)}" "User Commands"`,
    ".SH NAME",
    `claude\\-mirror \\- ${plain(PURPOSE.replace(/^claude-mirror |,.*$/g, ""))}`,
    ".SH SYNOPSIS",
    ".B claude\\-mirror",
    ".I COMMAND",
    "[OPTIONS] [ARGUMENTS]",
    ".SH OPTIONS",
    ...rows(EVERYWHERE),
    ".SH COMMANDS",
    ...commands.flatMap(commandPart),
    ...topics.flatMap(topicPart),
  ];
  return `${lines.join("\n")}\n`;
}

/** Every command that help lists, in its order. */
export function shownCommands(): Promise<readonly Command[]> {
  const shown = Object.values(COMMANDS).filter(({ hidden }) => !hidden);
  return Promise.all(shown.map(({ load }) => load()));
}

export function allTopics(): Promise<readonly Topic[]> {
  return Promise.all(Object.values(TOPICS).map(({ load }) => load()));
}

function commandPart(command: Command): string[] {
  const lines = [`.SS "${plain(usageLine(command))}"`, text(`${command.summary}.`)];
  for (const paragraph of command.about ?? []) lines.push(".PP", text(paragraph));
  const places = (command.positionals ?? []).map(({ name, help }) => [name, help] as const);
  lines.push(...rows(places), ...rows(optionRows(command)));
  if (command.examples?.length) {
    const examples = command.examples.map((example) => guarded(plain(example)));
    lines.push(".PP", "Examples:", ".PP", ".RS", ".nf", ...examples, ".fi", ".RE");
  }
  return lines;
}

function topicPart({ title, parts }: Topic): string[] {
  return [`.SH ${plain(title).toUpperCase()}`, ...parts.flatMap((part, at) => partLines(part, at))];
}

function partLines(part: TopicPart, at: number): string[] {
  switch (part.kind) {
    case "heading":
      return [`.SS "${plain(part.text)}"`];
    case "text":
      return [...(at === 0 ? [] : [".PP"]), text(part.text)];
    case "rows":
      return rows(part.rows);
  }
}

function rows(all: readonly (readonly [string, string])[]): string[] {
  return all.flatMap(([name, said]) => [
    ".TP",
    name.includes("`") ? text(name) : `.B ${plain(name.trim())}`,
    text(said),
  ]);
}

/** Running text in lines, code in bold. */
function text(said: string): string {
  const open = { bold: false };
  return wrapWords(said, LINE)
    .map((line) =>
      guarded(
        codePieces(line)
          .map((piece, at) => font(open, at > 0) + plain(piece))
          .join(""),
      ),
    )
    .join("\n");
}

const LINE = 60;

/** What switches between running text and code, which may go over several lines. */
function font(open: { bold: boolean }, switches: boolean): string {
  if (!switches) return "";
  open.bold = !open.bold;
  return open.bold ? "\\fB" : "\\fR";
}

/** A line that begins like a request is none. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Letters that groff_char(7) says mean something else, or that a terminal without Unicode could not show. */
function plain(raw: string): string {
  return raw.replace(/[\\"'`^~-]|[^\x20-\x7e]/gu, (letter) => {
    const known = LETTERS[letter];
    return known ?? `\\[u${letter.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
}

const LETTERS: Readonly<Record<string, string>> = {
  "\\": "\\(rs",
  '"': "\\(dq",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  "-": "\\-",
};
