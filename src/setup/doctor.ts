import { existsSync } from "node:fs";
import type { Check, DoctorResult } from "../project/model.ts";
import { checkProject, checkState } from "./doctor-files.ts";
import { checkMirrors } from "./doctor-mirrors.ts";
import { checkRemote, SIGN_IN } from "./doctor-remote.ts";
import { openReport } from "./doctor-report.ts";
import { checkConfigFound, checkSettings } from "./doctor-settings.ts";
import { remoteOf } from "./remote.ts";
import type { World } from "./world.ts";

/**
 * Looks at everything that a project's runs rest on. Each check stands for itself: a broken file or a missing network
 * is a finding, never an end. Throws only the signal's reason. `given` is an absolute path.
 */
export async function diagnose(world: World, given: string | undefined): Promise<DoctorResult> {
  const report = openReport(world.signal);
  const { checks } = report;
  const file = await report.attempt("settings file", () => checkConfigFound(world, report, given));
  if (file === undefined) return { configFile: null, guard: null, checks };
  const { config, projectPath } = await checkSettings(world, report, file);
  if (projectPath !== undefined) await checkProject(report, projectPath);
  if (config === undefined) return { configFile: file, guard: null, checks };
  const remote = await report.attempt("remote", () => remoteOf(world, config));
  if (remote === undefined) return { configFile: file, guard: null, checks };
  await checkState(report, { ...remote, projectPath: config.projectPath }, world);
  const guard = await report.attempt("remote", () => checkRemote(world, report, { config, remote }));
  await checkMirrors(world, report, config, remote);
  return { configFile: existsSync(file) ? file : null, guard: guard ?? null, checks };
}

/** Whether signing in is all that is wrong. */
export function onlySignInFailed(checks: readonly Check[]): boolean {
  const failed = checks.filter(({ state }) => state === "failed");
  return failed.length > 0 && failed.every(({ name }) => name === SIGN_IN || name.endsWith(`: ${SIGN_IN}`));
}
