import { statSync } from "node:fs";
import { hostname } from "node:os";
import type { ComponentStep } from "../install/model.ts";
import { secondsText } from "../lib/lock.ts";
import { findProgram, isSameFile } from "../platform/find-program.ts";
import type { Check } from "../project/model.ts";
import { openReport, type Report } from "../setup/doctor-report.ts";
import type { CommandContext } from "./context.ts";
import { manPage } from "./man-page.ts";
import { knownUpdate } from "./update-notice.ts";

/**
 * What is installed on this machine besides projects: this program, what `install` puts in place, the watcher, and every
 * config. Asks nobody and changes nothing. What was never installed is no trouble: the next step is told.
 */
export async function installationChecks(ctx: CommandContext): Promise<readonly Check[]> {
  const report = openReport(ctx.signal);
  const { checkConfigs } = await import("../setup/doctor-configs.ts");
  await report.attempt("program", () => checkProgram(ctx, report));
  await report.attempt("install", () => checkParts(ctx, report));
  await report.attempt("configs", () => checkConfigs(ctx, report));
  return report.checks;
}

function checkProgram({ env, home, version, ...ctx }: CommandContext, report: Report): undefined {
  const name = "program";
  const executable = process.execPath;
  const first = findProgram("claude-mirror", env["PATH"]);
  const newer = knownUpdate({ ...ctx, env, home, version });
  if (newer !== undefined)
    report.warn("version", `${version.version}; ${newer} is out`, "Run claude-mirror update --apply.");
  else report.ok("version", version.version);
  if (!isOurs(executable)) return report.ok(name, "runs from its sources");
  if (first === undefined)
    return report.info(name, `${executable}, not on the PATH`, "To put it there: claude-mirror install --only path.");
  if (isSameFile(first, executable)) return report.ok(name, first);
  report.warn(
    name,
    `the PATH finds ${first} first, and this is ${executable}`,
    `Remove ${first}, or put the folder of this one before it on the PATH.`,
  );
}

/** The compiled program, not the runtime that runs its sources. */
function isOurs(executable: string): boolean {
  return /(^|[/\\])claude-mirror[^/\\]*$/.test(executable);
}

/** What `install` puts in place, and whether the watcher runs. */
async function checkParts(ctx: CommandContext, report: Report): Promise<void> {
  const { env, home } = ctx;
  const executable = process.execPath;
  const { openInstall, serviceStart } = await import("../install/service.ts");
  const world = { env, home, platform: process.platform, executable, manPage: await manPage(ctx.version.version) };
  const isKnown = isOurs(executable) || findProgram("claude-mirror", env["PATH"]) !== undefined;
  const only = ["skill", "hook", "service", "completion", "man"] as const;
  const steps = isKnown ? openInstall(world, { only, uninstall: false, shell: undefined }) : [];
  let hasService = false;
  for (const open of steps) {
    const { step } = open();
    if (step.component === "service" && step.present) hasService = true;
    checkPart(report, step);
  }
  await checkWatcher(ctx, report, hasService ? serviceStart(world) : undefined);
}

function checkPart(report: Report, { component, file, action, present, notes }: ComponentStep): undefined {
  const install = `claude-mirror install --only ${component}`;
  if (file === null) return report.ok(component, notes.join(" "));
  if (action === "refuse") return report.warn(component, notes.join(" "), `Correct ${file}, then run ${install}.`);
  if (action === "none" || action === "keep") return report.ok(component, file);
  if (!present) return report.info(component, "not installed", `To set it up: ${install}.`);
  const state = action === "replace" ? "is not what this version puts there" : "is of another version";
  report.warn(component, `${file} ${state}`, `Run ${install}.`);
}

async function checkWatcher(ctx: CommandContext, report: Report, start: string | undefined): Promise<undefined> {
  const name = "watch-all";
  const { watcherState } = await import("../app-watch.ts");
  const lock = watcherState(ctx);
  const begin = `Run ${start ?? "claude-mirror watch-all"}.`;
  if (lock.kind === "held") {
    const { pid, host, startedAt } = lock.owner;
    const who = `process ${pid}, since ${secondsText(startedAt)}`;
    const isOld = host === hostname() && Date.parse(startedAt) < changedMs(process.execPath);
    if (isOld) return report.warn(name, `${who}: this program was replaced after it began`, `End it, then: ${begin}`);
    return report.ok(name, who);
  }
  if (lock.kind === "stale" && lock.owner !== undefined)
    return report.warn(name, `process ${lock.owner.pid} was killed`, begin);
  if (start !== undefined) return report.warn(name, "it is installed as a service and does not run", begin);
  report.info(name, "none is running", "It tells what collaborators change: claude-mirror install --only service.");
}

function changedMs(file: string): number {
  return isOurs(file) ? (statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0) : 0;
}
