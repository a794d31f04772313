import { redact } from "../lib/redact.ts";
import type { RunResult } from "../project/model.ts";
import { runLines } from "../ui/render/run.ts";
import type { CommandResult } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { EXIT, type ExitCode } from "./exit.ts";

/** Turns what a run did into lines, the `--json` result and the exit code. */
export function runAnswer(ctx: CommandContext, run: RunResult): CommandResult {
  const result = { ...run, notices: run.notices.map((notice) => redact(notice)) };
  for (const notice of result.notices) ctx.note(notice);
  return { result: runJson(result), lines: runLines(result, ctx.out.style), exit: runExit(result) };
}

/** Decision 2: what needs a person wins over what will be retried, that over conflicts that are left. */
export function runExit(result: RunResult): ExitCode {
  if (result.interrupted) return EXIT.interrupted;
  const classes = new Set(result.failed.map((item) => item.error.class));
  if (classes.has("AUTH") || classes.has("QUOTA") || classes.has("PERMISSION")) return EXIT.needsAction;
  if (result.failed.length > 0) return EXIT.partial;
  return result.conflicts.length > 0 && !result.dryRun ? EXIT.conflicts : EXIT.ok;
}

function runJson(result: RunResult): object {
  const { deletedRemote, deletedLocal, dryRun, inSync, command: _, failed, ...rest } = result;
  return {
    dry_run: dryRun,
    ...rest,
    deleted_remote: deletedRemote,
    deleted_local: deletedLocal,
    in_sync: inSync,
    failed: failed.map((item) => ({ path: item.path, action: item.action, ...item.error })),
  };
}
