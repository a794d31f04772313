import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RemoteFile, Rev } from "../../src/backends/types.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { formatRecord, parseDeltaLog } from "../../src/snapshots/delta-log.ts";
import { type ManifestCache, openManifestCache } from "../../src/snapshots/manifest-cache.ts";
import type { BlobsManifest } from "../../src/snapshots/model.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";

const SEED = Number(process.env["CLAUDE_MIRROR_TEST_SEED"] ?? 20_260_101);
const SCALE = Number(process.env["CLAUDE_MIRROR_TEST_SCALE"] ?? 1);
const PATHS = [
  "a.md",
  "b/a.md",
  'quote " x.md',
  "naïve – dash.md",
  "back\\slash.md",
  " a.md",
  "new\nline.md",
  "-.md",
].map((path) => relPath(path));

/** What a file of this machine may suffer between two runs. */
type Damage = (file: string, random: Random) => void;

const NONE: Damage = () => {};

const TORN: Damage = (file, random) => {
  const bytes = readFileSync(file);
  if (random.below(2) === 0) return writeFileSync(file, bytes.subarray(0, random.below(bytes.length + 1)));
  if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  writeFileSync(file, bytes);
};

/** One digest is another one, and every record is signed anew: as wrong code would have written it. */
const FORGED: Damage = (file) => {
  const log = parseDeltaLog(readFileSync(file));
  let digest = parseDeltaLog(Buffer.alloc(0)).digest;
  const parts = log.records.map(({ head: { length, ...head }, start }) => {
    const body = log.bytes.toString("latin1", start, start + length);
    const record = formatRecord(
      digest,
      head,
      body.replace(/^[0-9a-f]{64}/, (old) => old.replace(/^./, "f")),
    );
    digest = record.digest;
    return Buffer.concat(record.bytes);
  });
  writeFileSync(file, Buffer.concat(parts));
};

/** What was put, by the size that its manifest had, and what should be there now. */
interface Model {
  readonly puts: Map<number, BlobsManifest>;
  readonly now: Map<string, number>;
}

/** Puts, drops and reopens at random; answers what the cache says and is not so. */
function wrongAnswers(random: Random, damage: Damage): string[] {
  const folder = tempFolder("index");
  const file = join(folder, "index");
  const model: Model = { puts: new Map(), now: new Map() };
  let cache = openManifestCache(folder);
  let files: Map<RelPath, string> = new Map();
  const wrong: string[] = [];
  for (let step = 1; step <= 150; step++) {
    const deed = random.below(10);
    if (deed < 6) {
      files = changed(files, random);
      const manifest = manifestOf(`2026-01-01T00-0${random.below(6)}-0${random.below(10)}Z`, files);
      model.puts.set(step, manifest);
      model.now.set(manifest.timestamp, step);
      cache.put(manifest, { rev: `r${step}`, size: step });
    } else if (deed < 8 && model.now.size > 0) {
      const name = random.pick([...model.now.keys()]);
      model.now.delete(name);
      cache.drop([name], "blobs");
    } else {
      if (existsSync(file)) damage(file, random);
      cache = openManifestCache(folder);
    }
    wrong.push(...compare(cache, model), ...(damage === NONE ? missing(cache, model) : []));
  }
  return wrong;
}

function changed(files: ReadonlyMap<RelPath, string>, random: Random): Map<RelPath, string> {
  const after = new Map(files);
  for (let change = random.below(4); change > 0; change--) {
    const path = random.pick(PATHS);
    if (random.below(3) === 0) after.delete(path);
    else after.set(path, hashBytes("sha256", String(random.below(9))));
  }
  return after;
}

function manifestOf(timestamp: string, files: BlobsManifest["files"]): BlobsManifest {
  const info = { triggeredBy: "me@desk", action: "push", filesChanged: [' "a.md"'], totalFiles: files.size };
  return { ...info, timestamp, format: "blobs", tag: null, message: null, files };
}

function missing(cache: ManifestCache, { now }: Model): string[] {
  const lost = [...now].filter(([name, step]) => !cache.isCurrent(name, seenAt(step)));
  const kept = cache.names("blobs").filter((name) => !now.has(name));
  return [...lost.map(([name]) => `lost ${name}`), ...kept.map((name) => `kept ${name}`)];
}

/** Whatever the cache knows was put so, and its ways to ask agree with one another. */
function compare(cache: ManifestCache, { puts }: Model): string[] {
  const wrong: string[] = [];
  const names = cache.names("blobs");
  const known = new Map(names.map((name) => [name, cache.manifest(name)?.files ?? new Map<RelPath, string>()]));
  for (const [name, files] of known) {
    const wanted = [...puts].find(([step, put]) => put.timestamp === name && cache.isCurrent(name, seenAt(step)))?.[1];
    if (show(files) !== show(wanted?.files)) wrong.push(`content of ${name}`);
  }
  for (const path of PATHS) {
    const versions = cache.versionsOf(path);
    for (const [name, files] of known) {
      if (versions.get(name) !== files.get(path)) wrong.push(`version of ${path} in ${name}`);
    }
  }
  const some = names.filter((_, at) => at % 3 !== 0);
  const digests = new Set(some.flatMap((name) => [...(known.get(name)?.values() ?? [])]));
  if ([...cache.digestsOf(some)].sort().join() !== [...digests].sort().join()) wrong.push("digests");
  return wrong;
}

function seenAt(step: number): RemoteFile {
  const rev = `r${step}` as Rev;
  return { path: relPath("m.json"), size: step, rev, racy: false, id: "", nativeHash: "" };
}

function show(files: BlobsManifest["files"] | undefined): string {
  return files === undefined ? "never put" : JSON.stringify([...files].sort());
}

test("snapshot index: says of every snapshot what was put, whatever is put, dropped and reopened in between", () => {
  for (let at = 0; at < 20 * SCALE; at++) expect([at, ...wrongAnswers(seededRandom(SEED + at), NONE)]).toEqual([at]);
});

test("snapshot index: a torn or damaged file is believed up to the damage, and written on from there", () => {
  for (let at = 0; at < 20 * SCALE; at++) expect([at, ...wrongAnswers(seededRandom(SEED + at), TORN)]).toEqual([at]);
});

test("snapshot index: a planted bug that writes wrong digests and signs them is found", () => {
  expect(wrongAnswers(seededRandom(SEED), FORGED)).not.toEqual([]);
});
