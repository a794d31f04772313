import { BACKEND_OPTION, CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

export const snapshotsCommand = command({
  name: "snapshots",
  summary: "List the snapshots, newest first",
  options: { backend: BACKEND_OPTION, ...CONFIG_OPTIONS },
  async run(ctx, { options }) {
    const [list, { snapshotsLines }] = await Promise.all([
      withProject(ctx, { config: options.config }, (project) => project.on(options.backend).snapshots()),
      import("../../ui/render/snapshots.ts"),
    ]);
    const result = list.map((info) => ({
      timestamp: info.timestamp,
      format: info.format,
      file_count: info.totalFiles,
      size_bytes: null,
      source_backend: options.backend ?? "primary",
      tag: info.tag,
      message: info.message,
      action: info.action,
      triggered_by: info.triggeredBy,
      ...(info.problem === undefined ? {} : { problem: info.problem }),
    }));
    return { result, lines: snapshotsLines(list, ctx.out.style) };
  },
});
