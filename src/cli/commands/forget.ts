import { parseMoment } from "../../lib/durations.ts";
import { UsageError } from "../../lib/errors.ts";
import type { ForgetSelector } from "../../snapshots/model.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import { deleteSnapshots } from "../delete-snapshots.ts";
import { withProject } from "../project.ts";

export const forgetCommand = command({
  name: "forget",
  summary: "Delete snapshots by name, age or number",
  about: [
    "Shows what would be deleted. With --delete it is deleted after the word YES was typed, or at once with --yes.",
    "Exactly one of TIMESTAMPS, --before, --keep-last and --keep-days says which. A snapshot that cannot be read is deleted only when it is named. Stored contents stay until claude-mirror gc. Mirrors keep their snapshots: work on each with --backend.",
  ],
  positionals: [
    {
      name: "TIMESTAMPS",
      help: "These snapshots (claude-mirror snapshots).",
      optional: true,
      many: true,
      completes: "snapshot",
    },
  ],
  options: {
    before: {
      kind: "text",
      value: "WHEN",
      help: "Those older than 30d, 2w, 3m (of 30 days), 1y, a date, a UTC time or a snapshot.",
    },
    "keep-last": { kind: "number", value: "N", min: 1, help: "All but the N newest." },
    "keep-days": { kind: "number", value: "N", min: 1, help: "All but those of the last N days." },
    delete: { kind: "flag", help: "Really delete." },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
    backend: BACKEND_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror forget 2026-04-07T15-22-50Z --delete",
    "claude-mirror forget --before 30d",
    "claude-mirror forget --keep-last 50 --delete --yes",
  ],
  async run(ctx, { options, positionals }) {
    const selectors: ForgetSelector[] = [];
    if (positionals.length > 0) selectors.push({ kind: "timestamps", timestamps: positionals });
    if (options.before !== undefined) {
      selectors.push({ kind: "before", beforeMs: parseMoment(options.before, ctx.clock.now()) });
    }
    if (options["keep-last"] !== undefined) selectors.push({ kind: "keep-last", count: options["keep-last"] });
    if (options["keep-days"] !== undefined) selectors.push({ kind: "keep-days", days: options["keep-days"] });
    const [selector, another] = selectors;
    if (selector === undefined || another !== undefined) {
      throw new UsageError("forget needs exactly one of TIMESTAMPS, --before, --keep-last and --keep-days", {
        hint: "See claude-mirror help forget.",
      });
    }
    return withProject(ctx, { config: options.config, progress: false }, (project) =>
      deleteSnapshots(ctx, project.on(options.backend), (at) => at.planForget(selector), options),
    );
  },
});
