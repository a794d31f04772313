/** How a prompt segment can look; `json` is the state itself. */
export const PROMPT_FORMATS = ["symbols", "ascii", "text", "json"] as const;
export type PromptFormat = (typeof PROMPT_FORMATS)[number];

/** What a prompt shows of a project. */
export interface PromptCounts {
  readonly local_ahead: number;
  readonly remote_ahead: number;
  readonly conflicts: number;
  readonly no_manifest: boolean;
  readonly error: string | null;
}

export interface PromptOptions {
  readonly format: PromptFormat;
  readonly prefix: string;
  readonly suffix: string;
  /** Nothing is shown where all is in sync. */
  readonly quietWhenClean: boolean;
}

/** One segment of a shell's prompt, `""` for none: never a line end, never a letter that a shell would read. */
export function promptText(state: PromptCounts, { format, prefix, suffix, quietWhenClean }: PromptOptions): string {
  if (format === "json") return JSON.stringify(state);
  const words = WORDS[format];
  const parts = [
    part(state.local_ahead, words.ahead),
    part(state.remote_ahead, words.behind),
    part(state.conflicts, words.conflict),
    state.no_manifest && state.error === null ? words.never : "",
    state.error === null ? "" : words.error,
  ].filter((text) => text !== "");
  if (parts.length > 0) return prefix + parts.join(words.between) + suffix;
  return quietWhenClean ? "" : prefix + words.clean + suffix;
}

interface Words {
  readonly ahead: (count: number) => string;
  readonly behind: (count: number) => string;
  readonly conflict: (count: number) => string;
  readonly never: string;
  readonly error: string;
  readonly clean: string;
  readonly between: string;
}

const WORDS: Readonly<Record<Exclude<PromptFormat, "json">, Words>> = {
  symbols: {
    ahead: (count) => `↑${count}`,
    behind: (count) => `↓${count}`,
    conflict: (count) => `✗${count}`,
    never: "∅",
    error: "?",
    clean: "✓",
    between: " ",
  },
  ascii: {
    ahead: (count) => `+${count}`,
    behind: (count) => `-${count}`,
    conflict: (count) => `x${count}`,
    never: "new",
    error: "?",
    clean: "=",
    between: " ",
  },
  text: {
    ahead: (count) => `${count} local ahead`,
    behind: (count) => `${count} remote ahead`,
    conflict: (count) => `${count} conflict${count === 1 ? "" : "s"}`,
    never: "never synced",
    error: "unknown",
    clean: "in sync",
    between: ", ",
  },
};

function part(count: number, words: (count: number) => string): string {
  return count > 0 ? words(count) : "";
}
