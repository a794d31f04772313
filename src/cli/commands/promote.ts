import { redact } from "../../lib/redact.ts";
import type { PromotionResult } from "../../project/model.ts";
import type { Style } from "../../ui/terminal.ts";
import { CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION } from "../command.ts";
import { withProject } from "../project.ts";

export const promoteCommand = command({
  name: "promote",
  summary: "Make a mirror the primary, and the primary a mirror",
  about: [
    "First every file that both sides agreed on is verified on the mirror, by its content. Then the two configs swap their roles. The old primary need not be reachable: use this when it is lost, too.",
    "Word of it is left on the old primary: other machines refuse to push there until claude-mirror promote was run on them, or --allow old-primary is given.",
  ],
  positionals: [{ name: "NAME", help: "The mirror, by its type or its config's name.", completes: "backend" }],
  options: { "dry-run": DRY_RUN_OPTION, ...CONFIG_OPTIONS },
  examples: ["claude-mirror promote dropbox --dry-run", "claude-mirror promote dropbox"],
  async run(ctx, { options, positionals }): Promise<CommandResult> {
    const [backend = ""] = positionals;
    const dryRun = options["dry-run"] ?? false;
    const result = await withProject(ctx, { config: options.config }, (project) =>
      project.promote({ backend, dryRun }),
    );
    const { dryRun: dry_run, ...rest } = result;
    return { result: { dry_run, ...rest }, lines: linesOf(result, ctx.out.style) };
  },
});

function linesOf(result: PromotionResult, style: Style): readonly string[] {
  const { from, to, verified, already, dryRun, told, notice } = result;
  const found = already
    ? `${to} was made the primary by another machine already; ${verified} file(s) there are as they were agreed here.`
    : `All ${verified} file(s) on ${to} are what is agreed.`;
  if (dryRun) return [found, style.bold(`Dry run: ${to} would become the primary, ${from} a mirror of it.`)];
  const others = [
    `On every other machine with this project run: claude-mirror promote ${to}`,
    told
      ? `Until then they refuse to push to ${from}.`
      : style.yellow(`${from} could not be told, so they do not know: run it there before anything else is pushed.`),
  ];
  return [
    found,
    style.green(`${to} is the primary now, ${from} a mirror of it.`),
    ...(notice === null ? [] : [style.yellow(redact(notice))]),
    ...(already ? [] : others),
    ...(told
      ? []
      : [
          `When ${from} is back, claude-mirror seed-mirror --backend ${from} brings it up to date; if it is lost, take its config out of mirror_config_paths.`,
        ]),
  ];
}
