import type { CommandContext } from "./context.ts";
import type { ExitCode } from "./exit.ts";

/** What the shell's completion offers at this place. */
export type Completes = "file" | "folder" | "config" | "profile" | "snapshot" | "backend" | "topic" | "none";

interface OptionBase {
  readonly help: string;
  /** One letter. */
  readonly short?: string;
  /** Works, but neither help nor completion shows it. */
  readonly hidden?: boolean;
}

/** `--x`; with `negatable` also `--no-x`. */
export interface FlagOption extends OptionBase {
  readonly kind: "flag";
  readonly negatable?: boolean;
}

/** `--x VALUE`; given twice, the last one counts. */
export interface TextOption extends OptionBase {
  readonly kind: "text";
  /** What help calls the value: `PATH`. */
  readonly value: string;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  readonly completes?: Completes;
}

/** `--x VALUE`, as often as wanted. */
export interface ListOption extends Omit<TextOption, "kind"> {
  readonly kind: "list";
}

/** `--x N`, a whole number from `min` (0 when left out) to `max`. */
export interface NumberOption extends OptionBase {
  readonly kind: "number";
  readonly value: string;
  readonly min?: number;
  readonly max?: number;
}

export type Option = FlagOption | TextOption | ListOption | NumberOption;
export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O extends FlagOption
  ? boolean | undefined
  : O extends TextOption
    ? string | undefined
    : O extends ListOption
      ? readonly string[]
      : O extends NumberOption
        ? number | undefined
        : never;

/** Keyed by the option's long name: `options["dry-run"]`. A flag not given is undefined, a list not given is empty. */
export type OptionValues<O extends Options> = { readonly [K in keyof O]: ValueOf<O[K]> };

/** One word, or with `many` all that are left. */
export interface Positional {
  /** Upper case, as help shows it. */
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  readonly many?: boolean;
  readonly choices?: readonly string[];
  readonly completes?: Completes;
}

export interface Arguments<O extends Options = Options> {
  readonly options: OptionValues<O>;
  /** In order, the counts checked against the command's `positionals`. */
  readonly positionals: readonly string[];
}

/** What a command hands back. The shell prints it: `result` in the envelope with `--json`, `lines` otherwise. */
export interface CommandResult {
  readonly result: unknown;
  /** Printed on stdout without `--json`. Streaming commands use `ctx.print` on the way instead. */
  readonly lines?: readonly string[];
  /** True for the last of several answers that were given one by one; without a `result` it has been given already. */
  readonly streamed?: boolean;
  /** 0 when left out. */
  readonly exit?: ExitCode;
}

export interface Command<O extends Options = Options> {
  readonly name: string;
  /** One sentence without a full stop, for the list of commands. */
  readonly summary: string;
  /** Paragraphs below the usage in `help COMMAND`. */
  readonly about?: readonly string[];
  readonly positionals?: readonly Positional[];
  readonly options: O;
  /** Whole command lines. */
  readonly examples?: readonly string[];
  /** False for the few commands whose output is not data: they refuse `--json`. */
  readonly json?: false;
  run(ctx: CommandContext, args: Arguments<O>): Promise<CommandResult>;
}

/** Only here so that `run` knows the types of the options declared next to it. */
export function command<const O extends Options>(definition: Command<O>): Command<O> {
  return definition;
}

/** Options that many commands share, so that they read the same everywhere. */
export const CONFIG_OPTION = {
  kind: "text",
  value: "PATH",
  help: "Use this config file instead of the one that belongs to the current folder.",
  completes: "config",
} as const satisfies Option;

/** Which settings a command works with. `--profile` is read by the shell around the commands. */
export const CONFIG_OPTIONS = {
  config: CONFIG_OPTION,
  profile: {
    kind: "text",
    value: "NAME",
    help: "Use this profile instead of the one that the config names.",
    completes: "profile",
  },
} as const satisfies Options;

export const BACKEND_OPTION = {
  kind: "text",
  value: "NAME",
  help: "The backend to work on, by its type or its config's name; the primary when left out.",
  completes: "backend",
} as const satisfies Option;

export const DRY_RUN_OPTION = {
  kind: "flag",
  help: "Show what would be done and change nothing.",
} as const satisfies Option;

export const YES_OPTION = {
  kind: "flag",
  help: "Do not ask; for scripts.",
} as const satisfies Option;
