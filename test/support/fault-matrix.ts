import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type FaultyCloud, TROUBLES, type Trouble } from "./faulty-clouds.ts";
import type { OwnMachine, Run } from "./own-machine.ts";
import { type Team, team } from "./team.ts";
import { userDigests } from "./tree.ts";

/** Two machines that share one folder of a cloud. */
interface Scene {
  readonly cloud: FaultyCloud;
  readonly both: Team;
  readonly anna: OwnMachine;
  /** Another word every time. */
  word(): string;
}

/** Something that a person does, with what comes before it. */
interface Errand {
  readonly name: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  prepare?(scene: Scene): unknown;
  words(scene: Scene): readonly string[] | Promise<readonly string[]>;
  /**
   * `sync`: both sides hold the same files when it has gone well, and the next sync makes good what has not.
   * `forget`: old versions go for good, and the same again makes good what has not. `look`: changes nothing.
   */
  readonly does: "sync" | "forget" | "look";
  /** What would pile up: every trouble has a scene of its own. */
  readonly alone?: boolean;
  /** The folder is empty and nobody has looked at it. */
  readonly first?: boolean;
  /** Besides those that the trouble calls for. */
  readonly codes?: readonly number[];
}

/** An endpoint is tried by the first of them that asks it. */
const ERRANDS: readonly Errand[] = [
  {
    name: "pull",
    does: "sync",
    prepare({ both, word }) {
      both.place.put(`theirs/${word()}/small.md`, word());
      both.place.put("theirs/middle.bin", word().padEnd(1_200_000, "middle"));
    },
    words: () => ["pull"],
  },
  {
    name: "push of one file and of one delete",
    does: "sync",
    prepare({ anna, word }) {
      for (const path of below(anna, "one/")) anna.remove(path);
      anna.write(`one/${word()}.md`, word());
    },
    words: () => ["push"],
  },
  {
    name: "push of many",
    does: "sync",
    prepare({ anna, word }) {
      for (const path of below(anna, "many/")) anna.remove(path);
      for (let at = 0; at < 3; at++) anna.write(`many/${word()}.md`, word());
      for (const path of ["docs/a.md", "docs/b.md", `new/${word()}/c.md`]) anna.write(path, word());
    },
    words: () => ["push", "--allow", "mass-delete"],
  },
  {
    name: "push of a large file",
    does: "sync",
    alone: true,
    prepare: ({ anna, cloud, word }) => anna.write("large.bin", word().padEnd(cloud.largeBytes, "large")),
    words: () => ["push"],
  },
  {
    name: "push with a full snapshot",
    does: "sync",
    settings: { snapshot_format: "full" },
    prepare: ({ anna, word }) => anna.write("docs/a.md", word()),
    words: () => ["push"],
  },
  {
    name: "forget of full snapshots",
    does: "forget",
    settings: { snapshot_format: "full" },
    async prepare({ anna, both, word }) {
      anna.write("docs/a.md", word());
      await both.ok(anna, ["push"]);
    },
    words: () => ["forget", "--keep-last", "1", "--delete", "--yes"],
  },
  {
    name: "push of a file in an emptied folder's place",
    does: "sync",
    async prepare({ anna, both, word }) {
      if (anna.files()["swap"] !== undefined) anna.remove("swap");
      anna.write("swap/inside.md", word());
      await both.ok(anna, ["push"]);
      anna.remove("swap");
      anna.write("swap", word());
    },
    words: () => ["push"],
  },
  {
    name: "gc",
    does: "forget",
    async prepare({ anna, both, word }) {
      anna.write("docs/a.md", word());
      await both.ok(anna, ["push"]);
      await anna.run(["forget", "--keep-last", "1", "--delete", "--yes"]);
    },
    words: () => ["gc", "--grace", "0", "--delete", "--yes"],
  },
  {
    name: "restore",
    does: "look",
    async words({ anna, both, word }) {
      const [snapshot] = (await both.ok(anna, ["snapshots"])).rows;
      return ["restore", String(snapshot?.["timestamp"]), "--output", join(anna.home, word())];
    },
  },
  {
    name: "status with an access token that ran out",
    does: "look",
    prepare: ({ cloud }) => cloud.expireAccess(),
    words: () => ["status"],
  },
  { name: "first push", does: "sync", alone: true, first: true, words: () => ["push"] },
  { name: "auth --check", does: "look", codes: [6], words: () => ["auth", "--check"] },
];

const below = (anna: OwnMachine, folder: string) => Object.keys(anna.files()).filter((path) => path.startsWith(folder));

/** What a run may exit with, and what it says then. 0 is right only where all was done. */
const ENDS: Readonly<Record<Trouble, { readonly codes: readonly number[]; readonly says: RegExp }>> = {
  "is down": { codes: [1, 3], says: /answered 50\d|trouble of its own/ },
  "asks to slow down": { codes: [1, 3], says: /slow down|asks for a pause|trouble of its own/ },
  "has ended the sign-in": {
    codes: [6],
    says: /sign-in .*(longer|more|accept|expired|revoked)|accepts? the (saved )?sign-in|it is over/,
  },
  "is full": { codes: [6], says: /is full|no space left/ },
  "forbids it": { codes: [6], says: /forbids it|has no right|answered 403/ },
  "rejects it": { codes: [1, 3], says: /answered 400/ },
  "answers with a page of the network's": {
    codes: [1, 3],
    says: /did not answer as|holds no token|instead of|cut off|leaves it out|no upload session|checksum/,
  },
  "loses its answers": { codes: [1, 3], says: /broke|cut off|cannot tell/ },
};

let words = 0;

async function sceneOf(cloud: FaultyCloud, { settings = {}, first }: Errand): Promise<Scene> {
  const both = await team(cloud.place(), ["anna", "bert"], { settings: { max_throttle_wait_seconds: 5, ...settings } });
  const [anna] = both.machines as readonly [OwnMachine];
  for (const path of ["docs/a.md", "docs/b.md", "kept.md", "many/0.md", "one/0.md"])
    anna.write(path, `first ${path}\n`);
  if (!first) await both.ok(anna, ["push"]);
  return { cloud, both, anna, word: () => `word ${++words}` };
}

/** Runs an errand; every content that was anywhere is still somewhere, unless it is there to remove old ones. */
async function run({ anna, both }: Scene, errand: Errand, line: readonly string[]): Promise<Run> {
  return errand.does === "forget" ? anna.run([...line, "--json"]) : both.run(anna, line);
}

interface Cell {
  readonly endpoint: string;
  readonly errand: Errand;
}

/** On a busy machine calls that belong together may miss each other, and the endpoint of their batch is not asked. */
const TRIES = 6;

/** Every errand once without trouble: which endpoints there are, and who asks them first. */
async function cellsOf(cloud: FaultyCloud, endpoints: readonly string[]): Promise<readonly Cell[]> {
  const cells = new Map<string, Errand>();
  for (let tries = 0; tries < TRIES && !endpoints.every((each) => cells.has(each)); tries++) await askAll(cloud, cells);
  return [...cells].map(([endpoint, errand]) => ({ endpoint, errand }));
}

async function askAll(cloud: FaultyCloud, cells: Map<string, Errand>): Promise<void> {
  for (const errand of ERRANDS) {
    const scene = await sceneOf(cloud, errand);
    await errand.prepare?.(scene);
    const line = await errand.words(scene);
    cloud.calm();
    const { code, stdout, stderr } = await run(scene, errand, line);
    if (code !== 0) throw new Error(`${errand.name} exits ${code} without any trouble: ${stdout}${stderr}`);
    for (const endpoint of cloud.asked()) if (!cells.has(endpoint)) cells.set(endpoint, errand);
  }
}

const here = ({ anna }: Scene) => userDigests(anna.project);
const there = ({ both: { place } }: Scene) => {
  place.refresh?.();
  return userDigests(place.folder);
};

async function inTrouble(scene: Scene, { endpoint, errand }: Cell, trouble: Trouble): Promise<void> {
  const { cloud } = scene;
  await errand.prepare?.(scene);
  const line = await errand.words(scene);
  const before = here(scene);
  cloud.calm();
  if (!cloud.begin(endpoint, trouble)) return;
  const ended = await run(scene, errand, line);
  cloud.calm();
  const { says } = ENDS[trouble];
  const codes = [...ENDS[cloud.lent.includes(endpoint) ? "is down" : trouble].codes, ...(errand.codes ?? [])];
  const told = `${ended.stdout}${ended.stderr}`;
  const { code } = ended;
  if (code !== 0)
    expect({ code, right: codes.includes(code), told }).toEqual({
      code,
      right: true,
      told: expect.stringMatching(says),
    });
  else if (errand.does === "sync") expect({ told, there: there(scene) }).toEqual({ told, there: here(scene) });
  expect(told).not.toMatch(/undefined|is not an object|not a function|JSON Parse/);
  if (errand.does === "look") expect(here(scene)).toEqual(before);
  const again = await run(scene, errand, errand.does === "sync" ? ["sync", "--allow", "mass-delete"] : line);
  expect({ code: again.code, told: again.code === 0 ? "" : again.stdout + again.stderr }).toEqual({
    code: 0,
    told: "",
  });
  expect(there(scene)).toEqual(here(scene));
}

/**
 * Every endpoint that the program asks, and every trouble that it can have: the run ends with the exit code and the words
 * for it, or has done all it was to do; nothing is lost; and when the trouble is over the next run makes everything good.
 */
export async function faultMatrix(cloud: FaultyCloud, endpoints: readonly string[]): Promise<void> {
  afterAll(() => cloud.stop());
  const cells = await cellsOf(cloud, endpoints);

  test("every endpoint that the program is known to ask is among them", () => {
    expect(cells.map(({ endpoint }) => endpoint).sort()).toEqual([...endpoints].sort());
  });

  describe.each(cells.map((cell) => [cell.endpoint, cell.errand.name, cell] as const))("%s in a %s", (_, __, cell) => {
    let scene: Scene | undefined;
    test.each([...TROUBLES])(
      "%s: the run says so, nothing is lost, and the next one makes it good",
      async (trouble) => {
        if (scene === undefined || cell.errand.alone) scene = await sceneOf(cloud, cell.errand);
        await inTrouble(scene, cell, trouble);
      },
    );
    test("afterwards both machines agree, and every snapshot is whole", async () => {
      await scene?.both.settle();
    });
  });
}
