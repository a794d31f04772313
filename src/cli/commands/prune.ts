import { UsageError } from "../../lib/errors.ts";
import type { PrunePolicy } from "../../snapshots/model.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import { deleteSnapshots } from "../delete-snapshots.ts";
import { withProject } from "../project.ts";

export const pruneCommand = command({
  name: "prune",
  summary: "Delete snapshots but for so many a day, week, month or year",
  about: [
    "Shows what would be deleted. With --delete it is deleted after the word YES was typed, or at once with --yes.",
    "--keep-daily 7 keeps the newest snapshot of each of the last 7 days (UTC) that have one; weeks begin on Monday. What one rule keeps stays. Tagged snapshots stay, too, and so do those that cannot be read.",
    "Stored contents stay until claude-mirror gc. Mirrors keep their snapshots: work on each with --backend.",
  ],
  options: {
    "keep-last": { kind: "number", value: "N", min: 1, help: "Keep the N newest." },
    "keep-daily": { kind: "number", value: "N", min: 1, help: "Keep the newest of each of N days." },
    "keep-weekly": { kind: "number", value: "N", min: 1, help: "Keep the newest of each of N weeks." },
    "keep-monthly": { kind: "number", value: "N", min: 1, help: "Keep the newest of each of N months." },
    "keep-yearly": { kind: "number", value: "N", min: 1, help: "Keep the newest of each of N years." },
    "from-config": { kind: "flag", help: "Take keep_last, keep_daily ... of the config instead." },
    "include-tagged": { kind: "flag", help: "Treat tagged snapshots like the others." },
    delete: { kind: "flag", help: "Really delete." },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
    backend: BACKEND_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror prune --keep-last 10 --keep-daily 7 --keep-monthly 12",
    "claude-mirror prune --from-config --delete --yes",
  ],
  async run(ctx, { options }) {
    const rules: PrunePolicy = {
      ...optional("keepLast", options["keep-last"]),
      ...optional("keepDaily", options["keep-daily"]),
      ...optional("keepWeekly", options["keep-weekly"]),
      ...optional("keepMonthly", options["keep-monthly"]),
      ...optional("keepYearly", options["keep-yearly"]),
    };
    if (options["from-config"] && Object.keys(rules).length > 0) {
      throw new UsageError(
        "prune takes its rules from the command line or, with --from-config, from the config: not both",
      );
    }
    const includeTagged = options["include-tagged"] ?? false;
    return withProject(ctx, { config: options.config, progress: false }, (project) => {
      const request = options["from-config"] ? { includeTagged } : { rules, includeTagged };
      return deleteSnapshots(ctx, project.on(options.backend), (at) => at.planPrune(request), options);
    });
  },
});

type Count = Exclude<keyof PrunePolicy, "includeTagged">;

function optional(key: Count, count: number | undefined): PrunePolicy {
  return count === undefined ? {} : { [key]: count };
}
