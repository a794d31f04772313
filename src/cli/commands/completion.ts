import { SHELLS, type Shell } from "../../platform/shells.ts";
import { command } from "../command.ts";
import { completionScript } from "../completion.ts";

/** `completion bash|zsh|fish|powershell`. */
export const completionCommand = command({
  name: "completion",
  summary: "Print the completion script for a shell",
  about: ["Put the line of your shell from the examples into its start-up file."],
  positionals: [{ name: "SHELL", help: "bash, zsh, fish or powershell.", choices: SHELLS }],
  options: {},
  examples: [
    'eval "$(claude-mirror completion bash)"',
    'eval "$(claude-mirror completion zsh)"',
    "claude-mirror completion fish | source",
    "claude-mirror completion powershell | Out-String | Invoke-Expression",
  ],
  json: false,
  async run(ctx, { positionals: [shell] }) {
    ctx.out.write(completionScript(shell as Shell));
    return { result: null };
  },
});
