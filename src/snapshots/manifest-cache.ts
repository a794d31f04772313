import * as fs from "node:fs";
import { join } from "node:path";
import type { RemoteFile } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";
import { quoteAscii } from "../lib/json.ts";
import type { RelPath } from "../lib/path.ts";
import { formatManifest, parseManifest } from "./manifest-codec.ts";
import type { BlobsManifest, SnapshotFormat, SnapshotInfo } from "./model.ts";

/** Enough for a header with 101 changed files of usual length; a longer one is read whole. */
const HEAD_BYTES = 16 * 1024;
/** What stands between a key and its text in a manifest. */
const BEFORE_VALUE = '": "';

/**
 * What one cached snapshot looked like on the remote. A null rev: we wrote it and were not told, so the size decides.
 * An empty one: it was racy, so it matches no listing and is only kept to notice when the snapshot vanishes.
 */
interface Header {
  readonly rev: string | null;
  /** Bytes on the remote. */
  readonly size: number;
  readonly info: SnapshotInfo;
  /** SHA-256 of what follows the header's line. */
  readonly digest: string;
}

/**
 * Manifests of snapshots as they were last seen, one local file each. They never change on the remote, so one whose
 * version is still the listed one need not be read again. Every method treats an unreadable file as absent.
 */
export interface ManifestCache {
  /** Names of the cached snapshots of a format. */
  names(format: SnapshotFormat): readonly string[];
  /** `file` is the manifest as the remote lists it; left out for a full snapshot, whose marker is known by name alone. */
  info(name: string, file?: RemoteFile): SnapshotInfo | undefined;
  manifest(name: string, file?: RemoteFile): BlobsManifest | undefined;
  /** True when the cached manifest is the one that `file` describes. */
  isCurrent(name: string, file: RemoteFile): boolean;
  /**
   * Every digest that the manifest names, some more than once. Undefined unless the cached one surely is the listed
   * version (an equal size is not enough) and all of it could be used.
   */
  digests(name: string, file: RemoteFile): Iterable<string> | undefined;
  /** Every digest that `text` names, some more than once, when it is the cached manifest byte for byte and all of it can be used. */
  digestsIfSame(name: string, text: string): Iterable<string> | undefined;
  /** The digest of one path (undefined when the snapshot lacks it), or "unknown" when this is not in the cache. */
  digestOf(name: string, file: RemoteFile, path: RelPath): string | undefined | "unknown";
  /** `text` is the manifest as `formatManifest` spells it, where the caller has it at hand. */
  put(manifest: BlobsManifest, remote: { readonly rev: string | null; readonly size: number }, text?: string): void;
  putFull(info: SnapshotInfo): void;
  drop(name: string, format: SnapshotFormat): void;
  /** When the names on the remote were last listed, milliseconds since 1970. */
  lastLook(): number | undefined;
  setLastLook(ms: number): void;
  /** Full snapshots whose deletion this machine has begun and not finished. */
  forgetting(): readonly string[];
  setForgetting(names: readonly string[]): void;
}

/** Where the cache is in a project's state folder. */
export function manifestCacheFolder(stateFolder: string): string {
  return join(stateFolder, "snapshots", "manifests");
}

/** Names of all cached snapshots of a project, newest first. */
export function cachedSnapshotNames(stateFolder: string): readonly string[] {
  const cache = openManifestCache(manifestCacheFolder(stateFolder));
  return [...new Set([...cache.names("blobs"), ...cache.names("full")])].sort().reverse();
}

/** Opens the cache in `folder`, which is made when first needed. */
export function openManifestCache(folder: string): ManifestCache {
  const fileOf = (name: string, format: SnapshotFormat): string => join(folder, `${name}.${format}`);
  const lookFile = join(folder, "last-look");
  const forgettingFile = join(folder, "forgetting");
  return {
    names: (format) => listNames(folder, `.${format}`),
    info: (name, file) => {
      const header = readHeader(fileOf(name, file ? "blobs" : "full"));
      return header && isCurrent(header, file) ? header.info : undefined;
    },
    manifest(name, file) {
      const found = readEntry(fileOf(name, "blobs"), file);
      const parsed = found && parseManifest(found.body, name);
      if (parsed?.kind !== "ok") return undefined;
      const { problem } = found?.header.info ?? {};
      return problem === undefined ? parsed.manifest : { ...parsed.manifest, problem };
    },
    isCurrent(name, file) {
      const header = readHeader(fileOf(name, "blobs"));
      return header !== undefined && isCurrent(header, file);
    },
    digests(name, file) {
      const found = readEntry(fileOf(name, "blobs"), file);
      if (found?.header.rev !== file.rev || found.header.info.problem !== undefined) return undefined;
      return digestsIn(found.body);
    },
    digestsIfSame(name, text) {
      const header = readHeader(fileOf(name, "blobs"));
      const isSame = header?.info.problem === undefined && header?.digest === hashBytes("sha256", text);
      return isSame ? digestsIn(text) : undefined;
    },
    digestOf(name, file, path) {
      const found = readEntry(fileOf(name, "blobs"), file);
      return found ? findDigest(found.body, path) : "unknown";
    },
    put(manifest, remote, text) {
      const { files: _, ...info } = manifest;
      store(
        fileOf(manifest.timestamp, "blobs"),
        { rev: remote.rev, size: remote.size, info },
        text ?? formatManifest(manifest),
      );
    },
    putFull: (info) => store(fileOf(info.timestamp, "full"), { rev: null, size: 0, info }, ""),
    drop: (name, format) => fs.rmSync(fileOf(name, format), { force: true }),
    lastLook: () => Number(readText(lookFile) || Number.NaN) || undefined,
    forgetting: () => (readText(forgettingFile) ?? "").split("\n").filter((name) => name !== ""),
    setForgetting(names) {
      faultPoint("forget-intent");
      if (names.length > 0) writeQuietly(forgettingFile, names.join("\n"));
      else fs.rmSync(forgettingFile, { force: true });
    },
    setLastLook: (ms) => writeQuietly(lookFile, String(ms)),
  };
}

function store(file: string, header: Omit<Header, "digest">, body: string): void {
  faultPoint("manifest-cache");
  writeQuietly(file, `${JSON.stringify({ ...header, digest: hashBytes("sha256", body) })}\n${body}`);
}

/** A cache that cannot be written costs time only; the run goes on. */
function writeQuietly(file: string, content: string): void {
  try {
    writeAtomic(file, content, { mode: 0o600, durable: false });
  } catch {
    fs.rmSync(file, { force: true });
  }
}

function listNames(folder: string, ending: string): string[] {
  try {
    const found = fs.readdirSync(folder).filter((name) => name.endsWith(ending));
    return found.map((name) => name.slice(0, -ending.length)).sort();
  } catch {
    return [];
  }
}

function readHeader(file: string): Header | undefined {
  const head = readHead(file);
  const end = head?.indexOf("\n") ?? -1;
  const line = end < 0 ? readText(file)?.split("\n", 1)[0] : head?.slice(0, end);
  return line === undefined ? undefined : parseHeader(line);
}

interface Entry {
  readonly header: Header;
  readonly body: string;
}

function readEntry(file: string, remote: RemoteFile | undefined): Entry | undefined {
  const text = readText(file);
  const end = text?.indexOf("\n") ?? -1;
  if (text === undefined || end < 0) return undefined;
  const header = parseHeader(text.slice(0, end));
  const body = text.slice(end + 1);
  if (!header || (remote && !isCurrent(header, remote)) || header.digest !== hashBytes("sha256", body))
    return undefined;
  return { header, body };
}

/** The digests in a body that `formatManifest` wrote, many times faster than parsing it: no text in it holds a bare quote. */
function digestsIn(body: string): string[] {
  const digests: string[] = [];
  for (let at = body.indexOf(BEFORE_VALUE); at >= 0; at = body.indexOf(BEFORE_VALUE, at + BEFORE_VALUE.length)) {
    const value = body.slice(at + BEFORE_VALUE.length, at + BEFORE_VALUE.length + 65);
    if (value.endsWith('"')) digests.push(value.slice(0, -1));
  }
  return digests;
}

function parseHeader(line: string): Header | undefined {
  try {
    const header = JSON.parse(line) as Header;
    return typeof header.digest === "string" && typeof header.info?.timestamp === "string" ? header : undefined;
  } catch {
    return undefined;
  }
}

function isCurrent(header: Header, file: RemoteFile | undefined): boolean {
  return file === undefined || (header.size === file.size && (header.rev === null || header.rev === file.rev));
}

/** Finds one entry in a body that `formatManifest` wrote, some 50 times faster than parsing it. */
function findDigest(text: string, path: RelPath): string | undefined {
  const key = `\n    ${quoteAscii(path)}: "`;
  const at = text.indexOf(key);
  return at < 0 ? undefined : text.slice(at + key.length, at + key.length + 64);
}

function readHead(file: string): string | undefined {
  try {
    const fd = fs.openSync(file, "r");
    try {
      const bytes = Buffer.allocUnsafe(HEAD_BYTES);
      return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, HEAD_BYTES, 0));
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
