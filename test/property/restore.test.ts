import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "../../src/backends/types.ts";
import { relPath } from "../../src/lib/path.ts";
import { withVerbs } from "../support/executor-lab.ts";
import { projectLab } from "../support/project-lab.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { filesBelow } from "../support/tree.ts";

const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);

const NAMES = [
  "a.md",
  "_index.md",
  ".hidden",
  "with space & #hash%20?.md",
  "naïve – dash.md",
  'quote " back\\slash.md',
  "日本語",
  "e\u0301.md",
  "-rf",
  "[glob]*.md",
  "new\nline.md",
];
const FOLDERS = ["", "memory/", "deep/er/still/", "_private/", "odd #%/ [x]/", "日本/"];

type Tree = Readonly<Record<string, Uint8Array>>;

function randomTree(random: Random): Tree {
  const tree: Record<string, Uint8Array> = {};
  for (let count = 1 + random.below(12); count > 0; count--) {
    const length = random.pick([0, 1, 7, 300, 70_000]);
    tree[random.pick(FOLDERS) + random.pick(NAMES)] =
      random.below(3) === 0 ? new Uint8Array(length) : random.bytes(length);
  }
  return tree;
}

/** Pushes two random trees one after the other; answers where restoring their snapshots gives something else. */
async function lostBy(random: Random, options: NonNullable<Parameters<typeof projectLab>[0]>): Promise<string[]> {
  const lab = projectLab(options);
  const made: { readonly timestamp: string; readonly tree: Tree }[] = [];
  for (let round = 0; round < 2; round++) {
    for (const path of filesBelow(lab.root)) if (!path.startsWith(".claude_mirror_")) rmSync(join(lab.root, path));
    const tree = randomTree(random);
    for (const [path, bytes] of Object.entries(tree)) lab.write(path, bytes);
    const { snapshot, failed } = await lab.push([], { allow: new Set(["mass-delete", "empty-root"]) });
    if (failed.length > 0) return [`push: ${failed[0]?.error.message}`];
    if (snapshot !== null) made.push({ timestamp: snapshot.timestamp, tree });
  }
  const wrong: string[] = [];
  for (const { timestamp, tree } of made) {
    const output = join(lab.home, "out", timestamp);
    const project = lab.project();
    await project.restore(await project.planRestore({ timestamp, patterns: [], output }));
    const found = existsSync(output) ? filesBelow(output) : [];
    if (found.join("|") !== Object.keys(tree).sort().join("|")) wrong.push(`${timestamp} holds ${found.join("|")}`);
    for (const path of found) {
      const bytes = tree[path];
      if (bytes !== undefined && Buffer.compare(readFileSync(join(output, path)), bytes) !== 0) wrong.push(path);
    }
  }
  return wrong;
}

/** The defect of the Python tool: what is read from a snapshot's sub-folder is looked up at the root of the remote. */
function readsLive(backend: Backend): Backend {
  return withVerbs(backend, {
    async read(path, options) {
      const live = relPath(path.replace(/^_claude_mirror_snapshots\/[^/]+Z\//, ""));
      return backend.read(live === path || (await backend.stat(live)) === undefined ? path : live, options);
    },
  });
}

/** Loses the last byte of what is stored. */
function cutsBlobs(backend: Backend): Backend {
  return withVerbs(backend, {
    write(path, source, options) {
      if (!path.startsWith("_claude_mirror_blobs/") || source.size === 0) return backend.write(path, source, options);
      const { sha256: _, md5: __, ...plain } = source;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, out) => out.enqueue(chunk.subarray(0, chunk.length - 1)),
      });
      const small = source.size <= 300;
      const body = { ...plain, size: source.size - 1, open: () => source.open().pipeThrough(cut) };
      return backend.write(path, small ? body : source, options);
    },
  });
}

describe.each([
  ["blobs", cutsBlobs],
  ["full", readsLive],
] as const)("restore(snapshot(x)) = x, %s format", (snapshotFormat, planted) => {
  const config = { config: { snapshotFormat } };

  test("for random trees: empty files, odd names, binary contents", async () => {
    for (let at = 0; at < 15 * SCALE; at++) {
      expect([SEED + at, ...(await lostBy(seededRandom(SEED + at), config))]).toEqual([SEED + at]);
    }
  }, 120_000);

  test("a planted bug is found", async () => {
    let found = 0;
    for (let at = 0; at < 15 && found === 0; at++) {
      found = (await lostBy(seededRandom(SEED + at), { ...config, wrap: planted })).length;
    }
    expect(found).toBeGreaterThan(0);
  }, 120_000);
});
