import { CONFIG_OPTION, command } from "../command.ts";
import { withProject } from "../project.ts";

export const logCommand = command({
  name: "log",
  summary: "Show who changed what and when, on all machines",
  options: {
    limit: { kind: "number", value: "N", min: 1, max: 200, help: "How many entries, newest first (20)." },
    config: CONFIG_OPTION,
  },
  async run(ctx, { options }) {
    const [log, { logLines }] = await Promise.all([
      withProject(ctx, { config: options.config }, (project) => project.log(options.limit ?? 20)),
      import("../../ui/render/log.ts"),
    ]);
    for (const notice of log.notices) ctx.note(notice);
    return {
      result: log.events.map((event) => ({ ...event, snapshot_timestamp: null })),
      lines: logLines(log.events, ctx.out.style),
    };
  },
});
