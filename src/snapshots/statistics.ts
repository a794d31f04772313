import { BLOBS_FOLDER, blobPath } from "../backends/layout.ts";
import { snapshotTime } from "../lib/clock.ts";
import { comparePaths, nameOf } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { listSnapshots, type SnapshotRoom } from "./list.ts";
import { type ManifestCache, manifestCacheFolder, openManifestCache } from "./manifest-cache.ts";
import { isSha256 } from "./manifest-codec.ts";
import type { Growth, SnapshotInfo, SnapshotStatistics } from "./model.ts";

export interface StatisticsOptions extends SnapshotOptions {
  /** Sizes that are known without asking, by SHA-256. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Growth is told by the day as long as it spans no more, else by the month. */
const MOST_DAYS = 31;
const DAY_MS = 24 * 3_600_000;

/** What the snapshots hold and what that takes. Costs one listing of the snapshots and one of the stored contents. */
export async function snapshotStatistics(
  room: SnapshotRoom,
  { sizes, ...options }: StatisticsOptions,
): Promise<SnapshotStatistics> {
  const infos = await listSnapshots(room, options);
  return statisticsOf(room.cache, { infos, stored: await storedSizes(room, options), sizes });
}

/** The same without asking anybody: what this machine has not seen of the snapshots is not counted. */
export function knownStatistics(stateFolder: string, sizes: ReadonlyMap<string, number>): SnapshotStatistics {
  const cache = openManifestCache(manifestCacheFolder(stateFolder));
  const infos = (["blobs", "full"] as const).flatMap((format) =>
    cache.names(format).map((timestamp) => ({ timestamp, format })),
  );
  return statisticsOf(cache, { infos, stored: undefined, sizes });
}

interface Seen {
  readonly infos: readonly Pick<SnapshotInfo, "timestamp" | "format" | "problem">[];
  /** By SHA-256. */
  readonly stored: ReadonlyMap<string, number> | undefined;
  readonly sizes: ReadonlyMap<string, number>;
}

function statisticsOf(cache: ManifestCache, { infos, stored, sizes }: Seen): SnapshotStatistics {
  const sizeOf = (sha256: string) => stored?.get(sha256) ?? sizes.get(sha256);
  const tally = cache.tally(sizeOf);
  const usable = infos.filter(({ problem }) => problem === undefined);
  const names = usable.map(({ timestamp }) => timestamp).sort();
  const held = sum([...tally.firstIn.keys()].map(sizeOf));
  return {
    snapshots: usable.length,
    unusable: infos.length - usable.length,
    full: usable.filter(({ format }) => format === "full").length,
    first: names[0] ?? null,
    last: names.at(-1) ?? null,
    files: tally.files,
    bytes: tally.bytes,
    contents: tally.firstIn.size,
    contentBytes: held,
    stored: stored === undefined ? null : { count: stored.size, bytes: sum([...stored.values()]) ?? 0 },
    dedupRatio: tally.bytes === null || held === null || held === 0 ? null : tally.bytes / held,
    growth: growthOf(names, tally.firstIn, sizeOf),
    versions: [...tally.versions]
      .map(([path, count]) => ({ path, count }))
      .sort((a, b) => b.count - a.count || comparePaths(a.path, b.path)),
  };
}

async function storedSizes({ backend }: SnapshotRoom, options: SnapshotOptions): Promise<Map<string, number>> {
  const { files } = await backend.list(BLOBS_FOLDER, options);
  const sizes = new Map<string, number>();
  for (const { path, size } of files) {
    const sha256 = nameOf(path);
    if (isSha256(sha256) && path === blobPath(sha256)) sizes.set(sha256, size);
  }
  return sizes;
}

/** Null where one is not known. */
function sum(sizes: readonly (number | undefined)[]): number | null {
  return sizes.reduce<number | null>((all, size) => (all === null || size === undefined ? null : all + size), 0);
}

/** `names` are sorted. */
function growthOf(
  names: readonly string[],
  firstIn: ReadonlyMap<string, string>,
  sizeOf: (sha256: string) => number | undefined,
): readonly Growth[] {
  const [from = 0, to = 0] = [names[0], names.at(-1)].map((name) => snapshotTime(name ?? "") ?? 0);
  const letters = to - from <= MOST_DAYS * DAY_MS ? "2026-01-01".length : "2026-01".length;
  const periods = new Map<string, { snapshots: number; contents: number; bytes: number | null }>();
  for (const name of names) {
    const period = periods.get(name.slice(0, letters)) ?? { snapshots: 0, contents: 0, bytes: 0 };
    period.snapshots++;
    periods.set(name.slice(0, letters), period);
  }
  for (const [sha256, name] of firstIn) {
    const period = periods.get(name.slice(0, letters));
    if (period === undefined) continue;
    const size = sizeOf(sha256);
    period.contents++;
    period.bytes = period.bytes === null || size === undefined ? null : period.bytes + size;
  }
  return [...periods].map(([period, counts]) => ({ period, ...counts }));
}
