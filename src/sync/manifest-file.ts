import * as fs from "node:fs";
import { basename, dirname } from "node:path";
import { LocalFileError } from "../backends/errors.ts";
import type { BackendKind } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { fsyncFolder, tempPathFor, writeAll } from "../lib/fs.ts";
import { ITEMS_PER_COLLECTION, releaseDuring } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import { systemState } from "../lib/system-error.ts";
import {
  formatManifestEntry,
  formatManifestKey,
  type ManifestEntry,
  type ManifestKey,
  manifestFromBase,
  manifestWithRemotes,
  parseManifestEntry,
  readManifestKey,
} from "./manifest.ts";
import { MalformedObjectError, objectMembers } from "./manifest-tokens.ts";
import type { BaseEntry } from "./model.ts";
import type { RemotePatch } from "./remote-record.ts";

export type ManifestResult =
  | {
      readonly kind: "ok";
      readonly entries: number;
      /** Keys that were dropped, as found. */
      readonly unsafe: readonly string[];
    }
  | { readonly kind: "missing" }
  /** Not one whole JSON object. The caller moves it aside with {@link setCorruptAside} and starts from nothing. */
  | { readonly kind: "corrupt"; readonly reason: string }
  /** A shape that a newer release must have written: refuse (guard `future-manifest`), never overwrite. */
  | { readonly kind: "future"; readonly reason: string };

export interface RewriteOptions {
  /** Whose record under `remotes` the changes are. */
  readonly backend: BackendKind | "memory";
  /** Records of other backends; entries that are not there get none. */
  readonly remotes?: RemotePatch;
}

export type RewriteResult = ManifestResult & { readonly written: boolean };

/**
 * Reads the shared manifest as a stream: memory does not grow with it. `onEntry` is called while the end has not been
 * seen yet, so drop what it gave unless the result is `ok`; of two entries for one path the later one counts.
 * Throws LocalFileError when the file is there and cannot be read.
 */
export function readManifest(file: string, onEntry: (path: RelPath, entry: ManifestEntry) => void): ManifestResult {
  return withManifest(file, (fd) => {
    const unsafe: string[] = [];
    let entries = 0;
    for (const member of manifestMembers(fd)) {
      if (member.key.kind === "unsafe") unsafe.push(member.name);
      if (member.key.kind !== "path") continue;
      entries++;
      onEntry(member.key.path, member.entry);
    }
    return { kind: "ok", entries, unsafe };
  });
}

/**
 * Records `changes` (undefined drops the entry) in the shared manifest: entries that do not change keep their bytes and
 * their place, new ones are appended. Temporary file, fsync, rename, fsync of the folder; nothing is written when
 * nothing would differ, or when the present file is corrupt or from the future.
 *
 * The Python tool's `.lock` (flock) cannot be taken from here. Instead the file is looked at again just before the
 * rename, and the work done anew when somebody replaced it meanwhile. Throws LocalFileError.
 */
export function rewriteManifest(
  file: string,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  options: RewriteOptions,
): RewriteResult {
  for (let attempt = 1; attempt <= 5; attempt++) {
    const result = rewriteOnce(file, changes, options);
    if (result !== "replaced") return result;
  }
  throw new LocalFileError(`could not write "${file}": another program keeps changing it; try again when it is done`);
}

/**
 * Moves a manifest that cannot be used to `….corrupt` (or `….corrupt-2` and so on when that is taken) and returns the new
 * name; `label` replaces the word.
 */
export function setCorruptAside(file: string, label = "corrupt"): string {
  for (let n = 1; ; n++) {
    const aside = n === 1 ? `${file}.${label}` : `${file}.${label}-${n}`;
    try {
      fs.linkSync(file, aside);
    } catch (error) {
      if (codeOf(error) === "EEXIST") continue;
      if (fs.existsSync(aside)) continue;
      fs.renameSync(file, aside);
      return aside;
    }
    faultPoint("manifest-aside");
    fs.unlinkSync(file);
    return aside;
  }
}

interface Member {
  readonly name: string;
  readonly rawKey: string;
  readonly rawValue: string;
  readonly key: ManifestKey;
  readonly entry: ManifestEntry;
}

class FutureShapeError extends Error {}

function* manifestMembers(fd: number): Generator<Member> {
  for (const raw of objectMembers(textOf(fd))) {
    const name = parseJson(raw.key) as string;
    const entry = parseManifestEntry(parseJson(raw.value));
    if (entry === undefined) {
      throw new FutureShapeError(`the value of ${raw.key} has a shape that this version does not know`);
    }
    yield { name, rawKey: raw.key, rawValue: raw.value, key: readManifestKey(name, entry), entry };
  }
}

/** The values are looked at one by one: each may be made when it is asked for. */
function holdsEntry(changes: ReadonlyMap<RelPath, BaseEntry | undefined>): boolean {
  for (const base of changes.values()) if (base !== undefined) return true;
  return false;
}

function rewriteOnce(
  file: string,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  options: RewriteOptions,
): RewriteResult | "replaced" {
  const before = identity(file);
  if (before === undefined && !holdsEntry(changes)) {
    return { kind: "missing", written: false };
  }
  const temp = tempPathFor(file);
  const out = openTemp(temp, file, before?.mode);
  try {
    faultPoint("manifest-temp");
    const result =
      before === undefined ? streamNew(file, out, changes, options) : streamOld(file, out, changes, options);
    if (!result.written) return result;
    fs.fsyncSync(out);
    if (identity(file)?.mark !== before?.mark) return "replaced";
    faultPoint(`atomic-rename ${basename(file)}`);
    fs.renameSync(temp, file);
    fsyncFolder(dirname(file));
    return result;
  } catch (error) {
    throw localError(error, `could not write "${file}"`);
  } finally {
    fs.closeSync(out);
    fs.rmSync(temp, { force: true });
  }
}

function openTemp(temp: string, file: string, mode: number | undefined): number {
  try {
    const fd = fs.openSync(temp, "wx", mode ?? 0o644);
    if (mode !== undefined) fs.fchmodSync(fd, mode);
    return fd;
  } catch (error) {
    throw localError(error, `could not write "${file}"`);
  }
}

function streamNew(
  file: string,
  fd: number,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  options: RewriteOptions,
): RewriteResult {
  const out = memberWriter(fd, file);
  const entries = append(out, changes, new Set(), options);
  out.end();
  return { kind: "ok", entries, unsafe: [], written: true };
}

function streamOld(
  file: string,
  outFd: number,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  options: RewriteOptions,
): RewriteResult {
  let written = false;
  const result = withManifest(file, (fd) => {
    const out = memberWriter(outFd, file);
    const done = new Set<RelPath>();
    const unsafe: string[] = [];
    let entries = 0;
    for (const member of manifestMembers(fd)) {
      const kept = keptValue(member, changes, done, options);
      if (member.key.kind === "unsafe") unsafe.push(member.name);
      if (kept === undefined) {
        written = true;
        continue;
      }
      if (kept.value !== member.rawValue) written = true;
      out.member(kept.key, kept.value);
      if (++entries % ITEMS_PER_COLLECTION === 0) releaseDuring(entries);
    }
    const added = append(out, changes, done, options);
    out.end();
    written ||= added > 0;
    return { kind: "ok", entries: entries + added, unsafe };
  });
  return { ...result, written: written && result.kind === "ok" };
}

/** What stands for an old member in the new file; undefined when nothing does. */
function keptValue(
  member: Member,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  done: Set<RelPath>,
  options: RewriteOptions,
): { readonly key: string; readonly value: string } | undefined {
  if (member.key.kind === "unsafe") return undefined;
  const asIs = { key: member.rawKey, value: member.rawValue };
  if (member.key.kind === "foreign") return asIs;
  const records = options.remotes?.records.get(member.key.path);
  if (options.remotes && records && !changes.has(member.key.path)) {
    const entry = manifestWithRemotes(member.entry, records, options.remotes.names);
    return { key: member.rawKey, value: formatManifestEntry(entry) };
  }
  if (!changes.has(member.key.path)) return asIs;
  if (done.has(member.key.path)) return undefined;
  done.add(member.key.path);
  const base = changes.get(member.key.path);
  if (base === undefined) return undefined;
  const value = formatManifestEntry(manifestFromBase(base, options.backend, member.entry));
  return { key: formatManifestKey(member.key.path), value };
}

function append(
  out: MemberWriter,
  changes: ReadonlyMap<RelPath, BaseEntry | undefined>,
  done: ReadonlySet<RelPath>,
  options: RewriteOptions,
): number {
  let added = 0;
  for (const [path, base] of changes) {
    if (base === undefined || done.has(path)) continue;
    out.member(formatManifestKey(path), formatManifestEntry(manifestFromBase(base, options.backend, undefined)));
    if (++added % ITEMS_PER_COLLECTION === 0) releaseDuring(changes.size);
  }
  return added;
}

interface MemberWriter {
  member(key: string, value: string): void;
  end(): void;
}

/** Writes an object's members with the Python tool's separators, in pieces of about 256 KiB. */
function memberWriter(fd: number, file: string): MemberWriter {
  let held = "{";
  let count = 0;
  const flush = () => {
    try {
      writeAll(fd, Buffer.from(held));
    } catch (error) {
      throw localError(error, `could not write "${file}"`);
    }
    held = "";
  };
  return {
    member(key, value) {
      held += `${count++ === 0 ? "\n  " : ",\n  "}${key}: ${value}`;
      if (held.length >= 1 << 18) flush();
    },
    end() {
      held += count === 0 ? "}" : "\n}";
      flush();
    },
  };
}

function withManifest(file: string, use: (fd: number) => ManifestResult): ManifestResult {
  let fd: number | undefined;
  try {
    fd = fs.openSync(file, "r");
    return use(fd);
  } catch (error) {
    if (fd === undefined && codeOf(error) === "ENOENT") return { kind: "missing" };
    if (error instanceof FutureShapeError) return { kind: "future", reason: error.message };
    if (error instanceof MalformedObjectError) return { kind: "corrupt", reason: error.message };
    throw localError(error, `could not read "${file}"`);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** The file's text in pieces; bytes that are not UTF-8 make it corrupt. */
function textOf(fd: number): (size: number) => string | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let ended = false;
  return (size) => {
    if (ended) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    const count = fs.readSync(fd, bytes, 0, size, null);
    ended = count === 0;
    try {
      return decoder.decode(bytes.subarray(0, count), { stream: !ended });
    } catch {
      throw new MalformedObjectError("it holds bytes that are not UTF-8 text");
    }
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedObjectError(`${JSON.stringify(text.slice(0, 40))} is not JSON`);
  }
}

function identity(file: string): { readonly mark: string; readonly mode: number } | undefined {
  const stat = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return { mark: `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`, mode: Number(stat.mode) & 0o777 };
}

function localError(error: unknown, attempted: string): Error {
  if (error instanceof LocalFileError || !(error instanceof Error)) return error as Error;
  const code = codeOf(error);
  if (code === undefined) return error;
  return new LocalFileError(`${attempted}: ${systemState(error)}`, { code, cause: error });
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
