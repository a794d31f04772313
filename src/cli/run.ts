import { redact } from "../lib/redact.ts";
import type { Environment } from "../ui/terminal.ts";
import { openTerminal } from "../ui/terminal.ts";
import { openAsker } from "./ask.ts";
import type { Command, CommandResult } from "./command.ts";
import type { CliEnvironment, CommandContext } from "./context.ts";
import { describeFailure, EXIT, type ExitCode, type Failure } from "./exit.ts";
import { commandHelp, overview } from "./help.ts";
import { errorEnvelope, failureLines, resultEnvelope } from "./output.ts";
import { parseCommand } from "./parse.ts";
import { COMMANDS, type CommandEntry } from "./table.ts";
import { unknownCommand, unknownFlag } from "./unknown.ts";
import { versionLine } from "./version.ts";
import { commandAt } from "./words.ts";

/**
 * Runs one command line from its words to its exit code. Never throws: every failure has been told, on stderr, when
 * this resolves.
 */
export async function runCli(
  words: readonly string[],
  environment: CliEnvironment,
  commands: Readonly<Record<string, CommandEntry>> = COMMANDS,
): Promise<ExitCode> {
  const split = splitWords(words);
  const json = wantsJson(words);
  try {
    return await dispatch(split, environment, commands);
  } catch (error) {
    const failure = describeFailure(environment.signal.aborted ? environment.signal.reason : error);
    tell(failure, error, { environment, json, command: split.name ?? "claude-mirror" });
    return failure.code;
  }
}

interface Words {
  readonly name: string | undefined;
  /** What stood before the command's name. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** The first word that is no flag names the command. */
function splitWords(words: readonly string[]): Words {
  const at = commandAt(words);
  if (at < 0) return { name: undefined, before: words, after: [] };
  return { name: words[at], before: words.slice(0, at), after: words.slice(at + 1) };
}

async function dispatch(
  { name, before, after }: Words,
  environment: CliEnvironment,
  commands: Readonly<Record<string, CommandEntry>>,
): Promise<ExitCode> {
  const out = openTerminal(environment.stdout, environment.env);
  const stray = before.find((word, at) => !LEADING.includes(word) && !isProfile(before, at));
  if (stray !== undefined) throw unknownFlag(stray);
  if (before.includes("--version") || before.includes("-V")) {
    const { version } = environment;
    out.write(before.includes("--json") ? resultEnvelope("version", version) : `${versionLine(version)}\n`);
    return EXIT.ok;
  }
  if (name === undefined) {
    for (const line of overview(commands, out.style)) out.line(line);
    return EXIT.ok;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) throw unknownCommand(name, commands);
  return runCommand(await entry.load(), [...before, ...after], environment);
}

/** `--profile NAME` may stand before the command, as in the Python tool. */
function isProfile(words: readonly string[], at: number): boolean {
  return [words[at], words[at - 1]].includes("--profile") || words[at]?.startsWith("--profile=") === true;
}

const LEADING: readonly string[] = ["--json", "--help", "-h", "--version", "-V"];

async function runCommand(command: Command, words: readonly string[], environment: CliEnvironment): Promise<ExitCode> {
  const { args, json, help } = parseCommand(command, words);
  const { profile } = args.options as Readonly<Record<string, unknown>>;
  const context = makeContext(command.name, environment, {
    json,
    profile: typeof profile === "string" ? profile : undefined,
  });
  if (help) {
    for (const line of commandHelp(command, context.out.style)) context.out.line(line);
    return EXIT.ok;
  }
  environment.signal.throwIfAborted();
  const answer = await command.run(context, args);
  finish(command.name, context, answer);
  if (mayTell(context)) (await import("./update-notice.ts")).tellOfUpdate(context);
  return answer.exit ?? EXIT.ok;
}

/** Commands whose output a program reads, or which are about versions themselves. */
const TELL_NOTHING = ["completion", "__complete", "__check-update", "inbox", "prompt", "find-config"];
const VERSIONS = ["update", "check-update", "version"];

/** A newer version is told to a person at a terminal only. */
function mayTell({ command, json, out, err, signal }: CommandContext): boolean {
  const isPerson = !json && out.isTTY && err.isTTY && !signal.aborted;
  return isPerson && !TELL_NOTHING.includes(command) && !VERSIONS.includes(command);
}

function finish(name: string, context: CommandContext, answer: CommandResult): void {
  if (answer.streamed === true && answer.result === undefined) return;
  if (context.json) context.out.write(resultEnvelope(name, answer.result, { oneLine: answer.streamed === true }));
  else if (answer.lines?.length) context.out.write(answer.lines.map((line) => `${line}\n`).join(""));
}

/** What a command is given; public so that a test can run a command without the shell around it. */
export function makeContext(
  command: string,
  environment: CliEnvironment,
  { json, profile }: { readonly json: boolean; readonly profile?: string | undefined },
): CommandContext {
  const out = openTerminal(environment.stdout, environment.env);
  const err = openTerminal(environment.stderr, environment.env);
  return {
    ...environment,
    command,
    json,
    profile,
    debug: wantsDebug(environment.env),
    out,
    err,
    ask: openAsker({ input: environment.stdin, err, json, signal: environment.signal }),
    print: (line = "") => {
      if (!json) out.line(line);
    },
    note: (line) => err.line(line),
  };
}

interface Telling {
  readonly environment: CliEnvironment;
  readonly json: boolean;
  readonly command: string;
}

function tell(failure: Failure, error: unknown, { environment, json, command }: Telling): void {
  if (failure.quiet) return;
  const err = openTerminal(environment.stderr, environment.env);
  if (json) err.write(errorEnvelope(command, failure));
  else failureLines(failure).forEach((line, at) => void err.line(at === 0 ? err.style.red(line) : line));
  if (wantsDebug(environment.env) && !json && error instanceof Error)
    err.line(err.style.dim(redact(error.stack ?? "")));
}

/** For what no command was there to catch: the text to show and the exit code. */
export function tellUncaught(
  error: unknown,
  words: readonly string[],
  env: Environment,
): { readonly text: string; readonly code: ExitCode } {
  const failure = describeFailure(error);
  const name = splitWords(words).name ?? "claude-mirror";
  if (wantsJson(words)) return { text: errorEnvelope(name, failure).trimEnd(), code: failure.code };
  const stack = wantsDebug(env) && error instanceof Error ? [redact(error.stack ?? "")] : [];
  return { text: [...failureLines(failure), ...stack].join("\n"), code: failure.code };
}

function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end < 0 ? words.length : end).includes("--json");
}

function wantsDebug(env: Environment): boolean {
  const value = env["CLAUDE_MIRROR_DEBUG"];
  return value !== undefined && value !== "" && value !== "0";
}
