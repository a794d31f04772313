import { hashBytes } from "../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import type { PlanMode, PlanRequest } from "../../src/sync/model.ts";
import type { Random } from "../support/random.ts";
import { newWorld, put, putAgreed, type Tree, type View, type World } from "./tree-model.ts";

/** Three names at most three deep: small enough that everything collides with everything. */
export const PLAIN_NAMES: readonly string[] = ["a", "b", "c"];
export const CASE_TWINS: readonly string[] = ["a", "A", "b"];
export const FORM_TWINS: readonly string[] = ["\u00e9", "e\u0301", "b"];
/** One name is that of a conflict copy of another, with the content `x` or some other. */
export const COPY_NAMES: readonly string[] = ["a", "b", `a.conflict-${hashBytes("sha256", "x").slice(0, 8)}`];

/** `x` and `y` have one size, `zz` another: equal sizes have to be compared. */
const CONTENTS: readonly string[] = ["x", "y", "zz"];

export interface WorldOptions {
  readonly names?: readonly string[];
  /** Every content written is a new one, so that no loss hides behind an equal content elsewhere. */
  readonly unique?: boolean;
  readonly folds?: boolean;
}

/** Two machines and a remote that agreed on something once, and have been edited on all sides since. */
export function randomWorld(random: Random, options: WorldOptions = {}): World {
  const world = newWorld(2, options.folds ?? false);
  for (let i = random.below(4); i > 0; i--) {
    const holders = world.clients.filter(() => random.below(5) > 0);
    putAgreed(world, randomPath(random, options), randomContent(random, world, options), holders);
  }
  for (const tree of allTrees(world)) {
    for (let i = random.below(3); i > 0; i--) edit(random, world, tree, options);
  }
  return world;
}

/** Somebody writes or deletes a file on one side. */
export function edit(random: Random, world: World, tree: Tree, options: WorldOptions = {}): void {
  const there = [...tree.files.keys()];
  const path = there.length > 0 && random.below(2) === 0 ? random.pick(there) : randomPath(random, options);
  if (random.below(3) === 0) tree.files.delete(path);
  else put(world, tree, path, randomContent(random, world, options));
}

export function allTrees(world: World): Tree[] {
  return [...world.clients.map((client) => client.tree), world.remote];
}

export function randomPath(random: Random, { names = PLAIN_NAMES }: WorldOptions): RelPath {
  const depth = random.pick([1, 1, 1, 2, 2, 3]);
  return relPath(Array.from({ length: depth }, () => random.pick(names)).join("/"));
}

function randomContent(random: Random, world: World, { unique }: WorldOptions): string {
  const letter = random.pick(CONTENTS);
  return unique ? `${letter}${++world.stamp}` : letter;
}

/** A run that decides nothing by force. */
export function randomRequest(random: Random): PlanRequest {
  const modes: readonly PlanMode[] = [
    { kind: "sync" },
    { kind: "sync" },
    { kind: "push", forceLocal: false },
    { kind: "pull" },
  ];
  const strategy = random.pick(["keep-both", "keep-both", "skip"] as const);
  const part = random.below(6) === 0 ? random.pick(PLAIN_NAMES) : undefined;
  const only = part === undefined ? {} : { only: (path: RelPath) => path.startsWith(part) };
  return { mode: random.pick(modes), settle: () => strategy, ...only };
}

/** Some paths out of scope, unreadable or unusable, by their hash: the same answer each time a path is asked about. */
export function randomView(random: Random): View {
  const [scope, locked, broken] = [random.below(64), random.below(64), random.below(64)];
  const share = random.pick([0, 2, 4, 8]);
  const hits = (salt: number) => (path: RelPath) => (textHash(path) ^ salt) % 8 < share / 2;
  const out = hits(scope);
  return { inScope: (path) => !out(path), unreadable: hits(locked), unusable: hits(broken) };
}

function textHash(text: string): number {
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return (hash ^ (hash >>> 7)) & 0x3f;
}
