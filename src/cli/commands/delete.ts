import { CONFIG_OPTIONS, command, DRY_RUN_OPTION } from "../command.ts";
import { ALLOW_OPTION, runOptions, withProject } from "../project.ts";
import { runTeller } from "../run-answer.ts";

export const deleteCommand = command({
  name: "delete",
  summary: "Delete files on the remote",
  about: [
    "The local files stay unless --local is given; then they go to the trash. A deleted file's content is kept in a snapshot.",
  ],
  positionals: [{ name: "FILES", help: "Files, folders or quoted globs.", many: true, completes: "file" }],
  options: {
    local: { kind: "flag", help: "Also move the local files to the trash." },
    "dry-run": DRY_RUN_OPTION,
    allow: ALLOW_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror delete old.md", "claude-mirror delete 'drafts/**' --local"],
  async run(ctx, { options, positionals }) {
    const teller = runTeller(ctx);
    const result = await withProject(ctx, { config: options.config }, (project, screen) =>
      project.delete({ ...runOptions(positionals, options), ...teller.beside(screen), local: options.local ?? false }),
    );
    return teller.answer(result);
  },
});
