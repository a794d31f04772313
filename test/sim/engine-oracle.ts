import type { RunResult } from "../../src/project/model.ts";
import type { Command } from "./engine-commands.ts";
import { isUserPath, leftovers, lookAtSides, reachable, type Sides } from "./engine-look.ts";
import { type Client, type Effect, type Ended, Violation, type World } from "./engine-model.ts";
import { snapshotNamed } from "./engine-snapshots.ts";

const COPY = /\.conflict-[0-9a-f]{8}(?:\.|$)/;

/** What the world was like when a run began. */
export interface Before {
  readonly sides: Sides;
  readonly kept: ReadonlyMap<string, string>;
  readonly effects: number;
  readonly disturbances: number;
  readonly faults: number;
}

export function lookBefore(world: World, client: Client): Before {
  return {
    sides: lookAtSides(world, client),
    kept: reachable(world),
    effects: world.effects.length,
    disturbances: world.disturbances,
    faults: world.faults,
  };
}

/** Holds one ended run to the promises. Throws Violation. */
export function judgeRun(world: World, client: Client, command: Command, before: Before, ended: Ended): void {
  const [broken] = world.violations;
  if (broken !== undefined) throw new Violation(broken);
  checkNothingLost(world, before, (place, sha256) => isReplacedByItsEditor(world, before, place, sha256));
  const after = lookAtSides(world, client);
  checkWhole(world, client, after);
  const effects = world.effects.slice(before.effects).filter((it) => it.client === client.name && isUserPath(it.path));
  const facts: Facts = {
    world,
    client,
    command,
    before: before.sides,
    after,
    effects,
    quiet: before.disturbances === world.disturbances,
    faultless: before.faults === world.faults,
  };
  checkEqualLeftAlone(facts);
  checkDeletesProven(facts);
  if (ended.kind === "failed") checkTypedFailure(ended.error, facts);
  if (ended.kind === "result") checkTruth(facts, ended.result);
}

interface Facts {
  readonly world: World;
  readonly client: Client;
  readonly command: Command;
  readonly before: Sides;
  readonly after: Sides;
  readonly effects: readonly Effect[];
  /** Nobody else did anything meanwhile. */
  readonly quiet: boolean;
  readonly faultless: boolean;
}

/** I1, I2, I25: everything that was there, and all that users wrote meanwhile, still is somewhere. */
function checkNothingLost(world: World, before: Before, isReplaced: (place: string, sha256: string) => boolean): void {
  const now = reachable(world);
  for (const [sha256, place] of before.kept) {
    if (now.has(sha256) || world.destroyed.has(sha256) || isReplaced(place, sha256)) continue;
    throw new Violation(`I1: the content ${sha256.slice(0, 6)}, before at ${place}, is nowhere any more`);
  }
  for (const sha256 of world.written) {
    if (now.has(sha256) || world.destroyed.has(sha256)) continue;
    throw new Violation(`I1: the content ${sha256.slice(0, 6)}, written during the run, is nowhere any more`);
  }
}

/** I4, I5: no side ever shows bytes that nobody wrote. */
function checkWhole(world: World, client: Client, sides: Sides): void {
  for (const [side, files] of [
    ["local", sides.local],
    ["remote", sides.remote],
  ] as const) {
    for (const [path, { sha256 }] of files) {
      if (!world.ever.has(sha256))
        throw new Violation(`I4: ${client.name}'s ${side} "${path}" holds what nobody wrote`);
    }
  }
}

/** I3: what is equal on both sides is not written again. */
function checkEqualLeftAlone({ before, after, effects, command, client, quiet }: Facts): void {
  if (!quiet || command.name === "delete" || command.name === "restore") return;
  for (const [path, local] of before.local) {
    if (before.remote.get(path)?.sha256 !== local.sha256) continue;
    const rewritten = after.local.get(path)?.stamp !== local.stamp;
    const sent = effects.find((it) => it.path === path);
    if (!rewritten && sent === undefined) continue;
    throw new Violation(
      `I3: ${client.name} touched "${path}" (${sent?.verb ?? "here"}), which was equal on both sides`,
    );
  }
}

/** I20: no file goes that the other side still has. */
function checkDeletesProven({ before, after, effects, command, client, quiet }: Facts): void {
  if (!quiet || command.name === "delete") return;
  for (const path of before.local.keys()) {
    if (after.local.has(path) || !before.remote.has(path)) continue;
    throw new Violation(`I20: ${client.name} deleted its "${path}", which the remote has`);
  }
  for (const { verb, path } of effects) {
    if (verb === "remove" && before.local.has(path)) {
      throw new Violation(`I20: ${client.name} deleted the remote "${path}", which it has itself`);
    }
  }
}

/** An edit of what both sides agreed on replaces it, by the will of whoever had it and changed it. */
function isReplacedByItsEditor(world: World, before: Before, place: string, sha256: string): boolean {
  return world.effects.slice(before.effects).some(({ client, verb, path }) => {
    return verb === "write" && place === `remote:${path}` && world.givenUp.has(`${client} ${path} ${sha256}`);
  });
}

const TYPED = new Set([
  "BackendError",
  "StaleError",
  "NotFoundError",
  "ThrottledError",
  "DamagedBlobError",
  "LocalFileError",
  "StalePlanError",
  "UsageError",
  "RefusedError",
  "MissingError",
]);

/** What a command throws is typed, or the abort itself; a refusal and a faultless failure changed nothing. */
function checkTypedFailure(error: unknown, { effects, client, command, before, after, quiet, faultless }: Facts): void {
  const name = error instanceof Error ? error.name : String(error);
  if (error === ABORTED) return;
  if (!TYPED.has(name)) {
    throw new Violation(`${client.name}: ${command.label} threw ${error instanceof Error ? error.stack : name}`);
  }
  if (quiet && faultless && !["RefusedError", "UsageError", "NotFoundError", "MissingError"].includes(name)) {
    throw new Violation(`${client.name}: ${command.label} failed for no reason: ${String(error)}`);
  }
  if (name !== "RefusedError" || !quiet) return;
  if (effects.length > 0 || !sameFiles(before.local, after.local)) {
    throw new Violation(`${client.name}: ${command.label} was refused and changed something`);
  }
}

/** The reason of every abort in these worlds. */
export const ABORTED: unknown = new Error("the user pressed Ctrl-C");

function sameFiles(a: Sides["local"], b: Sides["local"]): boolean {
  return a.size === b.size && [...a].every(([path, file]) => b.get(path)?.stamp === file.stamp);
}

/** I42: what a result says is what has happened, all of it. */
function checkTruth(facts: Facts, result: RunResult): void {
  const { client, command, before, after, effects, quiet } = facts;
  const lie = (text: string): never => {
    throw new Violation(`truth: ${client.name}: ${command.label}: ${text}`);
  };
  const failed = result.failed.map((it) => it.path);
  const bothKept = result.planned.filter((it) => it.action === "keep-both").map((it) => it.path);
  const vague = result.interrupted ? result.planned.map((it) => it.path) : [];
  const told = new Set([...failed, ...bothKept, ...vague, ...result.copies]);
  const explained = (path: string, ...lists: (readonly string[])[]) =>
    told.has(path) || (COPY.test(path) && bothKept.length > 0) || lists.some((list) => list.includes(path));
  for (const { verb, path } of effects) {
    const list = verb === "write" ? result.uploaded : result.deletedRemote;
    if (!explained(path, list)) lie(`${verb} of "${path}" on the remote is not told`);
  }
  if (result.dryRun && (effects.length > 0 || !sameFiles(before.local, after.local)) && quiet) lie("a dry run wrote");
  for (const path of result.uploaded) {
    if (quiet && !effects.some((it) => it.path === path && it.verb === "write")) lie(`"${path}" was not uploaded`);
    if (quiet && after.remote.get(path)?.sha256 !== after.local.get(path)?.sha256)
      lie(`"${path}" differs after upload`);
  }
  if (!quiet) return;
  for (const path of result.deletedRemote) if (after.remote.has(path)) lie(`the remote "${path}" was not deleted`);
  for (const path of result.deletedLocal) if (after.local.has(path)) lie(`"${path}" was not deleted here`);
  for (const path of [...result.downloaded, ...result.copies]) {
    if (result.output !== null) continue;
    const here = after.local.get(path)?.sha256;
    if (here === undefined || here !== after.remote.get(path)?.sha256) lie(`"${path}" differs after download`);
  }
  for (const path of new Set([...before.local.keys(), ...after.local.keys()])) {
    if (before.local.get(path)?.stamp === after.local.get(path)?.stamp) continue;
    if (command.asked.has(path)) continue;
    if (!explained(path, result.downloaded, result.deletedLocal)) lie(`the change of "${path}" here is not told`);
  }
  for (const { path } of result.conflicts) {
    if (after.local.get(path)?.sha256 === after.remote.get(path)?.sha256 && command.name !== "delete")
      lie(`"${path}" is called a conflict and is equal`);
  }
  if (facts.faultless && !result.interrupted) {
    for (const { path, error } of result.failed) {
      // One named file is looked at alone: that a file stands where its folder should be shows only when it is sent.
      const blocked =
        command.files.length > 0 && /is a file, not a folder|a file of that name is in the way/.test(error.message);
      if (!blocked && !waitsForTheUser(error.message)) lie(`"${path}" failed for no reason: ${error.message}`);
    }
  }
  checkSyncIsWhole(facts, result, lie);
}

/**
 * What only a person can settle: a remote without a way to remove folders keeps the empty one whose name a file has taken,
 * and a user may have put something else under the name of a conflict copy.
 */
export function waitsForTheUser(message: string): boolean {
  return message.includes("a folder is there") || message.includes("rename it and run again");
}

function checkSyncIsWhole(facts: Facts, result: RunResult, lie: (text: string) => never): void {
  const { command, after, faultless, world } = facts;
  if (command.name !== "sync" || command.files.length > 0 || result.interrupted || result.dryRun) return;
  const open = new Set([...result.conflicts, ...result.held, ...result.failed].map((it) => it.path));
  for (const path of differing(after)) if (!open.has(path) && faultless) lie(`"${path}" still differs and is not told`);
  if (!faultless) return;
  const sent = result.uploaded.length + result.deletedRemote.length + result.copies.length;
  if (sent > 0 && result.snapshot === null) lie("no snapshot was made");
  if (result.snapshot === null || open.size > 0) return;
  const { timestamp, format } = result.snapshot;
  const snapshot = snapshotNamed(world, timestamp);
  if (snapshot?.format !== format) throw lie(`the snapshot ${timestamp} does not exist as a ${format} one`);
  const named = snapshot.files;
  const same =
    named.size === after.remote.size && [...after.remote].every(([path, { sha256 }]) => named.get(path) === sha256);
  if (!same) lie(`the snapshot ${timestamp} is not what both sides hold`);
}

/** Paths that are not the same on both sides. */
export function differing({ local, remote }: Sides): string[] {
  const paths = new Set([...local.keys(), ...remote.keys()]);
  return [...paths].filter((path) => local.get(path)?.sha256 !== remote.get(path)?.sha256).sort();
}

export function checkTidy(client: Client): void {
  const left = leftovers(client.root);
  if (left.length > 0) throw new Violation(`I8: ${client.name} was left with ${left.join(", ")}`);
}
