import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { seededRandom } from "../support/random.ts";
import { REMOTE_KINDS, servedPlace } from "../support/remote-place.ts";
import { cloudSoakPlaces, fillLog, localSoakPlace, type SoakPlace, servedSoakPlace } from "./places.ts";
import { projectFault } from "./project-fault.ts";
import { type Fault, type ProjectName, type ScenarioOptions, type Step, scenario, victimOf } from "./scenario.ts";
import { type Tally, type TallyRow, tally } from "./tally.ts";
import { type Troubles, troubles } from "./troubles.ts";
import { type WatchedHome, watchedHome } from "./watched-home.ts";
import { cpuSeconds, residentMb, startWatcher, type WatcherProcess } from "./watcher-process.ts";

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Told of what happens. */
  readonly note: (line: string) => void;
}

export interface SoakReport {
  readonly rows: readonly TallyRow[];
  readonly pollSeconds: number;
  readonly faults: ReadonlyMap<Fault["does"], number>;
  readonly wallSeconds: number;
  /** Of all lives of the watcher. */
  readonly cpuSeconds: number;
  readonly lives: number;
  /** Of its last life: after the warm-up, at the end, and the most between. MB. */
  readonly memory: { readonly warm: number; readonly end: number; readonly most: number; readonly minutes: number };
  /** From the end of a sleep of more than two intervals to the inbox, of what was pushed meanwhile, milliseconds. */
  readonly afterSleep: readonly number[];
  /** What should never be. */
  readonly problems: readonly string[];
}

const PROJECTS: readonly ProjectName[] = ["local", "webdav", "dropbox", "drive", "onedrive", "pubsub"];
const POLL_SECONDS = 30;
const LONGPOLL_MS = 90_000;
const SETTLE_MS = 300_000;

interface Soak extends SoakOptions {
  readonly binary: string;
  readonly places: ReadonlyMap<ProjectName, SoakPlace>;
  readonly home: WatchedHome;
  readonly colleagues: ReadonlyMap<ProjectName, readonly OwnMachine[]>;
  readonly tally: Tally;
  readonly faults: Map<Fault["does"], number>;
  readonly problems: string[];
  readonly troubles: Troubles;
  readonly sleeps: { readonly fromMs: number; untilMs: number }[];
  watcher: WatcherProcess;
  startedMs: number;
  lives: number;
  spentSeconds: number;
  memory: { readonly atMs: number; readonly mb: number }[];
}

/** Lets the compiled program watch real servers for some minutes while everything goes wrong, and counts. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const it = await setUp(options);
  const lastsMs = options.minutes * 60_000;
  const steps = scenario(seededRandom(options.seed), scenarioFor(lastsMs));
  options.note(`${steps.length} steps, seed ${options.seed}`);
  const start = performance.now();
  const sampling = setInterval(() => sample(it), 1000);
  const waiting = setInterval(() => {
    for (const place of it.places.values()) place.endWaits();
  }, LONGPOLL_MS);
  try {
    await live(it, steps, start + lastsMs);
    await settle(it);
    return reportOf(it, (performance.now() - start) / 1000);
  } finally {
    clearInterval(sampling);
    clearInterval(waiting);
    it.watcher.signal("SIGCONT");
    it.watcher.signal("SIGTERM");
    const code = await it.watcher.exited;
    if (code !== 0) it.problems.push(`the watcher ended with ${code}`);
    for (const place of it.places.values()) await place.close();
  }
}

function scenarioFor(lastsMs: number): ScenarioOptions {
  return {
    projects: PROJECTS,
    lastsMs: lastsMs - 30_000,
    faultEveryMs: Math.min(20_000, lastsMs / 40),
    pushEveryMs: [3_000, 150_000],
    readEveryMs: [1_000, 30_000],
    killsUntilMs: lastsMs / 4,
    longestMs: Math.min(100_000, lastsMs / 8),
    without: ["set clock"],
  };
}

async function setUp(options: SoakOptions): Promise<Soak> {
  const binary = await compiledBinary();
  const apache = await startApache({ auth: "basic" });
  const local = await REMOTE_KINDS[0]?.start();
  if (local === undefined) throw new Error("no local folder");
  const all: readonly SoakPlace[] = [
    localSoakPlace(local.place()),
    await servedSoakPlace("webdav", [apache.origin], servedPlace(apache, "project", { token: { ...APACHE_USER } }), {
      stop: () => apache.stop(),
      ...(apache.restart && { restart: apache.restart }),
      close: () => apache.stop(),
    }),
    ...(await cloudSoakPlaces({ pubsub: true })),
  ];
  const places = new Map(all.map((place) => [place.project, place]));
  for (const place of all) fillLog(place, Date.now());
  const colleagues = new Map<ProjectName, readonly OwnMachine[]>();
  for (const { project, direct } of all) {
    colleagues.set(project, await Promise.all(["alice", "carol"].map((name) => ownMachine(name, direct))));
  }
  const ways = new Map(all.map(({ project, watched }) => [project, watched]));
  const home = watchedHome(ways, { poll_interval: POLL_SECONDS });
  const counts = tally(PROJECTS);
  const it: Soak = {
    ...options,
    binary,
    places,
    home,
    colleagues,
    tally: counts,
    faults: new Map(),
    problems: [],
    troubles: troubles(),
    sleeps: [],
    watcher: startedIn({ binary, home, tally: counts }),
    startedMs: Date.now(),
    lives: 1,
    spentSeconds: 0,
    memory: [],
  };
  // The first look ever takes note of what is there: nothing is pushed before.
  await until(() => PROJECTS.every((name) => it.watcher.said().includes(`Watching ${name}.`)), 60_000, it.watcher.said);
  return it;
}

function startedIn({ binary, home, tally: counts }: Pick<Soak, "binary" | "home" | "tally">): WatcherProcess {
  const words = ["watch-all", "--json"];
  return startWatcher({
    binary,
    words,
    cwd: home.home,
    env: home.env,
    onLine: (line) => counts.noticed(line, Date.now()),
  });
}

/** Does each step at its time. What happens to one thing happens one after the other. */
async function live(it: Soak, steps: readonly Step[], endMs: number): Promise<void> {
  const begun = performance.now();
  const chains = new Map<string, Promise<void>>();
  const chain = (key: string, work: () => Promise<void>) => {
    const told = (error: unknown) => void it.problems.push(`${key}: ${String(error)}`);
    chains.set(key, (chains.get(key) ?? Promise.resolve()).then(work).catch(told));
  };
  let reads = 0;
  for (const { atMs, act } of steps) {
    await Bun.sleep(Math.max(0, begun + atMs - performance.now()));
    switch (act.does) {
      case "push":
        chain(`push ${act.project} ${act.by}`, () => push(it, act.project, act.by));
        break;
      case "own push":
        chain(`own ${act.project}`, () => ownPush(it, act.project));
        break;
      case "read":
        // Two readers at once are nothing special.
        chain(`read ${++reads}`, () => read(it, act.project, act.hook));
        break;
      default:
        chain(victimOf(act), () => fault(it, act));
    }
  }
  await Bun.sleep(Math.max(0, endMs - performance.now()));
  await Promise.all(chains.values());
}

async function push(it: Soak, project: ProjectName, by: number): Promise<void> {
  const machine = it.colleagues.get(project)?.[by] as OwnMachine;
  const file = it.tally.name(project, "colleague");
  machine.write(file, file);
  for (;;) {
    const ended = await machine.run(["push", "--json"]);
    if (ended.code === 0) {
      const untold = ended.json.notices.filter((notice) => notice.includes("sync log"));
      if (untold.length === 0) it.tally.told(file, Date.now());
      else it.problems.push(`a push of ${project} was not told: ${untold.join(" ")}`);
      return;
    }
    await Bun.sleep(1000);
  }
}

async function ownPush({ binary, home, tally: counts }: Soak, project: ProjectName): Promise<void> {
  const file = counts.name(project, "own");
  writeFileSync(join(home.folder(project), file), file);
  // Whether it works now or later is all the same: nobody may be told here.
  await Bun.spawn([binary, "push"], {
    cwd: home.folder(project),
    env: { ...home.env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  }).exited;
}

async function read(it: Soak, project: ProjectName, hook: boolean): Promise<void> {
  const { binary, home } = it;
  const cwd = home.folder(project);
  const input = JSON.stringify({ session_id: "s", cwd, hook_event_name: "PreToolUse", tool_name: "Read" });
  const child = Bun.spawn([binary, "inbox", ...(hook ? ["--hook"] : [])], {
    cwd,
    env: { ...home.env },
    stdin: hook ? Buffer.from(input) : "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) it.problems.push(`inbox of ${project} ended with ${child.exitCode}: ${err}`);
  if (hook && out !== "" && JSON.parse(out).hookSpecificOutput === undefined) it.problems.push(`a hook said ${out}`);
  it.tally.seen(out);
}

async function fault(it: Soak, act: Fault): Promise<void> {
  it.faults.set(act.does, (it.faults.get(act.does) ?? 0) + 1);
  it.note(`${act.does}${"project" in act ? ` ${act.project}` : ""}${"forMs" in act ? ` for ${act.forMs} ms` : ""}`);
  const project = "project" in act ? act.project : undefined;
  const end = it.troubles.begin(project, Date.now());
  if (project === undefined) await machineFault(it, act);
  else {
    const undo = await projectFault(it.home, act, it.places.get(project) as SoakPlace);
    if (undo !== undefined && "forMs" in act) {
      await Bun.sleep(act.forMs);
      await undo();
    }
  }
  end(Date.now());
}

async function machineFault(it: Soak, act: Fault): Promise<void> {
  switch (act.does) {
    case "reload":
      if (act.by === "signal") it.watcher.signal("SIGHUP");
      else it.home.askToReload(Date.now());
      break;
    case "sleep": {
      const sleep = { fromMs: Date.now(), untilMs: Number.POSITIVE_INFINITY };
      it.sleeps.push(sleep);
      it.watcher.signal("SIGSTOP");
      await Bun.sleep(act.forMs);
      it.watcher.signal("SIGCONT");
      sleep.untilMs = Date.now();
      break;
    }
    case "kill":
      it.spentSeconds += cpuSeconds(it.watcher.pid);
      it.watcher.signal("SIGKILL");
      await it.watcher.exited;
      await Bun.sleep(act.forMs);
      it.memory = [];
      it.watcher = startedIn(it);
      it.startedMs = Date.now();
      it.lives++;
  }
}

function sample(it: Soak): void {
  try {
    it.memory.push({ atMs: Date.now(), mb: residentMb(it.watcher.pid) });
  } catch {
    // Between two lives.
  }
}

/** Reads on until nothing is missing, and for one more round in which something might come twice. */
async function settle(it: Soak): Promise<void> {
  it.note("the faults are over");
  const readAll = () => Promise.all(PROJECTS.map((project) => read(it, project, false)));
  const end = performance.now() + SETTLE_MS;
  while (it.tally.missing().length > 0 && performance.now() < end) {
    await readAll();
    await Bun.sleep(1000);
  }
  for (const file of it.tally.missing()) it.note(`missing: ${file}`);
  await Bun.sleep(2 * POLL_SECONDS * 1000);
  await readAll();
}

/** The topic is one thing and the Drive another. */
function networksOf(project: ProjectName): readonly ProjectName[] {
  return project === "pubsub" ? ["pubsub", "drive"] : [project];
}

function reportOf(it: Soak, wallSeconds: number): SoakReport {
  const { isQuiet } = it.troubles;
  const warmMs = Math.min(180_000, it.minutes * 12_000);
  const warm = it.memory.filter(({ atMs }) => atMs > it.startedMs + warmMs);
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
  const mb = warm.map((one) => one.mb);
  return {
    rows: it.tally.rows((project, atMs) => isQuiet(atMs, [...networksOf(project), undefined])),
    pollSeconds: POLL_SECONDS,
    faults: it.faults,
    wallSeconds,
    cpuSeconds: it.spentSeconds + cpuSeconds(it.watcher.pid),
    lives: it.lives,
    memory: {
      warm: median(mb.slice(0, 30)),
      end: median(mb.slice(-30)),
      most: Math.max(...mb),
      minutes: (Date.now() - it.startedMs) / 60_000,
    },
    afterSleep: it.sleeps
      .filter(isLong)
      .flatMap(({ fromMs, untilMs }) =>
        it.tally.heardAfter(fromMs, untilMs, (project) => isQuiet(untilMs, networksOf(project))),
      ),
    problems: it.problems,
  };
}

/** Over two intervals and a slice of waiting: a shorter one is no jump, and the next look comes when it is due. */
function isLong({ fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number }): boolean {
  return untilMs - fromMs > (2 * POLL_SECONDS + 3) * 1000;
}

async function until(holds: () => boolean, mostMs: number, explain: () => string): Promise<void> {
  const end = performance.now() + mostMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it did not happen: ${explain()}`);
    await Bun.sleep(20);
  }
}
