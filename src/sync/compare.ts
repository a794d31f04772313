import { forEachLimit } from "../lib/limits.ts";
import type { RelPath } from "../lib/path.ts";
import { sameByChecksum } from "./contents.ts";
import type { SentFile } from "./journal.ts";
import { sameStat } from "./local-file.ts";
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
  const at = new Map(look.rows.map((row, position) => [row.path, position]));
  await forEachLimit(
    paths,
    options.workers,
    async (path) => {
      const position = at.get(path);
      const row = position === undefined ? undefined : look.rows[position];
      if (position === undefined || row === undefined) return;
      look.rows[position] = await compareRow(row, look, tools);
    },
    { signal: options.signal },
  );
}

async function compareRow(row: Row, look: Look, tools: LookTools): Promise<Row> {
  const { local, remote, path } = row;
  if (local.kind !== "file" || remote.kind !== "file") return row;
  const sent = look.base.journal.sent.get(path);
  if (row.equal === undefined && sent !== undefined && isWhatWasSent(row, sent)) {
    const hash = { md5: sent.md5, sha256: sent.sha256 };
    return { ...row, equal: true, local: { ...local, hash }, remote: { ...remote, sha256: sent.sha256 } };
  }
  const read = local.hash ? { stat: local.stat, hash: local.hash } : await tools.hashLocal(path);
  look.learned.local.set(path, read);
  const here = { ...local, stat: read.stat, hash: read.hash };
  if (row.equal === undefined && sameByChecksum(remote.file, read.hash) === true) {
    return { ...row, equal: true, local: here, remote: { ...remote, sha256: read.hash.sha256 } };
  }
  const sha256 = remote.sha256 ?? (await tools.hashRemote(remote.file)).sha256;
  return { ...row, equal: sha256 === read.hash.sha256, local: here, remote: { ...remote, sha256 } };
}

/** The server acknowledged these bytes, and nothing on either side has changed since (the closing look's own rule). */
function isWhatWasSent({ local, remote }: Row, sent: SentFile): boolean {
  if (local.kind !== "file" || remote.kind !== "file" || sent.local === undefined) return false;
  const { size, modifiedMs } = remote.file;
  const ours = size === sent.size && modifiedMs !== undefined && sent.serverTimeMs !== undefined;
  return ours && modifiedMs <= sent.serverTimeMs + 1000 && sameStat(local.stat, sent.local);
}
