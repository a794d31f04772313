import { command } from "../command.ts";
import { ASK_COMMAND, askForUpdate } from "../update-notice.ts";

/** Run by itself, in the background, once a day. */
export const askUpdateCommand = command({
  name: ASK_COMMAND,
  summary: "Note down which version is the newest",
  options: {},
  async run(ctx) {
    return { result: await askForUpdate(ctx) };
  },
});
