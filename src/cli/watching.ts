import { basename } from "node:path";
import type { NoticedEvent } from "../activity/model.ts";
import { newsLine } from "../ui/render/inbox.ts";
import { printable } from "../ui/terminal.ts";
import type { CommandContext } from "./context.ts";
import { resultEnvelope } from "./output.ts";

/** Shows what watchers tell: news on stdout (an envelope a line with `--json`), how they are on stderr. */
export function newsReporter(ctx: CommandContext) {
  let count = 0;
  const states = new Map<string, string>();
  return {
    count: () => count,
    onNews(news: readonly NoticedEvent[], project: string) {
      count += news.length;
      for (const event of news) {
        if (ctx.json)
          ctx.out.write(resultEnvelope(ctx.command, { project_path: project, ...event }, { oneLine: true }));
        else ctx.print(newsLine(event));
      }
    },
    /** Said when it changes: a server that is away for a night is no reason for a thousand lines. */
    onBeat(beat: { readonly state: string; readonly error?: string }, project: string) {
      const said = beat.state === "ok" ? "ok" : `failing ${beat.error}`;
      const before = states.get(project);
      if (before === said) return;
      states.set(project, said);
      const name = printable(basename(project));
      if (beat.state !== "ok") ctx.note(`${name}: ${printable(beat.error ?? "")}; trying on.`);
      else ctx.note(before === undefined ? `Watching ${name}.` : `${name}: works again.`);
    },
  };
}

/** A watcher ends when it is told to: that is no failure. */
export async function untilStopped(ctx: CommandContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!ctx.signal.aborted) throw error;
  }
}
