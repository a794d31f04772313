import { COMPONENTS, type ComponentName, type ComponentOutcome } from "../../install/model.ts";
import { SHELLS, type Shell } from "../../platform/shells.ts";
import { installLines, installQuestion } from "../../ui/render/install.ts";
import { type CommandResult, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { manPage } from "../man-page.ts";

const installService = () => import("../../install/service.ts");

/** `install`, also as `claude-mirror-install`. */
export const installCommand = command({
  name: "install",
  summary: "Set up, or remove, what runs outside of this program",
  about: [
    "Sets up the Claude Code skill and hook, the watcher as a service that starts at login, shell completion, the manual page, and where it is missing the PATH entry. Each is shown and asked about before anything is written.",
    "Files of other programs are changed only where ours belongs and are given back byte for byte by --uninstall, unless they were changed since: then only our part goes. Installing twice changes nothing.",
    "Also called claude-mirror-install.",
  ],
  options: {
    uninstall: { kind: "flag", help: "Remove what was set up." },
    only: {
      kind: "list",
      value: "COMPONENT",
      help: `One of ${COMPONENTS.join(", ")}; all that are missing when left out.`,
      choices: COMPONENTS,
    },
    print: {
      kind: "text",
      value: "COMPONENT",
      help: "Print what would be installed, to put it in place by hand.",
      choices: COMPONENTS,
    },
    shell: { kind: "text", value: "SHELL", help: "For this shell instead of your login shell.", choices: SHELLS },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
  },
  examples: [
    "claude-mirror install",
    "claude-mirror install --only hook --only skill --yes",
    "claude-mirror install --print service",
    "claude-mirror install --uninstall",
  ],
  async run(ctx, { options }): Promise<CommandResult> {
    const { openInstall, printComponent } = await installService();
    const world = { ...worldOf(ctx), manPage: await manPage(ctx.version.version) };
    const shell = options.shell as Shell | undefined;
    if (options.print !== undefined) {
      const text = printComponent(options.print as ComponentName, world, shell);
      if (!ctx.json) ctx.out.write(text);
      return { result: { component: options.print, text } };
    }
    const [uninstall, dryRun] = [options.uninstall ?? false, options["dry-run"] ?? false];
    const steps = openInstall(world, { only: options.only as readonly ComponentName[], uninstall, shell });
    const components: ComponentOutcome[] = [];
    for (const open of steps) {
      const next = open();
      const go = next.todo && !dryRun && (options.yes || (await agreed(ctx, installQuestion(next.step))));
      components.push(await (go || !next.todo ? next.run() : next.leave(dryRun ? "planned" : "declined")));
    }
    const report = { uninstall, dry_run: dryRun, components };
    const shown = installLines(report, ctx.out.style);
    if (!uninstall && !options.yes) {
      for (const line of shown) ctx.print(line);
      await offerShell(ctx, components);
      return { result: report, exit: exitOf(components) };
    }
    return { result: report, lines: shown, exit: exitOf(components) };
  },
});

function worldOf(ctx: CommandContext) {
  const { env, home } = ctx;
  return { env, home, platform: process.platform, executable: process.execPath };
}

function agreed(ctx: CommandContext, message: string): Promise<boolean> {
  return ctx.ask.confirm({
    message,
    initial: true,
    flag: "--yes (or look first with --dry-run, or choose with --only)",
  });
}

/** Completion and PATH work in shells that start from now on. */
async function offerShell(ctx: CommandContext, components: readonly ComponentOutcome[]): Promise<void> {
  const changed = components.some(
    ({ component, state }) => (component === "completion" || component === "path") && state === "done",
  );
  const { hasLoginShell, openFreshShell } = await installService();
  if (!changed || !ctx.ask.possible || !hasLoginShell(worldOf(ctx))) return;
  const message = "Start a fresh shell now, so that completion works at once?";
  if (await ctx.ask.confirm({ message, initial: false, flag: "--yes" })) openFreshShell(worldOf(ctx));
}

function exitOf(components: readonly ComponentOutcome[]): ExitCode {
  const bad = components.filter(({ state }) => state === "failed" || state === "partly");
  if (bad.length === 0) return EXIT.ok;
  return components.some(({ state }) => state === "done" || state === "partly") ? EXIT.partial : EXIT.failed;
}
