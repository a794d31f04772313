import type { ConflictAnswer, ConflictQuestion } from "../project/model.ts";
import { conflictKeys, conflictLines } from "../ui/render/conflict.ts";
import type { CommandContext } from "./context.ts";
import { editConflict } from "./editor.ts";

/** Shows both sides and asks until there is an answer. */
export async function askConflict(ctx: CommandContext, question: ConflictQuestion): Promise<ConflictAnswer> {
  let draft: Uint8Array | undefined;
  for (;;) {
    const message = conflictLines(question, ctx.err.style, ctx.err.columns).join("\n");
    const flag = "--strategy merge|keep-local|keep-remote|keep-both|skip";
    const key = await ctx.ask.key({ message, flag, keys: conflictKeys(question) });
    if (key === "m") return { kind: "content", bytes: new TextEncoder().encode(question.merge?.text) };
    if (key === "l") return { kind: "keep-local" };
    if (key === "d") return { kind: "keep-remote" };
    if (key === "b") return { kind: "keep-both" };
    if (key === "s") return { kind: "skip" };
    const edited = await editConflict(ctx, question, draft);
    if (edited?.isFinished) return { kind: "content", bytes: edited.bytes };
    draft = edited?.bytes ?? draft;
  }
}
