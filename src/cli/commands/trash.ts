import { resolve } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import type { Project } from "../../project/service.ts";
import { trashLines } from "../../ui/render/trash.ts";
import { CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exit.ts";
import { withProject } from "../project.ts";

export const trashCommand = command({
  name: "trash",
  summary: "List, restore or empty the files that a run replaced or removed here",
  about: [
    "Files stay in the trash for 30 days. restore puts an item back where it was, or to --to; it never overwrites a different file unless --overwrite is given.",
    "empty is a dry run unless --delete is given, and then asks for the word YES.",
  ],
  positionals: [
    { name: "ACTION", help: "What to do.", choices: ["list", "restore", "empty"], optional: true },
    {
      name: "ITEM",
      help: "For restore: an id from the list, or a path (its newest version).",
      optional: true,
      many: true,
    },
  ],
  options: {
    to: { kind: "text", value: "PATH", help: "Restore to this file instead.", completes: "file" },
    overwrite: { kind: "flag", help: "Replace the file that is there; it goes to the trash itself." },
    delete: { kind: "flag", help: "Really empty the trash." },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror trash list",
    "claude-mirror trash restore memory/notes.md",
    "claude-mirror trash empty --delete",
  ],
  async run(ctx, { options, positionals }): Promise<CommandResult> {
    const [action = "list", ...items] = positionals;
    return withProject(ctx, { config: options.config, progress: false }, async ({ trash }) => {
      if (action === "restore") return restore(ctx, trash, items, options);
      if (items.length > 0) throw new UsageError(`trash ${action} takes no ITEM: got "${items[0]}"`);
      if (action === "empty") return empty(ctx, trash, options);
      const entries = trash.list();
      return { result: { items: entries }, lines: trashLines(entries, ctx.out.style) };
    });
  },
});

type Trash = Project["trash"];

async function restore(
  ctx: CommandContext,
  trash: Trash,
  items: readonly string[],
  options: {
    readonly to: string | undefined;
    readonly overwrite: boolean | undefined;
    readonly "dry-run": boolean | undefined;
  },
): Promise<CommandResult> {
  if (items.length === 0) throw new UsageError("trash restore: name an id or a path (claude-mirror trash list)");
  if (options.to !== undefined && items.length > 1) throw new UsageError("trash restore: --to takes one ITEM only");
  const dryRun = options["dry-run"] ?? false;
  const place = options.to === undefined ? {} : { to: resolve(ctx.cwd, options.to) };
  const restored = items.map((item) => {
    if (dryRun) {
      const { id, path, from } = entryOf(trash, item);
      return { id, path, to: place.to ?? from ?? null };
    }
    const { entry, target } = trash.restore(item, { ...place, overwrite: options.overwrite ?? false });
    return { id: entry.id, path: entry.path, to: target };
  });
  const verb = dryRun ? "Would restore" : "Restored";
  const lines = restored.map(({ path, to }) => `${verb} ${path}${to === null ? "" : ` to ${to}`}`);
  return { result: { dry_run: dryRun, restored }, lines };
}

function entryOf(trash: Trash, item: string): ReturnType<Trash["list"]>[number] {
  const found = trash.find(item);
  if (found) return found;
  throw new UsageError(`the trash holds nothing called "${item}": see claude-mirror trash list`);
}

async function empty(
  ctx: CommandContext,
  trash: Trash,
  options: {
    readonly delete: boolean | undefined;
    readonly yes: boolean | undefined;
    readonly "dry-run": boolean | undefined;
  },
): Promise<CommandResult> {
  const entries = trash.list();
  const act = options.delete === true && options["dry-run"] !== true;
  if (!act || entries.length === 0) {
    const would = `${entries.length} item(s) in the trash${entries.length === 0 ? "." : " would be deleted for good; add --delete to do it."}`;
    return { result: { dry_run: true, deleted: 0, items: entries.length }, lines: [would] };
  }
  if (!options.yes) {
    const message = `Delete ${entries.length} item(s) for good?`;
    if (!(await ctx.ask.typed({ message, word: "YES", flag: "--yes" }))) {
      return {
        result: { dry_run: false, deleted: 0, aborted: true },
        lines: ["Nothing was deleted."],
        exit: EXIT.failed,
      };
    }
  }
  const { removed: deleted } = trash.empty();
  return { result: { dry_run: false, deleted }, lines: [`Deleted ${deleted} item(s) for good.`] };
}
