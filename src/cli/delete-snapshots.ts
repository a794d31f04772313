import type { Snapshots } from "../project/service.ts";
import type { ForgetOutcome, ForgetPlan, SnapshotInfo } from "../snapshots/model.ts";
import { forgetDoneLines, forgetPlanLines } from "../ui/render/retention.ts";
import type { CommandResult } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { EXIT, exitOfItems } from "./exit.ts";

/** The options that `forget`, `prune` and `gc` share. */
export interface DeleteOptions {
  readonly delete: boolean | undefined;
  readonly yes: boolean | undefined;
  readonly "dry-run": boolean | undefined;
}

/** True for `--delete`, unless `--dry-run` stands beside it. */
export function isForReal(options: DeleteOptions): boolean {
  return options.delete === true && options["dry-run"] !== true;
}

/** Shows what a plan would delete; with `--delete` asks for the word YES and does it. */
export async function deleteSnapshots(
  ctx: CommandContext,
  project: Snapshots,
  makePlan: (project: Snapshots) => Promise<ForgetPlan>,
  options: DeleteOptions,
): Promise<CommandResult> {
  const plan = await makePlan(project);
  const lines = forgetPlanLines(plan, ctx.out.style);
  const count = plan.remove.length;
  if (!isForReal(options)) {
    const dry = count === 0 ? [] : ["Dry run: nothing was deleted. Add --delete to delete."];
    return { result: planJson(plan, { dryRun: true }), lines: [...lines, ...dry] };
  }
  if (count === 0) return { result: planJson(plan, { dryRun: false }), lines };
  for (const line of lines) ctx.print(line);
  if (!options.yes) {
    const message = `Delete ${count} snapshot(s) for good?`;
    if (!(await ctx.ask.typed({ message, word: "YES", flag: "--yes" }))) {
      const result = { ...planJson(plan, { dryRun: false }), aborted: true };
      return { result, lines: ["Nothing was deleted."], exit: EXIT.failed };
    }
  }
  const outcomes = await project.forget(plan);
  return {
    result: planJson(plan, { dryRun: false, outcomes }),
    lines: forgetDoneLines(outcomes, ctx.out.style),
    exit: exitOfItems(outcomes),
  };
}

function planJson(
  plan: ForgetPlan,
  { dryRun, outcomes = [] }: { readonly dryRun: boolean; readonly outcomes?: readonly ForgetOutcome[] },
): object {
  return {
    dry_run: dryRun,
    selected: plan.remove.map(snapshotJson),
    kept: plan.keep.length,
    protected_by_tag: plan.tagged.map(({ timestamp }) => timestamp),
    unreadable: plan.unreadable.map(snapshotJson),
    deleted: outcomes.filter(({ status }) => status !== "failed").map(({ timestamp }) => timestamp),
    failed: outcomes
      .filter(({ status }) => status === "failed")
      .map(({ timestamp, error }) => ({ timestamp, message: error ?? "failed" })),
  };
}

function snapshotJson({ timestamp, format, tag, problem }: SnapshotInfo): object {
  return { timestamp, format, tag, ...(problem === undefined ? {} : { problem }) };
}
