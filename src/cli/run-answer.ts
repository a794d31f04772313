import { redact } from "../lib/redact.ts";
import type { RunResult } from "../project/model.ts";
import { backendLines } from "../ui/render/backends.ts";
import { runLines } from "../ui/render/run.ts";
import type { CommandResult } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import type { Screen } from "./project.ts";

/** Shows what a run did: the primary's part as soon as it is known, the rest when mirrors have been waited for. */
export interface RunTeller {
  /** For the run's options. */
  beside(screen: Screen): { readonly onPrimary: (result: RunResult) => void };
  /** The lines that are left to show, the `--json` result and the exit code. */
  answer(run: RunResult): CommandResult;
}

export function runTeller(ctx: CommandContext): RunTeller {
  let told = 0;
  let shown = false;
  const tellNotices = (run: RunResult): void => {
    for (const notice of run.notices.slice(told)) ctx.note(redact(notice));
    told = Math.max(told, run.notices.length);
  };
  return {
    beside: (screen) => ({
      onPrimary(run) {
        if (ctx.json) return;
        screen.clear();
        tellNotices(run);
        for (const line of runLines(run, ctx.out.style)) ctx.print(line);
        shown = true;
      },
    }),
    answer(run) {
      tellNotices(run);
      const result = { ...run, notices: run.notices.map((notice) => redact(notice)) };
      const primary = shown ? [] : runLines(result, ctx.out.style);
      const mirrored = run.backends.length > 1 ? backendLines(run.backends, ctx.out.style) : [];
      return {
        result: runJson(result),
        lines: [...primary, ...mirrored],
        exit: runExit(result),
      };
    },
  };
}

/** Turns what a run did into lines, the `--json` result and the exit code. */
export function runAnswer(ctx: CommandContext, run: RunResult): CommandResult {
  return runTeller(ctx).answer(run);
}

/** Decision 2: what needs a person wins over what will be retried, that over conflicts that are left. */
export function runExit(result: RunResult): ExitCode {
  if (result.interrupted) return EXIT.interrupted;
  const classes = new Set(result.failed.map((item) => item.error.class));
  if (result.backends.some(({ state }) => state === "action-required")) return EXIT.needsAction;
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
