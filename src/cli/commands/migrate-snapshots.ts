import { UsageError } from "../../lib/errors.ts";
import { setSnapshotFormat } from "../../setup/snapshot-format.ts";
import type { MigrationOutcome, MigrationPlan, SnapshotFormat } from "../../snapshots/model.ts";
import { migrationLines, migrationPlanLines } from "../../ui/render/migrate.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION } from "../command.ts";
import { EXIT } from "../exit.ts";
import { withProject } from "../project.ts";

export const migrateSnapshotsCommand = command({
  name: "migrate-snapshots",
  summary: "Convert all snapshots to the other format",
  about: [
    "Every snapshot is made anew in the wanted format, read back and compared with its SHA-256, byte for byte; only then the old form is deleted. A run that was interrupted is taken up by the next one, and so is an old form that could not be deleted. Incomplete snapshots are left alone.",
    "When all went well snapshot_format in the config says the new format, too. The mirrors are converted one by one, with --backend, which leaves the config as it is.",
  ],
  options: {
    to: { kind: "text", value: "FORMAT", choices: ["blobs", "full"], help: "The format to convert to: blobs or full." },
    "keep-source": { kind: "flag", help: "Leave the old form of each snapshot beside the new one." },
    "update-config": {
      kind: "flag",
      negatable: true,
      help: "Set snapshot_format in the config when all went well (the default without --backend).",
    },
    backend: BACKEND_OPTION,
    "dry-run": DRY_RUN_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror migrate-snapshots --to blobs --dry-run", "claude-mirror migrate-snapshots --to blobs"],
  async run(ctx, { options }) {
    const to = options.to as SnapshotFormat | undefined;
    if (to === undefined) {
      throw new UsageError("migrate-snapshots needs --to blobs or --to full", {
        hint: "See claude-mirror help migrate-snapshots.",
      });
    }
    return withProject(ctx, { config: options.config }, async (whole): Promise<CommandResult> => {
      const project = whole.on(options.backend);
      const plan = await project.planMigration(to);
      if (options["dry-run"]) {
        return { result: migrationJson(plan, { dryRun: true }), lines: migrationPlanLines(plan, ctx.out.style) };
      }
      const keepSource = options["keep-source"] ?? false;
      const outcomes = plan.steps.length === 0 ? [] : await project.migrateSnapshots(plan, { keepSource });
      const isWhole = outcomes.every(({ status, error }) => status === "skipped" || error === undefined);
      const wanted = options["update-config"] ?? options.backend === undefined;
      const isUpdated = isWhole && wanted && setSnapshotFormat(whole.config.file, to);
      const updated = isUpdated ? [`snapshot_format is ${to} now in ${whole.config.file}.`] : [];
      return {
        result: migrationJson(plan, { dryRun: false, outcomes, isUpdated }),
        lines: [...migrationLines(plan, outcomes, ctx.out.style), ...updated],
        exit: isWhole ? EXIT.ok : EXIT.partial,
      };
    });
  },
});

interface Done {
  readonly dryRun: boolean;
  readonly outcomes?: readonly MigrationOutcome[];
  readonly isUpdated?: boolean;
}

function migrationJson(plan: MigrationPlan, { dryRun, outcomes = [], isUpdated = false }: Done): object {
  const named = (status: MigrationOutcome["status"]) => outcomes.filter((outcome) => outcome.status === status);
  const told = ({ timestamp, error }: MigrationOutcome): object => ({ timestamp, message: error ?? "" });
  const left = outcomes.filter(
    ({ status, error }) => status !== "failed" && status !== "skipped" && error !== undefined,
  );
  return {
    dry_run: dryRun,
    to: plan.to,
    planned: plan.steps.map(({ timestamp, kind, reason }) => ({ timestamp, action: kind, reason: reason ?? null })),
    already: plan.already,
    converted: named("converted").map(({ timestamp }) => timestamp),
    cleaned: named("cleaned").map(({ timestamp }) => timestamp),
    skipped: named("skipped").map(told),
    failed: named("failed").map(told),
    source_left: left.map(told),
    config_updated: isUpdated,
  };
}
