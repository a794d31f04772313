import type { BackendKind } from "../backends/types.ts";
import { dumpPython, type PythonJson, quoteAscii } from "../lib/json.ts";
import { parseRelPath, type RelPath } from "../lib/path.ts";
import type { BaseEntry } from "./model.ts";
import { formatRemoteRecord, outdated, type RemoteRecord } from "./remote-record.ts";

/** One value of the shared manifest (reference 1.3), as found: hashes and ids are not put in canonical form. */
export interface ManifestEntry {
  /** MD5 of the local bytes at the last sync, `""` when nobody knew. */
  readonly syncedHash: string;
  readonly remoteFileId: string;
  readonly syncedAt: string;
  readonly syncedRemoteHash: string;
  /** What each backend's own record says, untouched, in the file's order. */
  readonly remotes: ReadonlyMap<string, PythonJson>;
}

/** What a key of the shared manifest stands for. */
export type ManifestKey =
  | { readonly kind: "path"; readonly path: RelPath }
  /** It could point out of the root: dropped. */
  | { readonly kind: "unsafe" }
  /** A name that is not Unicode text, which we cannot open: left in the file, never acted upon. */
  | { readonly kind: "foreign" };

/**
 * Reads one value leniently: the first format's `drive_file_id`, a missing `synced_remote_hash` (then `synced_hash`),
 * `remotes` entries that are no objects (skipped), numbers for text. Undefined when the shape is not one we know.
 */
export function parseManifestEntry(value: unknown): ManifestEntry | undefined {
  if (!isObject(value)) return undefined;
  const id = value["remote_file_id"] ?? value["drive_file_id"];
  if (value["synced_hash"] === undefined && id === undefined) return undefined;
  const syncedHash = text(value["synced_hash"]);
  const remotes = new Map<string, PythonJson>();
  if (isObject(value["remotes"])) {
    for (const [name, remote] of Object.entries(value["remotes"])) {
      if (isObject(remote)) remotes.set(name, remote as PythonJson);
    }
  }
  return {
    syncedHash,
    remoteFileId: text(id),
    syncedAt: text(value["synced_at"]),
    syncedRemoteHash: value["synced_remote_hash"] === undefined ? syncedHash : text(value["synced_remote_hash"]),
    remotes,
  };
}

/** The value as the Python tool spells it inside the manifest: two spaces a level, nested one level deep. */
export function formatManifestEntry(entry: ManifestEntry): string {
  const fields = new Map<string, PythonJson>([
    ["synced_hash", entry.syncedHash],
    ["remote_file_id", entry.remoteFileId],
    ["synced_at", entry.syncedAt],
    ["synced_remote_hash", entry.syncedRemoteHash],
  ]);
  if (entry.remotes.size > 0) fields.set("remotes", entry.remotes);
  return dumpPython(fields, { indent: 2 }).replaceAll("\n", "\n  ");
}

/** The key as it stands in the file, quotes included. */
export function formatManifestKey(path: RelPath): string {
  return quoteAscii(path);
}

/**
 * The path that a key stands for. Releases before 0.5.53 wrote backslashes on Windows; a backslash is a separator
 * unless the remote's id holds one too, which only a file that has it in its name brings about.
 */
export function readManifestKey(key: string, entry: ManifestEntry): ManifestKey {
  if (!key.isWellFormed()) return { kind: "foreign" };
  const legacy = key.includes("\\") && !entry.remoteFileId.includes("\\");
  const path = parseRelPath(legacy ? key.replaceAll("\\", "/") : key);
  return path === undefined ? { kind: "unsafe" } : { kind: "path", path };
}

/** The merge base that an entry stands for. `canonicalHash` is the backend's. */
export function baseFromManifest(
  path: RelPath,
  entry: ManifestEntry,
  canonicalHash: (stored: string) => string,
): BaseEntry {
  return {
    path,
    md5: entry.syncedHash,
    remoteId: entry.remoteFileId,
    nativeHash: canonicalHash(entry.syncedRemoteHash),
    racy: false,
    syncedAt: entry.syncedAt,
  };
}

/**
 * The entry that records `base` for `backend`. Other backends' records of `previous` are kept, marked as waiting where
 * they speak of another content.
 */
export function manifestFromBase(
  base: BaseEntry,
  backend: BackendKind | "memory",
  previous: ManifestEntry | undefined,
): ManifestEntry {
  const remotes = new Map(previous?.remotes);
  if (previous !== undefined && previous.syncedHash !== base.md5) {
    for (const [name, record] of remotes) remotes.set(name, outdated(record, base.md5));
  }
  remotes.set(
    backend,
    formatRemoteRecord({
      remoteFileId: base.remoteId,
      syncedRemoteHash: base.nativeHash,
      state: "ok",
      lastError: "",
      lastAttempt: base.syncedAt,
      intendedHash: "",
      attempts: 0,
    }),
  );
  return {
    syncedHash: base.md5,
    remoteFileId: base.remoteId,
    syncedAt: base.syncedAt,
    syncedRemoteHash: base.nativeHash,
    remotes,
  };
}

/** The entry with some backends' records changed and those of backends that are none any more left out. */
export function manifestWithRemotes(
  entry: ManifestEntry,
  records: ReadonlyMap<string, RemoteRecord>,
  names: ReadonlySet<string>,
): ManifestEntry {
  const remotes = new Map([...entry.remotes].filter(([name]) => names.has(name)));
  for (const [name, record] of records) remotes.set(name, formatRemoteRecord(record));
  return { ...entry, remotes };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : "";
}
