import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { forEachLimit } from "../../src/lib/limits.ts";
import {
  broken,
  brokenStore,
  changedSnapshots,
  differences,
  type Ending,
  ending,
  leftoversOf,
  type Sides,
  type Store,
  sides,
  storeOf,
} from "./crash-check.ts";
import type { CrashScenario } from "./crash-scenarios.ts";
import { put, type World, type WorldOptions } from "./crash-world.ts";
import { fingerprint } from "./tree.ts";

/** A scenario whose undisturbed course is known. */
export interface Rehearsed {
  readonly scenario: CrashScenario;
  readonly prepared: World;
  readonly before: Sides;
  readonly wanted: Ending;
  readonly storeBefore: Store;
  readonly storeAfter: Store;
  /** Names of the points that the undisturbed run passes, in order. */
  readonly points: readonly string[];
}

/** Every so many cases get the questions that cost another run. */
const SAMPLED = 4;

/** How many cases run at once. */
const AT_ONCE = 3;

export async function rehearse(scenario: CrashScenario, options: WorldOptions = {}): Promise<Rehearsed> {
  const prepared = await scenario.prepare(options);
  const world = prepared.copy();
  const { code, points, told } = await counted(world, scenario.words(world));
  if (code !== 0) throw new Error(`${scenario.name} exits ${code} undisturbed: ${told}`);
  const wanted = await ending(world);
  if (wanted.leftovers.length > 0) throw new Error(`${scenario.name} leaves ${wanted.leftovers.join(", ")}`);
  const [storeBefore, storeAfter] = [storeOf(prepared), storeOf(world)];
  const before = sides(prepared);
  world.remove();
  return { scenario, prepared, before, wanted, storeBefore, storeAfter, points };
}

/** Runs the program to its end and answers the names of the points that it passed. */
export async function counted(world: World, words: readonly string[]) {
  const log = join(world.home, "points");
  const { code, stdout, stderr } = await world.run(words, { CLAUDE_MIRROR_FAULT_LOG: log });
  let text = "";
  try {
    text = readFileSync(log, "utf8");
    rmSync(log);
  } catch {
    // It passed none.
  }
  const points = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.slice(line.indexOf(" ") + 1));
  return { code, points, told: stdout + stderr };
}

/** A run passes one or two points more or fewer when names of the same second are taken. */
const SLACK = 4;

/** Every point of the undisturbed run, and a few more. */
export function everyPoint({ points }: Rehearsed): number[] {
  return Array.from({ length: points.length + SLACK }, (_, at) => at + 1);
}

/**
 * Kills the program at each of these points, each time in a fresh copy, runs it again, and answers everything that then is
 * not as it should be, one line each, with the points' numbers.
 */
export async function crashAt(rehearsed: Rehearsed, cases: Iterable<readonly number[]>): Promise<string[]> {
  const complaints: string[] = [];
  await forEachLimit(cases, AT_ONCE, async (kills, index) => {
    const world = rehearsed.prepared.copy();
    const isSample = index % SAMPLED === 0;
    const found = await crashOnce(rehearsed, world, { kills, isSample });
    const label = `${kills.join(", ")} (${rehearsed.points[(kills[0] ?? 0) - 1] ?? "later"})`;
    complaints.push(...found.map((line) => `${label}: ${line}`));
    world.remove();
  });
  return complaints;
}

interface Case {
  readonly kills: readonly number[];
  /** Whether to ask the program more often than it takes to recover. */
  readonly isSample: boolean;
}

async function crashOnce(rehearsed: Rehearsed, world: World, { kills, isSample }: Case): Promise<string[]> {
  const { scenario, wanted, points } = rehearsed;
  const found: string[] = [];
  for (const [run, number] of kills.entries()) {
    const { killed, code, stderr } = await world.run(scenario.words(world), { CLAUDE_MIRROR_FAULT_AT: String(number) });
    const mayEnd = run > 0 || number > points.length - SLACK;
    if (!killed && !(code === 0 && mayEnd)) found.push(`run ${run + 1} exits ${code} before that point: ${stderr}`);
    found.push(...brokenNow(rehearsed, world));
    const seen = isSample ? await shown(world) : [];
    if (seen.length > 0) found.push(`status shows ${seen.join(", ")}`);
  }
  const next = await world.run(scenario.words(world));
  if (next.code !== 0) return [...found, `the next run exits ${next.code}: ${next.stdout}${next.stderr}`];
  const { leftovers, ...end } = await ending(world);
  const mayStay = scenario.locksForWork ? leftovers : leftovers.filter(isRemote);
  found.push(...differences({ ...end, leftovers: leftovers.filter((path) => !mayStay.includes(path)) }, wanted));
  if (isSample && found.length === 0) found.push(...(await idle(rehearsed, world)));
  if (mayStay.length > 0) found.push(...(await stillLeft(world)));
  return found;
}

function brokenNow({ scenario, before, wanted, storeBefore, storeAfter }: Rehearsed, world: World): string[] {
  if (scenario.damaged) return brokenStore(world, storeBefore, storeAfter);
  return [
    ...broken(world, before, wanted),
    ...(scenario.keepsSnapshots ? changedSnapshots(world, wanted.snapshots) : []),
  ];
}

/** Unfinished files that a look at both sides takes for files; asked only where there are any. */
async function shown(world: World): Promise<string[]> {
  if (!leftoversOf(world).some((path) => /^(project|remote) /.test(path))) return [];
  const { stdout } = await world.run(["sync", "--dry-run", "--strategy", "skip", "--no-prompt", "--json"]);
  return stdout.match(/[^"]*\.claude_mirror_tmp_[^"]*/g) ?? [];
}

function isRemote(leftover: string): boolean {
  return leftover.startsWith("remote ");
}

/** What a killed run left where the next one had nothing to write goes with the next change there. */
async function stillLeft(world: World): Promise<string[]> {
  put(world.project, "later.md", "later\n");
  const { code, stderr } = await world.run(["push"]);
  // A lock where a collected content was is taken over by whoever stores one there again.
  const left = leftoversOf(world).filter((path) => !/^remote _claude_mirror_blobs\/.*_lock_/.test(path));
  return code === 0 && left.length === 0 ? [] : [`a later push (exit ${code}) leaves ${left.join(", ")}${stderr}`];
}

/** One more run changes nothing at all. */
async function idle({ scenario }: Rehearsed, world: World): Promise<string[]> {
  const still = everything(world);
  const { code, stdout, stderr } = await world.run(scenario.words(world));
  if (code !== 0) return [`the run after it exits ${code}: ${stdout}${stderr}`];
  const changed = everything(world).filter((line, at) => line !== still[at]);
  return changed.length === 0 ? [] : [`the run after it still changes ${changed.slice(0, 4).join("; ")}`];
}

/** A restore that finds all as it should be still looks the blobs up; folders' times move with the lock. */
function everything(world: World): string[] {
  return [...fingerprint(world.project), ...fingerprint(world.remote), ...fingerprint(world.trash)].filter(
    (line) => !line.endsWith(" folder"),
  );
}
