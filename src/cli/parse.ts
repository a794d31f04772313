import { parseArgs } from "node:util";
import { UsageError } from "../lib/errors.ts";
import type { Arguments, Command, Option, Options } from "./command.ts";
import { suggestion } from "./suggest.ts";

/** What was typed after the command's name. `help` and `json` belong to every command. */
export interface Parsed {
  readonly args: Arguments;
  readonly json: boolean;
  readonly help: boolean;
}

/**
 * Reads the words after the command's name, on top of `node:util` parseArgs. Options and positionals mix, `--` ends
 * the options, `--x=value` and `-xvalue` work. Throws UsageError for what the command does not know or take.
 */
export function parseCommand(command: Command, words: readonly string[]): Parsed {
  const { tokens } = parseArgs({
    args: [...words],
    options: parseArgsOptions(command.options),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const values = new Map<string, unknown>();
  const positionals: string[] = [];
  let json = false;
  let help = false;
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    if (token.name === "help") help = true;
    else if (token.name === "json") json = true;
    else take(command, values, token);
  }
  if (json && command.json === false) {
    throw new UsageError(`${command.name} does not take --json: its output is not data`);
  }
  if (!help) checkPositionals(command, positionals);
  return { args: { options: withDefaults(command.options, values), positionals }, json, help };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function take(command: Command, values: Map<string, unknown>, token: OptionToken): void {
  const found = lookUp(command.options, token.name);
  if (!found) throw unknownOption(command, token.rawName);
  const { name, option, negated } = found;
  if (option.kind === "flag") {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value: got "${token.value}"`);
    values.set(name, !negated);
    return;
  }
  const value = textOf(option, token);
  if (option.kind === "number") values.set(name, numberOf(option, token.rawName, value));
  else if (option.kind === "text") values.set(name, value);
  else values.set(name, [...((values.get(name) as readonly string[] | undefined) ?? []), value]);
}

function lookUp(options: Options, typed: string) {
  const option = Object.hasOwn(options, typed) ? options[typed] : undefined;
  if (option) return { name: typed, option, negated: false };
  const name = typed.startsWith("no-") ? typed.slice(3) : "";
  const positive = Object.hasOwn(options, name) ? options[name] : undefined;
  return positive?.kind === "flag" && positive.negatable ? { name, option: positive, negated: true } : undefined;
}

/** A word that begins with a dash is never taken as a value by accident. */
function textOf(option: Exclude<Option, { readonly kind: "flag" }>, token: OptionToken): string {
  const { value, rawName } = token;
  const swallowed = !token.inlineValue && value !== undefined && value.length > 1 && value.startsWith("-");
  if (value === undefined || swallowed) {
    const hint = swallowed ? `For a value that begins with a dash write ${rawName}=${value}.` : undefined;
    throw new UsageError(`${rawName} needs a value: ${rawName} ${option.value}`, hint === undefined ? {} : { hint });
  }
  const choices = option.kind === "number" ? undefined : option.choices;
  if (choices && !choices.includes(value)) throw notAChoice(rawName, value, choices);
  return value;
}

function numberOf(option: Extract<Option, { readonly kind: "number" }>, rawName: string, text: string): number {
  const min = option.min ?? 0;
  const max = option.max ?? Number.MAX_SAFE_INTEGER;
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const range = option.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new UsageError(`${rawName} takes a whole number ${range}: got "${text}"`);
}

function checkPositionals(command: Command, words: readonly string[]): void {
  const places = command.positionals ?? [];
  const missing = places.find((place, at) => !place.optional && words[at] === undefined);
  if (missing) throw new UsageError(`${command.name} needs ${missing.name}: ${missing.help}`, seeHelp(command));
  const open = places.at(-1)?.many === true;
  const extra = words[places.length];
  if (!open && extra !== undefined) {
    throw new UsageError(`${command.name} takes no further argument: got "${extra}"`, seeHelp(command));
  }
  words.forEach((word, at) => {
    const choices = (places[at] ?? places.at(-1))?.choices;
    if (choices && !choices.includes(word)) throw notAChoice(places[at]?.name ?? command.name, word, choices);
  });
}

function withDefaults(options: Options, values: ReadonlyMap<string, unknown>): Arguments["options"] {
  const all: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options))
    all[name] = values.get(name) ?? (option.kind === "list" ? [] : undefined);
  return all as Arguments["options"];
}

function parseArgsOptions(options: Options): Record<string, { type: "boolean" | "string"; short?: string }> {
  const all: Record<string, { type: "boolean" | "string"; short?: string }> = {
    help: { type: "boolean", short: "h" },
    json: { type: "boolean" },
  };
  for (const [name, option] of Object.entries(options)) {
    const type = option.kind === "flag" ? "boolean" : "string";
    all[name] = option.short === undefined ? { type } : { type, short: option.short };
    if (option.kind === "flag" && option.negatable) all[`no-${name}`] = { type: "boolean" };
  }
  return all;
}

function unknownOption(command: Command, typed: string): UsageError {
  const names = ["--help", "--json"];
  for (const [name, option] of Object.entries(command.options)) {
    if (option.hidden) continue;
    names.push(`--${name}`);
    if (option.kind === "flag" && option.negatable) names.push(`--no-${name}`);
  }
  const near = suggestion(typed, names);
  const hint = near === undefined ? seeHelp(command) : { hint: `Did you mean ${near}?` };
  return new UsageError(`${command.name} has no option ${typed}`, hint);
}

function notAChoice(what: string, value: string, choices: readonly string[]): UsageError {
  const near = suggestion(value, choices);
  const hint = near === undefined ? {} : { hint: `Did you mean ${near}?` };
  return new UsageError(`${what} must be one of ${choices.join(", ")}: got "${value}"`, hint);
}

function seeHelp(command: Command): { readonly hint: string } {
  return { hint: `See claude-mirror help ${command.name}.` };
}
