import { resolve } from "node:path";
import type { Notice } from "../../activity/model.ts";
import { UsageError } from "../../lib/errors.ts";
import { inboxContext, inboxLines } from "../../ui/render/inbox.ts";
import { CONFIG_OPTION, command, DRY_RUN_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";

export const inboxCommand = command({
  name: "inbox",
  summary: "Show what collaborators changed, and clear the list",
  about: [
    "The watcher (claude-mirror watch) collects what others pushed. Each notice is shown once.",
    "Silent, with exit code 0, where nothing waits and outside of projects.",
    "With --hook it is the command of a Claude Code hook: it reads the hook's JSON on standard input and answers with JSON that the model sees. It then never fails and says nothing when nothing waits.",
  ],
  options: {
    hook: { kind: "flag", help: "Answer as a Claude Code hook does." },
    "dry-run": { ...DRY_RUN_OPTION, help: "Show what waits and leave it there." },
    config: CONFIG_OPTION,
  },
  examples: ["claude-mirror inbox", "claude-mirror inbox --dry-run"],
  async run(ctx, { options }) {
    if (options.hook) {
      if (ctx.json) throw new UsageError("cannot use --hook with --json: a hook's answer has a form of its own");
      await answerHook(ctx).catch(() => undefined);
      return { result: null };
    }
    const { openInbox } = await import("../../app.ts");
    const folder = options.config === undefined ? undefined : resolve(ctx.cwd, options.config);
    const inbox = openInbox(ctx, { config: folder });
    if (inbox === undefined) return { result: { events: [] } };
    if (options["dry-run"]) return shown(inbox.peek().notices);
    const all: Notice[] = [];
    let unreadable = 0;
    for (;;) {
      const taken = inbox.take((batch) => {
        for (const line of inboxLines(batch.notices)) ctx.print(line);
      });
      if (taken.kind === "busy") ctx.note("Another inbox command is showing the notices right now.");
      if (taken.kind !== "delivered") break;
      all.push(...taken.batch.notices);
      unreadable += taken.batch.unreadable;
      if (!taken.more) break;
    }
    if (unreadable > 0)
      ctx.note(`${unreadable} line(s) of the inbox are no notice: set aside in "${inbox.asideFile}".`);
    return { ...shown(all), lines: [] };
  },
});

function shown(notices: readonly Notice[]) {
  const events = notices.map(({ event, ...rest }) => ({ ...rest, ...event }));
  return { result: { events }, lines: inboxLines(notices) };
}

/** Hook events whose answer the model is shown. */
const TOLD: readonly unknown[] = ["PreToolUse", "PostToolUse", "UserPromptSubmit", "SessionStart"];
/** A hook's input comes at once or not at all. */
const MOST_WAIT_MS = 1000;

/** Form: https://docs.claude.com/en/docs/claude-code/hooks, `hookSpecificOutput.additionalContext`. */
async function answerHook(ctx: CommandContext): Promise<void> {
  const { cwd, event } = await readHookInput(ctx);
  if (!TOLD.includes(event)) return;
  const { openInbox } = await import("../../app.ts");
  for (const folder of [cwd, ctx.env["CLAUDE_PROJECT_DIR"]]) {
    if (!folder) continue;
    const inbox = openInbox({ ...ctx, cwd: folder, note: () => undefined }, { config: undefined });
    const taken = inbox?.take(({ notices }) => {
      const additionalContext = inboxContext(notices);
      if (additionalContext === undefined) return;
      ctx.out.line(JSON.stringify({ hookSpecificOutput: { hookEventName: event, additionalContext } }));
    });
    // One answer a call: what waits elsewhere is told before the next tool call.
    if (taken?.kind === "delivered") return;
  }
}

async function readHookInput(ctx: CommandContext): Promise<{ readonly cwd: string; readonly event: unknown }> {
  const { stdin, clock } = ctx;
  if (stdin.isTTY) return { cwd: ctx.cwd, event: "PreToolUse" };
  const text = await Promise.race([stdin.text(), clock.sleep(MOST_WAIT_MS).then(() => undefined)]);
  if (text === undefined) {
    if ("destroy" in stdin.stream && typeof stdin.stream.destroy === "function") stdin.stream.destroy();
    return { cwd: ctx.cwd, event: undefined };
  }
  const input = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const { cwd, hook_event_name: event } = input;
  return { cwd: typeof cwd === "string" ? cwd : ctx.cwd, event };
}
