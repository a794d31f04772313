import * as fs from "node:fs";
import { join } from "node:path";
import type { RunResult } from "../../src/project/model.ts";
import { seededRandom } from "../support/random.ts";
import { fingerprint } from "../support/tree.ts";
import { settlingSync } from "./engine-commands.ts";
import { localFiles, remoteFiles } from "./engine-look.ts";
import { type Client, note, Violation, type World } from "./engine-model.ts";
import { checkTidy, differing, waitsForTheUser } from "./engine-oracle.ts";
import { openSession, runCommand, tellEnd } from "./engine-session.ts";
import { completeSnapshots, flawOf, unfinished } from "./engine-snapshots.ts";

const MOST_ROUNDS = 4;

/** Faults stop: all clients become equal in a few rounds and then nothing is written any more. Answers the rounds. */
export async function settle(world: World): Promise<number> {
  note(world, "-- calm");
  for (let round = 1; ; round++) {
    world.skippedMs += 3_600_000;
    let moved = false;
    const open = new Set<string>();
    for (const client of world.clients) {
      const result = await calmRun(world, client);
      moved ||= result.planned.length > 0;
      for (const { path } of result.held) open.add(path);
      for (const { path, error } of result.failed) if (waitsForTheUser(error.message)) open.add(path);
    }
    const apart = world.clients.flatMap((client) =>
      differing({ local: localFiles(client.root), remote: remoteFiles(world) }),
    );
    const unexplained = apart.filter((path) => !open.has(path));
    if (unexplained.length === 0 && !moved) {
      await checkQuiet(world);
      await checkSnapshots(world);
      for (const client of world.clients) checkTidy(client);
      checkFinished(world);
      return round - 1;
    }
    const stuck = unexplained.length === 0 && open.size > 0 && round >= MOST_ROUNDS;
    if (stuck) return round;
    if (round > MOST_ROUNDS) throw new Violation(`I14: after ${MOST_ROUNDS} rounds these differ: ${apart.join(", ")}`);
  }
}

async function calmRun(world: World, client: Client): Promise<RunResult> {
  const random = seededRandom(world.seed);
  const ended = await runCommand(world, client, { command: settlingSync(), trouble: [], random });
  if (ended.kind !== "result") throw new Violation(`I14: ${client.name}: a calm sync did not end: ${tellEnd(ended)}`);
  return ended.result;
}

/** I15: nothing to do means nothing written. */
async function checkQuiet(world: World): Promise<void> {
  for (const client of world.clients) await calmRun(world, client);
  world.skippedMs += 60_000;
  for (const client of world.clients) {
    const before = [
      `remote ${world.store.log.length}`,
      ...fingerprint(client.root),
      ...fingerprint(client.trashFolder),
    ];
    await calmRun(world, client);
    const after = [`remote ${world.store.log.length}`, ...fingerprint(client.root), ...fingerprint(client.trashFolder)];
    const changed = after.find((line, at) => line !== before[at]);
    if (changed !== undefined) throw new Violation(`I15: ${client.name}'s idle sync changed ${changed}`);
  }
}

/** I30, I31: every snapshot still is whole, and can be restored elsewhere, byte for byte. */
async function checkSnapshots(world: World): Promise<void> {
  const client = world.clients[world.seed % world.clients.length] as Client;
  const random = seededRandom(world.seed);
  const snapshots = completeSnapshots(world);
  for (const snapshot of snapshots) {
    const flaw = flawOf(world, snapshot);
    if (flaw !== undefined) throw new Violation(`I30: in the end of ${snapshot.timestamp}: ${flaw}`);
  }
  for (const snapshot of [snapshots.at(-1), snapshots.at(world.seed % Math.max(1, snapshots.length))]) {
    if (snapshot === undefined) continue;
    const output = fs.mkdtempSync(join(client.home, "restored-"));
    const { timestamp, files: wanted } = snapshot;
    const session = openSession(world, client, { command: settlingSync(), trouble: [], random });
    const ended = await session.end({
      ...settlingSync(),
      name: "restore",
      async run(project) {
        const plan = await project.planRestore({ timestamp, patterns: [], output });
        await project.restore(plan);
        return undefined;
      },
    });
    if (ended.kind !== "other") throw new Violation(`I31: restoring ${timestamp}: ${tellEnd(ended)}`);
    const found = localFiles(output);
    const same =
      found.size === wanted.size && [...wanted].every(([path, sha256]) => found.get(path)?.sha256 === sha256);
    if (!same) throw new Violation(`I31: restoring ${timestamp} gave ${[...found.keys()].join(", ")}`);
  }
}

/** I8: as long as its records last, each machine finishes or removes the full snapshot that it had begun. */
function checkFinished(world: World): void {
  const left = unfinished(world);
  if (world.damages === 0 && left.length > 0) throw new Violation(`I8: left unfinished: ${left.join(", ")}`);
}
