import { UsageError } from "../lib/errors.ts";
import { suggestion } from "./suggest.ts";
import type { CommandEntry } from "./table.ts";
import { TOPICS } from "./topic.ts";

/** Says that there is no such command and which one was probably meant. */
export function unknownCommand(name: string, commands: Readonly<Record<string, CommandEntry>>): UsageError {
  const names = Object.entries(commands)
    .filter(([, entry]) => !entry.hidden)
    .map(([known]) => known);
  const near = suggestion(name, [...names, ...Object.keys(TOPICS)]);
  const way = near !== undefined && Object.hasOwn(TOPICS, near) ? `help ${near}` : near;
  return new UsageError(`there is no command "${name}"`, {
    hint: way === undefined ? "See claude-mirror help." : `Did you mean claude-mirror ${way}?`,
  });
}

/** Says that this flag cannot stand before a command. */
export function unknownFlag(flag: string): UsageError {
  const near = suggestion(flag, ["--json", "--help", "--version"]);
  return new UsageError(`there is no option ${flag} before a command`, {
    hint: near === undefined ? "Options come after the command: see claude-mirror help." : `Did you mean ${near}?`,
  });
}
