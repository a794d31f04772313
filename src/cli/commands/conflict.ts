import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import { isSystemError, systemState } from "../../lib/system-error.ts";
import type { ConflictView } from "../../project/model.ts";
import type { Project } from "../../project/service.ts";
import {
  conflictListLines,
  conflictViewLines,
  conflictViewText,
  type ViewFormat,
} from "../../ui/render/conflict-list.ts";
import { CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { withProject } from "../project.ts";
import { runAnswer } from "../run-answer.ts";

export const conflictCommand = command({
  name: "conflict",
  summary: "List, show, settle or drop the conflicts that runs have left",
  about: [
    "A push, pull or sync that leaves a conflict between two texts notes both of them, and what they agreed on last where that is known.",
    "show prints the merge: markers stand around the lines that both sides changed. apply makes FILE, or what comes on standard input, the file on both sides; it refuses when one of them has changed since. drop forgets the note, not the conflict.",
  ],
  positionals: [
    { name: "ACTION", help: "What to do.", choices: ["list", "show", "apply", "drop"], optional: true },
    { name: "PATH", help: "The file in conflict, from the current folder.", optional: true, completes: "file" },
    {
      name: "FILE",
      help: "For apply: the finished merge; - or nothing is standard input.",
      optional: true,
      completes: "file",
    },
  ],
  options: {
    format: {
      kind: "text",
      value: "FORMAT",
      choices: ["markers", "diff", "json"],
      help: "For show: the merge with markers (default), the difference, or all that is noted.",
    },
    "dry-run": DRY_RUN_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror conflict list",
    "claude-mirror conflict show notes.md > merged.md",
    "claude-mirror conflict apply notes.md merged.md",
  ],
  async run(ctx, { options, positionals }): Promise<CommandResult> {
    const [action = "list", path, file] = positionals;
    requireWords(action, path, file);
    if (options.format !== undefined && action !== "show") throw new UsageError(`conflict ${action} takes no --format`);
    const bytes = action === "apply" ? await mergedBytes(ctx, file) : new Uint8Array();
    const progress = action === "apply";
    const dryRun = options["dry-run"] ?? false;
    return withProject(ctx, { config: options.config, progress }, async (project): Promise<CommandResult> => {
      if (path === undefined) return list(ctx, project);
      if (action === "apply") return runAnswer(ctx, await project.applyConflict(path, { bytes, dryRun }));
      if (action === "show") return show(ctx, project.conflict(path), (options.format ?? "markers") as ViewFormat);
      const dropped = dryRun ? project.conflict(path).envelope.path : project.dropConflict(path);
      return {
        result: { dry_run: dryRun, dropped },
        lines: [`${dryRun ? "Would drop" : "Dropped"} the note of the conflict in ${dropped}.`],
      };
    });
  },
});

function requireWords(action: string, path: string | undefined, file: string | undefined): void {
  if (action === "list" && path !== undefined) throw new UsageError(`conflict list takes no PATH: got "${path}"`);
  if (action !== "list" && path === undefined)
    throw new UsageError(`conflict ${action}: name the file (claude-mirror conflict list)`);
  if (action !== "apply" && file !== undefined) throw new UsageError(`conflict ${action} takes no FILE: got "${file}"`);
}

function list(ctx: CommandContext, project: Project): CommandResult {
  const conflicts = project.conflicts();
  const result = conflicts.map(({ path, created_at, local_hash, remote_hash, base_hash }) => {
    return { path, created_at, local_hash, remote_hash, base_hash };
  });
  return { result: { conflicts: result }, lines: conflictListLines(conflicts, ctx.out.style) };
}

function show(ctx: CommandContext, view: ConflictView, format: ViewFormat): CommandResult {
  const result = { ...view.envelope, merge: view.merge };
  if (ctx.json || ctx.out.isTTY) return { result, lines: conflictViewLines(view, format) };
  ctx.out.write(conflictViewText(view, format));
  return { result };
}

/** An empty input is taken for a command before it that failed, not for an empty file. */
async function mergedBytes(ctx: CommandContext, file: string | undefined): Promise<Uint8Array> {
  if (file !== undefined && file !== "-") return fileBytes(resolve(ctx.cwd, file), file);
  if (ctx.stdin.isTTY)
    throw new UsageError("conflict apply: name the FILE that holds the merge, or send it on standard input");
  const text = await ctx.stdin.text();
  if (text !== "") return new TextEncoder().encode(text);
  throw new UsageError("conflict apply: nothing came on standard input", {
    hint: "For an empty file, name an empty FILE.",
  });
}

function fileBytes(absolute: string, typed: string): Uint8Array {
  try {
    return readFileSync(absolute);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new UsageError(`cannot read the merge "${typed}": ${systemState(error)}`);
  }
}
