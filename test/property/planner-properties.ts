import type { RelPath } from "../../src/lib/path.ts";
import { conflictKind } from "../../src/sync/classify.ts";
import type { Action, Plan, PlanRequest, Row } from "../../src/sync/model.ts";
import { type Client, contentsOf, observe, type Planner, type Ran, run, type World } from "../sim/tree-model.ts";
import {
  allTrees,
  CASE_TWINS,
  COPY_NAMES,
  edit,
  FORM_TWINS,
  PLAIN_NAMES,
  randomRequest,
  randomView,
  randomWorld,
  type WorldOptions,
} from "../sim/tree-worlds.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { hashOf } from "../support/rows.ts";

/** Builds one case from chance and says what is wrong with what the planner made of it; undefined when nothing is. */
export type Property = (random: Random, planner: Planner) => string | undefined;

const KEEP_BOTH: PlanRequest = { mode: { kind: "sync" }, settle: () => "keep-both" };
const ANY_NAMES = [PLAIN_NAMES, PLAIN_NAMES, CASE_TWINS, FORM_TWINS, COPY_NAMES];

/** I1, I25: what an action destroys is in a snapshot or elsewhere, whoever edits in between. */
export const nothingIsLost: Property = (random, planner) => {
  const options: WorldOptions = { names: random.pick(ANY_NAMES), unique: random.below(2) === 0 };
  const world = randomWorld(random, options);
  for (let step = 1 + random.below(5); step > 0; step--) {
    const between = () => {
      if (random.below(3) === 0) edit(random, world, random.pick(allTrees(world)), options);
    };
    run(world, random.pick(world.clients), planner, randomRequest(random), { between, view: randomView(random) });
  }
  return world.lost.length === 0 ? undefined : `lost ${world.lost.join(", ")}`;
};

/** I36: the same on a remote that takes twins for one name and does not even guard creates. */
export const twinsAreNotMerged: Property = (random, planner) => {
  const options: WorldOptions = { names: random.pick([CASE_TWINS, FORM_TWINS]), unique: true, folds: true };
  const world = randomWorld(random, options);
  for (let step = 1 + random.below(4); step > 0; step--)
    run(world, random.pick(world.clients), planner, randomRequest(random));
  return world.lost.length === 0 ? undefined : `lost ${world.lost.join(", ")}`;
};

/** I2, I27: only what the base knows is replaced or deleted, and only the version that was seen. */
export const onlyAgreedContentIsReplaced: Property = (random, planner) => {
  const { plan, rows } = planOnce(random, planner, { names: random.pick(ANY_NAMES) });
  const byPath = new Map(rows.map((row) => [row.path, row]));
  for (const action of plan.actions) {
    const row = byPath.get(action.path);
    if (row === undefined) return `${action.kind} of ${action.path}, which nobody asked about`;
    if (replacesRemote(action) && !isAgreed(row.base !== undefined, row.remote))
      return `${action.kind} replaces a new ${action.path}`;
    if (replacesLocal(action) && !isAgreed(row.base !== undefined, row.local))
      return `${action.kind} replaces a new ${action.path}`;
  }
  return undefined;
};

/** I3: equal content is never a conflict and never written again. */
export const equalContentIsLeftAlone: Property = (random, planner) => {
  const world = randomWorld(random, { names: random.pick(ANY_NAMES) });
  const client = world.clients[0] as Client;
  const equal = new Set(
    [...contentsOf(client.tree)]
      .filter(([path, it]) => it === contentsOf(world.remote).get(path))
      .map(([path]) => path),
  );
  const ran = run(world, client, planner, randomRequest(random));
  const conflict = ran.plan.conflicts.find((it) => equal.has(it.path));
  if (conflict !== undefined) return `${conflict.path} is a conflict although both sides are equal`;
  return world.rewritten.length === 0 ? undefined : `${world.rewritten.join(", ")} written again`;
};

/** I14: without further edits, three rounds make all sides equal but for what is held. */
export const threeRoundsConverge: Property = (random, planner) => {
  const world = randomWorld(random, { names: random.pick(ANY_NAMES) });
  const rounds = settle(world, world.clients, planner);
  const waiting = new Set(rounds.slice(-2).flatMap((it) => it.plan.held.map((held) => held.path)));
  const remote = contentsOf(world.remote);
  for (const client of world.clients) {
    const local = contentsOf(client.tree);
    for (const path of new Set([...local.keys(), ...remote.keys()])) {
      if (!waiting.has(path) && local.get(path) !== remote.get(path)) return `${path} still differs on ${client.name}`;
    }
  }
  return undefined;
};

/** I15: a run after which nobody edited has nothing to do. */
export const nextRunDoesNothing: Property = (random, planner) => {
  const world = randomWorld(random, { names: random.pick(ANY_NAMES) });
  settle(world, world.clients, planner);
  for (const client of world.clients) {
    const { plan } = run(world, client, planner, KEEP_BOTH);
    const [action] = plan.actions;
    if (action !== undefined) return `${action.kind} of ${action.path} although nothing changed`;
  }
  return undefined;
};

/**
 * I16: whoever syncs first, the files end the same when all clients started from the same base. When they did not,
 * the same contents end under the same names, but for which of them is called a copy; and what one client agreed on
 * and then replaced or deleted may survive as the other one's copy. Where a clash is held, the first has the name.
 */
export const orderDoesNotMatter: Property = (random, planner) => {
  const seed = random.below(0x7fffffff);
  const start = randomWorld(seededRandom(seed));
  const outdated = contentsLeftBehind(start);
  const view = haveOneBase(start) ? exactFiles : (world: World) => originals(world).filter((it) => !outdated.has(it));
  const ends = [false, true].map((reverse) => {
    const world = randomWorld(seededRandom(seed));
    const order = reverse ? [...world.clients].reverse() : world.clients;
    const held = settle(world, order, planner).some((it) => it.plan.held.length > 0);
    return held ? undefined : view(world).join(", ");
  });
  if (ends.includes(undefined) || ends[0] === ends[1]) return undefined;
  return `${ends[0]} in one order, ${ends[1]} in the other (world ${seed})`;
};

function haveOneBase(world: World): boolean {
  const bases = world.clients.map(({ base }) => [...base].map(([path, entry]) => `${path} ${entry.rev}`).sort());
  return new Set(bases.map((it) => it.join())).size === 1;
}

function exactFiles(world: World): string[] {
  return [...contentsOf(world.remote)].map(([path, content]) => `${path}: ${content}`).sort();
}

function originals(world: World): string[] {
  return [...new Set(exactFiles(world).map(withoutMark))].sort();
}

/** What some client agreed on and has since replaced or deleted. */
function contentsLeftBehind(world: World): Set<string> {
  const left = new Set<string>();
  for (const { base, tree } of world.clients) {
    for (const [path, entry] of base) {
      const agreed = [...world.kept].find((content) => hashOf(content).md5 === entry.md5);
      if (agreed !== undefined && tree.files.get(path)?.content !== agreed) left.add(`${withoutMark(path)}: ${agreed}`);
    }
  }
  return left;
}

function withoutMark(path: string): string {
  return path.replace(/\.conflict-[0-9a-f]{8}/, "");
}

/** I17: both sides of a conflict name the same winner and the same copy. */
export const bothSidesAgreeOnTheWinner: Property = (random, planner) => {
  const world = randomWorld(random, { names: random.pick([PLAIN_NAMES, COPY_NAMES]) });
  const client = world.clients[0] as Client;
  const everything = new Set([...world.remote.files.keys()]);
  for (const row of observe(world, client, {}, everything)) {
    const here = keepBothOf(planner, row);
    const there = keepBothOf(planner, swapSides(row));
    if (here === undefined || there === undefined) continue;
    if (here.copy !== there.copy || here.winner === there.winner)
      return `${row.path} ends differently on its two sides`;
  }
  return undefined;
};

/** I18: one name per original and content, never a copy of a copy. */
export const copiesConverge: Property = (random, planner) => {
  const world = randomWorld(random, { names: random.pick([PLAIN_NAMES, COPY_NAMES]) });
  settle(world, world.clients, planner);
  for (const [original, names] of world.copies) {
    if (names.size > 1) return `${original} is at ${[...names].join(", ")}`;
    for (const name of names)
      if (/\.conflict-[0-9a-f]{8}[^/]*\.conflict-[^/]*$/.test(name)) return `${name} is a copy of a copy`;
  }
  return undefined;
};

/** I20, I23: a delete was agreed on, is in scope, is of what was seen, and the other side is surely gone. */
export const deletesHaveProof: Property = (random, planner) => {
  const { plan, rows } = planOnce(random, planner, { names: random.pick(ANY_NAMES) }, true);
  const byPath = new Map(rows.map((row) => [row.path, row]));
  for (const action of plan.actions) {
    if (action.kind !== "delete-local" && action.kind !== "delete-remote") continue;
    const row = byPath.get(action.path);
    const [target, other] = action.kind === "delete-local" ? [row?.local, row?.remote] : [row?.remote, row?.local];
    if (!row?.inScope) return `${action.path} is deleted although it is out of scope`;
    if (row.base === undefined) return `${action.path} is deleted although nobody agreed on it`;
    if (other?.kind !== "absent") return `${action.path} is deleted although the other side is ${other?.kind}`;
    if (target?.kind !== "file" || target.changed) return `${action.path} is deleted although it was edited`;
  }
  return undefined;
};

/** I21: an edit that the deleter never agreed on survives the delete. */
export const editsSurviveDeletes: Property = (random, planner) => {
  const world = randomWorld(random, { unique: true });
  const edited: { path: RelPath; content: string }[] = [];
  for (const client of world.clients) {
    const rows = observe(world, client).filter((row) => row.base !== undefined && conflictKind(row).includes("delete"));
    for (const row of rows) {
      const file = row.local.kind === "file" ? client.tree.files.get(row.path) : world.remote.files.get(row.path);
      const side = row.local.kind === "file" ? row.local : row.remote;
      if (side.kind === "file" && side.changed && file && !world.kept.has(file.content))
        edited.push({ path: row.path, content: file.content });
    }
  }
  settle(world, world.clients, planner);
  const everywhere = new Set(allTrees(world).flatMap((tree) => [...contentsOf(tree).values()]));
  const gone = edited.find((it) => !everywhere.has(it.content));
  return gone === undefined ? undefined : `the edit of ${gone.path} did not survive a delete`;
};

/** I24: what is out of scope, unreadable, unusable, too large or badly named is not touched on any side. */
export const unmanagedIsNotTouched: Property = (random, planner) => {
  const limits = { names: { forbidden: "c", maxNameBytes: 255, caseSensitive: true }, maxFileSize: 1 };
  const { plan, rows } = planOnce(random, planner, {}, true, limits);
  const byPath = new Map(rows.map((row) => [row.path, row]));
  for (const action of plan.actions) {
    const row = byPath.get(action.path);
    if (row === undefined || action.kind === "forget") continue;
    if (!row.inScope) return `${action.kind} of ${action.path}, which is out of scope`;
    if (row.local.kind === "unreadable") return `${action.kind} of ${action.path}, which cannot be read`;
    if (row.remote.kind === "unusable") return `${action.kind} of ${action.path}, which the remote cannot tell`;
    if (action.kind !== "upload") continue;
    if (action.local.size > 1) return `${action.path} is sent although it is too large`;
    if (action.expect === "absent" && action.path.includes("c"))
      return `${action.path} is sent although the remote cannot hold it`;
  }
  return undefined;
};

/** F21: a plan that is carried out at once fails nowhere, whatever was a file and became a folder. */
export const plansCanBeCarriedOut: Property = (random, planner) => {
  const world = randomWorld(random, { names: random.pick(ANY_NAMES) });
  for (const client of world.clients) {
    const { failed } = run(world, client, planner, randomRequest(random));
    const [action] = failed;
    if (action !== undefined) return `${action.kind} of ${action.path} cannot be done`;
  }
  return undefined;
};

/** The plan is sorted, names each path once, and counts every open path once. */
export const plansAreInOrder: Property = (random, planner) => {
  const { plan, rows } = planOnce(random, planner, { names: random.pick(ANY_NAMES) }, true);
  for (const list of [plan.conflicts, plan.held, plan.statuses, plan.compare.map((path) => ({ path }))]) {
    const paths = list.map((it) => it.path as string);
    if (paths.some((path, i) => i > 0 && path <= (paths[i - 1] as string))) return `out of order: ${paths.join(" ")}`;
  }
  const acted = plan.actions.map((it) => it.path);
  if (new Set(acted).size !== acted.length) return `two actions for one path: ${acted.join(" ")}`;
  const { in_sync: _, ...open } = plan.counts;
  const counted = Object.values(open).reduce((sum, count) => sum + count, 0);
  if (counted !== plan.statuses.length) return `${counted} counted, ${plan.statuses.length} listed`;
  return rows.length >= counted ? undefined : "more statuses than rows";
};

interface Planned {
  readonly rows: readonly Row[];
  readonly plan: Plan;
}

/** One plan for one client; the world is not changed. With `blind`, some paths are out of scope or cannot be seen. */
function planOnce(
  random: Random,
  planner: Planner,
  options: WorldOptions,
  blind = false,
  more: Partial<PlanRequest> = {},
): Planned {
  const world = randomWorld(random, options);
  const client = random.pick(world.clients);
  const view = blind ? randomView(random) : {};
  const everything = new Set(random.below(2) === 0 ? world.remote.files.keys() : []);
  const rows = observe(world, client, view, everything);
  return { rows, plan: planner(rows, { ...randomRequest(random), ...more }) };
}

/** Three rounds in which every client syncs once. */
function settle(world: World, order: readonly Client[], planner: Planner): Ran[] {
  return [1, 2, 3].flatMap(() => order.map((client) => run(world, client, planner, KEEP_BOTH)));
}

function replacesRemote(action: Action): boolean {
  return action.kind === "delete-remote" || (action.kind === "upload" && action.expect !== "absent");
}

function replacesLocal(action: Action): boolean {
  return action.kind === "delete-local" || (action.kind === "download" && action.local !== "absent");
}

function isAgreed(based: boolean, state: Row["local"] | Row["remote"]): boolean {
  return based && state.kind === "file" && !state.changed;
}

type KeepBoth = Extract<Action, { kind: "keep-both" }>;

function keepBothOf(planner: Planner, row: Row): KeepBoth | undefined {
  return planner([row], KEEP_BOTH).actions.find((it) => it.kind === "keep-both");
}

/** The same row as the other machine would see it. */
function swapSides(row: Row): Row {
  const { local, remote } = row;
  if (local.kind !== "file" || remote.kind !== "file" || !local.hash || remote.sha256 === undefined) return row;
  const stat = { ...local.stat, size: remote.file.size };
  const file = { ...remote.file, size: local.stat.size };
  return {
    ...row,
    local: { kind: "file", changed: remote.changed, stat, hash: { md5: "", sha256: remote.sha256 } },
    remote: { kind: "file", changed: local.changed, file, sha256: local.hash.sha256 },
  };
}
