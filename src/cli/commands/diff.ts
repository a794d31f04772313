import { CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

export const diffCommand = command({
  name: "diff",
  summary: "Show how a local file differs from the remote one",
  positionals: [{ name: "PATH", help: "A file, from the current folder.", completes: "file" }],
  options: {
    context: { kind: "number", value: "N", max: 1000, help: "Unchanged lines around each change (3)." },
    ...CONFIG_OPTIONS,
  },
  async run(ctx, { options, positionals }) {
    const [file = ""] = positionals;
    const [diff, { diffLines, unifiedDiff }] = await Promise.all([
      withProject(ctx, { config: options.config }, (project) => project.diff(file)),
      import("../../ui/render/diff.ts"),
    ]);
    const context = options.context ?? 3;
    const text = diff.kind === "text" ? { unified_diff: unifiedDiff(diff, context) } : {};
    const { kind, path } = diff;
    return { result: { path, kind, ...text }, lines: diffLines(diff, ctx.out.style, { context }) };
  },
});
