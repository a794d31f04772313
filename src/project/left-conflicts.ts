import { pythonIso } from "../lib/clock.ts";
import { hashBytes } from "../lib/hash.ts";
import type { Look } from "../sync/look.ts";
import type { Conflict, Plan } from "../sync/model.ts";
import { concernsOneFile, questionOf } from "./conflicts.ts";
import type { ConflictEnvelope, RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";

/**
 * Brings the envelopes in line with what a run has left: a new one for each conflict between two texts that has none
 * of its very versions, and none for what the run looked at and found settled. Answers notices; trouble is no failure
 * of the run.
 */
export async function noteLeftConflicts(
  parts: Parts,
  { plan, look, result }: { readonly plan: Plan; readonly look: Look; readonly result: RunResult },
): Promise<readonly string[]> {
  if (result.interrupted || parts.deps.signal.aborted) return [];
  try {
    const open = new Set([...result.conflicts, ...result.failed].map(({ path }) => path));
    for (const { path } of parts.envelopes.list()) {
      const isSeen = look.selection === undefined || look.selection.matches(path as Conflict["path"]);
      if (isSeen && !open.has(path)) parts.envelopes.remove(path);
    }
    for (const conflict of plan.conflicts) await noteConflict(parts, conflict);
    return [];
  } catch (error) {
    if (parts.deps.signal.aborted) return [];
    return [`Not all conflicts that are left could be noted for claude-mirror conflict: ${(error as Error).message}`];
  }
}

async function noteConflict(parts: Parts, conflict: Conflict): Promise<void> {
  const { remote } = conflict.row;
  if (await isNoted(parts, conflict)) return;
  const envelope = await envelopeOf(parts, conflict);
  if (envelope !== undefined && remote.kind === "file") parts.envelopes.write(envelope, remote.file.rev);
  else parts.envelopes.remove(conflict.path);
}

/** Whether the envelope there is shows both sides as they are: then the remote need not be read again. */
async function isNoted(parts: Parts, { path, row: { local, remote } }: Conflict): Promise<boolean> {
  const known = parts.envelopes.find(path);
  if (known === undefined || local.kind !== "file" || remote.kind !== "file") return false;
  if (remote.file.rev !== parts.envelopes.revOf(path)) return false;
  const hash = local.hash ?? (await parts.sync.tools.hashLocal(path).catch(() => undefined))?.hash;
  return hash?.sha256 === known.local_hash;
}

/** Undefined where a side is gone, no text, or moving on. */
async function envelopeOf(parts: Parts, conflict: Conflict): Promise<ConflictEnvelope | undefined> {
  const question = await questionOf(parts, conflict).catch((error: unknown) => {
    if (concernsOneFile(error)) return undefined;
    throw error;
  });
  if (question?.local === undefined || question.remote === undefined || question.binary) return undefined;
  const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const [local_text, remote_text] = [text(question.local), text(question.remote)];
  const { path, base } = question;
  const { clock, config } = parts.deps;
  return {
    path,
    local_text,
    remote_text,
    local_hash: hashBytes("sha256", question.local),
    remote_hash: hashBytes("sha256", question.remote),
    created_at: pythonIso(clock.now()),
    project_path: parts.root,
    backend: config.backend,
    unified_diff: await unifiedDiff(path, remote_text, local_text),
    base_text: base ?? null,
    base_hash: base === undefined ? null : hashBytes("sha256", base),
    version: 1,
  };
}

/** More changed lines than this keep the run waiting. */
const MOST_EDITS = 5000;

/** From the remote text to the local one, three lines around; empty for texts that have next to nothing in common. */
async function unifiedDiff(path: string, remote: string, local: string): Promise<string> {
  const { createTwoFilesPatch } = await import("diff");
  const options = { context: 3, maxEditLength: MOST_EDITS };
  const patch = createTwoFilesPatch(`remote/${path}`, `local/${path}`, remote, local, undefined, undefined, options);
  return (patch ?? "").replace(/^={3,}\n/, "");
}
