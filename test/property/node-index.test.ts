import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../src/backends/errors.ts";
import { type Settle, settle } from "../../src/backends/nodes/changes.ts";
import type { FileNode, IdKind, NodeSource } from "../../src/backends/nodes/model.ts";
import { type NodeIndex, nodeIndex } from "../../src/backends/nodes/node-index.ts";
import type { NodeListing } from "../../src/backends/nodes/view.ts";
import type { Rev } from "../../src/backends/types.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { idWorld, type NodeWorld, type Picture, pathWorld } from "../support/node-world.ts";
import { seededRandom } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";

/** `CLAUDE_MIRROR_TEST_SEED` moves the whole search elsewhere; `CLAUDE_MIRROR_TEST_SCALE=10` searches ten times longer. */
const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);
const HISTORIES = 200;
/** A planted bug must show within so many histories. */
const PLANTED = 1000;
const TIMEOUT = { timeout: 120_000 * Math.max(1, SCALE) };

interface Habits {
  readonly settle?: Settle;
  readonly source?: (source: NodeSource) => NodeSource;
}

interface Sum {
  lists: number;
  cut: number;
  lost: number;
  damaged: number;
  raced: number;
}

const KINDS = { stable: idWorld, paths: pathWorld };

function open(world: NodeWorld, ids: IdKind, file: string, habits: Habits): NodeIndex {
  const source = habits.source?.(world.source) ?? world.source;
  return nodeIndex({
    file,
    key: "k",
    source,
    ids,
    clock: systemClock,
    fold: (name) => name,
    prefer: (a: FileNode, b: FileNode) => (a.id < b.id ? -1 : 1),
    describe: (node, path) => ({
      path,
      size: node.size,
      rev: node.rev as Rev,
      racy: false,
      id: node.id,
      nativeHash: node.hash,
    }),
    root: (nodes) => {
      if (ids === "paths") return nodes.get("/mirror")?.is === "folder" ? "/mirror" : undefined;
      return [...nodes.values()].find(
        ({ is, parent, name }) => is === "folder" && parent === "top" && name === "mirror",
      )?.id;
    },
    ...(habits.settle && { settle: habits.settle }),
  });
}

function pictureOf(listing: NodeListing): Picture {
  if (!listing.exists) return new Map([["", "missing"]]);
  const shown = new Map<string, string>(listing.folders.map((path) => [path, "folder"]));
  for (const file of listing.files) shown.set(file.path, file.rev);
  return shown;
}

const shows = (listing: NodeListing, world: NodeWorld) => sorted(pictureOf(listing)) === sorted(world.picture());
const sorted = (picture: Picture) =>
  JSON.stringify([...picture].map(([path, what]) => [path.toLowerCase(), what]).sort());

/** One random history; gives what was wrong, or "". */
async function history(ids: IdKind, seed: number, folder: string, habits: Habits, sum: Sum): Promise<string> {
  const random = seededRandom(seed);
  const world = KINDS[ids](random);
  const file = join(folder, `${ids}-${seed}`);
  let index = open(world, ids, file, habits);
  for (let round = 0; round < 8; round++) {
    for (let deeds = random.below(6); deeds > 0; deeds--) world.act();
    const trouble = random.below(6);
    if (trouble === 0) {
      world.forget();
      sum.lost++;
    }
    if (trouble === 1 && fs.existsSync(file)) {
      damage(file, random);
      sum.damaged++;
    }
    if (trouble === 2 || trouble === 1) index = open(world, ids, file, habits);
    if (trouble >= 3) {
      // The connection may break while the pages go by, and somebody may act meanwhile.
      let calm = true;
      world.beforePage = () => {
        if (random.below(3) === 0) throw new BackendError("cut", { class: "TRANSIENT" });
        if (trouble > 3) for (let deeds = random.below(4); deeds > 0; deeds--) calm = Boolean(world.act());
      };
      const raced = await index.list("").catch(() => undefined);
      world.beforePage = () => {};
      if (raced === undefined) sum.cut++;
      else sum.raced++;
      if (raced && calm && !shows(raced, world)) return `seed ${seed}, round ${round}: takes a part for the whole`;
      if (random.below(3) === 0) index = open(world, ids, file, habits);
    }
    const listing = await index.list("");
    sum.lists++;
    if (!shows(listing, world)) return `seed ${seed}, round ${round}: the listing is not what is there`;
    if (listing.duplicates.length + listing.unusable.length > 0) return `seed ${seed}: sees double`;
  }
  return "";
}

function damage(file: string, random: ReturnType<typeof seededRandom>): void {
  const bytes = fs.readFileSync(file);
  const at = random.below(bytes.length);
  if (random.below(3) === 0) fs.rmSync(file);
  else if (random.below(2) === 0) fs.truncateSync(file, at);
  else {
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    fs.writeFileSync(file, bytes);
  }
}

async function search(ids: IdKind, histories: number, habits: Habits) {
  const folder = tempFolder("nodes");
  const sum: Sum = { lists: 0, cut: 0, lost: 0, damaged: 0, raced: 0 };
  for (let at = 0; at < histories; at++) {
    const wrong = await history(ids, SEED + at, folder, habits, sum).catch((error) => `seed ${SEED + at}: ${error}`);
    if (wrong !== "") return { wrong, sum };
  }
  return { wrong: "", sum };
}

test.each(["stable", "paths"] as const)(
  "nodeIndex: with ids that are %s, what is listed from the cache is what is there",
  async (ids) => {
    const { wrong, sum } = await search(ids, HISTORIES * SCALE, {});
    expect(wrong).toBe("");
    // The histories are worth something only while all of this happens in them.
    expect(Math.min(sum.cut, sum.lost, sum.damaged, sum.raced)).toBeGreaterThan(HISTORIES / 10);
  },
  TIMEOUT,
);

/** Pages, changed on their way. */
function pages(change: (source: NodeSource) => NodeSource["page"]): Habits {
  return { source: (source) => ({ page: change(source) }) };
}

const takesTheFirstOfTwo = pages((source) => async (cursor, call) => {
  const page = await source.page(cursor, call);
  const seen = new Set<string>();
  const isNew = ({ id }: { readonly id: string }) => !seen.has(id) && seen.add(id);
  return { ...page, changes: page.changes.filter(isNew) };
});

const takesACutStreamForAWholeOne = pages((source) => async (cursor, call) => {
  try {
    return await source.page(cursor, call);
  } catch (error) {
    if (error instanceof BackendError && cursor !== undefined) return { changes: [], cursor, more: false };
    throw error;
  }
});

const deletesWhatIsHidden = pages((source) => async (cursor, call) => {
  const page = await source.page(cursor, call);
  return { ...page, changes: page.changes.map((it) => (it.is === "hidden" ? { is: "gone", id: it.id } : it)) };
});

const neverDeletes: Settle = (before, stream, ids) => ({ ...settle(before, stream, ids), drop: [] });

/** Takes a full stream for one of changes: what it does not show stays. */
const keepsWhatAResetDoesNotShow: Settle = (before, stream, ids) => {
  const net = settle(before, { ...stream, full: false }, ids);
  const dropped = new Set(net.drop);
  const kept = [...before.values()].filter(({ id }) => !dropped.has(id));
  return stream.full ? { put: [...kept, ...net.put], drop: net.drop } : net;
};

const leavesWhatIsBelow: Settle = (before, stream, ids) => settle(before, { ...stream, cleared: new Map() }, ids);

const makesNoFolders: Settle = (before, stream, ids) => settle(before, { ...stream, implied: new Map() }, ids);

const BUGS: readonly (readonly [string, IdKind, Habits])[] = [
  ["takes the first of two states", "stable", takesTheFirstOfTwo],
  ["takes a cut stream for a whole one", "stable", takesACutStreamForAWholeOne],
  ["takes what is in the trash for gone", "stable", deletesWhatIsHidden],
  ["never deletes", "stable", { settle: neverDeletes }],
  ["keeps what a reset does not show", "stable", { settle: keepsWhatAResetDoesNotShow }],
  ["takes a cut stream for a whole one", "paths", takesACutStreamForAWholeOne],
  ["never deletes", "paths", { settle: neverDeletes }],
  ["leaves what is below a removed path", "paths", { settle: leavesWhatIsBelow }],
  ["makes no folder that nobody named", "paths", { settle: makesNoFolders }],
  ["keeps what a reset does not show", "paths", { settle: keepsWhatAResetDoesNotShow }],
];

test.each(BUGS)(
  "nodeIndex: one that %s is caught (%s)",
  async (_, ids, habits) => {
    expect((await search(ids, PLANTED, habits)).wrong).not.toBe("");
  },
  TIMEOUT,
);
