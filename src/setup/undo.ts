import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeSecret } from "../lib/secrets.ts";
import { indexFile } from "../settings/index-fast.ts";
import { machineFrom } from "../settings/machine.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { remoteOf } from "./remote.ts";
import type { World } from "./world.ts";

/** How the places were that a setup writes to. */
export interface Before {
  /** Makes them so again. A folder that is not empty stays; so does what others have put in. */
  undo(): void;
}

/** For {@link Before}: files as they are now, `own` folders of ours that can go with all they hold, and folders to be made. */
interface Places {
  readonly files: readonly string[];
  readonly own?: readonly string[];
  readonly folders?: readonly string[];
}

/** Taken before anything is written: settings, token, what is known of the remote, a local remote, `more` files. */
export async function beforeSetup(world: World, config: ProjectConfig, more: readonly string[] = []): Promise<Before> {
  const { stateFolder } = await remoteOf(world, config);
  const signal = join(machineFrom(world.env).configDir, ".reload_signal");
  return remember({
    files: [config.file, config.tokenFile, signal, ...more],
    own: [stateFolder],
    folders: config.backend === "local" ? [config.localFolder] : [],
  });
}

/** How a place was before a project is cloned to it. */
export interface BeforeClone {
  /** As {@link Before}; `fetched` are the files that a pull has put into the project, where there was nothing. */
  undo(fetched: readonly string[]): void;
}

/** Taken before the project folder is made. */
export async function beforeClone(world: World, config: ProjectConfig): Promise<BeforeClone> {
  const { projectPath } = config;
  const setup = await beforeSetup(world, config);
  const records = new Set(recordsIn(projectPath));
  const folders = remember({ files: [], folders: [projectPath] });
  return {
    undo(fetched) {
      for (const path of fetched) {
        const file = join(projectPath, path);
        rmSync(file, { force: true });
        for (let folder = dirname(file); folder !== projectPath; folder = dirname(folder)) removeEmpty(folder);
      }
      for (const name of recordsIn(projectPath))
        if (!records.has(name)) rmSync(join(projectPath, name), { force: true });
      for (const before of [setup, folders]) before.undo();
    },
  };
}

/** What is kept in a project about it; the ignore file is the user's own. */
function recordsIn(project: string): string[] {
  if (!existsSync(project)) return [];
  return readdirSync(project).filter((name) => name.startsWith(".claude_mirror_") && name !== ".claude_mirror_ignore");
}

/** Looking for projects writes down what was found. */
export function beforeLooking({ env, home }: World): Before {
  return remember({ files: [indexFile(env, home)] });
}

function remember({ files, own = [], folders = [] }: Places): Before {
  const texts = files.map((file) => [file, textOf(file)] as const);
  const made = own.filter((folder) => !existsSync(folder));
  const parents = [...files, ...own].map((path) => dirname(path));
  const missing = [...new Set([...parents, ...folders].flatMap(missingAbove))].sort((a, b) => b.length - a.length);
  return {
    undo() {
      for (const [file, text] of texts) {
        if (text === undefined) rmSync(file, { force: true });
        else if (textOf(file) !== text) writeSecret(file, text);
      }
      for (const folder of made) rmSync(folder, { recursive: true, force: true });
      for (const folder of missing) removeEmpty(folder);
    },
  };
}

function textOf(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** The folder and those above it that are not there. */
function missingAbove(folder: string): string[] {
  if (existsSync(folder) || dirname(folder) === folder) return [];
  return [folder, ...missingAbove(dirname(folder))];
}

/** Leaves a folder that holds something. */
function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

/** Where a copy of a file is kept before it is changed: a name that is not taken. */
export function backupName(file: string): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? `${file}.bak` : `${file}.bak${n}`;
    if (!existsSync(name)) return name;
  }
}

/** Copies a file of settings, readable by its owner alone. */
export function backUp(file: string, copy: string): void {
  writeSecret(copy, readFileSync(file, "utf8"));
}
