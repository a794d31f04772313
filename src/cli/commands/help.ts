import { command } from "../command.ts";
import { commandHelp, overview } from "../help.ts";
import { COMMANDS } from "../table.ts";
import { unknownCommand } from "../unknown.ts";

/** `help [COMMAND]`. */
export const helpCommand = command({
  name: "help",
  summary: "Show the commands, or one command's options",
  positionals: [{ name: "COMMAND", help: "The command to explain.", optional: true, completes: "command" }],
  options: {},
  json: false,
  async run(ctx, { positionals: [name] }) {
    if (name === undefined) return { result: null, lines: overview(COMMANDS, ctx.out.style) };
    const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!entry) throw unknownCommand(name, COMMANDS);
    return { result: null, lines: commandHelp(await entry.load(), ctx.out.style) };
  },
});
