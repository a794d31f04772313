import { UsageError } from "../../lib/errors.ts";
import { profileLines, profileListLines } from "../../ui/render/profile.ts";
import { type CommandResult, command, DRY_RUN_OPTION, YES_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { isForReal } from "../delete-snapshots.ts";
import { EXIT } from "../exit.ts";

export const profileCommand = command({
  name: "profile",
  summary: "List, show, create or delete settings that several projects share",
  about: [
    "A profile is a YAML file of any settings, in the folder profiles next to the projects' own. A project uses one with profile: NAME in its config, or for one command with --profile NAME; init and clone take from it what is not given to them.",
    "A profile's value stands in where the project's own says nothing: it is missing, empty, 0 or false. Nothing of a project's place is shared: project_path and mirror_config_paths are its own.",
    "delete is a dry run unless --delete is given, and then asks for the word YES.",
  ],
  positionals: [
    {
      name: "ACTION",
      help: "What to do; list when left out.",
      choices: ["list", "show", "create", "delete"],
      optional: true,
    },
    { name: "NAME", help: "The profile.", optional: true, completes: "profile" },
  ],
  options: {
    backend: { kind: "text", value: "NAME", help: "For create: the backend.", completes: "backend" },
    description: { kind: "text", value: "TEXT", help: "For create: what it is for.", completes: "none" },
    set: {
      kind: "list",
      value: "KEY=VALUE",
      help: "For create: a setting, a list's items with commas.",
      completes: "none",
    },
    delete: { kind: "flag", help: "For delete: really delete it." },
    yes: YES_OPTION,
    "dry-run": DRY_RUN_OPTION,
  },
  examples: [
    "claude-mirror profile create work --backend webdav --set webdav_username=me --set poll_interval=60",
    "claude-mirror profile show work",
    "claude-mirror push --profile work",
    "claude-mirror profile delete work --delete",
  ],
  async run(ctx, { options, positionals: [action = "list", name] }): Promise<CommandResult> {
    const profiles = await import("../../setup/profiles.ts");
    if (action === "list") {
      if (name !== undefined) throw new UsageError(`profile list takes no NAME: got "${name}"`);
      const found = profiles.listProfiles(ctx);
      return { result: { profiles: found }, lines: profileListLines(found, ctx.out.style) };
    }
    if (name === undefined) throw new UsageError(`profile ${action} needs NAME: which profile`);
    if (action === "show") {
      const found = profiles.showProfile(ctx, name);
      return { result: found, lines: profileLines(found, ctx.out.style) };
    }
    if (action === "delete") return remove(ctx, name, options);
    const { backend, description, set: settings } = options;
    const dryRun = options["dry-run"] === true;
    const { file, text } = profiles.createProfile(ctx, { name, backend, description, settings, dryRun });
    const head = dryRun ? `Would write ${file}:` : `Wrote ${file}:`;
    const body = text
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`);
    return { result: { name, file, created: !dryRun, dry_run: dryRun }, lines: [head, ...body] };
  },
});

interface DeleteOptions {
  readonly delete: boolean | undefined;
  readonly yes: boolean | undefined;
  readonly "dry-run": boolean | undefined;
}

async function remove(ctx: CommandContext, name: string, options: DeleteOptions): Promise<CommandResult> {
  const { deleteProfile, listProfiles } = await import("../../setup/profiles.ts");
  const found = listProfiles(ctx).find((profile) => profile.name === name);
  const used = found?.used_by ?? [];
  const uses = used.length === 0 ? [] : [`These projects then have no settings: ${used.join(", ")}`];
  if (!isForReal(options) && found !== undefined) {
    const lines = [`Would delete ${found.file}.`, ...uses, "Dry run: nothing was deleted. Add --delete to delete."];
    return { result: { name, deleted: false, dry_run: true, used_by: used }, lines };
  }
  for (const line of uses) ctx.note(line);
  const ask = () => ctx.ask.typed({ message: `Delete the profile ${name}?`, word: "YES", flag: "--yes" });
  if (found !== undefined && !options.yes && !(await ask())) {
    return {
      result: { name, deleted: false, dry_run: false, aborted: true },
      lines: ["Nothing was deleted."],
      exit: EXIT.failed,
    };
  }
  deleteProfile(ctx, name);
  return { result: { name, deleted: true, dry_run: false, used_by: used }, lines: [`Deleted the profile ${name}.`] };
}
