import * as fs from "node:fs";
import { forEachLimit } from "../lib/limits.ts";
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
export async function snapshotBefore(parts: Parts, command: string, plan: Plan): Promise<RunResult["snapshot"]> {
  const doomed = plan.actions.filter((action) => action.kind === "delete-remote");
  if (doomed.length === 0) return null;
  if (parts.deps.config.snapshotFormat !== "blobs") return null;
  const snapshots = await parts.snapshots();
  if (doomed.every(({ sha256 }) => sha256 !== undefined && snapshots.holds(sha256))) return null;
  return makeSnapshot(parts, {
    action: command === "sync" ? "sync" : "push",
    filesChanged: doomed.map(({ path }) => path),
  });
}

export type SnapshotAfter =
  | { readonly kind: "made"; readonly snapshot: RunResult["snapshot"] }
  | { readonly kind: "failed"; readonly outcome: ItemOutcome };

/** The snapshot of what both sides agree on after a run that sent or deleted something. */
export async function snapshotAfter(parts: Parts, due: Due): Promise<SnapshotAfter> {
  const filesChanged = [...due.uploaded, ...due.deletedRemote].sort();
  if (filesChanged.length === 0 || parts.deps.config.snapshotFormat !== "blobs")
    return { kind: "made", snapshot: null };
  try {
    return {
      kind: "made",
      snapshot: await makeSnapshot(parts, { action: due.command === "sync" ? "sync" : "push", filesChanged }),
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

interface SnapshotFacts {
  readonly action: "push" | "sync";
  readonly filesChanged: readonly string[];
}

async function makeSnapshot(parts: Parts, { action, filesChanged }: SnapshotFacts): Promise<RunResult["snapshot"]> {
  const snapshots = await parts.snapshots();
  const { config, signal } = parts.deps;
  const files = await agreedDigests(parts);
  const unstored = new Set(await snapshots.unstored(files.values(), { signal }));
  const missing = [...files].filter(([, sha256]) => unstored.delete(sha256));
  await forEachLimit(missing, config.parallelWorkers, ([path, sha256]) => storeBlob(parts, path, sha256), { signal });
  const { timestamp } = await snapshots.create(
    { action, filesChanged, files, user: config.user, machine: config.machineName },
    { signal },
  );
  return { timestamp, format: "blobs" };
}

/** Every agreed file with its SHA-256; those that only the Python tool has synced are read once and remembered. */
async function agreedDigests(parts: Parts): Promise<Map<RelPath, string>> {
  const agreed = await parts.sync.agreed();
  const learned = new Map<RelPath, string>();
  const { config, signal } = parts.deps;
  const unknown = agreed.filter(({ sha256 }) => sha256 === undefined);
  await forEachLimit(
    unknown,
    config.parallelWorkers,
    async (entry) => void learned.set(entry.path, await digestOf(parts, entry)),
    { signal },
  );
  if (learned.size > 0) await parts.sync.learnDigests(learned);
  return new Map(agreed.map(({ path, sha256 }) => [path, sha256 ?? (learned.get(path) as string)]));
}

/** From the local file when it still is what was agreed, else from the remote. */
async function digestOf(parts: Parts, entry: Agreed): Promise<string> {
  const { tools } = parts.sync;
  const local = await tools.hashLocal(entry.path).catch(() => undefined);
  if (local?.hash.md5 === entry.md5) return local.hash.sha256;
  const remote = await (await parts.backend()).stat(entry.path, { signal: parts.deps.signal });
  const hash = remote && (await tools.hashRemote(remote));
  if (hash?.md5 === entry.md5) return hash.sha256;
  throw goneVersion(entry.path);
}

/** Sends one agreed body that no blob holds yet: from here when the bytes are here, else from the remote's live file. */
async function storeBlob(parts: Parts, path: RelPath, sha256: string): Promise<void> {
  const snapshots = await parts.snapshots();
  const { signal } = parts.deps;
  const local = await parts.sync.tools.hashLocal(path).catch(() => undefined);
  if (local?.hash.sha256 === sha256) {
    const { source } = await localContent(joinUnder(parts.root, path), path, {
      planned: local.stat,
      ...CONTENT,
      signal,
    });
    await snapshots.store(source, { signal });
    return;
  }
  const backend = await parts.backend();
  const remote = await backend.stat(path, { signal });
  if (remote === undefined) throw goneVersion(path);
  const note = { path, reason: "copy of the remote version, on its way into a snapshot" };
  const { body } = await backend.read(path, { expect: remote.rev, signal });
  const kept = await parts.trash.putBytes(body, note, { signal });
  try {
    const content = parts.trash.contentOf(kept);
    const planned = fileStat(fs.statSync(content, { bigint: true }));
    const { source, hash } = await localContent(content, path, { planned, ...CONTENT, signal });
    if (hash.sha256 !== sha256) throw goneVersion(path);
    await snapshots.store(source, { signal });
  } finally {
    parts.trash.discard(kept);
  }
}

const CONTENT = { onProgress: () => undefined };

function goneVersion(path: RelPath): Error {
  return new Error(`no copy of the agreed version of "${path}" is left: run claude-mirror sync first`);
}
