import type { Random } from "../support/random.ts";

/** The projects that one watcher follows, each named after where its remote is. */
export type ProjectName = "local" | "webdav" | "dropbox" | "drive" | "onedrive" | "pubsub";

/** What happens at one moment. */
export type Act =
  /** A colleague changes a file of his own. */
  | { readonly does: "push"; readonly project: ProjectName; readonly by: 0 | 1 }
  /** So does this machine: nobody is told. */
  | { readonly does: "own push"; readonly project: ProjectName }
  | { readonly does: "read"; readonly project: ProjectName; readonly hook: boolean }
  | Fault;

/** What goes wrong, or changes under the watcher. */
export type Fault =
  /** Every connection breaks once. */
  | { readonly does: "drop"; readonly project: ProjectName }
  /** Nobody answers there: connections are refused. */
  | { readonly does: "cut"; readonly project: ProjectName; readonly forMs: number }
  /** Connections stand, and nothing comes through them. */
  | { readonly does: "hang"; readonly project: ProjectName; readonly forMs: number }
  /** The server itself stops and starts again, for colleagues too. */
  | { readonly does: "restart"; readonly project: ProjectName; readonly forMs: number }
  /** Access tokens stop working. */
  | { readonly does: "expire"; readonly project: ProjectName }
  /** Places in the stream of changes stop working. */
  | { readonly does: "reset"; readonly project: ProjectName }
  /** Entries of the shared log stand twice, as the Python tool writes them. */
  | { readonly does: "twins"; readonly project: ProjectName }
  | { readonly does: "edit"; readonly project: ProjectName }
  | { readonly does: "break config"; readonly project: ProjectName; readonly forMs: number }
  | { readonly does: "remove config"; readonly project: ProjectName; readonly forMs: number }
  | { readonly does: "reload"; readonly by: "signal" | "file" }
  /** Somebody sets the watching machine's clock. */
  | { readonly does: "set clock"; readonly byMs: number }
  /** The machine sleeps. */
  | { readonly does: "sleep"; readonly forMs: number }
  /** The watcher is killed, and started again after a while. */
  | { readonly does: "kill"; readonly forMs: number };

/** To what it happens: one fault at a time. */
export function victimOf(act: Fault): string {
  if (!("project" in act)) return "machine";
  const isConfig = act.does === "edit" || act.does === "break config" || act.does === "remove config";
  return `${isConfig ? "config" : "net"} ${act.project}`;
}

export interface Step {
  /** Since the beginning, milliseconds. */
  readonly atMs: number;
  readonly act: Act;
}

export interface ScenarioOptions {
  readonly projects: readonly ProjectName[];
  readonly lastsMs: number;
  /** Between two faults of any kind, on average. */
  readonly faultEveryMs: number;
  /** Between two pushes of one colleague: the shortest and the longest time. */
  readonly pushEveryMs: readonly [number, number];
  /** Between two looks into one inbox, likewise. */
  readonly readEveryMs: readonly [number, number];
  /** No kill after this time, so that what is left is one life of the watcher. */
  readonly killsUntilMs: number;
  /** The longest time that anything is away. */
  readonly longestMs: number;
  /** Faults that the driver cannot bring about. */
  readonly without?: readonly Fault["does"][];
  /** The only fault that there is. */
  readonly only?: Fault["does"];
}

const DAY_MS = 86_400_000;

/** What happens when: every kind of fault in turns, in an order of chance. Sorted by time. */
export function scenario(random: Random, options: ScenarioOptions): readonly Step[] {
  const steps: Step[] = [];
  const often = ([shortest, longest]: readonly [number, number], act: () => Act) => {
    // Many short pauses and a few long ones: bursts and quiet hours.
    const pause = () => shortest + (longest - shortest) * random.next() ** 2;
    for (let atMs = pause(); atMs < options.lastsMs; atMs += pause()) steps.push({ atMs, act: act() });
  };
  for (const project of options.projects) {
    for (const by of [0, 1] as const) often(options.pushEveryMs, () => ({ does: "push", project, by }));
    const [shortest, longest] = options.pushEveryMs;
    often([shortest * 4, longest * 4], () => ({ does: "own push", project }));
    often(options.readEveryMs, () => ({ does: "read", project, hook: random.next() < 0.5 }));
  }
  let deck: Fault[] = [];
  for (let atMs = options.faultEveryMs; atMs < options.lastsMs; atMs += options.faultEveryMs * (0.5 + random.next())) {
    if (deck.length === 0) deck = shuffled(everyFault(random, options), random);
    const act = deck.pop() as Fault;
    if (act.does !== "kill" || atMs < options.killsUntilMs) steps.push({ atMs, act });
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** One of each, everywhere where it can happen. */
function everyFault(random: Random, { projects, longestMs, without = [], only }: ScenarioOptions): Fault[] {
  const forMs = () => Math.round(longestMs * (0.02 + 0.98 * random.next() ** 2));
  const served = projects.filter((project) => project !== "local");
  const clouds = served.filter((project) => project !== "webdav");
  const faults: Fault[] = [
    ...served.map((project) => ({ does: "drop", project }) as const),
    ...projects.map((project) => ({ does: "cut", project, forMs: forMs() }) as const),
    ...served.map((project) => ({ does: "hang", project, forMs: forMs() }) as const),
    ...(["webdav", "local"] as const).map((project) => ({ does: "restart", project, forMs: forMs() }) as const),
    ...clouds.map((project) => ({ does: "expire", project }) as const),
    ...clouds.map((project) => ({ does: "reset", project }) as const),
    ...projects.map((project) => ({ does: "edit", project }) as const),
    { does: "twins", project: "local" },
    { does: "break config", project: random.pick(projects), forMs: forMs() },
    { does: "break config", project: random.pick(projects), forMs: forMs() },
    { does: "remove config", project: random.pick(projects), forMs: forMs() },
    { does: "remove config", project: random.pick(projects), forMs: forMs() },
    { does: "reload", by: "signal" },
    { does: "reload", by: "file" },
    { does: "sleep", forMs: longestMs },
    { does: "sleep", forMs: forMs() },
    { does: "kill", forMs: forMs() },
    { does: "kill", forMs: 0 },
    { does: "set clock", byMs: DAY_MS * (1 - 2 * random.next()) },
  ];
  return faults.filter(({ does }) => (only === undefined ? !without.includes(does) : does === only));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  const mixed: T[] = [];
  while (left.length > 0) mixed.push(...left.splice(random.below(left.length), 1));
  return mixed;
}
