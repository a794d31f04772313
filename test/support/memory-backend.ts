import { BackendError, NotFoundError, StaleError } from "../../src/backends/errors.ts";
import type {
  Backend,
  CallOptions,
  Capabilities,
  Changes,
  ChecksumKind,
  CopyOptions,
  Expect,
  Listing,
  ListOptions,
  Opened,
  ReadOptions,
  RemoteFile,
  Source,
  WriteOptions,
  Written,
} from "../../src/backends/types.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { foldersOf, nameOf, parentOf, type RelPath } from "../../src/lib/path.ts";
import { streamOf } from "./bodies.ts";
import { type MemoryEntry, MemoryStore, type MemoryStoreOptions } from "./memory-store.ts";

export interface MemoryOptions extends MemoryStoreOptions {
  /** Another client of a remote that exists already. */
  readonly store?: MemoryStore;
  /** `look` lets another writer slip in while the body is sent. */
  readonly guard?: "native" | "look";
  readonly copy?: boolean;
  readonly move?: boolean;
  readonly changes?: boolean;
  readonly writeReturnsRev?: boolean;
  /** False shows half of a body while it is sent. */
  readonly atomicWrite?: boolean;
  readonly createCostsMore?: boolean;
  readonly checksums?: readonly ("md5" | "sha1" | "sha256")[];
  readonly maxNameBytes?: number;
  readonly forbidden?: string;
}

export interface MemoryBackend extends Backend {
  readonly store: MemoryStore;
}

/** A remote in memory that is as strict as the best server: guards, sizes and digests are all checked. */
export function memoryBackend(options: MemoryOptions = {}): MemoryBackend {
  const store = options.store ?? new MemoryStore(options);
  const remote: Remote = { store, options, can: capabilities(options, store), checksums: options.checksums ?? [] };
  return {
    kind: "memory",
    can: remote.can,
    store,
    list: async (under, list) => listFiles(remote, under, list),
    stat: async (path, call) => statFile(remote, path, call),
    read: async (path, read) => readFile(remote, path, read),
    write: (path, source, write) => writeFile(remote, path, source, write),
    remove: async (path, remove) => removeFile(remote, path, remove),
    removeFolder: async (path, call) => removeFolder(remote, path, call),
    ...(options.copy === false ? {} : { copy: async (from, to, copy) => copyFile(remote, from, to, copy) }),
    ...(options.move === false ? {} : { move: async (from, to, copy) => moveFile(remote, from, to, copy) }),
    ...(options.changes ? { changes: async (cursor, call) => changesSince(remote, cursor, call) } : {}),
    canonicalHash: (stored) => stored,
    close: async () => {},
  };
}

interface Remote {
  readonly store: MemoryStore;
  readonly options: MemoryOptions;
  readonly can: Capabilities;
  readonly checksums: readonly ("md5" | "sha1" | "sha256")[];
}

function capabilities(options: MemoryOptions, store: MemoryStore): Capabilities {
  return {
    guard: options.guard ?? "native",
    createCostsMore: options.createCostsMore ?? false,
    checksums: (options.checksums ?? []) as readonly ChecksumKind[],
    writeReturnsRev: options.writeReturnsRev ?? true,
    atomicWrite: options.atomicWrite ?? true,
    names: {
      forbidden: options.forbidden ?? "",
      maxNameBytes: options.maxNameBytes ?? 255,
      caseSensitive: store.caseSensitive,
    },
  };
}

function listFiles(remote: Remote, under: RelPath | "", options: ListOptions = {}): Listing {
  options.signal?.throwIfAborted();
  const { store } = remote;
  const exists = store.present && (under === "" || store.isFolder(under));
  if (!exists) return { files: [], folders: [], unusable: [], exists };
  const view = store.view(under);
  const skipped = (options.skip ?? []).map((folder) => `${store.key(folder)}/`);
  const isOpen = (path: RelPath): boolean =>
    foldersOf(path).every((folder) => folder.length <= under.length || (options.descend?.(folder) ?? true));
  const shown = (path: RelPath): boolean =>
    isOpen(path) &&
    !skipped.some((folder) => store.key(path).startsWith(folder)) &&
    (!options.shallow || parentOf(path).length === under.length);
  const files = view.files.filter((file) => shown(file.path)).map((entry) => describe(remote, entry));
  options.onCount?.(files.length);
  const keep = options.sift?.();
  return {
    files: keep === undefined ? files : files.filter(keep),
    folders: view.folders.filter(shown),
    unusable: [],
    exists,
    ...(remote.options.changes ? { cursor: String(store.log.length) } : {}),
  };
}

function statFile(remote: Remote, path: RelPath, options: CallOptions = {}): RemoteFile | undefined {
  options.signal?.throwIfAborted();
  if (!remote.store.present) throw gone("look at", path);
  const entry = remote.store.get(path);
  return entry && describe(remote, entry);
}

function readFile(remote: Remote, path: RelPath, options: ReadOptions = {}): Opened {
  const file = statFile(remote, path, options);
  const entry = remote.store.get(path);
  if (!file || !entry) throw new NotFoundError(`cannot read "${path}": it is not there`);
  if (options.expect !== undefined && options.expect !== file.rev) throw stale("read", path, options.expect, file.rev);
  return { file, body: streamOf(entry.bytes.subarray(options.from ?? 0)) };
}

async function writeFile(remote: Remote, path: RelPath, source: Source, options: WriteOptions): Promise<Written> {
  options.signal?.throwIfAborted();
  const { store } = remote;
  checkTarget(remote, "write", path);
  checkExpect(remote, "write", path, options.expect);
  let expect = options.expect;
  const bytes = await collect(path, source, options.signal, (half) => {
    if (remote.can.atomicWrite) return;
    if (remote.can.guard === "native") checkExpect(remote, "write", path, expect);
    expect = store.put(path, half).rev;
  });
  checkTarget(remote, "write", path);
  if (remote.can.guard === "native") checkExpect(remote, "write", path, expect);
  return written(remote, store.put(path, bytes));
}

function removeFile(remote: Remote, path: RelPath, options: WriteOptions): void {
  options.signal?.throwIfAborted();
  if (!remote.store.present) throw gone("remove", path);
  if (remote.store.isFolder(path)) throw rejected("remove", path, "it is a folder");
  checkExpect(remote, "remove", path, options.expect);
  remote.store.delete(path);
}

function removeFolder(remote: Remote, path: RelPath, options: CallOptions = {}): void {
  options.signal?.throwIfAborted();
  const { store } = remote;
  if (!store.present) throw gone("remove the folder", path);
  if (store.get(path)) throw rejected("remove the folder", path, "it is not a folder");
  if (store.view(path).files.length > 0) throw rejected("remove the folder", path, "there is something in it");
  for (const folder of [path, ...store.view(path).folders]) store.folders.delete(store.key(folder));
}

function copyFile(remote: Remote, from: RelPath, to: RelPath, options: CopyOptions = {}): Written {
  const { body, file } = readFile(remote, from, withExpect(options));
  body.cancel();
  checkTarget(remote, "copy to", to);
  checkExpect(remote, "copy to", to, "absent");
  return written(remote, remote.store.put(to, (remote.store.get(file.path) as MemoryEntry).bytes));
}

function moveFile(remote: Remote, from: RelPath, to: RelPath, options: CopyOptions = {}): Written {
  const moved = copyFile(remote, from, to, options);
  remote.store.delete(from);
  return moved;
}

function changesSince(remote: Remote, cursor: string, options: CallOptions = {}): Changes {
  options.signal?.throwIfAborted();
  const { store } = remote;
  const since = Number(cursor);
  if (!/^\d+$/.test(cursor) || since > store.log.length || !store.present) return { kind: "relist" };
  const paths = [...new Set(store.log.slice(since))];
  if (paths.length === 0) return { kind: "none" };
  return {
    kind: "some",
    changed: paths.flatMap((path) => {
      const entry = store.get(path);
      return entry ? [describe(remote, entry)] : [];
    }),
    removed: paths.filter((path) => !store.get(path)),
    cursor: String(store.log.length),
  };
}

function describe(remote: Remote, entry: MemoryEntry): RemoteFile {
  const { store } = remote;
  const tick = (ms: number): number => Math.floor(ms / store.tickMs);
  return {
    path: entry.path,
    size: entry.bytes.length,
    rev: entry.rev,
    racy: store.tickMs > 0 && tick(store.now()) <= tick(entry.modifiedMs),
    id: `id:${entry.path}`,
    nativeHash: entry.rev,
    modifiedMs: entry.modifiedMs,
    ...(remote.checksums.length === 0
      ? {}
      : { checksums: remote.checksums.map((kind) => ({ kind, value: hashBytes(kind, entry.bytes) })) }),
  };
}

function written(remote: Remote, entry: MemoryEntry): Written {
  return remote.can.writeReturnsRev ? { file: describe(remote, entry), serverTimeMs: entry.modifiedMs } : {};
}

/** Reads the whole body, telling `onHalf` about the first part, and holds it to its announced size and digests. */
async function collect(
  path: RelPath,
  source: Source,
  signal: AbortSignal | undefined,
  onHalf: (half: Uint8Array) => void,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source.open()) {
    signal?.throwIfAborted();
    parts.push(part);
    if (parts.length === 1) onHalf(part.slice(0, Math.ceil(part.length / 2)));
    await Promise.resolve();
  }
  signal?.throwIfAborted();
  const bytes = new Uint8Array(Buffer.concat(parts));
  if (bytes.length !== source.size) {
    throw rejected("write", path, `${source.size} bytes were announced and ${bytes.length} came`);
  }
  for (const kind of ["sha256", "md5"] as const) {
    const told = source[kind];
    if (told !== undefined && told !== hashBytes(kind, bytes)) throw rejected("write", path, `its ${kind} differs`);
  }
  return bytes;
}

function checkTarget(remote: Remote, verb: string, path: RelPath): void {
  const { store, can } = remote;
  if (!store.present) throw gone(verb, path);
  if (store.isFolder(path)) throw rejected(verb, path, "a folder is there");
  const blocked = foldersOf(path).find((folder) => store.get(folder));
  if (blocked !== undefined) throw rejected(verb, path, `"${blocked}" is a file, not a folder`);
  for (const name of [...foldersOf(path).map(nameOf), nameOf(path)]) {
    if (Buffer.byteLength(name) > can.names.maxNameBytes) throw rejected(verb, path, "a name is too long");
    if ([...can.names.forbidden].some((char) => name.includes(char))) throw rejected(verb, path, "a name is refused");
  }
}

function checkExpect(remote: Remote, verb: string, path: RelPath, expect: Expect): void {
  const found = remote.store.get(path)?.rev ?? "absent";
  if (expect !== "any" && expect !== found) throw stale(verb, path, expect, found);
}

function withExpect(options: CopyOptions): ReadOptions {
  const { expectSource, signal } = options;
  return {
    ...(expectSource === undefined ? {} : { expect: expectSource }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function stale(verb: string, path: RelPath, wanted: string, found: string): StaleError {
  return new StaleError(`cannot ${verb} "${path}": expected ${wanted}, found ${found}`);
}

function rejected(verb: string, path: RelPath, why: string): BackendError {
  return new BackendError(`cannot ${verb} "${path}": ${why}`, { class: "FILE_REJECTED" });
}

function gone(verb: string, path: RelPath): BackendError {
  return new BackendError(`cannot ${verb} "${path}": the remote folder is gone`, { class: "TRANSIENT" });
}
