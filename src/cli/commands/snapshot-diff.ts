import type { CountedComparison } from "../../project/model.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

export const snapshotDiffCommand = command({
  name: "snapshot-diff",
  summary: "Show what changed between two snapshots",
  about: ["Either may be called latest. Files are compared by their content, in both formats."],
  positionals: [
    { name: "FROM", help: "A snapshot's name, or latest.", completes: "snapshot" },
    { name: "TO", help: "Another one, or latest.", completes: "snapshot" },
  ],
  options: {
    all: { kind: "flag", help: "Unchanged files too." },
    paths: { kind: "list", value: "GLOB", help: "Only files that match; may be given more than once." },
    unified: { kind: "text", value: "PATH", help: "The changes in one file, line by line.", completes: "file" },
    backend: BACKEND_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror snapshot-diff 2026-05-05T10-15-22Z latest",
    "claude-mirror snapshot-diff 2026-05-05T10-15-22Z latest --unified MEMORY.md",
  ],
  async run(ctx, { options, positionals }) {
    const [from = "", to = ""] = positionals;
    const { unified, backend } = options;
    const { snapshotDiffLines, snapshotFileLines } = await import("../../ui/render/snapshot-diff.ts");
    return withProject(ctx, { config: options.config }, async (project) => {
      const { style } = ctx.out;
      if (unified !== undefined) {
        const diff = await project.on(backend).diffSnapshots(from, to, unified);
        const width = ctx.out.isTTY ? style.width : undefined;
        return { result: { ...diff }, lines: snapshotFileLines(diff, style, width) };
      }
      const compared = await project.on(backend).compareSnapshots(from, to, options.paths);
      const lines = snapshotDiffLines(compared, style, { all: options.all ?? false });
      return { result: resultOf(compared, options.all ?? false), lines };
    });
  },
});

function resultOf({ from, to, changes, unmatched }: CountedComparison, all: boolean) {
  const count = (kind: string): number => changes.filter((change) => change.kind === kind).length;
  return {
    from,
    to,
    summary: {
      added: count("added"),
      removed: count("removed"),
      modified: count("modified"),
      unchanged: count("unchanged"),
    },
    files: changes
      .filter(({ kind }) => all || kind !== "unchanged")
      .map(({ path, kind, lines }) => ({
        path,
        status: kind,
        added_lines: lines?.added ?? null,
        removed_lines: lines?.removed ?? null,
      })),
    unmatched,
  };
}
