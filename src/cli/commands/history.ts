import { parseMoment } from "../../lib/durations.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

export const historyCommand = command({
  name: "history",
  summary: "List the snapshots that hold a file, and its versions",
  positionals: [{ name: "PATH", help: "A file, from the current folder.", completes: "file" }],
  options: {
    since: {
      kind: "text",
      value: "WHEN",
      help: "Only snapshots from then on: 30d, 2w, a date, a UTC time or a snapshot.",
    },
    until: { kind: "text", value: "WHEN", help: "Only snapshots up to then." },
    backend: BACKEND_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror history MEMORY.md", "claude-mirror history MEMORY.md --since 30d"],
  async run(ctx, { options, positionals }) {
    const [file = ""] = positionals;
    const moment = (text: string | undefined) => (text === undefined ? undefined : parseMoment(text, ctx.clock.now()));
    const window = { sinceMs: moment(options.since), untilMs: moment(options.until) };
    const [history, { historyLines }] = await Promise.all([
      withProject(ctx, { config: options.config }, (project) => project.on(options.backend).history(file, window)),
      import("../../ui/render/history.ts"),
    ]);
    for (const problem of history.problems ?? []) ctx.note(`A snapshot could not be read: ${problem}`);
    return {
      result: {
        path: history.path,
        versions: history.versions.map(({ timestamp, sha256, version, format }) => ({
          timestamp,
          hash: sha256,
          size: null,
          version,
          format,
        })),
        distinct_versions: history.distinctVersions,
        total_appearances: history.totalAppearances,
      },
      lines: historyLines(history, ctx.out.style),
    };
  },
});
