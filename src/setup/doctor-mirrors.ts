import type { ProjectConfig } from "../settings/model.ts";
import { checkRemote } from "./doctor-remote.ts";
import { openReport, type Report } from "./doctor-report.ts";
import { mirrorSetups } from "./mirrors.ts";
import type { Remote } from "./remote.ts";
import type { World } from "./world.ts";

/** Whether each mirror's config can be used, and whether its remote answers. Every check is named after its mirror. */
export async function checkMirrors(
  world: World,
  report: Report,
  config: ProjectConfig,
  primary: Remote,
): Promise<void> {
  const setups = await report.attempt("mirrors", () => mirrorSetups(world, config, primary));
  for (const { name, file, problem, config: mirror, remote } of setups?.mirrors ?? []) {
    const title = `mirror ${name}`;
    if (mirror === undefined || remote === undefined) {
      report.fail(
        title,
        `${file} cannot be used: ${problem ?? "it cannot be read"}`,
        `Correct ${file}, or take it out of mirror_config_paths.`,
      );
      continue;
    }
    report.ok(title, file);
    const own = openReport(world.signal);
    await own.attempt("remote", () => checkRemote(world, own, { config: mirror, remote }));
    for (const check of own.checks) {
      const { state, name: what, detail, advice } = check;
      const note = state === "ok" ? report.ok : state === "warning" ? report.warn : report.fail;
      note(`${title}: ${what}`, detail, advice?.replace("claude-mirror auth", `claude-mirror auth --config ${file}`));
    }
  }
}
