import type { Clock } from "../lib/clock.ts";
import type { Environment, Sink, Terminal } from "../ui/terminal.ts";

/** Standard input as a command may use it. */
export interface Input {
  readonly isTTY: boolean;
  /** Everything up to the end of the stream, as text. */
  text(): Promise<string>;
  /** The stream itself, for prompts. */
  readonly stream: NodeJS.ReadableStream;
  /** Where prompts are drawn: stderr. */
  readonly echo: NodeJS.WritableStream;
}

/** The world outside, given once by `main.ts` or by a test. */
export interface CliEnvironment {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Input;
  readonly env: Environment;
  /** Absolute. */
  readonly cwd: string;
  readonly home: string;
  readonly clock: Clock;
  /** Fires on SIGINT and SIGTERM, its reason is `Interrupted`. */
  readonly signal: AbortSignal;
  /** From now on SIGHUP calls `listener` and ends nothing. */
  readonly takeHangUps: (listener: () => void) => void;
  readonly version: VersionInfo;
}

export interface VersionInfo {
  readonly version: string;
  /** Short commit id, `""` when run from source. */
  readonly commit: string;
}

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly hint?: string;
}

/** What to say when there is nobody to ask: the flags that answer the question. */
export interface Question {
  readonly message: string;
  /** As it is typed: `--yes`, `--strategy keep-local|keep-remote|keep-both|skip`. */
  readonly flag: string;
  /** When it fires the question is over, as after Ctrl-C. */
  readonly signal?: AbortSignal;
}

interface Checked {
  /** What is wrong with an answer; it is asked again until there is nothing. */
  readonly check?: (answer: string) => string | undefined;
}

/**
 * Questions to the person at the terminal, shown on stderr. Each throws UsageError naming the flag where there is no
 * terminal or with `--json`, and Interrupted when the person leaves with Ctrl-C or Escape.
 */
export interface Asker {
  /** False where every question would throw. */
  readonly possible: boolean;
  confirm(question: Question & { readonly initial?: boolean }): Promise<boolean>;
  /** True when exactly `word` was typed. */
  typed(question: Question & { readonly word: string }): Promise<boolean>;
  text(question: Question & Checked & { readonly initial?: string }): Promise<string>;
  password(question: Question & Checked): Promise<string>;
  select<T extends string>(
    question: Question & { readonly choices: readonly Choice<T>[]; readonly initial?: T },
  ): Promise<T>;
  /** One letter out of `keys` (lower case), typed with Enter. The message is printed as it is. */
  key<K extends string>(question: Question & { readonly keys: readonly K[] }): Promise<K>;
}

/** What every command gets. */
export interface CommandContext extends CliEnvironment {
  readonly command: string;
  readonly json: boolean;
  /** `--profile`, as typed. */
  readonly profile: string | undefined;
  readonly debug: boolean;
  readonly out: Terminal;
  readonly err: Terminal;
  readonly ask: Asker;
  /** A line of result on stdout; nothing with `--json`, where only the envelope goes there. */
  print(line?: string): void;
  /** A line for the person on stderr: hints, warnings, what goes on. */
  note(line: string): void;
}
