import type { RemoteFile, Rev } from "../../src/backends/types.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { relPath } from "../../src/lib/path.ts";
import type { BaseEntry, ContentHash, FileStat, LocalState, RemoteState, Row } from "../../src/sync/model.ts";

/** What a test row is made from: the contents of each side, as text. Left out: that side has nothing. */
export interface RowSpec {
  readonly base?: string;
  readonly local?: string;
  readonly remote?: string;
  readonly outOfScope?: boolean;
  readonly unreadable?: boolean;
  readonly unusable?: boolean;
  /** Whether somebody has read both sides. */
  readonly compared?: boolean;
}

/** The row that a truthful observer makes of the contents. */
export function rowOf(path: string, spec: RowSpec): Row {
  const { base, local, remote, compared } = spec;
  const equal = compared && local !== undefined && remote !== undefined ? { equal: local === remote } : {};
  return {
    path: relPath(path),
    inScope: !spec.outOfScope,
    ...(base !== undefined && { base: baseOf(path, base) }),
    local: localState(spec),
    remote: remoteState(path, spec),
    ...equal,
  };
}

export function hashOf(content: string): ContentHash {
  return { md5: hashBytes("md5", content), sha256: hashBytes("sha256", content) };
}

export function statOf(content: string): FileStat {
  return { size: content.length, mtimeNs: 1n, ctimeNs: 1n, ino: 1n };
}

export function revOf(content: string): Rev {
  return `rev-${content}` as Rev;
}

export function remoteFileOf(path: string, content: string): RemoteFile {
  const rev = revOf(content);
  return { path: relPath(path), size: content.length, rev, racy: false, id: path, nativeHash: rev };
}

function baseOf(path: string, content: string): BaseEntry {
  const { md5, sha256 } = hashOf(content);
  const rev = revOf(content);
  const syncedAt = "2026-01-01T00:00:00.000000+00:00";
  return {
    path: relPath(path),
    md5,
    sha256,
    size: content.length,
    remoteId: path,
    nativeHash: rev,
    rev,
    racy: false,
    syncedAt,
  };
}

function localState({ base, local, compared, unreadable }: RowSpec): LocalState {
  if (unreadable) return { kind: "unreadable", reason: "permission denied" };
  if (local === undefined) return { kind: "absent" };
  const hash = compared ? { hash: hashOf(local) } : {};
  return { kind: "file", changed: local !== base, stat: statOf(local), ...hash };
}

function remoteState(path: string, { base, remote, compared, unusable }: RowSpec): RemoteState {
  if (unusable) return { kind: "unusable", reason: "listed twice" };
  if (remote === undefined) return { kind: "absent" };
  const sha256 = compared ? { sha256: hashOf(remote).sha256 } : {};
  return { kind: "file", changed: remote !== base, file: remoteFileOf(path, remote), ...sha256 };
}
