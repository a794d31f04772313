import { CONFIG_OPTIONS, command, DRY_RUN_OPTION } from "../command.ts";
import { ALLOW_OPTION, runOptions, withProject } from "../project.ts";
import { runTeller } from "../run-answer.ts";

export const pushCommand = command({
  name: "push",
  summary: "Send local changes to the remote and take a snapshot",
  about: [
    "Uploads what is new or changed here and deletes on the remote what was deleted here. Conflicts are left for sync.",
    "FILES are paths from the current folder, folders or quoted globs; everything when left out.",
  ],
  positionals: [{ name: "FILES", help: "Push only these.", optional: true, many: true, completes: "file" }],
  options: {
    "force-local": { kind: "flag", help: "Settle conflicts by what is here; the remote version goes to the trash." },
    "dry-run": DRY_RUN_OPTION,
    allow: ALLOW_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror push", "claude-mirror push CLAUDE.md memory/notes.md", "claude-mirror push --dry-run"],
  async run(ctx, { options, positionals }) {
    const teller = runTeller(ctx);
    const result = await withProject(ctx, { config: options.config }, (project, screen) =>
      project.push({
        ...runOptions(positionals, options),
        ...teller.beside(screen),
        forceLocal: options["force-local"] ?? false,
      }),
    );
    return teller.answer(result);
  },
});
