import { parseGrace } from "../../lib/durations.ts";
import type { GcPlan, GcReport, UnusedBlob } from "../../snapshots/model.ts";
import { gcDoneLines, gcPlanLines } from "../../ui/render/retention.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import { isForReal } from "../delete-snapshots.ts";
import { EXIT, exitOfItems } from "../exit.ts";
import { withProject } from "../project.ts";

export const gcCommand = command({
  name: "gc",
  summary: "Delete stored contents that no snapshot needs any more",
  about: [
    "Shows what would be deleted. With --delete it is deleted after the word YES was typed, or at once with --yes.",
    "It refuses when a snapshot cannot be read or there is none at all, for then nobody knows what is needed. What is younger than the grace period is kept: a push on another machine may be about to use it. Shorten the period only while no other machine pushes.",
  ],
  options: {
    grace: {
      kind: "text",
      value: "DURATION",
      help: "Keep what is younger: 24h (the default), 2d, 1w, 90min, or 0 for nothing.",
    },
    delete: { kind: "flag", help: "Really delete." },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
    backend: BACKEND_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror gc", "claude-mirror gc --delete", "claude-mirror gc --delete --yes --grace 2d"],
  async run(ctx, { options }) {
    const graceMs = parseGrace(options.grace ?? "24h");
    return withProject(ctx, { config: options.config, progress: false }, async (whole): Promise<CommandResult> => {
      const project = whole.on(options.backend);
      const plan = await project.planGc({ graceMs });
      const lines = gcPlanLines(plan, ctx.out.style);
      const count = plan.candidates.length;
      if (!isForReal(options)) {
        const dry = count === 0 ? [] : ["Dry run: nothing was deleted. Add --delete to delete."];
        return { result: gcJson(plan, { dryRun: true }), lines: [...lines, ...dry] };
      }
      if (count === 0) return { result: gcJson(plan, { dryRun: false }), lines };
      for (const line of lines) ctx.print(line);
      if (!options.yes) {
        const message = `Delete ${count} blob(s) for good?`;
        if (!(await ctx.ask.typed({ message, word: "YES", flag: "--yes" }))) {
          const result = { ...gcJson(plan, { dryRun: false }), aborted: true };
          return { result, lines: ["Nothing was deleted."], exit: EXIT.failed };
        }
      }
      const report = await project.gc(plan);
      return {
        result: gcJson(plan, { dryRun: false, report }),
        lines: gcDoneLines(report, ctx.out.style),
        exit: exitOfItems(report.failed.map((blob) => ({ ...blob, status: "failed" }))),
      };
    });
  },
});

function gcJson(plan: GcPlan, { dryRun, report }: { readonly dryRun: boolean; readonly report?: GcReport }): object {
  return {
    dry_run: dryRun,
    snapshots: plan.manifests,
    blobs: plan.blobs,
    unused: plan.candidates.length + plan.held.length,
    deletable: plan.candidates.length,
    deletable_bytes: bytesOf(plan.candidates),
    held: plan.held.length,
    held_bytes: bytesOf(plan.held),
    held_until: plan.heldUntilMs === null ? null : new Date(plan.heldUntilMs).toISOString(),
    deleted: report?.deleted.length ?? 0,
    deleted_bytes: bytesOf(report?.deleted ?? []),
    spared: report?.spared.length ?? 0,
    failed: (report?.failed ?? []).map(({ sha256, error }) => ({ sha256, message: error })),
  };
}

function bytesOf(blobs: readonly UnusedBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
