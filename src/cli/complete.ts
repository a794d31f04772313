import type { Command, Completes, Option, Positional } from "./command.ts";
import type { CommandEntry } from "./table.ts";
import { TOPICS } from "./topic.ts";
import { commandAt } from "./words.ts";

/** One line of the answer. */
export interface Candidate {
  readonly value: string;
  readonly help?: string;
}

/** What to offer: names, or the word that tells the shell to complete files or folders itself. */
export type Completion =
  | { readonly kind: "names"; readonly names: readonly Candidate[] }
  | { readonly kind: "file" }
  | { readonly kind: "folder" };

/** Names that only the machine knows. Each answers an empty list rather than fail. */
export interface CompletionSources {
  readonly configs: () => readonly string[];
  readonly profiles: () => readonly string[];
  readonly snapshots: () => Promise<readonly string[]>;
  readonly backends: readonly string[];
}

export interface CompletionRequest {
  /** What stands after the program's name; the last one is being typed and may be empty. */
  readonly words: readonly string[];
  readonly commands: Readonly<Record<string, CommandEntry>>;
  readonly sources: CompletionSources;
}

/** What can stand where the last word is. Never throws for words that make no sense: there is nothing to offer then. */
export async function complete(request: CompletionRequest): Promise<Completion> {
  const words = joinEquals(request.words);
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  if (before.at(-1) === "--profile" && commandAt(before) < 0)
    return startingWith(typed, named(request.sources.profiles()));
  const at = commandAt(before);
  const name = before[at];
  if (name === undefined) return startingWith(typed, typed.startsWith("-") ? LEADING : visible(request.commands));
  const entry = Object.hasOwn(request.commands, name) ? request.commands[name] : undefined;
  if (!entry) return NOTHING;
  return completeInside(await entry.load(), { before: before.slice(at + 1), typed }, request);
}

const NOTHING: Completion = { kind: "names", names: [] };
const LEADING: readonly Candidate[] = [
  { value: "--help" },
  { value: "--json" },
  { value: "--profile" },
  { value: "--version" },
];

interface Place {
  readonly before: readonly string[];
  readonly typed: string;
}

async function completeInside(command: Command, { before, typed }: Place, request: CompletionRequest) {
  const { pending, positionals, ended } = walk(command, before);
  if (pending) return values(pending, typed, request);
  const equals = typed.indexOf("=");
  if (!ended && typed.startsWith("--") && equals > 0) {
    const option = optionOf(command, typed.slice(0, equals));
    return option ? values(option, typed.slice(equals + 1), request) : NOTHING;
  }
  if (!ended && typed.startsWith("-")) return startingWith(typed, flags(command));
  const places = command.positionals ?? [];
  const place = places[positionals] ?? (places.at(-1)?.many ? places.at(-1) : undefined);
  return place ? values(place, typed, request) : NOTHING;
}

/** How far the words before have come: an option still waiting for its value, and how many positionals are there. */
function walk(command: Command, words: readonly string[]) {
  let pending: Option | undefined;
  let positionals = 0;
  let ended = false;
  for (const word of words) {
    if (pending) pending = undefined;
    else if (ended || !word.startsWith("-")) positionals++;
    else if (word === "--") ended = true;
    else if (!word.includes("=")) {
      const option = optionOf(command, word);
      pending = option && option.kind !== "flag" ? option : undefined;
    }
  }
  return { pending, positionals, ended };
}

function optionOf(command: Command, word: string): Option | undefined {
  const found = Object.entries(command.options).find(
    ([name, option]) => word === `--${name}` || word === `-${option.short}`,
  );
  return found?.[1];
}

async function values(place: Option | Positional, typed: string, request: CompletionRequest): Promise<Completion> {
  if ("choices" in place && place.choices) return startingWith(typed, named(place.choices));
  const completes: Completes = ("completes" in place ? place.completes : undefined) ?? "none";
  switch (completes) {
    case "file":
    case "folder":
      return { kind: completes };
    case "config": {
      const names = startingWith(typed, named(request.sources.configs()));
      return names.names.length > 0 ? names : { kind: "file" };
    }
    case "profile":
      return startingWith(typed, named(request.sources.profiles()));
    case "snapshot":
      return startingWith(typed, named(await request.sources.snapshots()));
    case "backend":
      return startingWith(typed, named(request.sources.backends));
    case "topic":
      return startingWith(typed, [...visible(request.commands), ...topics()]);
    case "none":
      return NOTHING;
  }
}

function flags(command: Command): readonly Candidate[] {
  const own = Object.entries(command.options)
    .filter(([, option]) => !option.hidden)
    .flatMap(([name, option]) => {
      const positive = { value: `--${name}`, help: option.help };
      return option.kind === "flag" && option.negatable ? [positive, { value: `--no-${name}` }] : [positive];
    });
  const json = command.json === false ? [] : [{ value: "--json", help: "Print the result as JSON." }];
  return [...own, ...json, { value: "--help", help: "Show this command's options." }];
}

function visible(commands: Readonly<Record<string, CommandEntry>>): readonly Candidate[] {
  return Object.entries(commands)
    .filter(([, entry]) => !entry.hidden)
    .map(([value, { summary }]) => ({ value, help: summary }));
}

function topics(): readonly Candidate[] {
  return Object.entries(TOPICS).map(([value, { summary }]) => ({ value, help: summary }));
}

function named(values: readonly string[]): readonly Candidate[] {
  return values.map((value) => ({ value }));
}

function startingWith(typed: string, names: readonly Candidate[]): Completion & { readonly kind: "names" } {
  return { kind: "names", names: names.filter(({ value }) => value.startsWith(typed)) };
}

/** bash splits `--x=value` into three words; together again, with the value as the word being typed. */
function joinEquals(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const [at, word] of words.entries()) {
    const last = at === words.length - 1;
    if (word !== "=" || at === 0) joined.push(word);
    else if (last) joined.push("");
  }
  return joined;
}
