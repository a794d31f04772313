import { redact } from "../lib/redact.ts";
import type { MirrorRunResult } from "../project/model.ts";
import type { MirrorRequest, Project } from "../project/service.ts";
import { mirrorRunLines } from "../ui/render/mirrors.ts";
import { CONFIG_OPTIONS, type CommandResult, DRY_RUN_OPTION, type Option } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { withProject } from "./project.ts";

/** The options that `retry` and `seed-mirror` share. */
export const MIRROR_OPTIONS = {
  backend: { kind: "text", value: "NAME", help: "Only this mirror.", completes: "backend" },
  overwrite: {
    kind: "flag",
    help: "Also replace what somebody else has changed there; that version goes to the trash here.",
  },
  "dry-run": DRY_RUN_OPTION,
  ...CONFIG_OPTIONS,
} as const satisfies Record<string, Option>;

export interface MirrorOptions {
  readonly backend: string | undefined;
  readonly overwrite: boolean | undefined;
  readonly "dry-run": boolean | undefined;
  readonly config: string | undefined;
}

/** Runs one of them and tells how each mirror stands. */
export async function mirrorRun(
  ctx: CommandContext,
  options: MirrorOptions,
  run: (project: Project, request: MirrorRequest) => Promise<MirrorRunResult>,
): Promise<CommandResult> {
  const request = {
    backend: options.backend,
    dryRun: options["dry-run"] ?? false,
    overwrite: options.overwrite ?? false,
  };
  const result = await withProject(ctx, { config: options.config }, (project) => run(project, request));
  for (const notice of result.notices) ctx.note(redact(notice));
  const { command: _, dryRun, ...rest } = result;
  return { result: { dry_run: dryRun, ...rest }, lines: mirrorRunLines(result, ctx.out.style), exit: exitOf(result) };
}

/** Decision 2; a command that is about mirrors alone says when it could not do all. */
function exitOf({ backends, dryRun }: MirrorRunResult) {
  if (dryRun) return EXIT.ok;
  if (backends.some(({ state }) => state === "action-required")) return EXIT.needsAction;
  return backends.some(({ state }) => state !== "ok") ? EXIT.partial : EXIT.ok;
}
