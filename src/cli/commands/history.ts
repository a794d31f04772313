import { BACKEND_OPTION, CONFIG_OPTION, command } from "../command.ts";
import { withProject } from "../project.ts";

export const historyCommand = command({
  name: "history",
  summary: "List the snapshots that hold a file, and its versions",
  positionals: [{ name: "PATH", help: "A file, from the current folder.", completes: "file" }],
  options: { backend: BACKEND_OPTION, config: CONFIG_OPTION },
  examples: ["claude-mirror history MEMORY.md"],
  async run(ctx, { options, positionals }) {
    const [file = ""] = positionals;
    const [history, { historyLines }] = await Promise.all([
      withProject(ctx, { config: options.config }, (project) => project.on(options.backend).history(file)),
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
