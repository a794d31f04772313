import { PROMPT_FORMATS, type PromptFormat, promptText } from "../../ui/render/prompt.ts";
import { command } from "../command.ts";

export const promptCommand = command({
  name: "prompt",
  summary: "Print how the project stands, for the prompt of a shell",
  about: [
    "Looks at the files here and at this machine's records, never at the network, so it may run before every line. Right after an edit it is right: ✓ all as agreed, ↑N files changed here, ↓N files that unread notices of the watcher name, ✗N conflicts that runs have left, ∅ never synced, ? it cannot be told.",
    "Prints nothing outside of projects. Exit code 0 whatever it finds.",
    'bash: PS1=\'$(claude-mirror prompt --suffix " ")\'"$PS1"',
    "zsh: setopt prompt_subst; RPROMPT='$(claude-mirror prompt)'",
    "fish: function fish_right_prompt; claude-mirror prompt; end",
    'starship: [custom.claude_mirror] command = "claude-mirror prompt", when = true',
  ],
  json: false,
  options: {
    format: {
      kind: "text",
      value: "FORMAT",
      choices: PROMPT_FORMATS,
      help: "How it looks; json is for programs (symbols).",
      completes: "none",
    },
    prefix: {
      kind: "text",
      value: "TEXT",
      help: "Put this before it, where there is anything to print.",
      completes: "none",
    },
    suffix: { kind: "text", value: "TEXT", help: "Put this behind it, likewise.", completes: "none" },
    "quiet-when-clean": { kind: "flag", help: "Print nothing while all is in sync." },
  },
  examples: ["claude-mirror prompt", "claude-mirror prompt --format ascii --prefix '[' --suffix '] '"],
  async run({ env, home, cwd, clock }, { options }) {
    const { promptState } = await import("../../app-prompt.ts");
    const state = await promptState({ env, home, cwd, clock });
    if (state === undefined) return { result: null };
    const { format = "symbols", prefix = "", suffix = "" } = options;
    const quietWhenClean = options["quiet-when-clean"] === true;
    const text = promptText(state, { format: format as PromptFormat, prefix, suffix, quietWhenClean });
    return { result: null, lines: text === "" ? [] : [text] };
  },
});
