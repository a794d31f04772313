import { type DeltaLog, walkStates } from "./delta-log.ts";

/** What a set of blobs snapshots holds together. */
export interface ContentTally {
  /** Files of all of them, each counted in every snapshot that has it. */
  readonly files: number;
  /** Their bytes; null where a size is not known. */
  readonly bytes: number | null;
  /** Each content once, by SHA-256: the oldest snapshot that has it. */
  readonly firstIn: ReadonlyMap<string, string>;
  /** How many contents each path has had, of the paths that have had more than one. */
  readonly versions: ReadonlyMap<string, number>;
}

/**
 * Reads the states of the log once, however many there are: the work grows with what changed between them. `wanted` tells
 * which record stands for which snapshot.
 */
export function tallyContents(
  log: DeltaLog,
  wanted: ReadonlyMap<string, { readonly at: number }>,
  sizeOf: (sha256: string) => number | undefined,
): ContentTally {
  const nameAt = new Map([...wanted].map(([name, { at }]) => [at, name]));
  const firstIn = new Map<string, string>();
  const contents = new Map<string, string | Set<string>>();
  /** The names of the wanted states so far, and for each path how many there were when it came to its content. */
  const names: string[] = [];
  const since = new Map<string, number>();
  let oldest = oldestFrom(names);
  let [files, bytes, unknown] = [0, 0, 0];
  let [stateBytes, stateUnknown] = [0, 0];
  const weigh = (sha256: string, sign: 1 | -1): void => {
    const size = sizeOf(sha256);
    if (size === undefined) stateUnknown += sign;
    else stateBytes += sign * size;
  };
  const close = (path: string, sha256: string): void => {
    const first = oldest(since.get(path) ?? 0);
    if (first === undefined) return;
    const known = firstIn.get(sha256);
    if (known === undefined || first < known) firstIn.set(sha256, first);
    note(contents, path, sha256);
  };
  let last: ReadonlyMap<string, string> = new Map();
  walkStates(log, {
    changed(path, before, after) {
      if (before !== undefined) {
        close(path, before);
        weigh(before, -1);
      }
      if (after !== undefined) weigh(after, 1);
      since.set(path, names.length);
    },
    reached(at, entries) {
      last = entries;
      const name = nameAt.get(at);
      if (name === undefined) return;
      names.push(name);
      oldest = oldestFrom(names);
      files += entries.size;
      bytes += stateBytes;
      unknown += stateUnknown;
    },
  });
  for (const [path, sha256] of last) close(path, sha256);
  const versions = [...contents].flatMap(([path, had]) =>
    typeof had === "string" ? [] : [[unquoted(path), had.size] as const],
  );
  return { files, bytes: unknown > 0 ? null : bytes, firstIn, versions: new Map(versions) };
}

function note(contents: Map<string, string | Set<string>>, path: string, sha256: string): void {
  const had = contents.get(path);
  if (had === undefined) contents.set(path, sha256);
  else if (typeof had !== "string") had.add(sha256);
  else if (had !== sha256) contents.set(path, new Set([had, sha256]));
}

/** The oldest of the names from a position on; the states of a log need not be in the order of time. */
function oldestFrom(names: readonly string[]): (from: number) => string | undefined {
  let table: string[] | undefined;
  return (from) => {
    if (table === undefined) {
      table = [...names];
      for (let at = table.length - 2; at >= 0; at--) {
        const next = table[at + 1] as string;
        if (next < (table[at] as string)) table[at] = next;
      }
    }
    return table[from];
  };
}

function unquoted(path: string): string {
  return path.includes("\\") ? (JSON.parse(path) as string) : path.slice(1, -1);
}
