import { command } from "../command.ts";
import { commandHelp, overview, topicHelp } from "../help.ts";
import { COMMANDS } from "../table.ts";
import { TOPICS } from "../topic.ts";
import { unknownCommand } from "../unknown.ts";

/** `help [COMMAND|TOPIC]`. */
export const helpCommand = command({
  name: "help",
  summary: "Show the commands, one command's options, or a topic",
  positionals: [
    {
      name: "TOPIC",
      help: `The command to explain, or one of ${Object.keys(TOPICS).join(", ")}.`,
      optional: true,
      completes: "topic",
    },
  ],
  options: {},
  examples: ["claude-mirror help push", "claude-mirror help troubleshooting"],
  json: false,
  async run(ctx, { positionals: [name] }) {
    const { style } = ctx.out;
    if (name === undefined) return { result: null, lines: overview(COMMANDS, style) };
    const topic = Object.hasOwn(TOPICS, name) ? TOPICS[name] : undefined;
    if (topic) return { result: null, lines: topicHelp(await topic.load(), style) };
    const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!entry) throw unknownCommand(name, COMMANDS);
    return { result: null, lines: commandHelp(await entry.load(), style) };
  },
});
