import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createClient } from "../../src/backends/googledrive/client.ts";
import { driveHosts } from "../../src/backends/googledrive/hosts.ts";
import { describeNode, olderFirst } from "../../src/backends/googledrive/nodes.ts";
import { keepTree } from "../../src/backends/googledrive/prune.ts";
import { createSession } from "../../src/backends/googledrive/session.ts";
import { driveSource } from "../../src/backends/googledrive/source.ts";
import { settle } from "../../src/backends/nodes/changes.ts";
import type { Node } from "../../src/backends/nodes/model.ts";
import { type NodeIndex, nodeIndex } from "../../src/backends/nodes/node-index.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createHttpClient } from "../../src/lib/http-client.ts";
import { startFakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER } from "../fakes/googledrive/store.ts";
import { memoryTokens } from "../support/backend-config.ts";
import { driveEnv, driveToken } from "../support/googledrive.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";

/** `CLAUDE_MIRROR_TEST_SEED` moves the whole search elsewhere; `CLAUDE_MIRROR_TEST_SCALE=10` searches ten times longer. */
const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);
const HISTORIES = 25 * SCALE;
const PLANTED = 60;

const fake = await startFakeDrive();
afterAll(() => fake.stop());
const folder = tempFolder("drive-property");
const http = createHttpClient();
afterAll(() => http.close());
let files = 0;

interface World {
  readonly root: string;
  readonly user: string;
  act(): void;
}

/** A Drive with folders inside and outside of the root, and somebody who makes, edits, moves, bins and removes at random. */
function world(random: Random, at: number): World {
  const user = `random-${at}-${++files}@example.com`;
  const mate = `mate-of-${user}`;
  const { store } = fake;
  const top = store.rootOf(user);
  const root = store.create(user, { name: "root", mimeType: FOLDER }, undefined).id;
  const outside = store.create(user, { name: "outside", mimeType: FOLDER }, undefined).id;
  store.share(root, mate, "writer");
  const mine = () =>
    [...store.items.values()].filter(
      (item) =>
        item.id !== top &&
        (item.owner === user || item.owner === mate) &&
        item.id !== root &&
        item.id !== outside &&
        item.id !== `root-of-${mate}`,
    );
  const folders = () => [
    root,
    outside,
    ...mine()
      .filter(({ mimeType }) => mimeType === FOLDER)
      .map(({ id }) => id),
  ];
  const isBelow = (id: string, above: string): boolean => {
    for (let item = store.items.get(id); item !== undefined; item = store.items.get(item.parent ?? ""))
      if (item.id === above) return true;
    return false;
  };
  return {
    root,
    user,
    act() {
      const parent = random.pick(folders());
      const items = mine();
      const name = random.pick(["a", "b", "c", "d/e"]);
      const deed = random.below(8);
      if (deed < 3 || items.length === 0) {
        const who = isBelow(parent, root) && random.below(3) === 0 ? mate : user;
        if (random.below(2) === 0) store.create(who, { name, mimeType: FOLDER, parents: [parent] }, undefined);
        else store.create(who, { name, parents: [parent] }, Buffer.from(String(random.below(3))));
        return;
      }
      const item = random.pick(items);
      if (deed === 3) store.update(user, item.id, { name });
      else if (deed === 4 && item.content)
        store.update(user, item.id, { content: Buffer.from(String(random.below(9))) });
      else if (deed === 5) store.update(user, item.id, { trashed: !item.binned });
      else if (deed === 6 && item.owner === user) store.remove(user, item.id);
      else if (item.parent && !isBelow(parent, item.id))
        store.update(user, item.id, { addParents: parent, removeParents: item.parent });
    },
  };
}

interface Habits {
  /** What the source is told that the index knows. */
  readonly known?: (found: Node | undefined) => Node | undefined;
}

function open({ root, user }: World, file: string, { known = (found) => found }: Habits = {}): NodeIndex {
  const hosts = driveHosts(driveEnv(fake));
  const tokens = memoryTokens(driveToken(fake, user));
  const session = createSession({ tokens, http, address: hosts.token, clock: systemClock, random: () => 0 });
  const client = createClient({ http, hosts, session, clock: systemClock, random: () => 0 });
  const facts = { rootId: root, owned: true, ifMatch: false };
  const ids = { wanted: () => undefined, accept: () => undefined };
  const source = driveSource({ client, facts, now: () => 0, known: (id) => known(index.node(id)), ids });
  const index: NodeIndex = nodeIndex({
    ...{ file, key: "k", source, ids: "stable", clock: systemClock, fold: (name: string) => name },
    prefer: olderFirst,
    describe: describeNode,
    root: (nodes) => (nodes.get(root)?.is === "folder" ? root : undefined),
    settle: (before, stream, ids) => keepTree(settle(before, stream, ids), stream.full, root),
  });
  return index;
}

async function picture(index: NodeIndex): Promise<unknown> {
  const { files: found, folders, unusable, duplicates, exists } = await index.list("");
  return {
    exists,
    files: found.map(({ path, rev }) => `${path} ${rev}`).sort(),
    folders: [...folders].sort(),
    unusable: unusable.map(({ name }) => name).sort(),
    duplicates: duplicates.map(({ path, nodes }) => `${path} ${nodes.map(({ id }) => id).join()}`).sort(),
  };
}

/** The first history after which the kept listing differs from a new one; undefined when none does. */
async function firstWrong(histories: number, habits: Habits): Promise<number | undefined> {
  for (let at = 0; at < histories; at++) {
    const random = seededRandom(SEED + at);
    const place = world(random, at);
    const file = join(folder, `kept-${++files}`);
    let kept = open(place, file, habits);
    for (let round = 0; round < 4; round++) {
      for (let i = random.below(8); i >= 0; i--) place.act();
      if (random.below(3) === 0) kept = open(place, file, habits);
      const seen = await picture(kept);
      const fresh = await picture(open(place, join(folder, `fresh-${++files}`)));
      if (!Bun.deepEquals(seen, fresh)) return SEED + at;
    }
  }
  return undefined;
}

test("googledrive: after any history the kept listing is the one that a new machine makes", async () => {
  expect(await firstWrong(HISTORIES, {})).toBeUndefined();
}, 60_000);

test("googledrive: a source that takes only folders for known, and so never tells that a file went, is caught", async () => {
  const known = (found: Node | undefined): Node | undefined => (found?.is === "folder" ? found : undefined);
  expect(await firstWrong(PLANTED, { known })).toBeDefined();
}, 60_000);
