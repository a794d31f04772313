import { statSync } from "node:fs";
import { basename } from "node:path";
import { knownProjects } from "../settings/discovery.ts";
import type { IndexedProject } from "../settings/index-fast.ts";
import { loadConfig } from "../settings/load.ts";
import { machineFrom } from "../settings/machine.ts";
import { discoveryPlaces } from "./config-file.ts";
import type { Report } from "./doctor-report.ts";
import type { World } from "./world.ts";

/** The configs of all projects of this user that are nobody's mirror. */
export function projectConfigs(world: World): readonly string[] {
  return knownProjects(discoveryPlaces(world))
    .projects.filter(({ mirror }) => !mirror)
    .map(({ file }) => file);
}

/** Every config there is, nobody asked: whether it can be read, its folder is there, and no other is for the same folder. */
export async function checkConfigs(world: World, report: Report): Promise<void> {
  const { projects, problems } = knownProjects(discoveryPlaces(world));
  const broken = new Set(problems.map(({ file }) => file));
  for (const { file, message } of problems)
    report.warn(titleOf(file), message, `Correct ${file}, or remove it if nobody needs it.`);
  for (const project of projects) {
    if (broken.has(project.file)) continue;
    const name = titleOf(project.file);
    await report.attempt(name, () => checkConfig(world, report, { name, project, projects }));
  }
}

interface Config {
  readonly name: string;
  readonly project: IndexedProject;
  readonly projects: readonly IndexedProject[];
}

function checkConfig(world: World, report: Report, { name, project, projects }: Config): undefined {
  const { file, path, mirror } = project;
  const { backend } = loadConfig(file, machineFrom(world.env));
  const rival = projects.find((other) => other.file !== file && other.path === path && !other.mirror && !mirror);
  if (rival !== undefined) {
    const advice = `Remove one, or list one in mirror_config_paths of the other; until then commands there need --config.`;
    return report.warn(name, `${file} and ${rival.file} are both for ${path}`, advice);
  }
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const advice = `If its disk is not mounted, mount it; if the project is gone, remove ${file}.`;
    return report.warn(name, `its folder ${path} is missing`, advice);
  }
  report.ok(name, `${backend}, for ${path}${mirror ? " (a mirror)" : ""}`);
}

function titleOf(file: string): string {
  return `config ${basename(file, ".yaml")}`;
}
