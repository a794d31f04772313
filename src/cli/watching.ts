import { basename } from "node:path";
import type { Beat, NoticedEvent } from "../activity/model.ts";
import { newsLine } from "../ui/render/inbox.ts";
import { printable } from "../ui/terminal.ts";
import type { CommandContext } from "./context.ts";
import { resultEnvelope } from "./output.ts";

/** Shows what watchers tell: news on stdout (an envelope a line with `--json`), how they are on stderr. */
export function newsReporter(ctx: CommandContext) {
  let count = 0;
  const tell = stateReporter(ctx);
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
    onBeat(beat: Beat, project: string) {
      const name = printable(basename(project));
      tell(beat, { key: project, name, first: `Watching ${name}.` });
    },
  };
}

interface Watched {
  /** Tells it from the others. */
  readonly key: string;
  readonly name: string;
  /** Said at its first look that works; nothing when left out. */
  readonly first?: string;
}

/** Says on stderr how a watcher is, when that changes: a server that is away for a night is no reason for a thousand lines. */
export function stateReporter(ctx: Pick<CommandContext, "note">) {
  const states = new Map<string, string>();
  return (beat: Beat, { key, name, first }: Watched): void => {
    const said = beat.state === "ok" ? "ok" : `failing ${beat.error}`;
    const before = states.get(key);
    if (before === said) return;
    states.set(key, said);
    if (beat.state !== "ok") ctx.note(`${name}: ${printable(beat.error)}; trying on.`);
    else if (before !== undefined) ctx.note(`${name}: works again.`);
    else if (first !== undefined) ctx.note(first);
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
