import { LocalFileError } from "../backends/errors.ts";
import { forEachLimit } from "../lib/limits.ts";
import type { RelPath } from "../lib/path.ts";
import { movedOn, sameByChecksum } from "./contents.ts";
import { sameStat } from "./file-stat.ts";
import type { SentFile } from "./journal.ts";
import type { Look, LookTools } from "./look.ts";
import type { Row } from "./model.ts";

export interface CompareOptions {
  readonly workers: number;
  readonly signal: AbortSignal;
}

/**
 * Reads both sides of `paths` and writes into the look whether they hold the same bytes. Server checksums and what an
 * interrupted run sent settle it without a download.
 */
export async function compareContents(
  look: Look,
  paths: readonly RelPath[],
  tools: LookTools,
  options: CompareOptions,
): Promise<void> {
  const { rows } = look;
  await forEachLimit(
    paths,
    options.workers,
    async (path) => {
      const position = rows.find(path);
      if (position < 0) return;
      const row = rows.at(position);
      rows.set(position, await compareRow(row, look, tools).catch((error: unknown) => unreadableRow(row, error)));
    },
    { signal: options.signal },
  );
}

/** A side that cannot be read, or moved on while it was read, is unknown: the path is held and the others go on. */
function unreadableRow(row: Row, error: unknown): Row {
  if (error instanceof LocalFileError) return { ...row, local: { kind: "unreadable", reason: error.message } };
  return { ...row, remote: movedOn(error) };
}

async function compareRow(row: Row, look: Look, tools: LookTools): Promise<Row> {
  const { local, remote, path } = row;
  if (local.kind !== "file" || remote.kind !== "file") return readOne(row, look, tools);
  const sent = look.base.journal.sent.get(path);
  if (row.equal === undefined && sent !== undefined && isWhatWasSent(row, sent)) {
    const hash = { md5: sent.md5, sha256: sent.sha256 };
    return { ...row, equal: true, local: { ...local, hash }, remote: { ...remote, sha256: sent.sha256 } };
  }
  const read = local.hash ? { stat: local.stat, hash: local.hash } : await tools.hashLocal(path);
  look.learned.local.set(path, read);
  const here = { ...local, stat: read.stat, hash: read.hash };
  const vouched = async (): Promise<boolean> =>
    sameByChecksum(remote.file, read.hash) ?? (await tools.isVouched?.(remote.file, path, read.stat)) ?? false;
  if (row.equal === undefined && (await vouched())) {
    return { ...row, equal: true, local: here, remote: { ...remote, sha256: read.hash.sha256 } };
  }
  const sha256 = remote.sha256 ?? (await tools.hashRemote(remote.file)).sha256;
  return { ...row, equal: sha256 === read.hash.sha256, local: here, remote: { ...remote, sha256 } };
}

/** A file that only one side has: its digest tells whether it is a conflict copy that was begun. */
async function readOne(row: Row, look: Look, tools: LookTools): Promise<Row> {
  const { local, remote, path } = row;
  if (local.kind === "file" && local.hash === undefined) {
    const read = await tools.hashLocal(path);
    look.learned.local.set(path, read);
    return { ...row, local: { ...local, stat: read.stat, hash: read.hash } };
  }
  if (remote.kind !== "file" || remote.sha256 !== undefined) return row;
  return { ...row, remote: { ...remote, sha256: (await tools.hashRemote(remote.file)).sha256 } };
}

/** The server acknowledged these bytes, and nothing on either side has changed since (the closing look's own rule). */
function isWhatWasSent({ local, remote }: Row, sent: SentFile): boolean {
  if (local.kind !== "file" || remote.kind !== "file" || sent.local === undefined) return false;
  const { size, modifiedMs } = remote.file;
  const ours = size === sent.size && modifiedMs !== undefined && sent.serverTimeMs !== undefined;
  return ours && modifiedMs <= sent.serverTimeMs + 1000 && sameStat(local.stat, sent.local);
}
