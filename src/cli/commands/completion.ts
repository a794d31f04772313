import { command } from "../command.ts";
import { completionScript, SHELLS, type Shell } from "../completion.ts";

/** `completion bash|zsh|fish`. */
export const completionCommand = command({
  name: "completion",
  summary: "Print the completion script for a shell",
  about: ["Put the line of your shell from the examples into its start-up file."],
  positionals: [{ name: "SHELL", help: "bash, zsh or fish.", choices: SHELLS }],
  options: {},
  examples: [
    'eval "$(claude-mirror completion bash)"',
    'eval "$(claude-mirror completion zsh)"',
    "claude-mirror completion fish | source",
  ],
  json: false,
  async run(ctx, { positionals: [shell] }) {
    ctx.out.write(completionScript(shell as Shell));
    return { result: null };
  },
});
