import { command } from "../command.ts";
import { versionLine } from "../version.ts";

/** `version`, for people who type it as a command. */
export const versionCommand = command({
  name: "version",
  summary: "Show the version",
  options: {},
  async run(ctx) {
    return { result: ctx.version, lines: [versionLine(ctx.version)] };
  },
});
