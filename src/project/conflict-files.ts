import { MissingError, RefusedError, UsageError } from "../lib/errors.ts";
import { hashBytes } from "../lib/hash.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { holdsMarkers, MARKERS, mergeLines, mergeTexts } from "../sync/merge.ts";
import type { Conflict } from "../sync/model.ts";
import { selectPath } from "../sync/select.ts";
import { isBinary, questionOf } from "./conflicts.ts";
import type { ConflictEnvelope, ConflictQuestion, ConflictView, RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import { runTransfer } from "./run.ts";

/** One conflict that was left, and its merge with markers where both sides changed the same. Throws MissingError. */
export function viewConflict(parts: Parts, file: string): ConflictView {
  const envelope = envelopeOf(parts, pathOf(parts, file));
  return { envelope, merge: mergeOf(envelope) };
}

/** Forgets that a conflict was left; the next run that leaves it again notes it again. Throws MissingError. */
export function dropConflict(parts: Parts, file: string): string {
  const path = pathOf(parts, file);
  if (!parts.envelopes.remove(path)) throw noneFor(path);
  return path;
}

/**
 * Makes `bytes` the file on both sides, if both still are what the envelope shows; the versions before it are kept as
 * for every merge. Throws MissingError without an envelope, RefusedError "conflict-changed" when a side has moved on,
 * UsageError when conflict markers are left.
 */
export async function applyConflict(
  parts: Parts,
  file: string,
  { bytes, dryRun }: { readonly bytes: Uint8Array; readonly dryRun: boolean },
): Promise<RunResult> {
  const path = pathOf(parts, file);
  const envelope = envelopeOf(parts, path);
  if (!isBinary(bytes) && holdsMarkers(new TextDecoder().decode(bytes)))
    throw new UsageError(`cannot apply the merge of "${path}": conflict markers are left in it`);
  let found: Conflict | undefined;
  const requireSame = (question: ConflictQuestion) => {
    const change = changeOf(envelope, question);
    if (change === undefined) return;
    if (!dryRun) parts.envelopes.distrust(path);
    throw movedOn(path, change);
  };
  const result = await runTransfer(parts, {
    command: "sync",
    mode: { kind: "sync" },
    files: [joinUnder(parts.root, path)],
    dryRun,
    allow: new Set(),
    replan(_look, plan) {
      found = plan.conflicts.find((conflict) => conflict.path === path);
      if (found === undefined) throw movedOn(path, "it is no conflict any more");
      return plan;
    },
    async ask(question) {
      requireSame(question);
      return { kind: "content", bytes };
    },
  });
  if (!dryRun || found === undefined) return result;
  requireSame(await questionOf(parts, found));
  return { ...result, planned: [{ path, action: "upload" }], conflicts: [] };
}

function changeOf({ local_hash, remote_hash }: ConflictEnvelope, question: ConflictQuestion): string | undefined {
  const isSame = (bytes: Uint8Array | undefined, hash: string) =>
    bytes !== undefined && hashBytes("sha256", bytes) === hash;
  if (!isSame(question.local, local_hash)) return "the local file has changed since the conflict was noted";
  if (!isSame(question.remote, remote_hash)) return "the remote file has changed since the conflict was noted";
  return undefined;
}

function movedOn(path: string, found: string): RefusedError {
  const next = "run claude-mirror sync --no-prompt to note it as it is now, then merge again";
  return new RefusedError("conflict-changed", `did not apply the merge of "${path}": ${found}; ${next}`);
}

function pathOf(parts: Parts, file: string): RelPath {
  return selectPath(file, { root: parts.root, cwd: parts.deps.cwd });
}

function envelopeOf(parts: Parts, path: RelPath): ConflictEnvelope {
  const envelope = parts.envelopes.find(path);
  if (envelope === undefined) throw noneFor(path);
  return envelope;
}

function noneFor(path: string): MissingError {
  return new MissingError(`no conflict in "${path}" is noted`, {
    hint: "claude-mirror conflict list shows those that are; sync --no-prompt notes what it leaves.",
  });
}

function mergeOf({
  path,
  local_text: local,
  remote_text: remote,
  base_text: base,
}: ConflictEnvelope): ConflictView["merge"] {
  if (path.endsWith(".jsonl")) return { kind: "clean", text: mergeLines({ local, remote }) };
  if (base !== null) return mergeTexts({ base, local, remote });
  const text = [MARKERS.local, local, MARKERS.middle, remote, MARKERS.remote];
  return {
    kind: "conflict",
    text: text.map((part) => (part === "" || part.endsWith("\n") ? part : `${part}\n`)).join(""),
  };
}
