import { parseRelPath } from "../../lib/path.ts";
import { syncFiles } from "../../sync/files.ts";
import { readManifest } from "../../sync/manifest-file.ts";
import type { BaseEntry } from "../../sync/model.ts";
import { type RemoteRecord, readRemoteRecord } from "../../sync/remote-record.ts";
import type { Parts } from "../parts.ts";
import type { Mirror } from "./model.ts";
import { type MirrorState, openMirrorState, type Pending, type Recovered } from "./state.ts";

/** What is known of a mirror; from the shared manifest where our own state is lost, or where the Python tool was at work. */
export function stateOf(parts: Parts, mirror: Mirror): MirrorState {
  return openMirrorState(mirror.stateFolder, () => fromManifest(parts, mirror.name));
}

function fromManifest({ root, deps }: Parts, name: string): Recovered {
  const records = new Map<string, BaseEntry>();
  const pending = new Map<string, Pending>();
  const result = readManifest(syncFiles(root, deps.stateFolder).manifest, (path, entry) => {
    const known = parseRelPath(path);
    const remote = readRemoteRecord(entry.remotes.get(name));
    if (known === undefined || remote === undefined || remote.state === "absent") return;
    const wants = remote.intendedHash || entry.syncedHash;
    if (remote.syncedRemoteHash !== "") {
      records.set(path, { path: known, ...versionOf(remote), md5: remote.state === "ok" ? wants : "" });
    }
    if (remote.state === "ok") return;
    const error = remote.lastError === "" ? null : ({ class: "UNKNOWN", message: remote.lastError } as const);
    const { state, attempts, lastAttempt } = remote;
    pending.set(path, { path: known, wants, state, attempts, error, since: lastAttempt, at: lastAttempt });
  });
  if (result.kind !== "ok") return { records: [], pending: [] };
  return { records: [...records.values()], pending: [...pending.values()] };
}

function versionOf(remote: RemoteRecord): Omit<BaseEntry, "path" | "md5"> {
  const { remoteFileId: remoteId, syncedRemoteHash: nativeHash, lastAttempt: syncedAt } = remote;
  return { remoteId, nativeHash, syncedAt, racy: false };
}
