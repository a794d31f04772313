import type { RemoteFile } from "../backends/types.ts";
import { conflictCopyPath } from "../lib/copy-name.ts";
import type { RelPath } from "../lib/path.ts";
import type { Action, Conflict, Row, Strategy } from "./model.ts";

/** What a strategy makes of a conflict. */
export type Settlement =
  | { readonly kind: "action"; readonly action: Action }
  | { readonly kind: "skip" }
  /** The digests of both contents decide: compare the row, then ask again. */
  | { readonly kind: "compare" }
  | { readonly kind: "impossible"; readonly reason: string };

/**
 * Settles one conflict. `keep-both` between two contents is decided by the contents alone, so that every machine
 * that meets the same pair ends with the same files, in whatever order they sync: the smaller SHA-256 gets the path,
 * the other one its conflict copy. Between an edit and a delete it keeps the edit.
 */
export function resolve(conflict: Conflict, strategy: Strategy): Settlement {
  switch (strategy) {
    case "skip":
      return { kind: "skip" };
    case "keep-local":
      return keepLocal(conflict.row);
    case "keep-remote":
      return keepRemote(conflict.row);
    case "keep-both":
      return keepBoth(conflict);
  }
}

/** The remote becomes what is here, over exactly the version that was seen. */
function keepLocal(row: Row): Settlement {
  const { local, remote } = row;
  if (local.kind === "file") return action(uploadOf(row));
  if (remote.kind === "file") return action(deleteRemoteOf(row));
  return { kind: "skip" };
}

/** What is here becomes the remote's, over exactly the file that was seen. */
function keepRemote(row: Row): Settlement {
  const { local, remote } = row;
  if (remote.kind === "file") return action(downloadOf(row));
  if (local.kind === "file") return action(deleteLocalOf(row));
  return { kind: "skip" };
}

function keepBoth(conflict: Conflict): Settlement {
  const { path, row } = conflict;
  const { local, remote } = row;
  if (local.kind !== "file") return keepRemote(row);
  if (remote.kind !== "file") return keepLocal(row);
  const localSha256 = local.hash?.sha256;
  const remoteSha256 = remote.sha256;
  if (localSha256 === undefined || remoteSha256 === undefined) return { kind: "compare" };
  const winner = winnerOf(path, localSha256, remoteSha256);
  const copySha256 = winner === "local" ? remoteSha256 : localSha256;
  const copy = conflictCopyPath(path, copySha256);
  if (copy === path) return { kind: "impossible", reason: "both contents claim the name of the same conflict copy" };
  const sides = { local: local.stat, localSha256, remote: remote.file, remoteSha256 };
  return action({ kind: "keep-both", path, winner, ...sides, copy, copySha256 });
}

/** A total order of contents: the one that a conflict copy is named after stays in it, else the smaller digest wins. */
function winnerOf(path: RelPath, localSha256: string, remoteSha256: string): "local" | "remote" {
  if (conflictCopyPath(path, localSha256) === path) return "local";
  if (conflictCopyPath(path, remoteSha256) === path) return "remote";
  return localSha256 < remoteSha256 ? "local" : "remote";
}

function action(action: Action | undefined): Settlement {
  return action === undefined ? { kind: "skip" } : { kind: "action", action };
}

/** Sends the local file over what the remote holds now, or over nothing. */
export function uploadOf(row: Row): Action | undefined {
  const { path, local, remote } = row;
  if (local.kind !== "file" || remote.kind === "unusable") return undefined;
  const expect = remote.kind === "file" ? remote.file.rev : "absent";
  const replaced = remote.kind === "file" && { replaced: replacedBy(row, remote) };
  return { kind: "upload", path, local: local.stat, expect, ...(local.hash && { hash: local.hash }), ...replaced };
}

function replacedBy(
  { base }: Row,
  { file, changed, sha256 = changed ? undefined : base?.sha256 }: Extract<Row["remote"], { kind: "file" }>,
): { remote: RemoteFile; sha256?: string } {
  return { remote: file, ...(sha256 !== undefined && { sha256 }) };
}

/** Fetches the remote file over what is here now, or over nothing. */
export function downloadOf(row: Row): Action | undefined {
  const { path, local, remote } = row;
  if (remote.kind !== "file" || local.kind === "unreadable") return undefined;
  if (local.kind === "absent") return { kind: "download", path, remote: remote.file, local: "absent" };
  return { kind: "download", path, remote: remote.file, local: local.stat, ...knownLocal(row) };
}

/** Removes exactly the remote version that was seen. */
export function deleteRemoteOf(row: Row): Action | undefined {
  const { path, base, remote } = row;
  if (remote.kind !== "file") return undefined;
  const sha256 = remote.sha256 ?? (remote.changed ? undefined : base?.sha256);
  return { kind: "delete-remote", path, remote: remote.file, ...(sha256 !== undefined && { sha256 }) };
}

/** Removes exactly the local file that was seen. */
export function deleteLocalOf(row: Row): Action | undefined {
  const { path, local } = row;
  if (local.kind !== "file") return undefined;
  return { kind: "delete-local", path, local: local.stat, ...knownLocal(row) };
}

/** Writes down that both sides agree. */
export function adoptOf(row: Row): Action | undefined {
  const { path, local, remote } = row;
  if (local.kind !== "file" || remote.kind !== "file") return undefined;
  return { kind: "adopt", path, remote: remote.file, local: local.stat, ...(local.hash && { hash: local.hash }) };
}

function knownLocal(row: Row): { readonly localSha256?: string } {
  const { base, local } = row;
  if (local.kind !== "file") return {};
  const localSha256 = local.hash?.sha256 ?? (local.changed ? undefined : base?.sha256);
  return localSha256 === undefined ? {} : { localSha256 };
}
