import { callsAtOnce } from "../backends/in-flight.ts";
import { forEachLimit } from "../lib/limits.ts";
import { releaseMemory } from "../lib/memory.ts";
import type { RelPath } from "../lib/path.ts";
import type { SnapshotFacts } from "../snapshots/model.ts";
import { agreedDigests } from "../sync/agreed-digests.ts";
import type { AgreedContent } from "../sync/model.ts";
import type { StateIndex } from "../sync/state-index.ts";
import { withAgreedBody } from "./agreed-body.ts";
import type { RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";

export interface Made {
  readonly snapshot: RunResult["snapshot"];
  /** Files that it holds. */
  readonly totalFiles: number;
  /** What to tell the user. */
  readonly notices: readonly string[];
}

/** What a snapshot is made for. */
export type Wanted = Pick<SnapshotFacts, "action" | "filesChanged" | "atMs" | "tag" | "message">;

const NO_COPY = "no copy of its agreed version is left; run claude-mirror sync";

export function lackNotice(path: string, reason: string): string {
  return `The snapshot lacks "${path}": ${reason}.`;
}

/**
 * Stores what no blob holds yet and writes the manifest. An agreed version of which no copy is left anywhere (both sides
 * have moved on and a conflict is open) cannot be in it: that is told, and no reason to be without a snapshot.
 */
export async function makeBlobsSnapshot(parts: Parts, wanted: Wanted): Promise<Made> {
  const snapshots = await parts.snapshots();
  const { config, signal } = parts.deps;
  const { index, learned, gone } = await knownContents(parts);
  const all = agreedDigests(index, { learned });
  const unstored = new Set(await snapshots.unstored(all.values(), { signal }));
  const missing: (readonly [RelPath, string])[] = [];
  if (unstored.size > 0) for (const entry of all) if (unstored.has(entry[1])) missing.push(entry);
  const stored = new Set<string>();
  await forEachLimit(
    missing,
    callsAtOnce((await parts.backend()).can, "write", config.parallelWorkers),
    async ([path, sha256]) => {
      if (stored.has(sha256) || (await storeBlob(parts, { path, sha256 }))) stored.add(sha256);
    },
    { signal },
  );
  const lost = missing.flatMap(([path, sha256]) => (stored.has(sha256) ? [] : path));
  gone.push(...lost);
  const files = lost.length === 0 ? all : agreedDigests(index, { learned, leftOut: new Set(lost) });
  releaseMemory(files.size);
  const facts = { ...wanted, files, user: config.user, machine: config.machineName };
  const storeAgain = async (sha256: string): Promise<void> => {
    const path = pathOf(files, sha256);
    if (path !== undefined && !(await storeBlob(parts, { path, sha256 }))) gone.push(path);
  };
  const { timestamp } = await snapshots.create(facts, { signal, storeAgain });
  return {
    snapshot: { timestamp, format: "blobs" },
    totalFiles: files.size,
    notices: gone.map((path) => lackNotice(path, NO_COPY)),
  };
}

function pathOf(files: ReadonlyMap<RelPath, string>, sha256: string): RelPath | undefined {
  for (const [path, other] of files) if (other === sha256) return path;
  return undefined;
}

interface KnownContents {
  readonly index: StateIndex;
  /** The SHA-256 of agreed contents that the index knows by their MD5 alone. */
  readonly learned: ReadonlyMap<RelPath, string>;
  /** Files whose agreed version is nowhere any more. */
  readonly gone: RelPath[];
}

/** What is agreed; files that only the Python tool has synced are read once and remembered. */
async function knownContents(parts: Parts): Promise<KnownContents> {
  const index = await parts.sync.agreedIndex();
  const unknown: AgreedContent[] = [];
  for (let row = 0; row < index.length; row++) {
    if (!index.hasBase(row) || index.hasBaseSha256(row)) continue;
    unknown.push({ path: index.pathAt(row), md5: index.baseHashAt(row).md5 });
  }
  releaseMemory(index.length);
  const learned = new Map<RelPath, string>();
  const { config, signal } = parts.deps;
  await forEachLimit(
    unknown,
    config.parallelWorkers,
    async (entry) => {
      const sha256 = await digestOf(parts, entry);
      if (sha256 !== undefined) learned.set(entry.path, sha256);
    },
    { signal },
  );
  if (learned.size > 0) await parts.sync.learnDigests(learned);
  return { index, learned, gone: unknown.flatMap(({ path }) => (learned.has(path) ? [] : path)) };
}

/** From the local file when it still is what was agreed, else from the remote; undefined when neither has it. */
async function digestOf(parts: Parts, entry: AgreedContent): Promise<string | undefined> {
  const { tools } = parts.sync;
  const local = await tools.hashLocal(entry.path).catch(() => undefined);
  if (local?.hash.md5 === entry.md5) return local.hash.sha256;
  const remote = await (await parts.backend()).stat(entry.path, { signal: parts.deps.signal });
  const hash = remote && (await tools.hashRemote(remote));
  return hash?.md5 === entry.md5 ? hash.sha256 : undefined;
}

function storeBlob(parts: Parts, content: { readonly path: RelPath; readonly sha256: string }): Promise<boolean> {
  const { signal } = parts.deps;
  return withAgreedBody(parts, content, async (source) => {
    await (await parts.snapshots()).store(source, { signal });
  });
}
