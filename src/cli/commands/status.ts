import { UsageError } from "../../lib/errors.ts";
import type { Presence, StatusFile, StatusResult } from "../../project/model.ts";
import type { Project } from "../../project/service.ts";
import { presenceLines, shortStatusLine, statusLines } from "../../ui/render/status.ts";
import { CONFIG_OPTIONS, type CommandResult, command } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { withProject } from "../project.ts";

export const statusCommand = command({
  name: "status",
  summary: "Show what differs between here and the remote",
  about: ["Looks at both sides and changes nothing. Exit code 0 whatever it finds, unless --exit-code is given."],
  options: {
    pending: { kind: "flag", help: "Show what waits or failed on mirrors instead; asks nothing." },
    "by-backend": { kind: "flag", help: "Look at every mirror, too, and show a column for each backend." },
    presence: { kind: "flag", help: "Also show who else was active in the last 24 hours." },
    short: { kind: "flag", help: "One line instead of the table." },
    watch: { kind: "number", value: "N", min: 1, max: 3600, help: "Show again every N seconds until Ctrl-C." },
    "exit-code": { kind: "flag", help: "Exit 4 with conflicts, 3 when anything else differs." },
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror status",
    "claude-mirror status --short",
    "claude-mirror status --presence",
    "claude-mirror status --json --exit-code",
  ],
  async run(ctx, { options }): Promise<CommandResult> {
    if (options.presence && (options.pending || options["by-backend"]))
      throw new UsageError("--presence goes with the plain status: leave out --pending and --by-backend");
    const look = () =>
      withProject(ctx, { config: options.config }, (project) => {
        if (options.pending) return pendingAnswer(ctx, project);
        if (options["by-backend"]) return columnsAnswer(ctx, project);
        return answer(ctx, project, options);
      });
    if (options.watch === undefined) return look();
    for (;;) {
      const { result, lines } = await look();
      if (ctx.json) ctx.stdout.write(`${JSON.stringify({ version: 1, command: "status", result })}\n`);
      else showAgain(ctx, lines ?? []);
      await ctx.clock.sleep(options.watch * 1000, ctx.signal);
    }
  },
});

async function pendingAnswer(ctx: CommandContext, project: Project): Promise<CommandResult> {
  const { pendingLines } = await import("../../ui/render/mirrors.ts");
  const pending = await project.pending();
  return {
    result: { pending: pending.rows, ...pending, rows: undefined },
    lines: pendingLines(pending, ctx.out.style),
  };
}

async function columnsAnswer(ctx: CommandContext, project: Project): Promise<CommandResult> {
  const { columnLines } = await import("../../ui/render/mirrors.ts");
  const [status, columns] = await Promise.all([project.status({ hashes: ctx.json }), project.mirrorColumns()]);
  for (const notice of status.notices) ctx.note(notice);
  const backends = columns.map(({ name, error, files }) => ({ name, error, files: Object.fromEntries(files) }));
  return {
    result: ctx.json ? { ...statusJson(status), backends } : null,
    lines: columnLines(status, columns, project.name, ctx.out.style),
  };
}

async function answer(
  ctx: CommandContext,
  project: Project,
  options: Readonly<Record<"short" | "exit-code" | "presence", boolean | undefined>>,
): Promise<CommandResult> {
  const [status, others] = await Promise.all([
    project.status({ hashes: ctx.json }),
    options.presence ? project.presence() : undefined,
  ]);
  for (const notice of [...status.notices, ...(others?.notices ?? [])]) ctx.note(notice);
  const { style } = ctx.out;
  const lines = options.short ? [shortStatusLine(status, style)] : statusLines(status, style);
  return {
    result: ctx.json ? statusJson(status, others?.presence) : null,
    lines: others === undefined ? lines : [...lines, ...presenceLines(others.presence, ctx.clock.now(), style)],
    exit: options["exit-code"] ? statusExit(status) : EXIT.ok,
  };
}

function statusExit({ counts, differing }: StatusResult): ExitCode {
  if (counts.conflict > 0) return EXIT.conflicts;
  return differing.length > 0 ? EXIT.partial : EXIT.ok;
}

/** The shape of reference 3.3, with `deleted_remote` and `held` (decision 1). */
function statusJson(status: StatusResult, presence?: readonly Presence[]): object {
  const { in_sync, local_ahead, remote_ahead, conflict, new_local, new_remote, deleted_local } = status.counts;
  const { deleted_remote, held } = status.counts;
  const files: StatusFile[] = [...status.files()];
  return {
    config_path: status.configFile,
    summary: {
      in_sync,
      local_ahead,
      remote_ahead,
      conflict,
      new_local,
      new_remote,
      deleted_local,
      deleted_remote,
      held,
    },
    files,
    ...(status.held.length === 0 ? {} : { held: status.held }),
    ...(presence && { presence }),
  };
}

function showAgain(ctx: CommandContext, lines: readonly string[]): void {
  if (ctx.out.isTTY) ctx.out.write("\u001b[H\u001b[2J");
  for (const line of lines) ctx.print(line);
}
