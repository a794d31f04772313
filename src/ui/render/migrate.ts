import type { MigrationOutcome, MigrationPlan } from "../../snapshots/model.ts";
import { countText } from "../format.ts";
import { printable, type Style } from "../terminal.ts";

const WORDS = { convert: "convert", clean: "remove the old form of", skip: "leave" } as const;

/** `migrate-snapshots --dry-run`. */
export function migrationPlanLines(plan: MigrationPlan, style: Style): readonly string[] {
  const lines = plan.steps.map(({ timestamp, kind, reason }) => {
    const why = reason === undefined ? "" : `: ${printable(reason)}`;
    const line = `  ${WORDS[kind]} ${timestamp}${why}`;
    return kind === "skip" ? style.yellow(line) : line;
  });
  const count = plan.steps.filter(({ kind }) => kind !== "skip").length;
  return [...lines, `Dry run: ${countText(count, "snapshot")} would be made ${plan.to}, ${alreadyText(plan)}.`];
}

/** What became of each. */
export function migrationLines(
  plan: MigrationPlan,
  outcomes: readonly MigrationOutcome[],
  style: Style,
): readonly string[] {
  const counted = (status: MigrationOutcome["status"]): number =>
    outcomes.filter((outcome) => outcome.status === status).length;
  const cleaned = counted("cleaned");
  const failed = counted("failed");
  return [
    ...outcomes.map((outcome) => outcomeLine(outcome, style)),
    `Converted ${countText(counted("converted"), "snapshot")} to ${plan.to}, ${alreadyText(plan)}.`,
    ...(cleaned === 0 ? [] : [`Removed what was left of ${countText(cleaned, "snapshot")} that had both forms.`]),
    ...(failed === 0
      ? []
      : [style.red(`${countText(failed, "snapshot")} could not be converted and stayed as before.`)]),
  ];
}

function alreadyText({ already }: MigrationPlan): string {
  return `${already} had that format`;
}

function outcomeLine({ timestamp, status, error }: MigrationOutcome, style: Style): string {
  const why = error === undefined ? "" : `: ${printable(error)}`;
  switch (status) {
    case "failed":
      return `  ${style.red("x")} ${timestamp}${why}`;
    case "skipped":
      return `  ${style.yellow("-")} ${timestamp} is left alone${why}`;
    case "converted":
    case "cleaned":
      return `  ${error === undefined ? style.green("✓") : style.yellow("!")} ${timestamp}${why}`;
  }
}
