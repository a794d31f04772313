import * as fs from "node:fs";
import { BackendError, LocalFileError } from "../backends/errors.ts";
import { blobPath } from "../backends/layout.ts";
import { hashBytes } from "../lib/hash.ts";
import { nameOf, type RelPath } from "../lib/path.ts";
import { isSystemError } from "../lib/system-error.ts";
import type { Finding } from "../snapshots/model.ts";
import { readThrough } from "../sync/contents.ts";
import { fileStat } from "../sync/file-stat.ts";
import { digestFile } from "../sync/local-content.ts";
import type { Look } from "../sync/look.ts";
import type { ContentHash } from "../sync/model.ts";
import type { TrashEntry } from "../sync/trash.ts";
import type { Parts } from "./parts.ts";
import type { Place } from "./place.ts";

/** Where the bytes of a content are. */
export type ContentSource =
  | { readonly kind: "local"; readonly path: RelPath }
  | { readonly kind: "trash"; readonly entry: TrashEntry }
  | { readonly kind: "remote"; readonly place: Place; readonly path: RelPath }
  /** A manifest as this machine last saw it. */
  | { readonly kind: "text"; readonly text: string; readonly where: string };

/** Where the manifests are from that this machine has seen whole. */
export const REMEMBERED = "what this machine remembers";

export interface FoundSource {
  readonly source: ContentSource;
  /** Digest of what `source` holds, which was just read. */
  readonly sha256: string;
}

/** Contents met on the way in files that are no blobs, by SHA-256. */
export type SeenContents = Map<string, { readonly place: string; readonly path: RelPath }>;

/** Finds the right bytes of what is damaged. */
export interface ContentFinder {
  readonly places: readonly Place[];
  /** The first place whose bytes were read and are right; undefined when there is none. */
  find(finding: Finding): Promise<FoundSource | undefined>;
}

export interface FinderOptions {
  readonly places: readonly Place[];
  readonly seen: SeenContents;
}

/** Looks on this machine first, then on every remote. Everything is read before it is believed. */
export function contentFinder(parts: Parts, { places, seen }: FinderOptions): ContentFinder {
  const lazy = lazily(parts);
  async function* candidates(finding: Finding): AsyncIterable<ContentSource> {
    const { sha256, files = [] } = finding;
    const live = sha256 === undefined ? [] : ((await lazy.paths()).get(sha256) ?? []);
    for (const path of new Set([...files, ...live])) yield { kind: "local", path };
    if (sha256 !== undefined) for (const place of places) yield { kind: "remote", place, path: blobPath(sha256) };
    for (const path of new Set([...files, ...live])) for (const place of places) yield { kind: "remote", place, path };
    const met = seen.get(sha256 ?? "");
    const place = places.find(({ name }) => name === met?.place);
    if (met && place) yield { kind: "remote", place, path: met.path };
    for (const entry of parts.trash.list()) yield { kind: "trash", entry };
  }
  return {
    places,
    async find(finding) {
      if (finding.phase === "manifests") return findManifest(parts, places, finding);
      if (finding.sha256 === undefined && finding.md5 === undefined) return undefined;
      for await (const source of candidates(finding)) {
        if (source.kind === "remote" && source.place.name === finding.place && source.path === finding.path) continue;
        const hash = source.kind === "trash" ? await lazy.trashed(source.entry) : await digestOf(parts, source);
        if (hash && (finding.sha256 === undefined ? hash.md5 === finding.md5 : hash.sha256 === finding.sha256)) {
          return { source, sha256: hash.sha256 };
        }
      }
      return undefined;
    },
  };
}

/** What costs much and is asked for only when something is damaged. */
function lazily(parts: Parts) {
  let paths: Promise<Map<string, RelPath[]>> | undefined;
  const trashed = new Map<string, Promise<ContentHash | undefined>>();
  return {
    /** Files by the content that they have or had when both sides agreed. */
    paths() {
      paths ??= parts.sync.look({ files: [], cache: false }).then((look) => pathsByContent(parts, look));
      return paths;
    },
    trashed(entry: TrashEntry) {
      const known = trashed.get(entry.id) ?? digestOf(parts, { kind: "trash", entry });
      trashed.set(entry.id, known);
      return known;
    },
  };
}

async function pathsByContent({ sync }: Parts, look: Look): Promise<Map<string, RelPath[]>> {
  const paths = new Map<string, RelPath[]>();
  const add = (sha256: string | undefined, path: RelPath): void => {
    if (sha256 === undefined) return;
    const known = paths.get(sha256);
    if (known === undefined) paths.set(sha256, [path]);
    else if (known.at(-1) !== path) known.push(path);
  };
  for (const { path, local, base } of look.everything()) {
    add(base?.sha256, path);
    if (local.kind !== "file") continue;
    if (local.hash !== undefined) add(local.hash.sha256, path);
    else if (local.changed) add((await quietly(() => sync.tools.hashLocal(path)))?.hash.sha256, path);
  }
  return paths;
}

/** Undefined where it cannot be read: it is then no source. */
async function digestOf(parts: Parts, source: ContentSource): Promise<ContentHash | undefined> {
  const { signal } = parts.deps;
  switch (source.kind) {
    case "local":
      return (await quietly(() => parts.sync.tools.hashLocal(source.path)))?.hash;
    case "remote":
      return (await quietly(() => readThrough(source.place.backend, source.path, { signal })))?.hash;
    case "trash":
      return quietly(() => {
        const file = parts.trash.contentOf(source.entry);
        return digestFile(file, source.entry.path, { planned: fileStat(fs.statSync(file, { bigint: true })), signal });
      });
    case "text":
      return { md5: hashBytes("md5", source.text), sha256: hashBytes("sha256", source.text) };
  }
}

async function quietly<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof BackendError || error instanceof LocalFileError || isSystemError(error)) return undefined;
    throw error;
  }
}

/** From what this machine remembers, else from another remote that has the manifest of that name whole. */
async function findManifest(
  { deps: { signal } }: Parts,
  places: readonly Place[],
  { path, place: damaged }: Finding,
): Promise<FoundSource | undefined> {
  const timestamp = nameOf(path).replace(/\.json$/, "");
  const own = places.find(({ name }) => name === damaged);
  const others = places.filter((place) => place !== own);
  for (const place of own === undefined ? others : [own, ...others]) {
    const text = place.snapshots.knownManifest(timestamp);
    if (text !== undefined) return fromText(text, place === own ? REMEMBERED : place.name);
  }
  for (const { name, snapshots } of others) {
    const text = await quietly(() => snapshots.readManifest(timestamp, { signal }));
    if (text !== undefined) return fromText(text, name);
  }
  return undefined;
}

function fromText(text: string, where: string): FoundSource {
  return { source: { kind: "text", text, where }, sha256: hashBytes("sha256", text) };
}
