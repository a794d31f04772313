import { resolve } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import { newsLine } from "../../ui/render/inbox.ts";
import { CONFIG_OPTIONS, command } from "../command.ts";
import { newsReporter, untilStopped } from "../watching.ts";

export const watchCommand = command({
  name: "watch",
  summary: "Tell what collaborators change while it runs",
  about: [
    "What others push or delete is shown here and on the desktop, and waits in the project's inbox for the next Claude Code conversation. Ctrl-C ends it.",
    "With --once it looks a single time, for cron. The first look ever only takes note of what is there.",
    "With auto_pull: true in the config it also fetches what is safe: never conflicts, and never past a guard.",
  ],
  options: {
    once: { kind: "flag", help: "Look once and end." },
    quiet: { kind: "flag", help: "With --once: print nothing." },
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror watch", "claude-mirror watch --once --quiet"],
  async run(ctx, { options }) {
    if (options.quiet && !options.once) throw new UsageError("--quiet goes with --once");
    const config = options.config === undefined ? undefined : resolve(ctx.cwd, options.config);
    const { lookOnce, watch } = await import("../../app-watch.ts");
    if (options.once) {
      const events = await lookOnce(ctx, { config, onNews: () => undefined });
      return { result: { events }, lines: options.quiet ? [] : events.map(newsLine) };
    }
    const reporter = newsReporter(ctx);
    await untilStopped(ctx, () => watch(ctx, { config, ...reporter }));
    return { result: { events: reporter.count() }, streamed: true };
  },
});
