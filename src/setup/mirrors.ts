import { machineFrom } from "../settings/machine.ts";
import { loadMirrors, type MirrorConfig } from "../settings/mirrors.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { type Remote, remoteOf } from "./remote.ts";
import type { World } from "./world.ts";

/** A mirror of a project as its settings describe it, not opened yet. */
export interface MirrorSetup extends MirrorConfig {
  /** Undefined where the mirror cannot be used. */
  readonly remote: Remote | undefined;
}

export interface MirrorSetups {
  /** What `--backend` calls the primary. */
  readonly primary: string;
  readonly mirrors: readonly MirrorSetup[];
}

/** A project's mirrors with their remotes; two that lead to one place are a problem of the later one. Asks nothing. */
export async function mirrorSetups(
  world: Omit<World, "cwd">,
  config: ProjectConfig,
  primary: Remote,
): Promise<MirrorSetups> {
  const { primary: name, mirrors } = loadMirrors(config, machineFrom(world.env));
  const places = new Map([[placeOf(config, primary), `the primary (${config.file})`]]);
  const setups: MirrorSetup[] = [];
  for (const mirror of mirrors) setups.push(await setUp(world, mirror, places));
  return { primary: name, mirrors: setups };
}

async function setUp(
  world: Omit<World, "cwd">,
  mirror: MirrorConfig,
  places: Map<string, string>,
): Promise<MirrorSetup> {
  const broken = (problem: string): MirrorSetup => ({ ...mirror, config: undefined, problem, remote: undefined });
  if (mirror.config === undefined) return { ...mirror, remote: undefined };
  try {
    const remote = await remoteOf(world, mirror.config);
    const place = placeOf(mirror.config, remote);
    const other = places.get(place);
    if (other !== undefined) return broken(`it leads to the same place (${remote.root}) as ${other}`);
    places.set(place, mirror.file);
    return { ...mirror, remote };
  } catch (error) {
    return broken(error instanceof Error ? error.message : String(error));
  }
}

function placeOf({ backend }: ProjectConfig, { root }: Remote): string {
  return `${backend} ${root}`;
}
