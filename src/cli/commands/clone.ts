import { mkdirSync } from "node:fs";
import { Interrupted } from "../../lib/errors.ts";
import type { RunResult } from "../../project/model.ts";
import type { InitRequest } from "../../setup/model.ts";
import { type CommandResult, command } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exit.ts";
import { INIT_OPTIONS, initRequest, saysNothing } from "../init-options.ts";
import { withProject } from "../project.ts";
import { runAnswer } from "../run-answer.ts";
import { setUp, setUpJson, setUpLines } from "../set-up.ts";

export const cloneCommand = command({
  name: "clone",
  summary: "Set a project up on another machine and fetch its files",
  about: [
    "init, auth and pull in one, for a remote that is there already: nothing is made on it. --project may name a folder that is missing.",
    "When it fails or is interrupted, what it made here is removed again. Files that were there before are never touched: those that differ are conflicts, left for sync.",
    "Without any flag, in a terminal, the questions of init's wizard are asked.",
  ],
  options: {
    "no-pull": { kind: "flag", help: "Fetch no files yet." },
    wizard: { kind: "flag", help: "Ask for each value, offering what is given." },
    ...INIT_OPTIONS,
  },
  examples: [
    "claude-mirror clone --local-folder /mnt/backup/notes --project ~/notes",
    "claude-mirror clone --webdav-url https://cloud.example/remote.php/dav/files/me/notes --webdav-username me --project ~/notes",
  ],
  async run(ctx, { options }) {
    const { wizard, "no-pull": noPull = false, ...given } = options;
    const flags = { ...(await initRequest(ctx, given)), newProject: true };
    const asks = wizard || (ctx.ask.possible && saysNothing(given));
    const looking = (await import("../../setup/undo.ts")).beforeLooking(ctx);
    let done = false;
    try {
      const request = asks ? await (await import("../wizard.ts")).askClone(ctx, flags) : flags;
      if (request === undefined) return { result: null, lines: ["Nothing was changed."], exit: EXIT.failed };
      const answered = await clone(ctx, request, noPull);
      done = !request.dryRun;
      return answered;
    } finally {
      if (!done) looking.undo();
    }
  },
});

async function clone(ctx: CommandContext, request: InitRequest, noPull: boolean): Promise<CommandResult> {
  const [{ draftConfig, initProject }, { beforeClone }, { setUpAlready }] = await Promise.all([
    import("../../setup/init.ts"),
    import("../../setup/undo.ts"),
    import("../wizard-ask.ts"),
  ]);
  const preview = await initProject(ctx, { ...request, dryRun: true });
  if (!preview.created) throw setUpAlready(preview.projectPath, preview.configFile);
  const config = await draftConfig(ctx, request);
  const options = { config, signIn: !request.dryRun, gitignore: false, connect: "try", mustExist: true } as const;
  if (request.dryRun) return answer(ctx, { done: await setUp(ctx, request, options), run: undefined });
  const before = await beforeClone(ctx, config);
  let fetched: readonly string[] = [];
  try {
    mkdirSync(config.projectPath, { recursive: true });
    const done = await setUp(ctx, request, options);
    for (const hint of done.init.hints) ctx.note(`Hint: ${hint}`);
    if (noPull)
      return answer(ctx, { done: { ...done, init: { ...done.init, next: "claude-mirror pull" } }, run: undefined });
    const run = await pull(ctx, config.file);
    if (run.interrupted) {
      fetched = run.downloaded;
      throw new Interrupted();
    }
    return answer(ctx, { done, run });
  } catch (error) {
    before.undo(fetched);
    ctx.note("What clone had made here was removed again.");
    throw error;
  }
}

function pull(ctx: CommandContext, config: string): Promise<RunResult> {
  return withProject(ctx, { config }, (project) => project.pull({ files: [], dryRun: false, allow: new Set() }));
}

interface Cloned {
  readonly done: Awaited<ReturnType<typeof setUp>>;
  readonly run: RunResult | undefined;
}

function answer(ctx: CommandContext, { done, run }: Cloned): CommandResult {
  const pulled = run === undefined ? undefined : runAnswer(ctx, run);
  return {
    result: { ...setUpJson(done), pull: pulled?.result ?? null },
    lines: [...setUpLines(ctx, done), ...(pulled?.lines ?? [])],
    exit: pulled?.exit ?? EXIT.ok,
  };
}
