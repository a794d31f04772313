import { CONFIG_OPTIONS, command, DRY_RUN_OPTION } from "../command.ts";
import { withProject } from "../project.ts";

export const snapshotCommand = command({
  name: "snapshot",
  summary: "Take a snapshot now, with a tag or a message",
  about: [
    "A snapshot holds what both sides agreed on last, so push first what is to be in it. A tag names one snapshot; prune keeps tagged ones.",
  ],
  options: {
    tag: { kind: "text", value: "TAG", help: "A name for restore --tag: letters, digits, dots, dashes, underscores." },
    message: { kind: "text", value: "TEXT", help: "A note of up to 1024 characters." },
    "dry-run": DRY_RUN_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror snapshot --tag before-refactoring --message 'all tests pass'"],
  async run(ctx, { options }) {
    const request = { tag: options.tag, message: options.message, dryRun: options["dry-run"] ?? false };
    const taken = await withProject(ctx, { config: options.config }, (project) => project.takeSnapshot(request));
    for (const notice of taken.notices) ctx.note(notice);
    const { dryRun, timestamp, format, totalFiles, tag, message } = taken;
    const label = tag === null ? "" : `, tagged ${tag}`;
    return {
      result: { dry_run: dryRun, timestamp, format, total_files: totalFiles, tag, message },
      lines: [
        dryRun
          ? `Dry run: a snapshot of ${totalFiles} file(s) would be made (${format}${label}).`
          : `Snapshot ${timestamp} of ${totalFiles} file(s) (${format}${label}).`,
      ],
    };
  },
});
