import { NotFoundError } from "../backends/errors.ts";
import type { RemoteFile } from "../backends/types.ts";
import { forEachLimit } from "../lib/limits.ts";
import type { Verification } from "../snapshots/model.ts";
import { type Tally, tally } from "../snapshots/tally.ts";
import { readThrough } from "../sync/contents.ts";
import type { Look } from "../sync/look.ts";
import type { BaseEntry, ContentHash, Row } from "../sync/model.ts";
import type { Parts } from "./parts.ts";
import type { Place } from "./place.ts";

export interface VerifiedFiles extends Verification {
  /** Files whose agreed content is there under another version than was noted. */
  readonly moved: readonly RemoteFile[];
}

/**
 * Reads every live file of the primary that both sides have agreed on. Other bytes under the version that was agreed on are
 * damage; under another version they are somebody's change, which the next sync is about.
 */
export async function verifyFiles(parts: Parts, place: Place, look: Look): Promise<VerifiedFiles> {
  const { signal, onEvent, config } = parts.deps;
  const counts = tally(place.name, "files");
  const moved: RemoteFile[] = [];
  onEvent({ kind: "begin", items: look.facts.baseEntries, bytes: 0 });
  const verify = async ({ base, ...row }: Row & { readonly base: BaseEntry }): Promise<void> => {
    try {
      await verifyFile({ parts, place, counts, moved }, row, base);
    } catch (error) {
      counts.failed(row.path, error);
    }
    onEvent({ kind: "item" });
  };
  await forEachLimit(agreedRows(look), config.parallelWorkers, verify, { signal });
  return { ...counts.result(), moved };
}

function* agreedRows(look: Look): Iterable<Row & { readonly base: BaseEntry }> {
  for (const row of look.everything()) {
    const { base } = row;
    if (row.inScope && base !== undefined && base.md5 !== "") yield { ...row, base };
  }
}

interface Checking {
  readonly parts: Parts;
  readonly place: Place;
  readonly counts: Tally;
  readonly moved: RemoteFile[];
}

async function verifyFile({ parts, place, counts, moved }: Checking, row: Row, base: BaseEntry): Promise<void> {
  const { path, remote } = row;
  if (remote.kind === "unusable") throw new NotFoundError(remote.reason);
  const found = remote.kind === "file" ? await readThrough(place.backend, path, parts.deps) : undefined;
  if (found === undefined) return counts.found({ kind: "drift", path, detail: "deleted there since the last sync" });
  const isOther = remote.kind === "file" && (remote.changed || remote.file.rev !== found.file.rev);
  if (isAgreed(found.hash, base)) {
    if (isOther) moved.push(found.file);
    return counts.verified();
  }
  if (isOther) return counts.found({ kind: "drift", path, detail: "changed there since the last sync" });
  const again = await readThrough(place.backend, path, parts.deps);
  if (again === undefined || isAgreed(again.hash, base)) return counts.verified();
  const wanted = base.sha256 === undefined ? { md5: base.md5 } : { sha256: base.sha256 };
  const detail = "its bytes are not those that were agreed on, although its version is";
  counts.found({ kind: "corrupted", path, rev: again.file.rev, ...wanted, detail, files: [path] });
}

function isAgreed(hash: ContentHash, base: BaseEntry): boolean {
  return base.sha256 === undefined ? hash.md5 === base.md5 : hash.sha256 === base.sha256;
}
