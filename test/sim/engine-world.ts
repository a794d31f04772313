import * as fs from "node:fs";
import { join } from "node:path";
import type { ProjectConfig } from "../../src/settings/model.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { settle } from "./engine-calm.ts";
import { drawCommand } from "./engine-commands.ts";
import { damageStep } from "./engine-damage.ts";
import { drawTrouble } from "./engine-faults.ts";
import { type Client, type PlantedBug, type Step, Violation, type World } from "./engine-model.ts";
import { runCommand } from "./engine-session.ts";
import { handStep, userStep } from "./engine-user.ts";

export interface WorldOptions {
  readonly seed: number;
  /** Only these of the seed's steps; all when left out. */
  readonly steps?: readonly number[];
  readonly bug?: PlantedBug;
  /** Where the clients' folders are made; removed at the end. */
  readonly folder: string;
}

export interface Told {
  /** The promise that was broken. */
  readonly problem?: string;
  readonly steps: readonly Step[];
  readonly trace: readonly string[];
  readonly runs: number;
  readonly rounds: number;
}

/** Lives through one world. The same options give the same steps. */
export async function liveThrough(options: WorldOptions): Promise<Told> {
  const world = openWorld(options);
  const all = stepsOf(options.seed);
  const steps = options.steps === undefined ? all : all.filter((_, at) => options.steps?.includes(at));
  const told = { steps: all, trace: world.trace, runs: 0, rounds: 0 };
  try {
    for (const step of steps) await takeStep(world, step);
    const rounds = await settle(world);
    return { ...told, runs: world.runs, rounds };
  } catch (error) {
    const problem = error instanceof Violation ? error.message : `the simulation itself failed: ${stackOf(error)}`;
    return { ...told, runs: world.runs, problem };
  } finally {
    fs.rmSync(world.folder, { recursive: true, force: true });
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The steps of a seed. */
export function stepsOf(seed: number): Step[] {
  const random = seededRandom(seed);
  const count = 6 + random.below(random.pick([8, 16, 26]));
  return Array.from({ length: count }, () => ({
    kind: random.pick(["edit", "edit", "edit", "edit", "hand", "run", "run", "run", "run", "damage", "wait"] as const),
    client: random.below(6),
    seed: Math.floor(random.next() * 2 ** 32),
  }));
}

const START_MS = Date.UTC(2026, 10, 20);

function openWorld({ seed, folder, bug = {} }: WorldOptions): World {
  const random = seededRandom(seed ^ 0x5eed);
  const place = fs.realpathSync(fs.mkdtempSync(join(folder, "world-")));
  let ticks = 0;
  const remote = {
    tickMs: random.pick([0, 0, 20, 2000]),
    now: () => START_MS + world.skippedMs + ticks++,
    checksums: random.pick([[], [], ["md5"], ["sha256"]] as const),
    writeReturnsRev: random.below(2) === 0,
    copy: random.below(2) === 0,
    move: random.below(2) === 0,
    changes: random.below(2) === 0,
  };
  const format = random.below(3) === 0 ? "full" : "blobs";
  const names = random.below(3) === 0 ? ["ann", "ben", "cat"] : ["ann", "ben"];
  const world: World = {
    seed,
    folder: place,
    store: new MemoryStore(remote),
    remote,
    prunes: random.below(4) > 0,
    clients: names.map((name) => openClient(place, name, { format, random })),
    bug,
    ever: new Set(),
    written: new Set(),
    destroyed: new Set(),
    effects: [],
    givenUp: new Set(),
    trace: [],
    violations: [],
    depth: 0,
    disturbances: 0,
    faults: 0,
    damages: 0,
    skippedMs: 0,
    contents: 0,
    runs: 0,
  };
  return world;
}

interface ClientOptions {
  readonly format: ProjectConfig["snapshotFormat"];
  readonly random: Random;
}

function openClient(place: string, name: string, { format, random }: ClientOptions): Client {
  const home = join(place, name);
  const root = join(home, "project");
  fs.mkdirSync(root, { recursive: true });
  const at = { name, home, root, stateFolder: join(home, "state"), trashFolder: join(home, "trash") };
  const workers = random.pick([1, 1, 4]);
  const skewMs = random.pick([0, 60_000, 60_000, 86_400_000, -86_400_000]);
  return { ...at, skewMs, config: configOf(name, root, { format, workers }) };
}

function configOf(
  name: string,
  root: string,
  { format, workers }: { readonly format: ProjectConfig["snapshotFormat"]; readonly workers: number },
): ProjectConfig {
  return {
    file: `${root}.yaml`,
    projectPath: root,
    backend: "local",
    filePatterns: ["**/*"],
    excludePatterns: [],
    tokenFile: "",
    machineName: name,
    user: name,
    localFolder: "",
    webdavUrl: "",
    webdavUsername: "",
    webdavPassword: "",
    webdavInsecureHttp: false,
    pollInterval: 30,
    slackEnabled: false,
    slackWebhookUrl: "",
    slackChannel: "",
    driveFolderId: "",
    gcpProjectId: "",
    pubsubTopicId: "",
    credentialsFile: "",
    dropboxAppKey: "",
    dropboxFolder: "",
    onedriveClientId: "",
    onedriveFolder: "",
    onedriveAuthority: "common",
    snapshotFormat: format,
    mirrorConfigPaths: [],
    snapshotOn: "",
    retryOnPush: true,
    maxRetryAttempts: 3,
    notifyFailures: false,
    parallelWorkers: workers,
    maxThrottleWaitSeconds: 10,
    maxUploadKbps: null,
    webhooks: [],
    warnings: [],
  };
}

async function takeStep(world: World, step: Step): Promise<void> {
  const random = seededRandom(step.seed);
  const client = clientOf(world, step.client);
  world.skippedMs += random.below(3000);
  switch (step.kind) {
    case "edit":
      for (let i = random.below(3); i >= 0; i--) userStep(world, client, random);
      return;
    case "hand":
      return handStep(world, random);
    case "damage":
      return damageStep(world, client, random);
    case "wait":
      world.skippedMs += random.below(15 * 3_600_000);
      return;
    case "run":
      await runCommand(world, client, {
        command: drawCommand(world, client, random),
        trouble: drawTrouble(random),
        random,
      });
  }
}

function clientOf(world: World, at: number): Client {
  return world.clients[at % world.clients.length] as Client;
}
