import { blobPath, SNAPSHOTS_FOLDER } from "../../src/backends/layout.ts";
import { META_NAME } from "../../src/snapshots/full-folder.ts";
import { parseManifest, parseMeta } from "../../src/snapshots/manifest-codec.ts";
import type { MemoryEntry } from "../support/memory-store.ts";
import { digest } from "../support/tree.ts";
import type { World } from "./engine-model.ts";

/** A snapshot that the remote shows as complete. */
export interface SeenSnapshot {
  readonly timestamp: string;
  readonly format: "blobs" | "full";
  /** Path to SHA-256: as the manifest names them, or as the folder holds them. */
  readonly files: ReadonlyMap<string, string>;
  /** How many files a full one says that it has. */
  readonly told?: number;
}

/** What one path below the snapshots folder is. */
export type SnapshotPart =
  | { readonly kind: "manifest" | "claim" | "marker"; readonly timestamp: string }
  | { readonly kind: "copy"; readonly timestamp: string; readonly path: string };

const SHAPE = /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)(?:(\.json)|(\.claim)|\/(.+))$/;

/** Undefined outside the snapshots folder. Throws for what has no business in it. */
export function snapshotPart(path: string): SnapshotPart | undefined {
  if (!path.startsWith(`${SNAPSHOTS_FOLDER}/`)) return;
  const [, timestamp, json, claim, copy] = SHAPE.exec(path.slice(SNAPSHOTS_FOLDER.length + 1)) ?? [];
  if (timestamp === undefined) throw new Error(`"${path}" is no part of a snapshot`);
  if (json !== undefined) return { kind: "manifest", timestamp };
  if (claim !== undefined) return { kind: "claim", timestamp };
  if (copy === META_NAME) return { kind: "marker", timestamp };
  return { kind: "copy", timestamp, path: copy ?? "" };
}

/** Those that have a manifest, or a marker in their folder; oldest name first. What has neither holds nothing. */
export function completeSnapshots(world: World): readonly SeenSnapshot[] {
  const copies = new Map<string, Map<string, string>>();
  const found: SeenSnapshot[] = [];
  const markers: { readonly timestamp: string; readonly told: number }[] = [];
  for (const entry of world.store.files.values()) {
    const part = snapshotPart(entry.path);
    if (part === undefined) continue;
    const { timestamp } = part;
    switch (part.kind) {
      case "manifest":
        found.push({ timestamp, format: "blobs", files: namedIn(entry, timestamp) });
        break;
      case "marker":
        markers.push({ timestamp, told: toldBy(entry, timestamp) });
        break;
      case "copy": {
        const held = copies.get(timestamp) ?? new Map();
        copies.set(timestamp, held.set(part.path, digestOf(entry)));
      }
    }
  }
  for (const { timestamp, told } of markers) {
    found.push({ timestamp, format: "full", files: copies.get(timestamp) ?? new Map(), told });
  }
  return found.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
}

export function snapshotNamed(world: World, timestamp: string): SeenSnapshot | undefined {
  return completeSnapshots(world).find((it) => it.timestamp === timestamp);
}

/** Folders and claims of full snapshots that are not finished. */
export function unfinished(world: World): readonly string[] {
  const complete = new Set(completeSnapshots(world).map(({ timestamp }) => timestamp));
  const begun = [...world.store.files.values()].map(({ path }) => snapshotPart(path));
  const open = begun.filter((part) => part !== undefined && (part.kind === "claim" || !complete.has(part.timestamp)));
  return [...new Set(open.map((part) => part?.timestamp ?? ""))].sort();
}

/** The contents that can be had back from it. */
export function* bodiesIn(world: World, { format, files }: SeenSnapshot): Iterable<string> {
  for (const sha256 of files.values()) if (format === "full" || holdsBlob(world, sha256)) yield sha256;
}

/** I30: what is wrong with it; undefined when all that it names or counts is there, whole. */
export function flawOf(world: World, { format, files, told }: SeenSnapshot): string | undefined {
  for (const [path, sha256] of files) {
    if (format === "blobs" && !holdsBlob(world, sha256)) return `the body of "${path}" is missing or damaged`;
    if (format === "full" && !world.ever.has(sha256)) return `its copy of "${path}" holds what nobody wrote`;
  }
  if (told === undefined || told === files.size) return;
  return `it says that it has ${told} files and has ${files.size}`;
}

function holdsBlob({ store }: World, sha256: string): boolean {
  const blob = store.get(blobPath(sha256));
  return blob !== undefined && digestOf(blob) === sha256;
}

const parsed = new WeakMap<MemoryEntry, ReadonlyMap<string, string>>();

function namedIn(entry: MemoryEntry, timestamp: string): ReadonlyMap<string, string> {
  let files = parsed.get(entry);
  if (files === undefined) {
    const manifest = parseManifest(textOf(entry), timestamp);
    if (manifest.kind !== "ok") throw new Error(`the manifest ${timestamp} cannot be read`);
    files = manifest.manifest.files;
    parsed.set(entry, files);
  }
  return files;
}

function toldBy(entry: MemoryEntry, timestamp: string): number {
  const meta = parseMeta(textOf(entry), timestamp);
  if (meta.kind !== "ok") throw new Error(`the marker of ${timestamp} cannot be read`);
  return meta.info.totalFiles;
}

function textOf({ bytes }: MemoryEntry): string {
  return new TextDecoder().decode(bytes);
}

const digests = new WeakMap<MemoryEntry, string>();

export function digestOf(entry: MemoryEntry): string {
  let sha256 = digests.get(entry);
  if (sha256 === undefined) {
    sha256 = digest(entry.bytes);
    digests.set(entry, sha256);
  }
  return sha256;
}
