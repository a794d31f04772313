import type { SyncOptions } from "../../project/service.ts";
import { CONFIG_OPTIONS, command, DRY_RUN_OPTION } from "../command.ts";
import { askConflict } from "../conflict-prompt.ts";
import { ALLOW_OPTION, runOptions, withProject } from "../project.ts";
import { runTeller } from "../run-answer.ts";

export const syncCommand = command({
  name: "sync",
  summary: "Pull, push and resolve conflicts in one go",
  about: [
    "Uploads, downloads and deletes what is clear. In a terminal it asks about every conflict; elsewhere, and with --no-prompt, conflicts are left unless --strategy settles them.",
    "merge does what can be merged line by line, where the version that both sides agreed on is known, and leaves the rest; files named *.jsonl get the lines of both sides.",
    "keep-both keeps the two versions: one under the file's name, the other as a conflict copy next to it.",
  ],
  positionals: [{ name: "FILES", help: "Sync only these.", optional: true, many: true, completes: "file" }],
  options: {
    "no-prompt": { kind: "flag", help: "Never ask; conflicts are left unless --strategy is given." },
    strategy: {
      kind: "text",
      value: "HOW",
      choices: ["merge", "keep-local", "keep-remote", "keep-both", "skip"],
      help: "Settle every conflict this way.",
    },
    "dry-run": DRY_RUN_OPTION,
    allow: ALLOW_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror sync", "claude-mirror sync --no-prompt --strategy keep-both"],
  async run(ctx, { options, positionals }) {
    const strategy = options.strategy as SyncOptions["strategy"];
    const asks = strategy === undefined && !options["no-prompt"] && !options["dry-run"] && ctx.ask.possible;
    const teller = runTeller(ctx);
    const result = await withProject(ctx, { config: options.config }, (project, screen) => {
      const ask: SyncOptions["ask"] = (question) => {
        screen.clear();
        return askConflict(ctx, question);
      };
      return project.sync({
        ...runOptions(positionals, options),
        ...teller.beside(screen),
        ...(strategy === undefined ? {} : { strategy }),
        ...(asks ? { ask } : {}),
      });
    });
    return teller.answer(result);
  },
});
