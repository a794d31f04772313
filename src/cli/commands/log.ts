import { resolve } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import { entryLine, logLines } from "../../ui/render/log.ts";
import { CONFIG_OPTIONS, type CommandResult, command } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { resultEnvelope } from "../output.ts";
import { withProject } from "../project.ts";
import { stateReporter, untilStopped } from "../watching.ts";

const USUAL_LIMIT = 20;
const USUAL_INTERVAL = 5;

export const logCommand = command({
  name: "log",
  summary: "Show who changed what and when, on all machines",
  about: [
    "With --follow the newest entries come oldest first and new ones as they are added, until Ctrl-C, which ends it with exit code 0. What cannot be reached meanwhile is tried again. With --json each entry is then one line with an envelope of its own.",
  ],
  options: {
    limit: { kind: "number", value: "N", min: 1, max: 200, help: "How many entries, newest first (20)." },
    follow: { kind: "flag", short: "f", help: "Go on with new entries as they come." },
    interval: {
      kind: "number",
      value: "SECONDS",
      min: 1,
      max: 86_400,
      help: "With --follow: between two looks where the remote does not tell by itself (5).",
    },
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror log --limit 5", "claude-mirror log --follow", "claude-mirror log -f --json"],
  async run(ctx, { options }): Promise<CommandResult> {
    const limit = options.limit ?? USUAL_LIMIT;
    if (options.follow) {
      const intervalMs = (options.interval ?? USUAL_INTERVAL) * 1000;
      return follow(ctx, { config: options.config, limit, intervalMs });
    }
    if (options.interval !== undefined) throw new UsageError("--interval goes with --follow");
    const log = await withProject(ctx, { config: options.config }, (project) => project.log(limit));
    for (const notice of log.notices) ctx.note(notice);
    return { result: log.events.map(entryJson), lines: logLines(log.events, ctx.out.style) };
  },
});

interface Following {
  readonly config: string | undefined;
  readonly limit: number;
  readonly intervalMs: number;
}

async function follow(ctx: CommandContext, { config, limit, intervalMs }: Following): Promise<CommandResult> {
  const { follow: followLog } = await import("../../app-watch.ts");
  const file = config === undefined ? undefined : resolve(ctx.cwd, config);
  const tell = stateReporter(ctx);
  // Nobody is left to show anything to.
  const left = new AbortController();
  void ctx.stdout.gone?.then(() => left.abort());
  const world = { ...ctx, signal: AbortSignal.any([ctx.signal, left.signal]) };
  await untilStopped(world, () =>
    followLog(world, file, {
      limit,
      intervalMs,
      onEvents(events) {
        for (const event of events) {
          if (ctx.json) ctx.out.write(resultEnvelope("log", entryJson(event), { oneLine: true }));
          else ctx.print(entryLine(event));
        }
      },
      onBeat: (beat) => tell(beat, { key: "log", name: "The log" }),
    }),
  );
  return { result: undefined, streamed: true };
}

/** The shape of reference 3.3. */
function entryJson<T extends object>(event: T) {
  return { ...event, snapshot_timestamp: null };
}
