import { forEachLimit } from "../../lib/limits.ts";
import type { Verification } from "../../snapshots/model.ts";
import { tally } from "../../snapshots/tally.ts";
import { readThrough } from "../../sync/contents.ts";
import type { BaseEntry } from "../../sync/model.ts";
import type { Parts } from "../parts.ts";
import type { Place } from "../place.ts";
import type { Mirror } from "./model.ts";
import { sameContent } from "./plan.ts";
import { stateOf } from "./recover.ts";
import { merged } from "./state.ts";

/**
 * Reads every live file of a mirror that this machine has put there and that still is what is agreed. Other bytes under
 * the version that was put there, and files that are gone, are damage: nobody else is to change a mirror.
 */
export async function verifyMirrorFiles(parts: Parts, place: Place, mirror: Mirror): Promise<Verification> {
  const { signal, onEvent, config } = parts.deps;
  const counts = tally(place.name, "files");
  const state = stateOf(parts, mirror);
  const agreed = await parts.sync.agreedIndex();
  const records: BaseEntry[] = [];
  for (const { base } of merged(state.index, state.overlay)) {
    const row = agreed.find(base.path);
    const wanted = row < 0 ? undefined : agreed.baseAt(row);
    if (wanted !== undefined && sameContent(wanted, base)) records.push({ ...base, md5: wanted.md5 });
  }
  onEvent({ kind: "begin", items: records.length, bytes: 0 });
  const verify = async (record: BaseEntry): Promise<void> => {
    const { path, md5, sha256 } = record;
    const wanted = sha256 === undefined ? { md5 } : { sha256 };
    try {
      const found = await readThrough(place.backend, path, { signal });
      if (found === undefined)
        counts.found({ kind: "missing", path, ...wanted, files: [path], detail: "it is gone from there" });
      else if (found.hash.md5 === md5) counts.verified();
      else if (record.rev === undefined || record.rev !== found.file.rev) {
        counts.found({ kind: "drift", path, detail: "somebody else has changed it there" });
      } else {
        const detail = "its bytes are not those that were sent, although its version is";
        counts.found({ kind: "corrupted", path, rev: found.file.rev, ...wanted, detail, files: [path] });
      }
    } catch (error) {
      signal.throwIfAborted();
      counts.failed(path, error);
    }
    onEvent({ kind: "item" });
  };
  await forEachLimit(records, config.parallelWorkers, verify, { signal });
  return counts.result();
}
