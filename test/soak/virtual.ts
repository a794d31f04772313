import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { appendEvents } from "../../src/activity/log.ts";
import type { LogEvent } from "../../src/activity/model.ts";
import { rememberOwn } from "../../src/activity/own-events.ts";
import { projectDeps } from "../../src/app.ts";
import { watchAll } from "../../src/app-watch.ts";
import type { Backend } from "../../src/backends/types.ts";
import { pythonIso, systemClock } from "../../src/lib/clock.ts";
import type { ProjectDeps } from "../../src/project/service.ts";
import type { World } from "../../src/setup/world.ts";
import { cli } from "../support/cli.ts";
import { seededRandom } from "../support/random.ts";
import { REMOTE_KINDS } from "../support/remote-place.ts";
import { quickFolder } from "../support/temp.ts";
import { turns, type VirtualClock, virtualClock } from "../support/virtual-clock.ts";
import { cloudSoakPlaces, fillLog, localSoakPlace, nextcloudSoakPlace, type SoakPlace } from "./places.ts";
import { projectFault, type Undo } from "./project-fault.ts";
import { type Act, type Fault, type ProjectName, scenario, victimOf } from "./scenario.ts";
import { type Tally, type TallyRow, tally } from "./tally.ts";
import { type Troubles, troubles } from "./troubles.ts";
import { type WatchedHome, watchedHome } from "./watched-home.ts";

export interface VirtualSoakOptions {
  readonly hours: number;
  readonly seed: number;
  /** The only fault that there is; every kind when left out. */
  readonly only?: Fault["does"];
  /** What the watcher does wrong when it is started again: a fault of the program that the count must show. */
  readonly planted?: "forgets how far it has read" | "brings all anew";
}

export interface VirtualSoakReport {
  readonly rows: readonly TallyRow[];
  readonly faults: ReadonlyMap<Fault["does"], number>;
  /** Pushes that were in the inbox before any time had passed, because the remote told. */
  readonly told: number;
  /** Timers that are left when the watcher has ended, and the most while it ran. */
  readonly sleepers: { readonly left: number; readonly most: number };
}

/** Streams keep time by themselves. */
const PROJECTS: readonly ProjectName[] = ["local", "webdav", "dropbox", "drive", "onedrive"];
const POLL_SECONDS = 30;
const MINUTE_MS = 60_000;
const LONGPOLL_MS = 90_000;

interface Life {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

interface Soak {
  readonly clock: VirtualClock;
  /** How far the watching machine's clock is ahead of all others. */
  readonly ahead: { ms: number };
  /** By all others' clocks. */
  now(): number;
  readonly places: ReadonlyMap<ProjectName, SoakPlace>;
  readonly home: WatchedHome;
  readonly logs: Map<ProjectName, Backend>;
  /** Where the watching machine keeps what it knows of a project. */
  readonly stateFolders: Map<ProjectName, string>;
  readonly tally: Tally;
  readonly troubles: Troubles;
  readonly faults: Map<Fault["does"], number>;
  readonly notes: string[];
  /** Projects whose last look worked, and whose remote told of itself then. */
  readonly well: Set<ProjectName>;
  /** Pushes that wait for a folder that is away. */
  readonly waiting: (() => Promise<unknown>)[];
  /** What ends later: sorted by nothing. */
  readonly ends: { readonly atMs: number; readonly key: string; act(): Promise<void> }[];
  readonly planted: VirtualSoakOptions["planted"];
  hungUp: boolean;
  told: number;
  life: Life;
  mostSleepers: number;
}

/**
 * The watcher of all projects in this process, over the programs' own code from configs to connections, on a clock that is
 * moved on as soon as nobody answers anything any more.
 */
export async function virtualSoak({ hours, seed, only, planted }: VirtualSoakOptions): Promise<VirtualSoakReport> {
  const it = await setUp(planted);
  const start = it.now();
  const elapsed = () => it.now() - start;
  const steps = scenario(seededRandom(seed), {
    projects: PROJECTS,
    lastsMs: hours * 60 * MINUTE_MS,
    faultEveryMs: MINUTE_MS,
    pushEveryMs: [10_000, 20 * MINUTE_MS],
    readEveryMs: [30_000, 5 * MINUTE_MS],
    killsUntilMs: Number.POSITIVE_INFINITY,
    longestMs: 5 * MINUTE_MS,
    ...(only && { only }),
  });
  const goTo = async (atMs: number) => {
    for (;;) {
      const next = it.ends.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > atMs) break;
      await pass(it, next.atMs - elapsed());
      it.ends.splice(it.ends.indexOf(next), 1);
      await next.act();
    }
    await pass(it, atMs - elapsed());
  };
  for (const { atMs, act } of steps) {
    await goTo(atMs);
    await happen(it, act, elapsed());
  }
  await goTo(elapsed() + 15 * MINUTE_MS);
  for (const project of PROJECTS) await read(it, project, false);
  await endLife(it);
  for (const backend of it.logs.values()) await backend.close();
  for (const place of it.places.values()) await place.close();
  return {
    rows: it.tally.rows((project, atMs) => it.troubles.isQuiet(atMs, [project, undefined])),
    faults: it.faults,
    told: it.told,
    sleepers: { left: it.clock.sleepers, most: it.mostSleepers },
  };
}

async function setUp(planted: VirtualSoakOptions["planted"]): Promise<Soak> {
  const places = new Map<ProjectName, SoakPlace>();
  const answered = async () => {
    do await turns();
    while ([...places.values()].some((place) => place.open() > 0));
  };
  const clock = virtualClock(systemClock.now(), answered);
  const local = await REMOTE_KINDS[0]?.start();
  if (local === undefined) throw new Error("no local folder");
  const ahead = { ms: 0 };
  const now = () => clock.now() - ahead.ms;
  const all = [localSoakPlace(local.place()), await nextcloudSoakPlace(), ...(await cloudSoakPlaces({ now }))];
  for (const place of all) places.set(place.project, place);
  const settings = { poll_interval: POLL_SECONDS };
  const home = watchedHome(
    new Map(all.map(({ project, watched }) => [project, watched])),
    settings,
    quickFolder("soak-home"),
  );
  const colleague = watchedHome(
    new Map(all.map(({ project, direct }) => [project, direct])),
    settings,
    quickFolder("soak-home"),
  );
  const it: Soak = {
    clock,
    ahead,
    now,
    places,
    home,
    logs: new Map(),
    stateFolders: new Map(),
    tally: tally(PROJECTS),
    troubles: troubles(),
    faults: new Map(),
    notes: [],
    well: new Set(),
    waiting: [],
    ends: [],
    planted,
    hungUp: false,
    told: 0,
    life: { stop: new AbortController(), ended: Promise.resolve() },
    mostSleepers: 0,
  };
  for (const place of all) fillLog(place, now());
  for (const project of PROJECTS) {
    it.logs.set(project, await (await depsOf(colleague, project, now)).openBackend());
    it.stateFolders.set(project, (await depsOf(home, project, now)).stateFolder);
  }
  it.life = begin(it);
  await clock.advance(1);
  await until(
    () => it.well.size === PROJECTS.length,
    () => it.notes.join("\n"),
  );
  return it;
}

/** A colleague's own way to a project: by a network that does not break, and a clock that nobody sets. */
async function depsOf(home: WatchedHome, project: ProjectName, now: () => number): Promise<ProjectDeps> {
  const clock = { now, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(1, signal) };
  const { signal } = new AbortController();
  const cwd = home.folder(project);
  const world: World = { env: home.env, cwd, home: home.home, clock, signal, note: () => undefined };
  return projectDeps(world, { config: undefined, onEvent: () => undefined });
}

function begin(it: Soak): Life {
  const { home, clock } = it;
  const stop = new AbortController();
  const env = { ...home.env, PATH: "/nowhere" };
  const note = (line: string) => void it.notes.push(line);
  const world: World = { env, cwd: home.home, home: home.home, clock, signal: stop.signal, note };
  const projectIn = (folder: string) => PROJECTS.find((project) => home.folder(project) === folder) as ProjectName;
  const ended = watchAll(world, {
    configs: [],
    hungUp() {
      const was = it.hungUp;
      it.hungUp = false;
      return was;
    },
    onNews: (news) => it.tally.noticed(JSON.stringify(news), it.now()),
    onBeat(beat, folder) {
      if (beat.state === "ok") it.well.add(projectIn(folder));
      else it.well.delete(projectIn(folder));
    },
  });
  return { stop, ended };
}

async function endLife({ life, clock }: Soak): Promise<void> {
  life.stop.abort();
  let ended = false;
  const done = life.ended
    .catch(() => undefined)
    .then(() => {
      ended = true;
    });
  await until(
    () => ended,
    () => `the watcher has not ended, ${clock.sleepers} timers`,
  );
  await done;
}

async function pass(it: Soak, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= LONGPOLL_MS) {
    await it.clock.advance(Math.min(left, LONGPOLL_MS));
    it.mostSleepers = Math.max(it.mostSleepers, it.clock.sleepers);
    if (left >= LONGPOLL_MS) for (const place of it.places.values()) place.endWaits();
  }
}

async function happen(it: Soak, act: Act, atMs: number): Promise<void> {
  switch (act.does) {
    case "push":
    case "own push":
      await push(it, act.project, act.does === "push" ? "colleague" : "own");
      return;
    case "read":
      return read(it, act.project, act.hook);
    default:
      return fault(it, act, atMs);
  }
}

/** Where a change is told at once: no time passes between a push and the inbox. */
const TOLD: readonly ProjectName[] = ["local", "dropbox"];

/** The name of the file that a colleague changed, where others may know of it. */
async function push(it: Soak, project: ProjectName, who: "colleague" | "own"): Promise<string | undefined> {
  const isAway = it.ends.some(({ key }) => key === "net local");
  if (project === "local" && isAway) {
    it.waiting.push(() => push(it, project, who));
    return undefined;
  }
  const file = it.tally.name(project, who);
  const nowMs = it.now();
  const event: LogEvent = {
    ...{ machine: "ws", user: "carol", files: [file], action: "push", project },
    timestamp: pythonIso(nowMs),
  };
  if (who === "own") rememberOwn(it.stateFolders.get(project) as string, [event]);
  const added = await appendEvents(it.logs.get(project) as Backend, [event], { clock: systemClock });
  if (added.kind === "skipped") throw new Error(`${project}: ${added.notice}`);
  if (who === "own") return undefined;
  const expected = it.well.has(project) && TOLD.includes(project) && isSound(it, project);
  it.tally.told(file, nowMs);
  if (!expected) return file;
  await until(
    () => it.tally.wasNoticed(file),
    () => `no word of ${file} without a look at it; ${it.notes.slice(-5).join("\n")}`,
  );
  it.told++;
  return file;
}

async function read({ tally: counts, home }: Soak, project: ProjectName, hook: boolean): Promise<void> {
  const cwd = home.folder(project);
  const stdin = JSON.stringify({ session_id: "s", cwd, hook_event_name: "PreToolUse", tool_name: "Read" });
  const words = ["inbox", ...(hook ? ["--hook"] : [])];
  const { code, stdout, stderr } = await cli(words, { cwd, home: home.home, env: { ...home.env }, stdin });
  if (code !== 0) throw new Error(`inbox of ${project} ended with ${code}: ${stderr}`);
  counts.seen(stdout);
}

async function fault(it: Soak, act: Fault, atMs: number): Promise<void> {
  const key = victimOf(act);
  // One thing at a time happens to one thing.
  if (it.ends.some((end) => end.key === key)) return;
  it.faults.set(act.does, (it.faults.get(act.does) ?? 0) + 1);
  const project = "project" in act ? act.project : undefined;
  for (const each of project === undefined ? PROJECTS : [project]) it.well.delete(each);
  const end = it.troubles.begin(project, it.now());
  const undo =
    project === undefined
      ? await machineFault(it, act)
      : await projectFault(it.home, act, it.places.get(project) as SoakPlace);
  if (undo === undefined || !("forMs" in act)) return end(it.now());
  it.ends.push({
    atMs: atMs + act.forMs,
    key,
    async act() {
      await undo();
      end(it.now());
      if (key === "net local") for (const waits of it.waiting.splice(0)) await waits();
    },
  });
}

async function machineFault(it: Soak, act: Fault): Promise<Undo | undefined> {
  switch (act.does) {
    case "reload":
      if (act.by === "signal") it.hungUp = true;
      else it.home.askToReload(it.clock.now());
      return;
    case "set clock":
      it.clock.suspend(act.byMs);
      it.ahead.ms += act.byMs;
      return;
    case "sleep":
      await sleep(it, act.forMs);
      return;
    case "kill":
      await endLife(it);
      for (const folder of it.stateFolders.values()) tamper(join(folder, "watch-mark.json"), it.planted);
      return async () => {
        it.life = begin(it);
      };
  }
  return;
}

/** Nothing that is wrong now touches the project. */
function isSound({ ends }: Soak, project: ProjectName): boolean {
  return ends.every(({ key }) => key !== "machine" && !key.endsWith(` ${project}`));
}

/** Over two intervals and a slice of waiting a sleep is noticed as such. */
const LONG_SLEEP_MS = 2 * POLL_SECONDS * 1000 + 5_000;

/** What is pushed while the machine sleeps is in the inbox 5 s after it woke, wherever nothing else is wrong. */
async function sleep(it: Soak, forMs: number): Promise<void> {
  const sound = PROJECTS.filter((project) => isSound(it, project));
  it.clock.suspend(forMs);
  const files: string[] = [];
  for (const project of sound) {
    files.push((await push(it, project, "colleague")) ?? "");
  }
  await pass(it, 5_000);
  if (forMs <= LONG_SLEEP_MS) return;
  await until(
    () => files.every((file) => it.tally.wasNoticed(file)),
    () => `5 s after a sleep not all of ${files.join(", ")} are there; ${it.notes.slice(-5).join("\n")}`,
  );
}

function tamper(mark: string, how: VirtualSoakOptions["planted"]): void {
  if (how === "forgets how far it has read") rmSync(mark, { force: true });
  if (how === "brings all anew") writeFileSync(mark, JSON.stringify({ rev: null, seen: [] }));
}

async function until(holds: () => boolean, explain: () => string): Promise<void> {
  for (let left = 30_000; !holds(); left -= 5) {
    if (left < 0) throw new Error(`it did not happen: ${explain()}`);
    await systemClock.sleep(5);
  }
}
