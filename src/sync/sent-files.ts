import { floatColumn, hexColumn } from "../lib/columns.ts";
import { lazyMap } from "../lib/lazy-map.ts";
import type { RelPath } from "../lib/path.ts";
import type { SentFile } from "./journal.ts";
import { statColumns } from "./stat-columns.ts";

/** Uploads that wait for their versions, by path, without an object for any of them. */
export interface SentFiles {
  /** What is in it now; each is made when it is asked for. */
  readonly all: ReadonlyMap<RelPath, SentFile>;
  add(sent: SentFile): void;
  delete(path: RelPath): void;
}

export function sentFiles(): SentFiles {
  const places = new Map<RelPath, number>();
  const paths: RelPath[] = [];
  const [sizes, times, tooks, locals] = [floatColumn(), floatColumn(), floatColumn(), floatColumn()];
  const [md5s, sha256s] = [hexColumn(16), hexColumn(32)];
  const stats = statColumns();
  const sentAt = (place: number): SentFile => {
    const [serverTimeMs, tookMs, local] = [times.at(place), tooks.at(place), locals.at(place)];
    return {
      path: paths[place] as RelPath,
      md5: md5s.at(place),
      sha256: sha256s.at(place),
      size: sizes.at(place),
      ...(Number.isNaN(serverTimeMs) ? {} : { serverTimeMs }),
      ...(Number.isNaN(tookMs) ? {} : { tookMs }),
      ...(local < 0 ? {} : { local: stats.at(local) }),
    };
  };
  return {
    all: lazyMap(places, { valueAt: sentAt, count: () => places.size }),
    add({ path, size, serverTimeMs = Number.NaN, tookMs = Number.NaN, local, md5, sha256 }) {
      places.set(path, paths.length);
      paths.push(path);
      md5s.push(md5);
      sha256s.push(sha256);
      sizes.push(size);
      times.push(serverTimeMs);
      tooks.push(tookMs);
      locals.push(local === undefined ? -1 : stats.push(local));
    },
    delete: (path) => void places.delete(path),
  };
}
