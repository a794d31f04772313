import type { GitignoreOffer, InitResult } from "../setup/model.ts";
import type { CommandContext } from "./context.ts";

/** Asks in a terminal, prints the lines elsewhere: the user's own file is never edited unasked. */
export async function offerGitignore(
  ctx: CommandContext,
  offer: GitignoreOffer,
  { dryRun }: InitResult,
): Promise<boolean> {
  const { file, lines } = offer;
  if (ctx.ask.possible && !dryRun) {
    const message = `Keep claude-mirror's state files out of git (adds ${lines.join(" and ")} to ${file})?`;
    if (!(await ctx.ask.confirm({ message, flag: "a line in .gitignore", initial: true }))) return false;
    (await import("../setup/gitignore.ts")).addToGitignore(offer);
    return true;
  }
  if (!ctx.json) ctx.note(`Hint: to keep the state files out of git, add to ${file}:`);
  if (!ctx.json) for (const line of lines) ctx.note(`  ${line}`);
  return false;
}
