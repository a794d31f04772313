import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type OwnMachine, ownMachine } from "./own-machine.ts";
import type { RemotePlace } from "./remote-place.ts";

type Place = Pick<RemotePlace, "settings" | "token" | "env" | "inProcess">;

export interface MirroredMachine extends OwnMachine {
  /** Absolute path of a mirror's YAML. */
  configOf(name: string): string;
}

/** Somebody's computer with one project that has mirrors, each in a config of its own next to the project's. */
export async function mirroredMachine(
  name: string,
  primary: Place,
  mirrors: Readonly<Record<string, Place>>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<MirroredMachine> {
  const paths = Object.keys(mirrors).map((mirror) => `~/.config/claude_mirror/${mirror}.yaml`);
  const env = Object.assign({}, primary.env, ...Object.values(mirrors).map((place) => place.env));
  const machine = await ownMachine(
    name,
    { ...primary, env },
    { settings: { ...settings, mirror_config_paths: paths } },
  );
  const configOf = (mirror: string) => join(dirname(machine.config), `${mirror}.yaml`);
  for (const [mirror, place] of Object.entries(mirrors)) {
    const token = join(dirname(machine.config), `webdav-${mirror}-token.json`);
    if (place.token) writeFileSync(token, JSON.stringify(place.token), { mode: 0o600 });
    const all = { project_path: machine.project, token_file: token, ...place.settings };
    writeFileSync(
      configOf(mirror),
      Object.entries(all)
        .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
        .join(""),
    );
  }
  return { ...machine, configOf };
}
