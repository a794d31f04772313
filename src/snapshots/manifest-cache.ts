import * as fs from "node:fs";
import { join } from "node:path";
import type { RemoteFile } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";
import { quoteAscii } from "../lib/json.ts";
import { type RelPath, relPath } from "../lib/path.ts";
import { type ContentTally, tallyContents } from "./content-tally.ts";
import { digestsOfPath, type Entries, type EntryList, eachDigestAt } from "./delta-log.ts";
import { type HashSet, hashSet } from "./hash-set.ts";
import { manifestText } from "./manifest-codec.ts";
import type { BlobsManifest, SnapshotFormat, SnapshotInfo } from "./model.ts";
import { openSnapshotIndex } from "./snapshot-index.ts";

/** What stands between a key and its text in a manifest. */
const BEFORE_VALUE = '": "';
/** Around the list of files. */
const FILES_BEGIN = '\n  "files": {\n';
const FILES_END = "\n  }";

/**
 * Manifests of snapshots as they were last seen, and what each changed. They never change on the remote, so one whose
 * version is still the listed one need not be read again. What is damaged counts as never seen.
 */
export interface ManifestCache {
  /** Names of the cached snapshots of a format, oldest first. */
  names(format: SnapshotFormat): readonly string[];
  /** `file` is the manifest as the remote lists it; left out for a full snapshot, whose marker is known by name alone. */
  info(name: string, file?: RemoteFile): SnapshotInfo | undefined;
  manifest(name: string, file?: RemoteFile): BlobsManifest | undefined;
  /** True when the cached manifest is the one that `file` describes. */
  isCurrent(name: string, file: RemoteFile): boolean;
  /** True when it surely is (an equal size is not enough) and all of it could be used. */
  isExact(name: string, file: RemoteFile): boolean;
  /** Every digest that `text` names, some more than once, when it is the cached manifest byte for byte and all of it can be used. */
  digestsIfSame(name: string, text: string): Iterable<string> | undefined;
  /** Every digest that any of these cached snapshots names. */
  digestsOf(names: Iterable<string>): Set<string>;
  /** Whether this cached snapshot names all of these digests. */
  namesAll(name: string, sha256s: HashSet): boolean;
  /** The digest of one path in every cached snapshot; undefined where that lacks it. */
  versionsOf(path: RelPath): ReadonlyMap<string, string | undefined>;
  /** What the cached blobs snapshots hold together; sizes are asked for by digest. */
  tally(sizeOf: (sha256: string) => number | undefined): ContentTally;
  /** `content` is the SHA-256 of the manifest as `formatManifest` spells it, where the caller has it at hand. */
  put(manifest: BlobsManifest, remote: { readonly rev: string | null; readonly size: number }, content?: string): void;
  putFull(info: SnapshotInfo): void;
  drop(names: Iterable<string>, format: SnapshotFormat): void;
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
  const index = openSnapshotIndex(join(folder, "index"));
  const lookFile = join(folder, "last-look");
  const forgettingFile = join(folder, "forgetting");
  const isCurrent = (name: string, file: RemoteFile | undefined): boolean => {
    const head = index.heads("blobs").get(name)?.head;
    return (
      head !== undefined &&
      (file === undefined || (head.size === file.size && (head.rev === null || head.rev === file.rev)))
    );
  };
  return {
    names: (format) => [...index.heads(format).keys()].sort(),
    info(name, file) {
      if (file === undefined) return index.heads("full").get(name)?.head.info;
      return isCurrent(name, file) ? index.heads("blobs").get(name)?.head.info : undefined;
    },
    manifest(name, file) {
      const found = isCurrent(name, file) ? index.heads("blobs").get(name) : undefined;
      const entries = found && index.entries(found.at);
      if (found?.head.info === undefined || entries === undefined) return undefined;
      return { ...found.head.info, format: "blobs", files: filesOf(entries) };
    },
    isCurrent,
    isExact(name, file) {
      const head = index.heads("blobs").get(name)?.head;
      return head?.rev === file.rev && head.info?.problem === undefined;
    },
    digestsIfSame(name, text) {
      const head = index.heads("blobs").get(name)?.head;
      const isSame = head?.info?.problem === undefined && head?.content === hashBytes("sha256", text);
      return isSame ? digestsIn(text) : undefined;
    },
    digestsOf: (names) => index.digestsOf(names),
    namesAll(name, sha256s) {
      const left = hashSet();
      left.addPacked(sha256s.packed(0));
      const at = index.heads("blobs").get(name)?.at;
      if (at !== undefined) eachDigestAt(index.log(), at, (sha256) => void left.delete(sha256));
      return left.size === 0;
    },
    versionsOf(path) {
      const log = index.log();
      const found = digestsOfPath(log, path);
      return new Map([...index.heads("blobs")].map(([name, { at }]) => [name, found[at]]));
    },
    tally: (sizeOf) => tallyContents(index.log(), index.heads("blobs"), sizeOf),
    put(manifest, { rev, size }, content = manifestText(manifest).sha256) {
      const { files, ...info } = manifest;
      index.putState({ name: manifest.timestamp, rev, size, info, content }, quotedFiles(files));
    },
    putFull: (info) => index.putFull(info),
    drop: (names, format) => index.drop(names, format),
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

/** The entries of these files, made each time they are asked for. */
function quotedFiles(files: ReadonlyMap<RelPath, string>): EntryList {
  return {
    size: files.size,
    forEach(visit) {
      files.forEach((sha256, path) => {
        visit(sha256, quoteAscii(path));
      });
    },
  };
}

function filesOf(entries: Entries): Map<RelPath, string> {
  const files = new Map<RelPath, string>();
  for (const [quoted, sha256] of entries) {
    files.set(relPath(quoted.includes("\\") ? JSON.parse(quoted) : quoted.slice(1, -1)), sha256);
  }
  return files;
}

/** The digests in a text that `formatManifest` wrote, many times faster than parsing it: no text in it holds a bare quote. */
function digestsIn(body: string): string[] {
  const digests: string[] = [];
  const begin = body.indexOf(FILES_BEGIN);
  const end = begin < 0 ? -1 : body.indexOf(FILES_END, begin);
  for (let at = body.indexOf(BEFORE_VALUE, begin); at >= 0 && at < end; at = body.indexOf(BEFORE_VALUE, at + 1)) {
    digests.push(body.slice(at + BEFORE_VALUE.length, at + BEFORE_VALUE.length + 64));
  }
  return digests;
}

/** A cache that cannot be written costs time only; the run goes on. */
function writeQuietly(file: string, content: string): void {
  try {
    writeAtomic(file, content, { mode: 0o600, durable: false });
  } catch {
    fs.rmSync(file, { force: true });
  }
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
