import type { Releases } from "../../install/release.ts";
import { RefusedError } from "../../lib/errors.ts";
import { type CommandResult, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exit.ts";
import { lookForUpdate, type UpdateState, updateLine, withReleases } from "../releases.ts";

export const updateCommand = command({
  name: "update",
  summary: "Replace this program by the newest version",
  about: [
    "Only shows what it would do unless --apply is given. The new program is compared with its SHA-256 and tried before it takes the place of the old one, which comes back if it does not run there.",
  ],
  options: {
    apply: { kind: "flag", help: "Really do it, after asking." },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
  },
  examples: ["claude-mirror update", "claude-mirror update --apply --yes"],
  async run(ctx, { options }): Promise<CommandResult> {
    return withReleases(ctx, async (releases) => {
      const found = await lookForUpdate(ctx, releases);
      if (found.state !== "available") return { result: { ...found, applied: false }, lines: [updateLine(found)] };
      if (!options.apply || options["dry-run"]) {
        const lines = [updateLine(found), "Nothing was changed; add --apply to install it."];
        return { result: { ...found, applied: false }, lines };
      }
      const question = { message: `${updateLine(found)}. Install it?`, initial: true, flag: "--yes" };
      if (!options.yes && !(await ctx.ask.confirm(question)))
        return { result: { ...found, applied: false }, lines: ["Nothing was changed."], exit: EXIT.failed };
      return apply(ctx, releases, found);
    });
  },
});

async function apply(ctx: CommandContext, releases: Releases, found: UpdateState): Promise<CommandResult> {
  const { ownTarget, replaceProgram, updateParts } = await import("../../install/update.ts");
  const target = ownTarget();
  if (target === undefined)
    throw new RefusedError("from-source", "cannot update: this program runs from its sources; update those instead");
  const executable = process.execPath;
  await replaceProgram(releases, { executable, version: found.latest, target });
  const { runningWatcher } = await import("../../app-watch.ts");
  const [pid, stale] = [runningWatcher(ctx), updateParts(executable)];
  const lines = [`Updated ${found.current} → ${found.latest}, ${executable}`];
  if (pid !== undefined) lines.push(`The watcher (process ${pid}) still runs the old version: restart it.`);
  if (stale.length > 0) lines.push(`Out of date: ${stale.join(", ")}. Run claude-mirror install.`);
  return { result: { ...found, applied: true, executable, watcher_pid: pid ?? null, stale }, lines };
}
