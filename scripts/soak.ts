// Lets the watcher run while everything goes wrong, and counts: `bun scripts/soak.ts [--minutes 30] [--seed N] [--quiet]`.
// Exit code 1 when a notice was lost or doubled, or when it cost more than it may: CPU counts from start-up on, which is most of a
// run of a few minutes.
import { parseArgs } from "node:util";
import { type SoakReport, soak } from "../test/soak/real.ts";
import type { ProjectName } from "../test/soak/scenario.ts";
import { removeTempFolders } from "../test/support/temp.ts";

const MOST_MB_MORE = 10;
const MOST_CPU_PERCENT = 0.5;
const MOST_AFTER_SLEEP_MS = 5_000;
/** Where a remote tells by itself; elsewhere it is the poll interval. */
const MOST_DELAY_MS: Partial<Record<ProjectName, number>> = { local: 1_000, pubsub: 1_000, dropbox: 3_000 };

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    quiet: { type: "boolean", default: false },
  },
});
const start = performance.now();
const note = (line: string) => {
  if (!values.quiet) console.log(`${String(Math.round((performance.now() - start) / 1000)).padStart(5)} s  ${line}`);
};
try {
  const report = await soak({ minutes: Number(values.minutes), seed: Number(values.seed), note });
  show(report);
} finally {
  removeTempFolders();
}

function show(report: SoakReport): void {
  const broken = [...report.problems];
  const check = (holds: boolean, line: string) => {
    console.log(`${holds ? "ok  " : "MISS"} ${line}`);
    if (!holds) broken.push(line);
  };
  console.log("\nremote    expected   seen   lost doubled unwanted   delay p50 / max when calm   p50 / max of all");
  for (const row of report.rows) {
    const { project, expected, seen, lost, doubled, unwanted, delays, calmDelays } = row;
    const counts = [expected, seen, lost.length, doubled.length, unwanted.length].map((n) => String(n).padStart(6));
    console.log(`${project.padEnd(10)} ${counts.join(" ")}       ${spread(calmDelays)}        ${spread(delays)}`);
    for (const [what, files] of Object.entries({ lost, doubled, unwanted })) {
      if (files.length > 0) broken.push(`${project}: ${what}: ${files.join(", ")}`);
    }
  }
  const faults = [...report.faults].map(([name, count]) => `${count} ${name}`);
  console.log(`\nfaults: ${faults.join(", ")}; ${report.lives} lives of the watcher`);
  const { warm, end, most, minutes } = report.memory;
  check(broken.length === report.problems.length, "no notice lost, none doubled, none of one's own");
  check(
    end - warm <= MOST_MB_MORE,
    `memory ${warm.toFixed(1)} MB after the warm-up, ${end.toFixed(1)} MB at the end (${(end - warm).toFixed(1)} MB more, at most ${MOST_MB_MORE}; highest ${most.toFixed(1)}), a life of ${minutes.toFixed(1)} min`,
  );
  const percent = (100 * report.cpuSeconds) / report.wallSeconds;
  check(
    percent < MOST_CPU_PERCENT,
    `CPU ${report.cpuSeconds.toFixed(2)} s in ${report.wallSeconds.toFixed(0)} s: ${percent.toFixed(3)} % (under ${MOST_CPU_PERCENT} %)`,
  );
  for (const { project, calmDelays } of report.rows) {
    const mostMs = MOST_DELAY_MS[project] ?? report.pollSeconds * 1000;
    const p50 = calmDelays[calmDelays.length >> 1] ?? 0;
    check(p50 < mostMs, `${project}: from push to inbox ${(p50 / 1000).toFixed(2)} s (under ${mostMs / 1000} s)`);
  }
  const slowest = Math.max(0, ...report.afterSleep);
  check(
    slowest < MOST_AFTER_SLEEP_MS,
    `after a long sleep ${report.afterSleep.length} notices, the last after ${(slowest / 1000).toFixed(2)} s (under ${MOST_AFTER_SLEEP_MS / 1000} s)`,
  );
  for (const line of broken) console.log(`     ${line}`);
  if (broken.length > 0) process.exitCode = 1;
}

function spread(delays: readonly number[]): string {
  const seconds = (ms: number | undefined) => `${((ms ?? 0) / 1000).toFixed(2)} s`.padStart(8);
  return `${seconds(delays[delays.length >> 1])} / ${seconds(delays.at(-1))}`;
}
