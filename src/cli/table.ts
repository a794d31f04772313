import type { Command } from "./command.ts";

/** One line of the list of commands. `load` is a literal import, so that a command's code is read only when it runs. */
export interface CommandEntry {
  /** Kept equal to the command's own by a test; here so that the list needs no command loaded. */
  readonly summary: string;
  readonly hidden?: boolean;
  readonly load: () => Promise<Command>;
}

/** Every command, in the order in which help lists them. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  "find-config": {
    summary: "Print the config file of the project that a folder belongs to",
    load: async () => (await import("./commands/find-config.ts")).findConfigCommand,
  },
  completion: {
    summary: "Print the completion script for a shell",
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
  help: {
    summary: "Show the commands, or one command's options",
    load: async () => (await import("./commands/help.ts")).helpCommand,
  },
  version: {
    summary: "Show the version",
    hidden: true,
    load: async () => (await import("./commands/version.ts")).versionCommand,
  },
  __complete: {
    summary: "Answer the completion scripts",
    hidden: true,
    load: async () => (await import("./commands/complete.ts")).completeCommand,
  },
};
