import { resolve } from "node:path";
import type { Project, RunOptions } from "../project/service.ts";
import type { GuardName } from "../sync/model.ts";
import type { Option } from "./command.ts";
import type { CommandContext } from "./context.ts";

/** The option that lifts guards, the same on every command that has one. */
export const ALLOW_OPTION = {
  kind: "list",
  value: "GUARD",
  choices: ["mass-delete", "empty-root", "remote-gone", "old-primary"] satisfies GuardName[],
  help: "Go on although a guard refuses: mass-delete, empty-root, remote-gone or old-primary.",
  completes: "none",
} as const satisfies Option;

export interface OpenOptions {
  /** `--config`, as typed. */
  readonly config: string | undefined;
  /** False for commands that look only and need no counters on the terminal. */
  readonly progress?: boolean;
}

/** What the counters of a run share the terminal with. */
export interface Screen {
  /** Takes the counters away before a question: they would be drawn over it. They come back by themselves. */
  clear(): void;
}

/** Opens the project the command is about, hands it over, and closes it whatever happens. */
export async function withProject<T>(
  ctx: CommandContext,
  options: OpenOptions,
  use: (project: Project, screen: Screen) => Promise<T>,
): Promise<T> {
  const [{ openProject }, { openProgress }] = await Promise.all([import("../app.ts"), import("../ui/progress.ts")]);
  const progress = options.progress === false || ctx.json ? undefined : openProgress(ctx.err, { clock: ctx.clock });
  const config = options.config === undefined ? undefined : resolve(ctx.cwd, options.config);
  const note = (line: string) => (progress ? progress.around(() => ctx.note(line)) : ctx.note(line));
  const project = await openProject({ ...ctx, note }, { config, onEvent: (event) => progress?.event(event) });
  try {
    return await use(project, { clear: () => progress?.close() });
  } finally {
    progress?.close();
    await project.close();
  }
}

/** The options that push, pull, sync and delete share. */
export function runOptions(
  files: readonly string[],
  options: { readonly "dry-run": boolean | undefined; readonly allow: readonly string[] },
): RunOptions {
  return { files, dryRun: options["dry-run"] ?? false, allow: new Set(options.allow as readonly GuardName[]) };
}
