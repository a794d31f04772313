import { resolve } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import type { Check, DoctorResult } from "../../project/model.ts";
import { doctorLines } from "../../ui/render/doctor.ts";
import { CONFIG_OPTIONS, command } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { installationChecks } from "../installation-checks.ts";

export const doctorCommand = command({
  name: "doctor",
  summary: "Check settings, records, sign-in, remotes and the installation, and say what to do",
  about: [
    "Looks at the project of this folder, and at what is installed on this machine: the program, skill, hook, service and completion, the watcher, and every project's config. With --all it looks at every project as closely, from any folder.",
    "Every check stands for itself, so it works with a broken settings file and without a network. Nothing is changed; only when it is not known yet what the server can do are small test files written there and removed again.",
    "Exit code 0 when nothing failed, 1 when something did, 6 when it is the sign-in.",
  ],
  options: {
    all: { kind: "flag", help: "Check every project, not only that of this folder." },
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror doctor", "claude-mirror doctor --all"],
  async run(ctx, { options }) {
    const config = options.config === undefined ? undefined : resolve(ctx.cwd, options.config);
    if (options.all && config !== undefined) throw new UsageError("--all goes without --config");
    const projects = options.all ? await diagnoseAll(ctx) : [await diagnoseOne(ctx, config)];
    const installation = await installationChecks(ctx);
    const [one] = projects;
    const shown = options.all
      ? { projects: projects.map(projectJson), installation }
      : { ...(one && projectJson(one)), installation };
    return {
      result: shown,
      lines: doctorLines({ projects, installation }, ctx.out.style),
      exit: await exitOf([...projects.flatMap(({ checks }) => checks), ...installation]),
    };
  },
});

function projectJson({ configFile, guard, checks }: DoctorResult): object {
  return { config: configFile, guard, checks };
}

async function diagnoseOne(ctx: CommandContext, config: string | undefined): Promise<DoctorResult> {
  const { diagnose } = await import("../../setup/doctor.ts");
  return diagnose(ctx, config);
}

async function diagnoseAll(ctx: CommandContext): Promise<readonly DoctorResult[]> {
  const { projectConfigs } = await import("../../setup/doctor-configs.ts");
  const found: DoctorResult[] = [];
  for (const config of projectConfigs(ctx)) found.push(await diagnoseOne(ctx, config));
  return found;
}

async function exitOf(checks: readonly Check[]): Promise<ExitCode> {
  const { onlySignInFailed } = await import("../../setup/doctor.ts");
  if (onlySignInFailed(checks)) return EXIT.needsAction;
  return checks.some(({ state }) => state === "failed") ? EXIT.failed : EXIT.ok;
}
