import * as fs from "node:fs";
import { callsAtOnce } from "../backends/in-flight.ts";
import { forEachLimit } from "../lib/limits.ts";
import { releaseMemory } from "../lib/memory.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { describeItemError } from "../sync/item-error.ts";
import { localContent } from "../sync/local-content.ts";
import { fileStat } from "../sync/local-file.ts";
import type { Due } from "../sync/marker.ts";
import type { ItemOutcome, Plan } from "../sync/model.ts";
import type { Agreed } from "../sync/service.ts";
import type { RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";

/** Deletes on the remote of bytes that no snapshot holds make one first (decision 18). */
export async function snapshotBefore(parts: Parts, command: string, plan: Plan): Promise<Made> {
  const doomed = plan.actions.filter((action) => action.kind === "delete-remote");
  if (doomed.length === 0) return NONE;
  if (parts.deps.config.snapshotFormat !== "blobs") return NONE;
  const snapshots = await parts.snapshots();
  const digests = doomed.flatMap(({ sha256 }) => sha256 ?? []);
  const { signal } = parts.deps;
  if (digests.length === doomed.length && (await snapshots.surelyHolds(digests, { signal }))) return NONE;
  return makeSnapshot(parts, {
    action: command === "sync" ? "sync" : "push",
    filesChanged: doomed.map(({ path }) => path),
  });
}

interface Made {
  readonly snapshot: RunResult["snapshot"];
  /** What to tell the user. */
  readonly notices: readonly string[];
}

const NONE: Made = { snapshot: null, notices: [] };

export type SnapshotAfter =
  | (Made & { readonly kind: "made" })
  | { readonly kind: "failed"; readonly outcome: ItemOutcome };

/** The snapshot of what both sides agree on after a run that sent or deleted something. */
export async function snapshotAfter(parts: Parts, due: Due, atMs: number): Promise<SnapshotAfter> {
  const filesChanged = [...due.uploaded, ...due.deletedRemote].sort();
  if (filesChanged.length === 0) return { kind: "made", ...NONE };
  if (parts.deps.config.snapshotFormat !== "blobs") return { kind: "made", snapshot: null, notices: [NO_FULL] };
  try {
    return {
      kind: "made",
      ...(await makeSnapshot(parts, { action: due.command === "sync" ? "sync" : "push", filesChanged, atMs })),
    };
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    const { message, ...rest } = describeItemError(error);
    const told = { ...rest, message: `the snapshot could not be made: ${message}` };
    return {
      kind: "failed",
      outcome: { path: filesChanged[0] as RelPath, action: "upload", status: "failed", error: told },
    };
  }
}

const NO_FULL =
  "No snapshot was made: this version cannot write the full format. Set snapshot_format: blobs in the config to get snapshots.";

interface SnapshotFacts {
  readonly action: "push" | "sync";
  readonly filesChanged: readonly string[];
  /** Milliseconds since 1970; now when left out. */
  readonly atMs?: number;
}

/**
 * Stores what no blob holds yet and writes the manifest. An agreed version of which no copy is left anywhere (both sides
 * have moved on and a conflict is open) cannot be in it: that is told, and no reason to be without a snapshot.
 */
async function makeSnapshot(parts: Parts, made: SnapshotFacts): Promise<Made> {
  const snapshots = await parts.snapshots();
  const { config, signal } = parts.deps;
  const { files, gone } = await agreedDigests(parts);
  const unstored = new Set(await snapshots.unstored(files.values(), { signal }));
  const missing = [...files].filter(([, sha256]) => unstored.has(sha256));
  const stored = new Set<string>();
  await forEachLimit(
    missing,
    callsAtOnce((await parts.backend()).can, "write", config.parallelWorkers),
    async ([path, sha256]) => {
      if (stored.has(sha256) || (await storeBlob(parts, path, sha256))) stored.add(sha256);
    },
    { signal },
  );
  for (const [path, sha256] of missing) {
    if (!stored.has(sha256) && files.delete(path)) gone.push(path);
  }
  const facts = { ...made, files, user: config.user, machine: config.machineName };
  const storeAgain = async (sha256: string): Promise<void> => {
    const path = [...files.keys()].find((one) => files.get(one) === sha256);
    if (path !== undefined && !(await storeBlob(parts, path, sha256))) gone.push(path);
  };
  const { timestamp } = await snapshots.create(facts, { signal, storeAgain });
  const notices = gone.map(
    (path) => `The snapshot lacks "${path}": no copy of its agreed version is left; run claude-mirror sync.`,
  );
  return { snapshot: { timestamp, format: "blobs" }, notices };
}

interface AgreedDigests {
  readonly files: Map<RelPath, string>;
  /** Files whose agreed version is nowhere any more. */
  readonly gone: RelPath[];
}

/** Every agreed file with its SHA-256; those that only the Python tool has synced are read once and remembered. */
async function agreedDigests(parts: Parts): Promise<AgreedDigests> {
  const files = new Map<RelPath, string>();
  const unknown: Agreed[] = [];
  for (const entry of await parts.sync.agreed()) {
    if (entry.sha256 === undefined) unknown.push(entry);
    else files.set(entry.path, entry.sha256);
  }
  releaseMemory(files.size);
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
  for (const [path, sha256] of learned) files.set(path, sha256);
  return { files, gone: unknown.flatMap(({ path }) => (learned.has(path) ? [] : path)) };
}

/** From the local file when it still is what was agreed, else from the remote; undefined when neither has it. */
async function digestOf(parts: Parts, entry: Agreed): Promise<string | undefined> {
  const { tools } = parts.sync;
  const local = await tools.hashLocal(entry.path).catch(() => undefined);
  if (local?.hash.md5 === entry.md5) return local.hash.sha256;
  const remote = await (await parts.backend()).stat(entry.path, { signal: parts.deps.signal });
  const hash = remote && (await tools.hashRemote(remote));
  return hash?.md5 === entry.md5 ? hash.sha256 : undefined;
}

/** Sends one agreed body that no blob holds yet, from here or from the remote's live file. False when neither has it. */
async function storeBlob(parts: Parts, path: RelPath, sha256: string): Promise<boolean> {
  const { signal } = parts.deps;
  const local = await parts.sync.tools.hashLocal(path).catch(() => undefined);
  if (local?.hash.sha256 === sha256) return storeFile(parts, path, joinUnder(parts.root, path), sha256);
  const backend = await parts.backend();
  const remote = await backend.stat(path, { signal });
  if (remote === undefined) return false;
  const note = { path, reason: "copy of the remote version, on its way into a snapshot" };
  const { body } = await backend.read(path, { expect: remote.rev, signal });
  const kept = await parts.trash.putBytes(body, note, { signal });
  try {
    return await storeFile(parts, path, parts.trash.contentOf(kept), sha256);
  } finally {
    parts.trash.discard(kept);
  }
}

async function storeFile(parts: Parts, path: RelPath, absolute: string, sha256: string): Promise<boolean> {
  const { signal } = parts.deps;
  const planned = fileStat(fs.statSync(absolute, { bigint: true }));
  const { source, hash } = await localContent(absolute, path, { planned, onProgress: () => undefined, signal });
  if (hash.sha256 !== sha256) return false;
  await (await parts.snapshots()).store(source, { signal });
  return true;
}
