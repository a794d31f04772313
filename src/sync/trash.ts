import * as fs from "node:fs";
import { dirname, isAbsolute, join, sep } from "node:path";
import { LocalFileError } from "../backends/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { fsyncFolder, tempPathFor, writeAll } from "../lib/fs.ts";
import { parseRelPath, type RelPath } from "../lib/path.ts";
import { drain } from "../lib/streams.ts";
import { sameContentStat } from "./file-stat.ts";
import { asLocalError, errorCode, lookAt, openLocalRoot, StalePlanError } from "./local-file.ts";
import type { FileStat } from "./model.ts";

/** How long the trash keeps what a run replaced or removed (decision 13). */
export const TRASH_KEEP_MS = 30 * 24 * 3600 * 1000;

export interface TrashNote {
  readonly path: RelPath;
  /** Why it is here, for a person: `replaced by pull`. */
  readonly reason: string;
}

export interface TrashEntry extends TrashNote {
  /** Sorts by time: `20261120T174026123Z-0`. */
  readonly id: string;
  readonly deletedAtMs: number;
  /** Bytes. */
  readonly size: number;
  /** Absolute path of where it lay, for what did not lie at `path` in the project: the target of a restore elsewhere. */
  readonly from?: string;
}

export interface RestoreOptions {
  /** Absolute path; the place it came from when left out. */
  readonly to?: string;
  /** What stands there goes to the trash itself. Without it, a different file there is left alone and fails. */
  readonly overwrite?: boolean;
}

export interface Restored {
  readonly entry: TrashEntry;
  readonly target: string;
  /** `same`: the target held these bytes already. */
  readonly kind: "restored" | "same";
}

/** The trash of one project. Every method throws LocalFileError, `putBytes` also what its body throws. */
export interface Trash {
  /**
   * Moves a file here; the caller makes its old folder durable. With `expect`, a file that was replaced in the last
   * instant is put back and StalePlanError is thrown.
   */
  putFile(absolute: string, note: TrashNote, options?: { readonly expect?: FileStat }): TrashEntry;
  /** Keeps the content while the file stays where it is: a hard link, else a durable copy. */
  keepCopy(absolute: string, note: TrashNote): TrashEntry;
  /** Keeps a body that was never a file here. A stream that fails leaves nothing. */
  putBytes(
    body: ReadableStream<Uint8Array>,
    note: TrashNote,
    options?: { readonly signal?: AbortSignal },
  ): Promise<TrashEntry>;
  /** Absolute path of an entry's content. */
  contentOf(entry: TrashEntry): string;
  /** Newest first. */
  list(): TrashEntry[];
  /** The entry of that id, or the newest one from that place: a path in the project, or an absolute one elsewhere. */
  find(idOrPath: string): TrashEntry | undefined;
  /** Puts back what `find` finds, atomically, and drops it from the trash. */
  restore(idOrPath: string, options?: RestoreOptions): Restored;
  /** Forgets one entry. */
  discard(entry: TrashEntry): void;
  /** Removes everything, or what is older, for good. */
  empty(options?: { readonly olderThanMs?: number }): { readonly removed: number; readonly bytes: number };
}

const CONTENT = "content";
const META = "meta.json";

/** `folder` is created (0700) when something is put there; `root` is the project folder that paths are relative to. */
export function openTrash(folder: string, options: { readonly clock: Clock; readonly root: string }): Trash {
  const { clock, root } = options;
  const begin = (note: TrashNote & Pick<TrashEntry, "from">, size: number) =>
    beginEntry(folder, { ...note, size, deletedAtMs: clock.now() });
  const contentOf = (entry: TrashEntry) => join(folder, entry.id, CONTENT);
  const discard = (entry: TrashEntry) => fs.rmSync(join(folder, entry.id), { recursive: true, force: true });

  const put = (absolute: string, note: TrashNote, place: (from: string, to: string) => void): TrashEntry =>
    attempt(`could not keep "${note.path}" in the trash`, () => {
      const from = isInside(root, absolute) ? {} : { from: absolute };
      const entry = begin({ ...note, ...from }, Number(fs.statSync(absolute).size));
      try {
        place(absolute, contentOf(entry));
      } catch (error) {
        discard(entry);
        throw error;
      }
      return entry;
    });

  const trash: Trash = {
    putFile: (absolute, note, move = {}) => put(absolute, note, (from, to) => moveFile(from, to, move.expect)),
    keepCopy: (absolute, note) => put(absolute, note, linkOrCopy),
    async putBytes(body, note, call = {}) {
      const entry = attempt(`could not keep "${note.path}" in the trash`, () => begin(note, 0));
      try {
        return { ...entry, size: await writeBody(body, contentOf(entry), call.signal) };
      } catch (error) {
        discard(entry);
        throw asLocalError(error, `could not keep "${note.path}" in the trash`);
      }
    },
    contentOf,
    list: () => listEntries(folder),
    find: (idOrPath) => trash.list().find(({ id, from, path }) => id === idOrPath || (from ?? path) === idOrPath),
    discard,
    restore(idOrPath, restore = {}) {
      const entry = trash.find(idOrPath);
      if (entry === undefined) {
        throw new LocalFileError(`could not restore "${idOrPath}": the trash holds no such entry; see the trash list`);
      }
      return attempt(`could not restore "${entry.from ?? entry.path}" from the trash`, () =>
        restoreEntry(trash, entry, root, restore),
      );
    },
    empty(empty = {}) {
      const before = empty.olderThanMs === undefined ? Number.POSITIVE_INFINITY : clock.now() - empty.olderThanMs;
      return emptyTrash(trash, folder, before);
    },
  };
  return trash;
}

type Meta = Omit<TrashEntry, "id">;

/** Makes the entry's folder and its durable description; its content follows, and without it the entry is no entry. */
function beginEntry(folder: string, meta: Meta): TrashEntry {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stamp = new Date(meta.deletedAtMs).toISOString().replace(/[-:.]/g, "");
  for (let n = 0; ; n++) {
    const id = `${stamp}-${n}`;
    try {
      faultPoint("trash-begin");
      fs.mkdirSync(join(folder, id), { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) === "EEXIST") continue;
      throw error;
    }
    const fd = fs.openSync(join(folder, id, META), "wx", 0o600);
    try {
      faultPoint("trash-meta");
      writeAll(fd, Buffer.from(JSON.stringify(meta)));
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fsyncFolder(folder);
    return { id, ...meta };
  }
}

function moveFile(from: string, to: string, expect: FileStat | undefined): void {
  faultPoint("trash-move");
  if (fs.lstatSync(from).isSymbolicLink()) {
    copyDurably(from, to);
    fs.unlinkSync(from);
    return;
  }
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (errorCode(error) !== "EXDEV") throw error;
    moveAcross(from, to);
    return;
  }
  const moved = lookAt(to);
  if (expect !== undefined && typeof moved === "object" && !sameContentStat(moved, expect)) putBack(from, to);
  fsyncFolder(dirname(to));
}

/** Undoes a move of what turned out to be another file, unless yet another one has taken its place: then both are kept. */
function putBack(from: string, to: string): void {
  try {
    fs.linkSync(to, from);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    fs.renameSync(to, from);
  }
  throw new StalePlanError(`left "${from}" alone: it has changed since this run looked at it; run again`);
}

/** Another file system: the original goes only when the copy is durable and the original did not change meanwhile. */
function moveAcross(from: string, to: string): void {
  const before = fs.lstatSync(from, { bigint: true });
  copyDurably(from, to);
  const after = fs.lstatSync(from, { bigint: true });
  if (before.mtimeNs !== after.mtimeNs || before.size !== after.size || before.ino !== after.ino) {
    throw new LocalFileError(`could not move "${from}" to the trash: it changed meanwhile; run again`);
  }
  fs.unlinkSync(from);
  fsyncFolder(dirname(from));
}

function linkOrCopy(from: string, to: string): void {
  faultPoint("trash-keep");
  const target = fs.realpathSync(from);
  try {
    fs.linkSync(target, to);
    fsyncFolder(dirname(to));
  } catch {
    copyDurably(target, to); // Another file system, or one without links.
  }
}

function copyDurably(from: string, to: string): void {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
  fsyncFile(to);
  fsyncFolder(dirname(to));
}

function fsyncFile(file: string): void {
  const fd = fs.openSync(file, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes a body to a temporary file that becomes the content only when it is whole. Returns its bytes. */
async function writeBody(
  body: ReadableStream<Uint8Array>,
  to: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const temp = tempPathFor(to);
  const fd = fs.openSync(temp, "wx", 0o600);
  let size = 0;
  try {
    await drain(
      body,
      (chunk) => {
        faultPoint("trash-write");
        writeAll(fd, chunk);
        size += chunk.length;
      },
      signal === undefined ? {} : { signal },
    );
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  faultPoint("trash-bytes");
  fs.renameSync(temp, to);
  fsyncFolder(dirname(to));
  return size;
}

function listEntries(folder: string): TrashEntry[] {
  const entries: TrashEntry[] = [];
  for (const id of namesIn(folder)) {
    const entry = readEntry(folder, id);
    if (entry !== undefined) entries.push(entry);
  }
  return entries.sort((a, b) => b.deletedAtMs - a.deletedAtMs || (a.id < b.id ? 1 : -1));
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw asLocalError(error, `could not read the trash "${folder}"`);
  }
}

/** Undefined for what a crash left half made: an entry counts from the moment its content is there. */
function readEntry(folder: string, id: string): TrashEntry | undefined {
  const content = fs.statSync(join(folder, id, CONTENT), { throwIfNoEntry: false });
  if (content === undefined) return undefined;
  try {
    const meta = JSON.parse(fs.readFileSync(join(folder, id, META), "utf8")) as Record<string, unknown>;
    const path = typeof meta["path"] === "string" ? parseRelPath(meta["path"]) : undefined;
    const { reason, deletedAtMs, from } = meta;
    if (path === undefined || typeof reason !== "string" || typeof deletedAtMs !== "number") return undefined;
    const elsewhere = typeof from === "string" && isAbsolute(from) ? { from } : {};
    return { id, path, reason, deletedAtMs, size: content.size, ...elsewhere };
  } catch {
    return undefined;
  }
}

function isInside(root: string, absolute: string): boolean {
  return absolute.startsWith(root.endsWith(sep) ? root : root + sep);
}

function restoreEntry(trash: Trash, entry: TrashEntry, root: string, options: RestoreOptions): Restored {
  const target = options.to ?? entry.from ?? openLocalRoot(root).fileToCreate(entry.path);
  fs.mkdirSync(dirname(target), { recursive: true });
  const temp = tempPathFor(target);
  try {
    copyDurably(trash.contentOf(entry), temp);
    const kind = place(trash, entry, temp, target, options.overwrite ?? false);
    fsyncFolder(dirname(target));
    trash.discard(entry);
    return { entry, target, kind };
  } finally {
    fs.rmSync(temp, { force: true });
  }
}

function place(trash: Trash, entry: TrashEntry, temp: string, target: string, overwrite: boolean): Restored["kind"] {
  faultPoint("trash-restore");
  try {
    fs.linkSync(temp, target);
    return "restored";
  } catch (error) {
    const found = fs.lstatSync(target, { throwIfNoEntry: false });
    if (found === undefined) return moveInto(temp, target, error);
    if (!found.isFile()) throw new LocalFileError(`could not restore to "${target}": it is not a regular file`);
  }
  if (sameContent(temp, target)) return "same";
  if (!overwrite) {
    throw new LocalFileError(
      `could not restore to "${target}": another file is there; choose another place or overwrite it`,
    );
  }
  trash.keepCopy(target, { path: entry.path, reason: "replaced by a restore from the trash" });
  fs.renameSync(temp, target);
  return "restored";
}

/** For file systems without hard links. */
function moveInto(temp: string, target: string, error: unknown): "restored" {
  if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errorCode(error) ?? "")) throw error;
  fs.renameSync(temp, target);
  return "restored";
}

function sameContent(a: string, b: string): boolean {
  if (fs.statSync(a).size !== fs.statSync(b).size) return false;
  const [x, y] = [fs.openSync(a, "r"), fs.openSync(b, "r")];
  const [p, q] = [Buffer.alloc(1 << 16), Buffer.alloc(1 << 16)];
  try {
    for (;;) {
      const count = fs.readSync(x, p, 0, p.length, null);
      if (count !== fs.readSync(y, q, 0, q.length, null)) return false;
      if (count === 0) return true;
      if (p.compare(q, 0, count, 0, count) !== 0) return false;
    }
  } finally {
    fs.closeSync(x);
    fs.closeSync(y);
  }
}

function emptyTrash(trash: Trash, folder: string, before: number): { removed: number; bytes: number } {
  const entries = trash.list();
  const old = entries.filter((entry) => entry.deletedAtMs < before);
  for (const entry of old) {
    faultPoint("trash-empty");
    trash.discard(entry);
  }
  const known = new Set(entries.map((entry) => entry.id));
  for (const name of namesIn(folder)) {
    const began = timeOfId(name);
    if (!known.has(name) && began !== undefined && began < before) fs.rmSync(join(folder, name), { recursive: true });
  }
  return { removed: old.length, bytes: old.reduce((sum, entry) => sum + entry.size, 0) };
}

/** When the entry was begun, milliseconds since 1970; undefined for a name that is not one of ours. */
function timeOfId(id: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-\d+$/.exec(id);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, ms] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}

function attempt<T>(attempted: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asLocalError(error, attempted);
  }
}
