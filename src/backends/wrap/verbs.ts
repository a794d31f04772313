import type { RelPath } from "../../lib/path.ts";
import type { Backend } from "../types.ts";

export type Verb =
  | "list"
  | "stat"
  | "read"
  | "write"
  | "edit"
  | "remove"
  | "copy"
  | "move"
  | "removeFolder"
  | "mend"
  | "changes"
  | "poll";

/** One call of a backend, as wrappers see it. */
export interface Call {
  readonly verb: Verb;
  /** The path that is asked about; for `changes` the empty one. */
  readonly path: RelPath | "";
  /** Where `copy` and `move` go. */
  readonly to?: RelPath;
  /** Bytes to be sent, for `write`. */
  readonly size?: number;
  readonly signal?: AbortSignal | undefined;
}

export type Around = <T>(call: Call, act: () => Promise<T>) => Promise<T>;

/** The verbs that change something. */
export function changesRemote(verb: Verb): boolean {
  return verb !== "list" && verb !== "stat" && verb !== "read" && verb !== "changes" && verb !== "poll";
}

/** The same backend with `around` called for every verb. Verbs that it does not have stay absent. */
export function aroundVerbs(backend: Backend, around: Around): Backend {
  const { edit, copy, move, removeFolder, mend, changes, waitForChange, poll, vouches, expectWrite } = backend;
  return {
    kind: backend.kind,
    can: backend.can,
    list: (path, options) => around({ verb: "list", path, signal: options?.signal }, () => backend.list(path, options)),
    stat: (path, options) => around({ verb: "stat", path, signal: options?.signal }, () => backend.stat(path, options)),
    read: (path, options) => around({ verb: "read", path, signal: options?.signal }, () => backend.read(path, options)),
    write: (path, source, options) =>
      around({ verb: "write", path, size: source.size, signal: options.signal }, () =>
        backend.write(path, source, options),
      ),
    remove: (path, options) =>
      around({ verb: "remove", path, signal: options.signal }, () => backend.remove(path, options)),
    ...(expectWrite && { expectWrite: (path, options) => expectWrite.call(backend, path, options) }),
    ...(edit && {
      edit: (path, change, options) =>
        around({ verb: "edit", path, signal: options?.signal }, () => edit.call(backend, path, change, options)),
    }),
    ...(copy && {
      copy: (path, to, options) =>
        around({ verb: "copy", path, to, signal: options?.signal }, () => copy.call(backend, path, to, options)),
    }),
    ...(move && {
      move: (path, to, options) =>
        around({ verb: "move", path, to, signal: options?.signal }, () => move.call(backend, path, to, options)),
    }),
    ...(removeFolder && {
      removeFolder: (path, options) =>
        around({ verb: "removeFolder", path, signal: options?.signal }, () =>
          removeFolder.call(backend, path, options),
        ),
    }),
    ...(mend && {
      mend: (options) => around({ verb: "mend", path: "", signal: options?.signal }, () => mend.call(backend, options)),
    }),
    ...(changes && {
      changes: (cursor, options) =>
        around({ verb: "changes", path: "", signal: options?.signal }, () => changes.call(backend, cursor, options)),
    }),
    // Waiting is no work: it takes no place among the calls, and whoever waits decides what follows a failure.
    ...(waitForChange && { waitForChange: (path, options) => waitForChange.call(backend, path, options) }),
    ...(poll && {
      poll: (path, since, options) =>
        around({ verb: "poll", path, signal: options?.signal }, () => poll.call(backend, path, since, options)),
    }),
    ...(vouches && { vouches: (file, content) => vouches.call(backend, file, content) }),
    canonicalHash: (stored) => backend.canonicalHash(stored),
    close: () => backend.close(),
  };
}
