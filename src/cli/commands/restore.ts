import { existsSync, realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import { redact } from "../../lib/redact.ts";
import type { Consent, RestoreChoice, SnapshotChoice } from "../../project/service.ts";
import type { RestorePlan } from "../../snapshots/model.ts";
import { restoreDoneLines, restorePlanLines } from "../../ui/render/restore.ts";
import { BACKEND_OPTION, CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT, exitOfItems } from "../exit.ts";
import { withProject } from "../project.ts";

export const restoreCommand = command({
  name: "restore",
  summary: "Bring files back from a snapshot",
  about: [
    "Restores the whole snapshot, or the files, folders and globs given. With --output the files are written there; otherwise into the project, after asking. What is replaced goes to the trash.",
  ],
  positionals: [
    {
      name: "TIMESTAMP",
      help: "A snapshot's name (claude-mirror snapshots), or latest; left out with --tag.",
      optional: true,
      completes: "snapshot",
    },
    {
      name: "PATHS",
      help: "Only these files, folders or quoted globs.",
      optional: true,
      many: true,
      completes: "file",
    },
  ],
  options: {
    output: { kind: "text", value: "DIR", help: "Write there instead of into the project.", completes: "folder" },
    tag: { kind: "text", value: "TAG", help: "The snapshot with this tag." },
    "delete-extra": {
      kind: "flag",
      help: "Move files that the snapshot lacks to the trash, of those that take part in sync.",
    },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
    backend: {
      ...BACKEND_OPTION,
      help: "Only from this backend; from the primary, else from the first mirror that has it, when left out.",
    },
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror restore 2026-03-05T10-30-00Z --output recovery",
    "claude-mirror restore 2026-03-05T10-30-00Z memory/notes.md",
    "claude-mirror restore --tag before-refactoring --delete-extra",
  ],
  async run(ctx, { options, positionals }) {
    const { snapshot, patterns } = wantedOf(options.tag, positionals);
    const output = options.output === undefined ? {} : { output: resolve(ctx.cwd, options.output) };
    return withProject(ctx, { config: options.config }, async (project): Promise<CommandResult> => {
      const consent = consentTo(ctx, { yes: options.yes ?? false, dryRun: options["dry-run"] ?? false });
      const found = await project.planRestore(
        { ...snapshot, patterns, ...output, deleteExtra: options["delete-extra"] ?? false },
        { backend: options.backend, consent },
      );
      const { plan, backend, extras } = found;
      if (found.warning !== null) ctx.note(ctx.err.style.yellow(found.warning));
      if (plan.problem !== undefined) ctx.note(ctx.err.style.yellow(`Snapshot ${plan.timestamp}: ${plan.problem}.`));
      if (options["dry-run"]) {
        const paths = extras.map(({ path }) => path);
        const lines = restorePlanLines(plan, ctx.out.style, paths);
        return { result: { dry_run: true, backend, ...plan, extras: paths }, lines };
      }
      const message = questionOf(project.config.projectPath, found, patterns);
      if (message !== undefined && !options.yes) {
        if (!(await ctx.ask.confirm({ message, flag: "--yes", initial: false }))) {
          return { result: { restored: [], aborted: true }, lines: ["Nothing was restored."], exit: EXIT.failed };
        }
      }
      const summary = await project.restore(found);
      return {
        result: {
          dry_run: false,
          backend,
          timestamp: plan.timestamp,
          format: plan.format,
          target: plan.target,
          files: summary.items,
          extras: summary.extras,
        },
        lines: restoreDoneLines(summary, ctx.out.style),
        exit: summary.interrupted ? EXIT.interrupted : exitOfItems([...summary.items, ...summary.extras]),
      };
    });
  },
});

function wantedOf(
  tag: string | undefined,
  words: readonly string[],
): { readonly snapshot: SnapshotChoice; readonly patterns: readonly string[] } {
  if (tag !== undefined) return { snapshot: { tag }, patterns: words };
  const [timestamp, ...patterns] = words;
  if (timestamp !== undefined) return { snapshot: { timestamp }, patterns };
  throw new UsageError("restore needs the snapshot's name, or --tag", { hint: "claude-mirror snapshots lists them." });
}

/** Undefined where nothing that is here is touched. */
function questionOf(
  projectPath: string,
  { plan, extras }: RestoreChoice,
  patterns: readonly string[],
): string | undefined {
  const changed = plan.items.filter((item) => item.kind !== "same");
  const overwrites = overProject(projectPath, plan) && changed.length > 0;
  const what = patterns.length === 0 ? "the entire snapshot" : `${changed.length} matching file(s)`;
  const parts = [
    ...(overwrites ? [`overwrite ${what} in ${plan.target}`] : []),
    ...(extras.length > 0 ? [`move ${extras.length} file(s) that it lacks from ${plan.target} to the trash`] : []),
  ];
  return parts.length === 0 ? undefined : `This will ${parts.join(" and ")}. Continue?`;
}

/** A mirror stands in for a primary that cannot be asked only when somebody says so. */
function consentTo(ctx: CommandContext, { yes, dryRun }: { readonly yes: boolean; readonly dryRun: boolean }): Consent {
  let told = false;
  return async (mirror, primary) => {
    if (!told)
      ctx.note(ctx.err.style.red(`The primary (${primary.name}) cannot be asked: ${redact(primary.error.message)}`));
    told = true;
    if (yes || dryRun) return true;
    return ctx.ask.confirm({ message: `Restore from the mirror ${mirror} instead?`, flag: "--yes", initial: false });
  };
}

/** Whether files of the project itself would be replaced: by its own name, another one, or that of a folder in it. */
function overProject(projectPath: string, { target, items }: RestorePlan): boolean {
  const root = existsSync(projectPath) ? realpathSync(projectPath) : projectPath;
  if (target === root) return true;
  return target.startsWith(root + sep) && items.some((item) => item.kind === "overwrite");
}
