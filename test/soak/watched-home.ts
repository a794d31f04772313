import { existsSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../support/temp.ts";
import type { Way } from "./places.ts";
import type { ProjectName } from "./scenario.ts";

/** The computer on which the watcher runs: a HOME with every project. */
export interface WatchedHome {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  folder(project: ProjectName): string;
  /** Writes the config anew, with more settings than before. */
  edit(project: ProjectName, settings?: Readonly<Record<string, unknown>>): void;
  breakConfig(project: ProjectName): void;
  removeConfig(project: ProjectName): void;
  /** Touches what asks a watcher to look again. */
  askToReload(nowMs: number): void;
}

export function watchedHome(
  ways: ReadonlyMap<ProjectName, Way>,
  settings: Readonly<Record<string, unknown>>,
  home = tempFolder("soak-home"),
): WatchedHome {
  const configs = join(home, ".config/claude_mirror");
  const bin = join(home, "bin");
  for (const folder of [configs, bin]) mkdirSync(folder, { recursive: true });
  // Desktop messages are taken and thrown away.
  if (existsSync("/bin/true")) symlinkSync("/bin/true", join(bin, "notify-send"));
  const folder = (project: ProjectName) => join(home, project);
  const config = (project: ProjectName) => join(configs, `${project}.yaml`);
  const edits = new Map<ProjectName, Readonly<Record<string, unknown>>>();
  const env: Record<string, string> = { HOME: home, PATH: `${bin}:/usr/bin:/bin` };
  const write = (project: ProjectName, text: string) => writeFileSync(config(project), text, { mode: 0o600 });
  const one: WatchedHome = {
    home,
    env,
    folder,
    edit(project, more = {}) {
      edits.set(project, { ...edits.get(project), ...more });
      const all = {
        project_path: folder(project),
        file_patterns: ["**/*"],
        exclude_patterns: [],
        snapshot_format: "blobs",
        machine_name: "watched",
        user: "bob",
        token_file: join(configs, `${project}-token.json`),
        ...ways.get(project)?.settings,
        ...settings,
        ...edits.get(project),
      };
      write(
        project,
        Object.entries(all)
          .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
          .join(""),
      );
    },
    breakConfig: (project) => write(project, "backend: [\n"),
    removeConfig: (project) => rmSync(config(project), { force: true }),
    askToReload(nowMs) {
      const file = join(configs, ".reload_signal");
      writeFileSync(file, `${nowMs / 1000}\n`);
      utimesSync(file, nowMs / 1000, nowMs / 1000);
    },
  };
  for (const [project, { token, env: more }] of ways) {
    mkdirSync(folder(project));
    Object.assign(env, more);
    if (token) writeFileSync(join(configs, `${project}-token.json`), JSON.stringify(token), { mode: 0o600 });
    one.edit(project);
  }
  return one;
}
