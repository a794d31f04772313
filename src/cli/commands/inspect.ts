import { BACKEND_OPTION, CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

export const inspectCommand = command({
  name: "inspect",
  summary: "Show what a snapshot holds, without downloading it",
  positionals: [{ name: "TIMESTAMP", help: "A snapshot's name, or latest.", completes: "snapshot" }],
  options: {
    paths: { kind: "list", value: "GLOB", help: "Only files that match; may be given more than once." },
    backend: BACKEND_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror inspect 2026-05-05T10-15-22Z --paths 'memory/**'"],
  async run(ctx, { options, positionals }) {
    const [timestamp = ""] = positionals;
    const [inspection, { inspectLines }] = await Promise.all([
      withProject(ctx, { config: options.config }, (project) =>
        project.inspect(timestamp, options.paths, { backend: options.backend }),
      ),
      import("../../ui/render/inspect.ts"),
    ]);
    const { info, files, backend, warning } = inspection;
    if (warning !== null) ctx.note(ctx.err.style.yellow(warning));
    return {
      result: { timestamp: info.timestamp, format: info.format, total_files: info.totalFiles, files, backend },
      lines: inspectLines(inspection, ctx.out.style),
    };
  },
});
