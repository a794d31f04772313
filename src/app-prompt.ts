import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { eventFiles } from "./activity/event.ts";
import { INBOX_FILE, READING_FILE } from "./activity/inbox-files.ts";
import type { Clock } from "./lib/clock.ts";
import { type Env, stateDir } from "./lib/dirs.ts";
import { type FileStamp, type FindResult, findConfigFast, stampOf } from "./settings/index-fast.ts";
import { syncFiles } from "./sync/files.ts";
import { readIgnoreFile } from "./sync/ignore-file.ts";
import { localStanding } from "./sync/standing.ts";

// Run before every line that somebody types: what is not needed for the answer is not loaded.

/** Where a prompt is asked for. */
export interface PromptWorld {
  readonly env: Env;
  readonly home: string;
  /** Absolute. */
  readonly cwd: string;
  readonly clock: Clock;
}

/** What a prompt shows of a project, from this machine's records and files alone; names as in reference 1.18. */
export interface PromptState {
  /** Absolute path of the project folder. */
  readonly project: string;
  readonly in_sync: number;
  /** Files that are new, changed or deleted here. */
  readonly local_ahead: number;
  /** Files that unread notices of the watcher name. */
  readonly remote_ahead: number;
  /** Conflicts that runs have left. */
  readonly conflicts: number;
  /** Nothing was ever agreed on here. */
  readonly no_manifest: boolean;
  readonly error: string | null;
}

/** Undefined outside of projects. Never throws: what goes wrong is the state's `error`. */
export async function promptState(world: PromptWorld): Promise<PromptState | undefined> {
  let project: string | undefined;
  try {
    const found = await findConfig(world);
    if (found.kind === "none") return undefined;
    project = found.path;
    if (found.kind === "ambiguous") return failed(project, `several configs: ${found.files.join(", ")}`);
    return await stateOf(world, found);
  } catch (error) {
    return project === undefined ? undefined : failed(project, error instanceof Error ? error.message : String(error));
  }
}

function failed(project: string, error: string): PromptState {
  return { project, in_sync: 0, local_ahead: 0, remote_ahead: 0, conflicts: 0, no_manifest: false, error };
}

async function findConfig({ cwd, env, home }: PromptWorld): Promise<FindResult> {
  const fast = findConfigFast(cwd, env);
  if (fast !== undefined) return fast;
  const [{ findProject }, { discoveryPlaces }] = await Promise.all([
    import("./settings/discovery.ts"),
    import("./setup/config-file.ts"),
  ]);
  return findProject(cwd, discoveryPlaces({ env, home }));
}

async function stateOf(world: PromptWorld, { file, path }: FoundProject): Promise<PromptState> {
  const { stateFolder, conflictFolder, filePatterns, excludePatterns } = await factsOf(world, { file, path });
  const rules = { filePatterns, excludePatterns, ...readIgnoreFile(path) };
  const standing = await localStanding({ files: syncFiles(path, stateFolder), rules, clock: world.clock });
  const ahead = new Set<string>(standing.ahead);
  const conflicts = conflictsIn(conflictFolder);
  for (const conflict of conflicts) ahead.delete(conflict);
  return {
    project: path,
    in_sync: standing.inSync,
    local_ahead: ahead.size,
    remote_ahead: noticedFiles(path),
    conflicts: conflicts.length,
    no_manifest: !standing.isKnown,
    error: standing.problem ?? null,
  };
}

interface FoundProject {
  readonly file: string;
  readonly path: string;
}

/** What a prompt needs of the settings, kept so that no YAML is parsed for it. Losing it costs time only. */
interface Facts {
  readonly version: 1;
  readonly file: string;
  readonly path: string;
  readonly home: string;
  /** The settings as they were when they were read. */
  readonly stamps: readonly { readonly folder: string; readonly stamp: FileStamp }[];
  readonly stateFolder: string;
  readonly conflictFolder: string;
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
}

async function factsOf(world: PromptWorld, { file, path }: FoundProject): Promise<Facts> {
  const { env, home } = world;
  const slash = file.lastIndexOf("/") + 1;
  const kept = `${stateDir(env, home)}/prompt/${file.slice(slash)}.json`;
  const known = readFacts(kept);
  const isFresh =
    known?.version === 1 &&
    known.file === file &&
    known.path === path &&
    known.home === home &&
    known.stamps.every(({ folder, stamp }) => JSON.stringify(stampOf(folder, stamp.name)) === JSON.stringify(stamp));
  if (isFresh) return known;
  return learnFacts(world, { file, path, kept });
}

function readFacts(file: string): Facts | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Facts;
  } catch {
    return undefined;
  }
}

/** Reads the settings whole. Throws SettingsError, and BackendErrors for an address that cannot be one. */
async function learnFacts(
  { env, home, cwd, clock }: PromptWorld,
  { file, path, kept }: FoundProject & { readonly kept: string },
): Promise<Facts> {
  const [{ openConfig }, { remoteOf }, { conflictFolder }, { writeAtomic }] = await Promise.all([
    import("./setup/config-file.ts"),
    import("./setup/remote.ts"),
    import("./project/envelope-store.ts"),
    import("./lib/fs.ts"),
  ]);
  const before = stampOfFile(file);
  const world = { env, home, cwd, clock, signal: new AbortController().signal, note: () => undefined };
  const config = openConfig(world, file);
  const { stateFolder } = await remoteOf(world, config);
  const { filePatterns, excludePatterns, projectPath, profileFile } = config;
  const stamps = [before, ...(profileFile === undefined ? [] : [stampOfFile(profileFile)])];
  const places = { stateFolder, conflictFolder: conflictFolder(stateDir(env, home), projectPath) };
  const facts: Facts = { version: 1, file, path, home, stamps, ...places, filePatterns, excludePatterns };
  try {
    mkdirSync(dirname(kept), { recursive: true, mode: 0o700 });
    writeAtomic(kept, JSON.stringify(facts), { mode: 0o600, durable: false });
  } catch {
    // A state folder that cannot be written costs time only.
  }
  return facts;
}

function stampOfFile(file: string): Facts["stamps"][number] {
  const slash = file.lastIndexOf("/");
  const folder = file.slice(0, slash);
  return { folder, stamp: stampOf(folder, file.slice(slash + 1)) };
}

/** The paths of the conflicts that runs have left. */
function conflictsIn(folder: string): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const paths = new Set<string>();
  for (const name of names) {
    if (!name.endsWith(".merge.json")) continue;
    const path = textsIn(() => [(JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as { path?: unknown }).path]);
    for (const one of path) paths.add(one);
  }
  return [...paths];
}

/** How many files the notices name that nobody was shown yet. */
function noticedFiles(project: string): number {
  const files = new Set<string>();
  let unnamed = 0;
  for (const name of [READING_FILE, INBOX_FILE]) {
    const file = `${project}/${name}`;
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) continue;
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const named = textsIn(() => (JSON.parse(line) as { files?: readonly unknown[] }).files ?? []);
      const { named: all, count } = eventFiles({ files: named });
      for (const one of all) files.add(one);
      unnamed += count - all.length;
    }
  }
  return files.size + unnamed;
}

/** What somebody else wrote may be anything: what is no text is left out. */
function textsIn(read: () => readonly unknown[]): readonly string[] {
  try {
    return read().filter((one) => typeof one === "string");
  } catch {
    return [];
  }
}
