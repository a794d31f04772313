import { parseMoment } from "../../lib/durations.ts";
import type { StatsResult } from "../../project/model.ts";
import type { StatsGroup } from "../../project/service.ts";
import { statsLines } from "../../ui/render/stats.ts";
import { CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

const USUAL_TOP = 20;

export const statsCommand = command({
  name: "stats",
  summary: "Count files, snapshots, stored bytes, growth and who did how much",
  about: [
    "Files and versions come from this machine's records, stored bytes from one listing of the remote, activity from the shared log, which keeps the last 200 runs. With --offline nobody is asked: what this machine has not seen is then not counted.",
    "Contents of full snapshots are copies and are not among those that are counted once.",
  ],
  options: {
    since: {
      kind: "text",
      value: "TIME",
      help: "Activity from then on: 7d, 2w, a date or a time (all).",
      completes: "none",
    },
    until: { kind: "text", value: "TIME", help: "Activity up to then.", completes: "none" },
    by: {
      kind: "text",
      value: "WHAT",
      choices: ["backend", "user", "machine", "action", "day"] satisfies StatsGroup[],
      help: "How activity is grouped (user).",
      completes: "none",
    },
    top: { kind: "number", value: "N", min: 1, max: 100_000, help: "Rows that each table shows (20)." },
    offline: { kind: "flag", help: "Ask nobody." },
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror stats", "claude-mirror stats --since 7d --by day", "claude-mirror stats --offline --json"],
  async run(ctx, { options }) {
    const nowMs = ctx.clock.now();
    const moment = (text: string | undefined) => (text === undefined ? undefined : parseMoment(text, nowMs));
    const [sinceMs, untilMs] = [moment(options.since), moment(options.until)];
    const offline = options.offline === true;
    const request = { sinceMs, untilMs, by: (options.by ?? "user") as StatsGroup, offline };
    const stats = await withProject(ctx, { config: options.config }, (project) => project.stats(request));
    for (const notice of stats.notices) ctx.note(notice);
    const top = options.top ?? USUAL_TOP;
    return { result: statsJson(stats, top), lines: statsLines(stats, { top, offline }, ctx.out.style) };
  },
});

/** Reference 3.3, and what we know besides. */
function statsJson({ files, bytes, snapshots, since, until, by, rows, totals }: StatsResult, top: number): object {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const { contentBytes, dedupRatio, versions, growth, ...counts } = snapshots;
  return {
    since: time(since),
    until: time(until),
    group_by: by,
    // How many conflicts a run settled is not in the shared log.
    rows: rows.slice(0, top).map((row) => ({ ...row, conflicts: null })),
    totals,
    project: { files, bytes },
    snapshots: { ...counts, content_bytes: contentBytes, dedup_ratio: dedupRatio },
    growth,
    most_changed: versions.slice(0, top).map(({ path, count }) => ({ path, versions: count })),
  };
}
