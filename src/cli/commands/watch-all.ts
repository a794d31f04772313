import { resolve } from "node:path";
import { command } from "../command.ts";
import { newsReporter, untilStopped } from "../watching.ts";

export const watchAllCommand = command({
  name: "watch-all",
  summary: "Do so for every project, as a background service does",
  about: [
    "Watches every project of ~/.config/claude_mirror in one process. New, changed and removed configs are noticed; SIGHUP and claude-mirror reload make it look at once. One runs at a time.",
  ],
  options: {
    config: {
      kind: "list",
      value: "PATH",
      help: "Watch these config files only; give it once for each.",
      completes: "config",
    },
  },
  examples: ["claude-mirror watch-all", "claude-mirror watch-all --config a.yaml --config b.yaml"],
  async run(ctx, { options }) {
    const { watchAll } = await import("../../app-watch.ts");
    let hungUp = false;
    ctx.takeHangUps(() => {
      hungUp = true;
    });
    const reporter = newsReporter(ctx);
    await untilStopped(ctx, () =>
      watchAll(ctx, {
        configs: options.config.map((file) => resolve(ctx.cwd, file)),
        ...reporter,
        hungUp() {
          const was = hungUp;
          hungUp = false;
          return was;
        },
      }),
    );
    return { result: { events: reporter.count() }, streamed: true };
  },
});
