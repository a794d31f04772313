import type { PythonJson } from "../lib/json.ts";

export type RemoteRecordState = "ok" | "pending_retry" | "failed_perm" | "absent";

/** What the shared manifest keeps of one file on one backend (reference 1.3). */
export interface RemoteRecord {
  readonly remoteFileId: string;
  readonly syncedRemoteHash: string;
  readonly state: RemoteRecordState;
  readonly lastError: string;
  /** Python isoformat, or `""`. */
  readonly lastAttempt: string;
  /** MD5 of the content that is there or was to be; `""` where the Python tool did not say. */
  readonly intendedHash: string;
  readonly attempts: number;
}

/** What one run writes into the `remotes` of the entries that it touched. */
export interface RemotePatch {
  /** Every backend that still is one: records of others go from the entries that are written. */
  readonly names: ReadonlySet<string>;
  readonly records: ReadonlyMap<string, ReadonlyMap<string, RemoteRecord>>;
}

/** Reads a record leniently; undefined for a state that nobody knows. */
export function readRemoteRecord(value: PythonJson | undefined): RemoteRecord | undefined {
  if (!isObject(value)) return undefined;
  const state = STATES.find((known) => known === value["state"]);
  if (state === undefined) return undefined;
  const text = (key: string): string => (typeof value[key] === "string" ? value[key] : "");
  const attempts = Math.trunc(Number(value["attempts"]));
  return {
    remoteFileId: text("remote_file_id"),
    syncedRemoteHash: text("synced_remote_hash"),
    state,
    lastError: text("last_error"),
    lastAttempt: text("last_attempt"),
    intendedHash: text("intended_hash"),
    attempts: Number.isFinite(attempts) ? attempts : 0,
  };
}

/** The record in the Python tool's order of keys. */
export function formatRemoteRecord(record: RemoteRecord): PythonJson {
  return {
    remote_file_id: record.remoteFileId,
    synced_remote_hash: record.syncedRemoteHash,
    state: record.state,
    last_error: record.lastError,
    last_attempt: record.lastAttempt,
    intended_hash: record.intendedHash,
    attempts: record.attempts,
  };
}

/** What a record becomes when another content is agreed on: the backend has the old one until somebody sends the new. */
export function outdated(value: PythonJson, md5: string): PythonJson {
  const record = readRemoteRecord(value);
  if (record?.state !== "ok" || record.intendedHash === md5) return value;
  return formatRemoteRecord({ ...record, state: "pending_retry", intendedHash: md5, attempts: 0 });
}

const STATES: readonly RemoteRecordState[] = ["ok", "pending_retry", "failed_perm", "absent"];

function isObject(value: PythonJson | undefined): value is Readonly<Record<string, PythonJson>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map);
}
