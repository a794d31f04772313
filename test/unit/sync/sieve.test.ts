import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RemoteFile, Rev } from "../../../src/backends/types.ts";
import { comparePaths, type RelPath, relPath } from "../../../src/lib/path.ts";
import type { Base } from "../../../src/sync/base.ts";
import { sortedFiles } from "../../../src/sync/join.ts";
import { lookAtViews, type Views } from "../../../src/sync/look.ts";
import type { BaseEntry, FileStat } from "../../../src/sync/model.ts";
import type { LocalView } from "../../../src/sync/scan.ts";
import { compileScope } from "../../../src/sync/scope.ts";
import { openSieve, type Sieve, siftedFile } from "../../../src/sync/sieve.ts";
import { type IndexRow, indexFromBytes, type StateIndex } from "../../../src/sync/state-index.ts";
import { indexBytes } from "../../../src/sync/write-index.ts";

const MD5 = "a24e52e25aaf05ca4864c1d06c92802c";
const SHA = "fcad4ab9e3e9ddd323adf478721202a0863d2bc4e1848b9a72ff767d7cd2afa8";
const STAT: FileStat = { size: 3, mtimeNs: 1_000_000_000_000_000_001n, ctimeNs: 1_000_000_000_000_000_002n, ino: 7n };

const PATHS = ["a.md", "a/b.md", "a/c.md", "b.md", "d/e.md", "f.md"].map(relPath);

type There = "same" | "rev" | "id" | "size" | "hash" | "absent";
interface One {
  readonly base: "none" | "plain" | "racy" | "revless" | "sizeless" | "md5less";
  readonly local: "clean" | "moved" | "absent";
  readonly there: There;
}

function baseOf(path: RelPath, kind: One["base"]): BaseEntry | undefined {
  if (kind === "none") return undefined;
  const rev = kind === "revless" ? {} : { rev: `r-${path}` as Rev };
  const size = kind === "sizeless" ? {} : { size: 3 };
  const md5 = kind === "md5less" ? "" : MD5;
  const rest = { path, md5, sha256: SHA, remoteId: path, nativeHash: `n-${path}`, racy: kind === "racy" };
  return { ...rest, ...rev, ...size, syncedAt: "2026-11-20T17:08:28.677552+00:00" };
}

function fileOf(path: RelPath, there: There): RemoteFile[] {
  if (there === "absent") return [];
  const rev = (there === "rev" ? "other" : `r-${path}`) as Rev;
  const nativeHash = there === "hash" ? "other" : `n-${path}`;
  const id = there === "id" ? "other" : path;
  return [{ path, size: there === "size" ? 4 : 3, rev, racy: false, id, nativeHash }];
}

function indexOf(world: readonly One[]): StateIndex {
  const rows = PATHS.flatMap((path, at): IndexRow[] => {
    const one = world[at];
    const base = one && baseOf(path, one.base);
    const local = one?.local === "clean" ? { stat: STAT, hash: { md5: MD5, sha256: SHA } } : undefined;
    return base || local ? [{ path, ...(base && { base }), ...(local && { local }) }] : [];
  });
  return indexFromBytes(indexBytes(rows, { hashedSinceMs: 2e12, meta: "" })) as StateIndex;
}

function viewOf(world: readonly One[], index: StateIndex): LocalView {
  const here = PATHS.filter((_, at) => world[at]?.local !== "absent").sort(comparePaths);
  const clean = here.map((path) => world[PATHS.indexOf(path)]?.local === "clean");
  return {
    length: here.length,
    pathAt: (file) => here[file] as RelPath,
    statAt: () => STAT,
    indexRow: Int32Array.from(here, (path) => index.find(path)),
    clean: Uint8Array.from(clean, Number),
    problems: [],
    missingRoot: false,
  };
}

async function lookOf(world: readonly One[], files: readonly RemoteFile[], sieve?: Sieve) {
  const index = indexOf(world);
  const view = viewOf(world, index);
  const base: Base = { index, manifest: "ok", isFirst: false, journal: undefined as never, notices: [] };
  const scope = compileScope({ filePatterns: ["**/*"], excludePatterns: [] });
  const views: Views = {
    base,
    index,
    view,
    remote: sortedFiles(files),
    remoteExists: true,
    blobsMissing: false,
    snapshotsMissing: false,
    hasMoved: false,
    assumes: false,
    unusable: new Map(),
    scope,
    ...(sieve && { sieve }),
  };
  const read = async () => ({ stat: STAT, hash: { md5: "other", sha256: "other" } });
  const look = await lookAtViews(views, { hashLocal: read, hashRemote: async () => ({ md5: MD5, sha256: SHA }) });
  return {
    rows: [...look.rows],
    inSync: look.inSync,
    facts: look.facts,
    paths: [...look.inSyncPaths()],
    everything: [...look.everything()],
  };
}

const world = fc.array(
  fc.record<One>({
    base: fc.constantFrom("none", "plain", "plain", "racy", "revless", "sizeless", "md5less"),
    local: fc.constantFrom("clean", "moved", "absent"),
    there: fc.constantFrom("same", "same", "rev", "id", "size", "hash", "absent"),
  }),
  { minLength: PATHS.length, maxLength: PATHS.length },
);

/** A first walk that breaks off, and a second that sees what is there by then, in any order. */
const walks = fc.record({
  world,
  before: fc.array(fc.constantFrom<There>("same", "absent"), { maxLength: 6 }),
  turn: fc.nat(5),
});

async function check(open: typeof openSieve): Promise<void> {
  await fc.assert(
    fc.asyncProperty(walks, async ({ world, before, turn }) => {
      const index = indexOf(world);
      const sieve = open(() => index);
      const first = sieve.begin();
      for (const [at, there] of before.entries()) fileOf(PATHS[at] as RelPath, there).forEach(first);
      const files = PATHS.flatMap((path, at) => fileOf(path, (world[at] as One).there));
      const turned = [...files.slice(turn), ...files.slice(0, turn)];
      const kept = turned.filter(sieve.begin());
      expect(kept.length + sieve.count()).toBe(files.length);
      expect(await lookOf(world, kept, sieve)).toEqual(await lookOf(world, files));
    }),
    { numRuns: 400, seed: 7 },
  );
}

describe("openSieve", () => {
  test("openSieve: a sifted listing gives the same look as the whole one, in any order and after a walk that broke off", async () => {
    await check(openSieve);
  });

  test("openSieve: the property catches a sieve that remembers a broken walk", async () => {
    const forgetful: typeof openSieve = (index) => {
      const sieve = openSieve(index);
      const first = sieve.begin();
      return { ...sieve, begin: () => first };
    };
    await expect(check(forgetful)).rejects.toThrow();
  });

  test("openSieve: the property catches a sieve that does not look at ids and sizes", async () => {
    const careless: typeof openSieve = (index) =>
      openSieve(() => {
        const real = index();
        return real && { ...real, isWholly: (row, file) => real.remoteMatches(row, file.rev, file.nativeHash) };
      });
    await expect(check(careless)).rejects.toThrow();
  });

  test("openSieve: what comes before the merge base is loaded is kept", () => {
    const sieve = openSieve(() => undefined);
    const file = fileOf(relPath("a.md"), "same")[0] as RemoteFile;
    expect(sieve.begin()(file)).toBe(true);
    expect(sieve.count()).toBe(0);
  });

  test("siftedFile: the file as the listing showed it", () => {
    const index = indexOf([{ base: "plain", local: "clean", there: "same" }]);
    expect([siftedFile(index, 0)]).toEqual(fileOf(relPath("a.md"), "same"));
  });
});
