import { resolve } from "node:path";
import { CONFIG_OPTIONS, command, DRY_RUN_OPTION } from "../command.ts";
import { ALLOW_OPTION, runOptions, withProject } from "../project.ts";
import { runTeller } from "../run-answer.ts";

export const pullCommand = command({
  name: "pull",
  summary: "Fetch remote changes",
  about: [
    "Downloads what is new or changed on the remote and moves to the trash what was deleted there. Conflicts are left for sync.",
    "With --output the remote versions are written under DIR; the project and its manifest stay as they are.",
  ],
  positionals: [{ name: "FILES", help: "Pull only these.", optional: true, many: true, completes: "file" }],
  options: {
    output: { kind: "text", value: "DIR", help: "Write the remote versions there instead.", completes: "folder" },
    "dry-run": DRY_RUN_OPTION,
    allow: ALLOW_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror pull", "claude-mirror pull memory/notes.md --output preview"],
  async run(ctx, { options, positionals }) {
    const output = options.output === undefined ? {} : { output: resolve(ctx.cwd, options.output) };
    const teller = runTeller(ctx);
    const result = await withProject(ctx, { config: options.config }, (project, screen) =>
      project.pull({ ...runOptions(positionals, options), ...teller.beside(screen), ...output }),
    );
    return teller.answer(result);
  },
});
