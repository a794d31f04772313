import type { ProjectConfig } from "../settings/model.ts";
import type { InitRequest, InitResult } from "../setup/model.ts";
import { type Before, beforeLooking, beforeSetup } from "../setup/undo.ts";
import { requestOfDraft } from "../setup/wizard-draft.ts";
import { wizardPlaces } from "../setup/wizard-places.ts";
import { summaryLines } from "../ui/render/wizard.ts";
import type { CommandResult } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { failureLines } from "./output.ts";
import { withProject } from "./project.ts";
import { runTeller } from "./run-answer.ts";
import { type SetUp, setUp, setUpJson, setUpLines } from "./set-up.ts";
import { askAll, firstKnown } from "./wizard-ask.ts";

/**
 * Asks for everything, shows it, tries it, and only then writes it. Whatever ends this before everything is saved
 * leaves the machine as it was; from then on the only question is about the first push.
 */
export async function runWizard(ctx: CommandContext, flags: InitRequest): Promise<CommandResult> {
  const looking = beforeLooking(ctx);
  let done: SetUp | undefined;
  try {
    done = await agree(ctx, flags);
  } finally {
    if (done === undefined || flags.dryRun) looking.undo();
  }
  if (done === undefined) return { result: null, lines: ["Nothing was changed."], exit: EXIT.failed };
  for (const line of setUpLines(ctx, done)) ctx.print(line);
  return flags.dryRun ? answerOf(done, EXIT.ok) : firstPush(ctx, done);
}

/** Asks until it is set up; undefined when the person says no. */
async function agree(ctx: CommandContext, flags: InitRequest): Promise<SetUp | undefined> {
  greet(ctx);
  for (let known = firstKnown(flags); ; ) {
    const answers = await askAll(ctx, known, wizardPlaces(ctx, flags));
    if (answers === undefined) return undefined;
    known = { first: answers.draft, agreed: answers.agreed };
    const done = await settle(ctx, requestOfDraft(answers.draft, flags));
    if (done !== "change") return done;
  }
}

/** What to clone, by the same questions; undefined when the person says no. Writes nothing. */
export async function askClone(ctx: CommandContext, flags: InitRequest): Promise<InitRequest | undefined> {
  greet(ctx);
  const answers = await askAll(ctx, firstKnown(flags), wizardPlaces(ctx, flags));
  if (answers === undefined) return undefined;
  const request = requestOfDraft(answers.draft, flags);
  await summarize(ctx, request);
  return (await yes(ctx, "Clone this?")) ? request : undefined;
}

function greet(ctx: CommandContext): void {
  if (!ctx.ask.possible) return;
  ctx.note(ctx.err.style.bold("claude-mirror setup wizard"));
  ctx.note("Enter takes the value shown. Until it is saved, Ctrl-C changes nothing.");
  ctx.note("");
}

/** The last look, the trial, and the writing. Undefined when the person says no. */
async function settle(ctx: CommandContext, request: InitRequest): Promise<SetUp | "change" | undefined> {
  const { config, preview } = await summarize(ctx, request);
  if (!(await yes(ctx, "Save this configuration?"))) return undefined;
  if (request.dryRun) return { init: preview, auth: undefined, gitignored: false, isReady: false };
  const gitignore = await wantsGitignore(ctx, preview);
  const signIn = config.backend === "local" || (await yes(ctx, `Sign in to ${config.backend} now?`));
  const before = await beforeSetup(ctx, config, gitignore && preview.gitignore ? [preview.gitignore.file] : []);
  return trying(ctx, before, () => setUp(ctx, request, { config, signIn, gitignore, connect: "try" }));
}

async function summarize(
  ctx: CommandContext,
  request: InitRequest,
): Promise<{ readonly config: ProjectConfig; readonly preview: InitResult }> {
  const { draftConfig, initProject } = await import("../setup/init.ts");
  const config = await draftConfig(ctx, request);
  const preview = await initProject(ctx, { ...request, dryRun: true });
  ctx.note("");
  for (const line of summaryLines(config, ctx.err.style, ctx.home)) ctx.note(line);
  for (const hint of preview.hints) ctx.note(`Hint: ${hint}`);
  ctx.note("");
  return { config, preview };
}

/** Sets up as often as the person wants; what fails is undone before anything else is asked. */
async function trying(
  ctx: CommandContext,
  before: Before,
  attempt: (connect: "try" | "skip") => Promise<SetUp>,
): Promise<SetUp | "change" | undefined> {
  for (let connect: "try" | "skip" = "try"; ; ) {
    try {
      return await attempt(connect);
    } catch (error) {
      before.undo();
      ctx.signal.throwIfAborted();
      const failure = describeFailure(error);
      if (failure.code === EXIT.interrupted || connect === "skip") throw error;
      for (const line of failureLines(failure)) ctx.note(line);
      const next = await ctx.ask.select({
        message: "That did not work. What now?",
        flag: "flags that work",
        choices: [
          { value: "change", label: "Change the answers" },
          { value: "again", label: "Try again" },
          { value: "skip", label: "Save without trying" },
          { value: "leave", label: "Leave everything as it was" },
        ],
      });
      if (next === "change") return next;
      if (next === "leave") return undefined;
      if (next === "skip") connect = next;
    }
  }
}

async function wantsGitignore(ctx: CommandContext, { gitignore }: InitResult): Promise<boolean> {
  if (gitignore === null) return false;
  return yes(ctx, `Keep claude-mirror's state files out of git (adds ${gitignore.lines.join(" and ")} to .gitignore)?`);
}

function yes(ctx: CommandContext, message: string): Promise<boolean> {
  return ctx.ask.confirm({ message, flag: "the flags of init", initial: true });
}

function answerOf(done: SetUp, exit: CommandResult["exit"], lines: readonly string[] = []): CommandResult {
  return { result: setUpJson(done), lines, ...(exit === undefined ? {} : { exit }) };
}

/** Shows what a push would do and asks; a remote that holds files already is left to `status`. */
async function firstPush(ctx: CommandContext, done: SetUp): Promise<CommandResult> {
  if (!done.isReady) return answerOf(done, EXIT.ok);
  const { configFile } = done.init;
  const push = { files: [], allow: new Set<never>(), forceLocal: false };
  const teller = runTeller(ctx);
  return withProject(ctx, { config: configFile }, async (project, screen) => {
    const plan = await project.push({ ...push, dryRun: true });
    screen.clear();
    if (plan.planned.length === 0) {
      ctx.note("There is nothing to push yet. Next: claude-mirror status");
      return answerOf(done, EXIT.ok);
    }
    ctx.print();
    for (const line of runTeller(ctx).answer(plan).lines ?? []) ctx.print(line);
    if (!(await ctx.ask.confirm({ message: "Push this now?", flag: "claude-mirror push", initial: true }))) {
      return answerOf(done, EXIT.ok, ["Next: claude-mirror push"]);
    }
    const told = teller.answer(await project.push({ ...push, ...teller.beside(screen), dryRun: false }));
    return answerOf(done, told.exit, told.lines);
  });
}
